/* SPDX-License-Identifier: MIT */
#ifndef INFER_CHAT_H
#define INFER_CHAT_H

#include "answer.h"
#include "attachments.h"
#include "engine.h"
#include "history.h"

/*
 * chat: a conversation with a model: its messages, and what is done to them. Says what it did on standard error.
 *
 * A message that got no answer is taken back, for two in a row from the same side are an error to many templates. Before the
 * context overflows the oldest turns are dropped.
 */
struct chat {
	struct options options;		/* a copy of the command line's, which owns what they point to: /set changes it */
	struct console *console;	/* borrowed */
	struct engine engine;
	struct history history;		/* the system message first, if there is one */
	bool is_once;			/* one answer, and no conversation */
	bool continues;			/* the model has no chat template: it goes on with the text of all messages */
	struct text prompt;		/* that text */
	struct text tools;		/* of --tools; empty = none */
	struct attachments attachments;
	bool shown;			/* a message that was answered has them */
	bool warned;			/* that the context fills up */
	struct outcome last;		/* of the last answer; no backend = there was none */
};

void chat_init(struct chat *self, const struct options *options, struct console *console);
void chat_release(struct chat *self);

/* The model is loaded: begin with the system message. EXIT_DONE, EXIT_FAILED, interrupted. */
enum exit_code chat_begin(struct chat *self, struct failure *why);

/* Tokens that the model as it is now may answer with; 0 = as many as there is room for. */
int32_t chat_limit(const struct chat *self);

/* What the messages as they are ask of the model. Borrowed from the chat, until it or they change. */
struct question chat_question(struct chat *self);

/* Answer the messages as they are. EXIT_DONE, EXIT_FAILED, interrupted. */
enum exit_code chat_ask(struct chat *self, struct answer *answer, struct failure *why);

/* The message and the answer to it. EXIT_DONE also when that failed and the conversation can go on: then it was said why. */
enum exit_code chat_say(struct chat *self, const struct text *message, struct failure *why);
/* Another answer in the place of the last one, or one to a last message that has none. As chat_say(). */
enum exit_code chat_again(struct chat *self, struct failure *why);

void chat_reset(struct chat *self);
void chat_undo(struct chat *self);
/* "" = the message is removed. EXIT_FAILED without memory. */
enum exit_code chat_instruct(struct chat *self, const char *system, struct failure *why);
/* The conversation of a file in the place of this one, and the other way round. EXIT_DONE, EXIT_FAILED, interrupted. */
enum exit_code chat_load(struct chat *self, const char *path, struct failure *why);
enum exit_code chat_save(const struct chat *self, const char *path, struct failure *why);
enum exit_code chat_change_model(struct chat *self, const char *model, struct failure *why);
enum { CHAT_LEFT_COLUMNS = 24 };
/* A line in two columns, the right one wrapped. */
void chat_show_row(const struct chat *self, const char *left, const char *right);
void chat_show_figures(struct chat *self);

/* The system message; NULL = there is none. */
const inf_message *chat_system(const struct chat *self);

#endif
