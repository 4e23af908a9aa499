/* SPDX-License-Identifier: MIT */
#ifndef TEST_RPC_WORKER_H
#define TEST_RPC_WORKER_H

#include <sys/types.h>

/*
 * rpc_worker: a real ggml-rpc-server on the loopback, from GR_TEST_LLAMA_TOOLS; it computes on the CPU. What goes wrong fails
 * the test. It ends with this process.
 */
struct rpc_worker {
	pid_t pid;
	int port;
	char name[32];			/* "127.0.0.1:PORT" */
};

/* port 0 = a free one. Returns when it listens. */
void rpc_worker_start(struct rpc_worker *self, int port);
void rpc_worker_stop(struct rpc_worker *self);	/* as by the kernel: SIGKILL */
/* A port of the loopback that nobody listens on. */
int rpc_free_port(void);
/* Listens there and never accepts: what a worker that is busy looks like. Returns the descriptor. */
int rpc_deaf_port(int *out_port);

#endif
