/* SPDX-License-Identifier: MIT */
#include "wake.h"

bool gr_wake_slept(struct gr_wake *self, int64_t boottime_ms, int64_t monotonic_ms)
{
	int64_t asleep = boottime_ms - monotonic_ms, before = atomic_load(&self->asleep_ms);
	if (asleep - before < GR_WAKE_SLEEP_MS)
		return false;
	return atomic_compare_exchange_strong(&self->asleep_ms, &before, asleep);
}
