/* SPDX-License-Identifier: MIT */
#ifndef GR_RPC_PROBE_H
#define GR_RPC_PROBE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * rpc_probe: is there an RPC worker of llama.cpp at an address, and is it free?
 *
 * A worker serves one client at a time. The kernel takes connections for it meanwhile, so that a busy one is told
 * from a free one only by its silence: it does not answer the greeting (HELLO) that begins the protocol. llama-server
 * itself waits for that answer for ever, and aborts where there is no worker.
 *
 * All addresses are asked at the same time. Nothing is kept open.
 */
enum {
	GR_RPC_TARGETS_MAX = 64,
	GR_RPC_WAIT_MS = 100,		/* on_wait is asked so often */
};

enum gr_rpc_state {
	GR_RPC_UNREACHABLE,		/* no connection: os_errno says why, ETIMEDOUT where the time was over */
	GR_RPC_SILENT,			/* connected, but it does not answer: it is busy, or hangs */
	GR_RPC_STRANGER,		/* it ends the connection, or answers with something else */
	GR_RPC_FREE,			/* it answered */
};

struct gr_rpc_target {
	struct in_addr address;
	uint16_t port;
	uint8_t version[3];		/* of its protocol, where it is FREE */
	enum gr_rpc_state state;
	int os_errno;
};

/* Fill in the state of up to GR_RPC_TARGETS_MAX targets, within timeout_ms. on_wait may be NULL; anything but 0 ends it
 * with INF_E_CANCELLED. */
inf_status gr_rpc_probe(struct gr_rpc_target *targets, size_t count, int timeout_ms, int (*on_wait)(void *user),
			void *user, inf_error *err);

#endif
