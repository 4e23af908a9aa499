/* SPDX-License-Identifier: MIT */
#include "request.h"

struct head {
	uint32_t struct_size, flags;
	uint64_t set;
};

inf_status ic_request_refused(inf_error *err, inf_status st, const char *name, const void *src, uint32_t known_flags,
			      uint64_t known_set)
{
	struct head head = { .struct_size = 0 };
	if (!src)
		return inf_fail(err, st, name, "%s: is NULL", name);
	memcpy(&head, src, st == INF_E_UNSUPPORTED ? sizeof head : sizeof head.struct_size);
	if (st != INF_E_UNSUPPORTED)
		return inf_fail(err, st, name, "%s: struct_size is %u: it has to be the size of the struct", name, head.struct_size);
	if (head.flags & ~known_flags)
		return inf_fail(err, st, name, "%s: unknown bits 0x%x in flags", name, head.flags & ~known_flags);
	if (head.set & ~known_set)
		return inf_fail(err, st, name, "%s: unknown bits 0x%llx in set", name,
				(unsigned long long)(head.set & ~known_set));
	return inf_fail(err, st, name, "%s: a field of a later minor is not 0: the last of its %u bytes are unknown here", name,
			head.struct_size);
}
