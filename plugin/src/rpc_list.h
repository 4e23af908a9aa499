/* SPDX-License-Identifier: MIT */
#ifndef GR_RPC_LIST_H
#define GR_RPC_LIST_H

#include <netinet/in.h>
#include <stdint.h>

#include "inference/plugin.h"

/*
 * rpc_list: the value of the option rpc-servers, "host:port,host:port". Pure.
 *
 * A host is an IPv4 address or a name. There is no IPv6: llama.cpp's client takes what stands before the first colon
 * for the host, and opens IPv4 sockets only.
 */
enum {
	GR_RPC_WORKERS_MAX = 16,
	GR_RPC_HOST_MAX = 254,		/* bytes, NUL included */
	GR_RPC_NAME_MAX = GR_RPC_HOST_MAX + 6,
};

struct gr_rpc_worker {
	char name[GR_RPC_NAME_MAX];	/* as it was written: "gpu-box:50052" */
	char host[GR_RPC_HOST_MAX];
	struct in_addr address;		/* where the host is one */
	uint16_t port;
	uint8_t has_address;
};

struct gr_rpc_list {
	struct gr_rpc_worker workers[GR_RPC_WORKERS_MAX];
	uint32_t count;
};

/* Fails with INF_E_INVALID ("rpc_servers", "rpc_ipv6" for an address that llama.cpp cannot reach), naming the entry;
 * then the list is empty. */
inf_status gr_rpc_list_parse(struct gr_rpc_list *out, const char *text, inf_error *err);

#endif
