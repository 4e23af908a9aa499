/* SPDX-License-Identifier: MIT */
#include "watchdog.h"

void gr_watchdog_begin(struct gr_watchdog *self, int64_t limit_ms, int64_t now_ms)
{
	*self = (struct gr_watchdog){ .limit_ms = limit_ms };
	gr_watchdog_event(self, now_ms);
}

void gr_watchdog_event(struct gr_watchdog *self, int64_t now_ms)
{
	self->event_ms = self->active_ms = self->looked_ms = now_ms;
	self->cpu_ms = -1;
}

void gr_watchdog_excuse(struct gr_watchdog *self, int64_t ms)
{
	self->event_ms += ms;
	self->active_ms += ms;
	self->looked_ms += ms;
}

bool gr_watchdog_wants_look(const struct gr_watchdog *self, int64_t now_ms)
{
	return now_ms - self->looked_ms >= GR_WATCHDOG_LOOK_MS;
}

void gr_watchdog_look(struct gr_watchdog *self, int64_t now_ms, int64_t cpu_ms)
{
	int64_t passed = now_ms - self->looked_ms;
	if (self->cpu_ms >= 0 && (cpu_ms - self->cpu_ms) * 100 >= passed * GR_WATCHDOG_BUSY_PERCENT)
		self->active_ms = now_ms;
	self->looked_ms = now_ms;
	self->cpu_ms = cpu_ms;
}

bool gr_watchdog_expired(const struct gr_watchdog *self, int64_t now_ms)
{
	return now_ms - self->active_ms >= self->limit_ms ||
	       now_ms - self->event_ms >= self->limit_ms * GR_WATCHDOG_PATIENCE;
}
