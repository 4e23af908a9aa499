/* SPDX-License-Identifier: MIT */
#include "restart.h"

#include <stdio.h>
#include <string.h>

void gr_restart_ended(struct gr_restart *self, int64_t now_ms, const char *reason)
{
	self->row++;
	self->same = self->row > 1 && strcmp(self->reason, reason) == 0 ? self->same + 1 : 1;
	snprintf(self->reason, sizeof self->reason, "%s", reason);
	self->ended_ms = now_ms;
	self->spent_ms = (self->spent_ms > now_ms ? self->spent_ms : now_ms) + GR_RESTART_EARN_MS;
}

void gr_restart_give_up(struct gr_restart *self)
{
	self->row = GR_RESTART_ROW_MAX;
}

void gr_restart_worked(struct gr_restart *self)
{
	self->row = self->same = 0;
}

int64_t gr_restart_wait_ms(const struct gr_restart *self, int64_t now_ms)
{
	if (self->same >= GR_RESTART_SAME_MAX || self->row >= GR_RESTART_ROW_MAX)
		return -1;
	int64_t pause = self->row < 2 ? 0 : (int64_t)GR_RESTART_FIRST_MS << (self->row - 2);
	int64_t wait = self->ended_ms + pause - now_ms;
	int64_t debt = self->spent_ms - now_ms - (int64_t)GR_RESTART_BUDGET * GR_RESTART_EARN_MS;
	if (debt > wait)
		wait = debt;
	return wait > 0 ? wait : 0;
}
