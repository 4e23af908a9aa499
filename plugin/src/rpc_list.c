/* SPDX-License-Identifier: MIT */
#include "rpc_list.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { LABEL_MAX = 63, PORT_DIGITS = 5, SHOWN = 64 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* 1..65535 in decimal, without a leading zero; 0 = it is none. */
static uint16_t port_of(const char *text, size_t len)
{
	uint32_t port = 0;
	if (len < 1 || len > PORT_DIGITS || text[0] == '0')
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Labels of letters, digits, '-' and '_'. What ends in a number is no name but a wrong address. */
static bool is_name(const char *host)
{
	const char *label = host;
	for (;;) {
		size_t len = strspn(label, letters);
		if (!len || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
			return false;
		if (!label[len])
			return strspn(label, "0123456789") < len;
		if (label[len] != '.')
			return false;
		label += len + 1;
	}
}

static bool is_twice(const struct gr_rpc_list *list, const struct gr_rpc_worker *worker)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->workers[i].port == worker->port && strcasecmp(list->workers[i].host, worker->host) == 0)
			return true;
	return false;
}

/* NULL, or what is wrong with it. */
static const char *read_worker(struct gr_rpc_worker *out, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	if (!colon)
		return "has no port: write HOST:PORT";
	size_t host = (size_t)(colon - text);
	if (!host || host >= sizeof out->host)
		return host ? "has a host name that is too long" : "has no host: write HOST:PORT";
	out->port = port_of(colon + 1, len - host - 1);
	if (!out->port)
		return "has no port of 1 to 65535";
	memcpy(out->host, text, host);
	out->host[host] = '\0';
	memcpy(out->name, text, len);		/* the port has five digits at most */
	out->name[len] = '\0';
	out->has_address = inet_pton(AF_INET, out->host, &out->address) == 1;
	return out->has_address || is_name(out->host) ? NULL : "has neither an IPv4 address nor a host name";
}

static bool is_ipv6(const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	return memchr(text, '[', len) || (colon && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)));
}

static inf_status take(struct gr_rpc_list *list, const char *text, size_t len, inf_error *err)
{
	int shown = len < SHOWN ? (int)len : SHOWN;
	if (!len)
		return inf_fail(err, INF_E_INVALID, "rpc_servers", "option rpc-servers: entry %u is empty", list->count + 1);
	if (list->count == GR_RPC_WORKERS_MAX)
		return inf_fail(err, INF_E_INVALID, "rpc_servers", "option rpc-servers: more than %d workers",
				GR_RPC_WORKERS_MAX);
	if (is_ipv6(text, len))
		return inf_fail(err, INF_E_INVALID, "rpc_ipv6",
				"option rpc-servers: %.*s: llama.cpp reaches RPC workers by IPv4 only: give an IPv4 address or a "
				"name that has one", shown, text);
	struct gr_rpc_worker *worker = &list->workers[list->count];
	const char *wrong = read_worker(worker, text, len);
	if (!wrong && is_twice(list, worker))
		wrong = "is there twice";
	if (wrong)
		return inf_fail(err, INF_E_INVALID, "rpc_servers", "option rpc-servers: \"%.*s\" %s", shown, text, wrong);
	list->count++;
	return INF_OK;
}

inf_status gr_rpc_list_parse(struct gr_rpc_list *out, const char *text, inf_error *err)
{
	inf_status st = INF_OK;
	memset(out, 0, sizeof *out);
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		st = take(out, at, len, err);
		at += len;
		if (st != INF_OK || !*at)
			break;
	}
	if (st != INF_OK)
		memset(out, 0, sizeof *out);
	return st;
}
