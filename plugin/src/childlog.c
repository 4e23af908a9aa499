/* SPDX-License-Identifier: MIT */
#include "childlog.h"

#include <stdio.h>
#include <string.h>

#include "inference/plugin.h"

enum { HEADER = 3, CREDIT = 1000, NOTICE_MAX = 64 };

/* What a server says for every question or after every request. */
static const char *const noise[] = { "GET /health", "all slots are idle", "server_strea: conv_id=" };

/* INF_LOG_* of "0.01.229.022 W text"; moves *line behind it. */
static int32_t take_level(const char **line, size_t *len)
{
	size_t i = 0;
	while (i < *len && ((*line)[i] == '.' || ((*line)[i] >= '0' && (*line)[i] <= '9')))
		i++;
	if (i < 4 || i + 3 > *len || (*line)[i] != ' ' || (*line)[i + 2] != ' ')
		return INF_LOG_DEBUG;
	char letter = (*line)[i + 1];
	if (letter != 'E' && letter != 'W' && letter != 'I' && letter != 'D')
		return INF_LOG_DEBUG;
	*line += i + 3;
	*len -= i + 3;
	return letter == 'E' ? INF_LOG_ERROR : letter == 'W' ? INF_LOG_WARN : INF_LOG_DEBUG;
}

static bool is_noise(const char *line, size_t len)
{
	for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++)
		if (memmem(line, len, noise[i], strlen(noise[i])))
			return true;
	return false;
}

static enum gr_childlog_kind kind_of(int32_t level)
{
	return level >= INF_LOG_WARN ? GR_CHILDLOG_LOUD : GR_CHILDLOG_QUIET;
}

/* ---- the rate -------------------------------------------------------------------------------------------------- */
static bool spend(struct gr_childlog *self, enum gr_childlog_kind kind, int64_t now_ms)
{
	const int64_t full = (int64_t)GR_CHILDLOG_BURST * CREDIT;
	int64_t passed = now_ms - self->buckets[kind].filled_ms;
	int64_t credit = self->buckets[kind].credit;
	if (passed > 0) {
		int64_t more = passed < full ? passed * GR_CHILDLOG_PER_SECOND : full;
		credit = credit + more < full ? credit + more : full;
		self->buckets[kind].filled_ms = now_ms;
	}
	bool enough = credit >= CREDIT;
	self->buckets[kind].credit = enough ? credit - CREDIT : credit;
	return enough;
}

/* ---- the ring -------------------------------------------------------------------------------------------------- */
static void put(struct gr_childlog *self, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		self->ring[(self->head + self->used++) % GR_CHILDLOG_RING] = ((const unsigned char *)bytes)[i];
}

static void get(struct gr_childlog *self, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *)out)[i] = self->ring[(self->head + i) % GR_CHILDLOG_RING];
	self->head = (self->head + len) % GR_CHILDLOG_RING;
	self->used -= len;
}

static void keep(struct gr_childlog *self, int32_t level, const char *text, size_t len)
{
	const unsigned char header[HEADER] = { (unsigned char)level, (unsigned char)(len & 0xff), (unsigned char)(len >> 8) };
	put(self, header, sizeof header);
	put(self, text, len);
}

/* With the line about those before it that were left out. */
static bool has_room(const struct gr_childlog *self, enum gr_childlog_kind kind, size_t len)
{
	size_t notice = self->buckets[kind].left_out ? HEADER + NOTICE_MAX : 0;
	return notice + HEADER + len <= GR_CHILDLOG_RING - self->used;
}

/* ---- both sides ------------------------------------------------------------------------------------------------ */
void gr_childlog_init(struct gr_childlog *self, int32_t lowest, int64_t now_ms)
{
	self->lowest = lowest;
	self->head = self->used = 0;
	for (int kind = 0; kind < GR_CHILDLOG_KINDS; kind++) {
		self->buckets[kind].credit = (int64_t)GR_CHILDLOG_BURST * CREDIT;
		self->buckets[kind].filled_ms = now_ms;
		self->buckets[kind].left_out = 0;
	}
}

static int32_t level_of(enum gr_childlog_kind kind)
{
	return kind == GR_CHILDLOG_LOUD ? INF_LOG_WARN : INF_LOG_DEBUG;
}

/* Writes at most NOTICE_MAX bytes, NUL included. Returns the length. */
static size_t take_left_out(struct gr_childlog *self, enum gr_childlog_kind kind, char *out)
{
	uint64_t count = self->buckets[kind].left_out;
	self->buckets[kind].left_out = 0;
	return (size_t)snprintf(out, NOTICE_MAX, "%llu %s left out here", (unsigned long long)count,
				count == 1 ? "line was" : "lines were");
}

void gr_childlog_push(struct gr_childlog *self, const char *line, size_t len, int64_t now_ms)
{
	char notice[NOTICE_MAX];
	int32_t level = take_level(&line, &len);
	enum gr_childlog_kind kind = kind_of(level);
	if (!len || level < self->lowest || is_noise(line, len))
		return;
	if (len > GR_CHILDLOG_LINE - 1)
		len = GR_CHILDLOG_LINE - 1;
	if (!spend(self, kind, now_ms) || !has_room(self, kind, len)) {
		self->buckets[kind].left_out++;
		return;
	}
	/* What was left out is told where it was: before the next line of its kind. */
	if (self->buckets[kind].left_out)
		keep(self, level_of(kind), notice, take_left_out(self, kind, notice));
	keep(self, level, line, len);
}

static bool pop_left_out(struct gr_childlog *self, int32_t *out_level, char out[GR_CHILDLOG_LINE])
{
	for (int kind = 0; kind < GR_CHILDLOG_KINDS; kind++) {
		if (!self->buckets[kind].left_out)
			continue;
		take_left_out(self, kind, out);
		*out_level = level_of(kind);
		return true;
	}
	return false;
}

bool gr_childlog_pop(struct gr_childlog *self, int32_t *out_level, char out[GR_CHILDLOG_LINE])
{
	unsigned char header[HEADER];
	if (!self->used)
		return pop_left_out(self, out_level, out);
	get(self, header, sizeof header);
	size_t len = header[1] | (size_t)header[2] << 8;
	get(self, out, len);
	out[len] = '\0';
	*out_level = header[0];
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			out[i] = ' ';
	return true;
}
