/* SPDX-License-Identifier: MIT */
/*
 * What a server says. The supervisor's thread drains the server's pipe, so it may wait for nobody: it writes the file and
 * leaves the line in a ring of fixed size. The calls of the host (load, generate, chat, close) take the lines from there
 * to the host's log. A thread of our own for that would be one more per model, and close() would have to wait for it
 * in the host's code.
 */
#include <limits.h>
#include <string.h>

#include "backend.h"

enum { TELL_MAX = 1024 };	/* lines in one call: a server may talk faster than a host logs */

void gr_model_log_init(inf_model *self)
{
	const inf_host *host = self->instance->host;
	self->log.file = (struct gr_logfile)GR_LOGFILE_INIT;
	pthread_mutex_init(&self->log.lock, NULL);
	gr_childlog_init(&self->log.lines, host->log ? host->log_level : INT32_MAX, gr_now_ms());
}

void gr_model_log_release(inf_model *self)
{
	gr_logfile_close(&self->log.file);
	pthread_mutex_destroy(&self->log.lock);
}

void gr_model_on_line(void *model, const char *line, size_t len)
{
	struct gr_model_log *log = &((inf_model *)model)->log;
	gr_logfile_write(&log->file, line, len);
	pthread_mutex_lock(&log->lock);
	gr_childlog_push(&log->lines, line, len, gr_now_ms());
	log->file_lost = log->file.lost;
	log->file_error = log->file.error;
	pthread_mutex_unlock(&log->lock);
}

/* One at a time: the others leave their lines to who is in the host's callback, or to the next call. */
static bool begin(struct gr_model_log *log)
{
	pthread_mutex_lock(&log->lock);
	bool alone = !log->telling;
	log->telling = true;
	pthread_mutex_unlock(&log->lock);
	return alone;
}

static void end(struct gr_model_log *log)
{
	pthread_mutex_lock(&log->lock);
	log->telling = false;
	pthread_mutex_unlock(&log->lock);
}

static bool next(struct gr_model_log *log, int32_t *level, char line[GR_CHILDLOG_LINE])
{
	pthread_mutex_lock(&log->lock);
	bool more = gr_childlog_pop(&log->lines, level, line);
	pthread_mutex_unlock(&log->lock);
	return more;
}

static void tell_loss(inf_model *self)
{
	struct gr_model_log *log = &self->log;
	pthread_mutex_lock(&log->lock);
	bool tell = log->file_lost && !log->loss_told;
	int error = log->file_error;
	log->loss_told |= tell;
	pthread_mutex_unlock(&log->lock);
	if (tell)
		gr_log(self->instance, INF_LOG_WARN, "log-file: lines of the server are lost: %s", strerrordesc_np(error));
}

void gr_model_tell_log(inf_model *self)
{
	char line[GR_CHILDLOG_LINE];
	int32_t level;
	tell_loss(self);
	if (!begin(&self->log))
		return;
	for (int i = 0; i < TELL_MAX && next(&self->log, &level, line); i++)
		gr_log(self->instance, level, "llama-server: %s", line);
	end(&self->log);
}
