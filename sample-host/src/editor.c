/* SPDX-License-Identifier: MIT */
#include "editor.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "interrupt.h"
#include "recall.h"
#include "utf8.h"

#define PASTE_BEGINS "\x1b[?2004h"
#define PASTE_ENDS "\x1b[?2004l"

enum { KEYS = 4096, PROMPT_MAX = 64 };

struct editor {
	EditLine *line;			/* owned */
	History *history;		/* owned */
	struct terminal terminal;
	editor_complete_fn *complete;
	void *user;
	char prompt[PROMPT_MAX];
	char keys[KEYS];		/* read and not yet handed out */
	size_t key_at, key_end;
	bool at_end;			/* no more keys will come */
	bool leaves;			/* a signal ends the line */
	bool pastes;			/* what comes are no keys */
	bool is_vi;			/* as ~/.editrc wants it: ESC is a key of its own, and begins none of ours */
	bool brackets;			/* the terminal puts a paste into them */
	bool is_drawn;			/* anew, since the last key */
	bool is_stale;			/* the screen has changed */
	enum { SEQUENCE_NONE, SEQUENCE_ESCAPE, SEQUENCE_CONTROL } sequence;	/* which has not come whole yet */
};

static struct editor *editor_of(EditLine *line)
{
	void *self = NULL;
	el_get(line, EL_CLIENTDATA, &self);
	return self;
}

/* ---- keys ---- */

/* Only the editor knows where on the screen it is, and it draws when a key tells it to: these are keys that nobody has. */
#define KEY_REDRAW "\x1f"
#define KEY_LEAVE "\x1e"

static unsigned char redraw(EditLine *line, int key)
{
	(void)key;
	el_set(line, EL_PREP_TERM, 0);	/* after a stop the terminal is as the shell wants it, which the editor does not know */
	el_set(line, EL_PREP_TERM, 1);
	el_resize(line);
	return CC_REDISPLAY;
}

/* What is said next goes behind all of the line. */
static unsigned char leave_line(EditLine *line, int key)
{
	const LineInfo *info = el_line(line);
	(void)key;
	el_cursor(line, (int)(info->lastchar - info->cursor));
	return CC_CURSOR;
}

static bool put_key(struct editor *self, const char *key)
{
	self->key_at = 0;
	self->key_end = strlen(key);
	memcpy(self->keys, key, self->key_end);
	return true;
}

/* While it searches for a line it shows what for behind a newline, and any key of ours would be a part of that. */
static bool takes_keys(const struct editor *self)
{
	const LineInfo *info = el_line(self->line);
	size_t len = (size_t)(info->lastchar - info->buffer);
	return !self->pastes && !self->leaves && !self->sequence && !memmem(info->buffer, len, "\nbck", 4) &&
	       !memmem(info->buffer, len, "\nfwd", 4);
}

/* libedit loses count of the columns when it changes a line that has wide characters. */
static bool is_wide(const struct editor *self)
{
	const LineInfo *info = el_line(self->line);
	size_t len = (size_t)(info->lastchar - info->buffer);
	uint32_t code;
	for (size_t at = 0; at < len;) {
		at += utf8_next(info->buffer + at, len - at, &code);
		if (code != UTF8_BAD && code >= 0x300 && wcwidth((wchar_t)code) != 1)
			return true;
	}
	return false;
}

static void bracket(const struct editor *self, const char *sequence)
{
	FILE *out = NULL;
	el_get(self->line, EL_GETFP, 1, &out);
	fputs(sequence, out);
	fflush(out);
}

/* False at the end of the input, or after a signal that ends the line. */
static bool read_keys(struct editor *self)
{
	size_t left = self->key_end - self->key_at;
	memmove(self->keys, self->keys + self->key_at, left);
	self->key_at = 0;
	self->key_end = left;
	if (!self->brackets && !self->is_vi)	/* not before the terminal is in the editor's mode, which it is by now */
		bracket(self, PASTE_BEGINS);
	self->brackets = !self->is_vi;
	for (;;) {
		bool draws = !left && takes_keys(self);
		if (draws && (self->is_stale || (!self->is_drawn && is_wide(self)))) {
			self->is_drawn = true;
			self->is_stale = false;
			return put_key(self, KEY_REDRAW);
		}
		ssize_t n = interrupt_read_keys(STDIN_FILENO, self->keys + left, KEYS - left);
		if (n > 0) {
			self->is_drawn = false;
			self->key_end += (size_t)n;
			return true;
		}
		if (interrupt_code() != EXIT_DONE) {
			self->leaves = true;
			return draws && put_key(self, KEY_LEAVE);
		}
		self->is_stale = n && interrupt_screen_changed();
		self->at_end = !self->is_stale;
		if (self->at_end)
			return false;
	}
}

static size_t length_by_first(unsigned char first)
{
	return first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
}

/* ESC, ESC [ ... final, ESC O final. */
static void follow_sequence(struct editor *self, wchar_t key)
{
	if (key == 0x1b)
		self->sequence = SEQUENCE_ESCAPE;
	else if (self->sequence == SEQUENCE_ESCAPE && (key == '[' || key == 'O'))
		self->sequence = SEQUENCE_CONTROL;
	else if (self->sequence == SEQUENCE_ESCAPE || (key >= 0x40 && key < 0x7f))
		self->sequence = SEQUENCE_NONE;
}

/* A code point, as glibc's wchar_t is one; what is no UTF-8 becomes U+FFFD. */
static int next_key(EditLine *line, wchar_t *out)
{
	struct editor *self = editor_of(line);
	uint32_t code;
	while (self->key_at == self->key_end ||
	       self->key_end - self->key_at < length_by_first((unsigned char)self->keys[self->key_at]))
		if (!read_keys(self)) {
			self->key_at = self->key_end = 0;
			return self->at_end ? 0 : -1;
		}
	self->key_at += utf8_next(self->keys + self->key_at, self->key_end - self->key_at, &code);
	*out = code == UTF8_BAD ? 0xfffd : (wchar_t)code;
	follow_sequence(self, *out);
	return 1;
}

/* ---- paste ---- */

static void add_wide(struct text *out, wchar_t wide)
{
	char bytes[5] = "";
	uint32_t code = (uint32_t)wide;
	int n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char firsts[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (int i = n - 1; i > 0; i--, code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)(firsts[n] | code);
	text_add(out, bytes, (size_t)n);
}

static bool ends_with(const struct text *text, const char *end)
{
	size_t len = strlen(end);
	return text->len >= len && !memcmp(text->data + text->len - len, end, len);
}

/* Terminals send a newline as CR; a control character that is pasted is nothing that was meant. */
static void clean(struct text *out, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool is_newline = bytes[i] == '\r' || bytes[i] == '\n';
		if (bytes[i] == '\n' && i && bytes[i - 1] == '\r')
			continue;
		if (is_newline || bytes[i] == '\t' || ((unsigned char)bytes[i] >= 0x20 && bytes[i] != 0x7f))
			text_add(out, is_newline ? "\n" : &bytes[i], 1);
	}
}

static unsigned char paste(EditLine *line, int key)
{
	static const char end[] = "\x1b[201~";
	struct text raw = TEXT_INIT(INPUT_LINE_MAX + 4), text = TEXT_INIT(INPUT_LINE_MAX);
	unsigned char result = CC_ERROR;
	bool too_long = false;
	wchar_t wide;
	(void)key;
	editor_of(line)->pastes = true;
	while (!ends_with(&raw, end) && !raw.failed && next_key(line, &wide) == 1) {
		add_wide(&raw, wide);
		if (raw.len < INPUT_LINE_MAX)
			continue;
		too_long = true;		/* all of it is taken, for the rest are no keys either */
		memmove(raw.data, raw.data + raw.len - strlen(end), strlen(end) + 1);
		raw.len = strlen(end);
	}
	editor_of(line)->pastes = false;
	if (!too_long && ends_with(&raw, end))
		clean(&text, text_string(&raw), raw.len - strlen(end));
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (text.len && !text.failed && !el_insertstr(line, text_string(&text)))
		result = CC_REFRESH;
	text_release(&raw);
	text_release(&text);
	return interrupt_code() == EXIT_DONE ? result : CC_EOF;
}

/* ---- completion ---- */

static size_t common_prefix(const struct text *words, size_t *count)
{
	const char *first = text_string(words);
	size_t len = strcspn(first, "\n");
	*count = 0;
	for (const char *at = first; *at; at += strcspn(at, "\n") + 1) {
		size_t same = 0;
		while (same < len && at[same] == first[same])
			same++;
		len = same;
		++*count;
	}
	while (len && ((unsigned char)first[len] & 0xc0) == 0x80)	/* not within a character */
		len--;
	return len;
}

/* Below the line, in columns. */
static void list(const struct editor *self, const struct text *words, size_t count)
{
	struct text page = TEXT_INIT(TEXT_LINE_MAX), word = TEXT_INIT(TEXT_LINE_MAX);
	size_t widest = 1, columns = terminal_columns(&self->terminal), shown = 0;
	for (const char *at = text_string(words); *at; at += strcspn(at, "\n") + 1) {
		size_t width = utf8_columns(at, strcspn(at, "\n"));
		widest = width > widest ? width : widest;
	}
	size_t row = columns / (widest + 2) ? columns / (widest + 2) : 1;
	text_puts(&page, "\n");
	for (const char *at = text_string(words); *at && shown < EDITOR_CHOICES_MAX; at += strcspn(at, "\n") + 1) {
		text_reset(&word);
		terminal_add_visible(&word, at, strcspn(at, "\n"), "");
		text_add(&page, text_string(&word), word.len);
		bool last = ++shown % row == 0 || shown == count || shown == EDITOR_CHOICES_MAX;
		size_t width = utf8_columns(text_string(&word), word.len);
		if (!last)
			text_repeat(&page, ' ', width < widest + 2 ? widest + 2 - width : 1);
		else
			text_puts(&page, "\n");
	}
	if (count > shown)
		text_printf(&page, "and %zu more\n", count - shown);
	FILE *out = NULL;
	el_get(self->line, EL_GETFP, 1, &out);
	fwrite(text_string(&page), 1, page.len, out);
	fflush(out);
	text_release(&word);
	text_release(&page);
}

static unsigned char complete_with(struct editor *self, const char *before, const struct editor_choices *choices)
{
	size_t count, given = strlen(before) - choices->start, len = common_prefix(&choices->words, &count);
	const char *first = text_string(&choices->words);
	if (!count || choices->words.failed || len < given)
		return CC_ERROR;
	struct text more = TEXT_INIT(TEXT_LINE_MAX);
	text_add(&more, first + given, len - given);
	if (count == 1 && len && first[len - 1] != '/')
		text_puts(&more, " ");
	bool inserted = more.len && !el_insertstr(self->line, text_string(&more));
	bool lists = count > 1 && !more.len;
	text_release(&more);
	if (lists)
		list(self, &choices->words, count);
	return lists ? CC_REDISPLAY : inserted ? CC_REFRESH : CC_ERROR;
}

static unsigned char complete(EditLine *line, int key)
{
	struct editor *self = editor_of(line);
	const LineInfo *info = el_line(line);
	struct editor_choices choices = { .words = TEXT_INIT(TEXT_LINE_MAX) };
	struct text before = TEXT_INIT(INPUT_LINE_MAX);
	(void)key;
	text_add(&before, info->buffer, (size_t)(info->cursor - info->buffer));
	if (!before.failed)
		self->complete(self->user, text_string(&before), &choices);
	unsigned char result = complete_with(self, text_string(&before), &choices);
	text_release(&before);
	text_release(&choices.words);
	return interrupt_code() == EXIT_DONE ? result : CC_EOF;
}

/* ---- lifecycle ---- */

static char *show_prompt(EditLine *line)
{
	return editor_of(line)->prompt;
}

/* Wide names are kept as they are, of others libedit makes copies that it never frees. */
static void bind_keys(EditLine *line, bool is_vi)
{
	static const char *const keys[][2] = {
		{ "\t", "infer-complete" }, { "\\e[200~", "infer-paste" }, { "\\037", "infer-redraw" },
		{ "\\036", "infer-leave" }, { "^R", "em-inc-search-prev" },
		{ "^W", "ed-delete-prev-word" }, { "\\e[3~", "ed-delete-next-char" }, { "\\e[1~", "ed-move-to-beg" },
		{ "\\e[4~", "ed-move-to-end" }, { "\\e[H", "ed-move-to-beg" }, { "\\e[F", "ed-move-to-end" },
		{ "\\eOH", "ed-move-to-beg" }, { "\\eOF", "ed-move-to-end" }, { "\\e[1;5D", "ed-prev-word" },
		{ "\\e[1;5C", "em-next-word" },
	};
	el_wset(line, EL_ADDFN, L"infer-complete", L"complete a command", complete);
	el_wset(line, EL_ADDFN, L"infer-redraw", L"draw the line on another screen", redraw);
	el_wset(line, EL_ADDFN, L"infer-leave", L"go behind the line", leave_line);
	el_wset(line, EL_ADDFN, L"infer-paste", L"take what is pasted as it is", paste);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (!is_vi || strncmp(keys[i][0], "\\e", 2)) {
			el_set(line, EL_BIND, keys[i][0], keys[i][1], NULL);
			el_set(line, EL_BIND, "-a", keys[i][0], keys[i][1], NULL);	/* vi's commands */
		}
}

static void set_up(struct editor *self)
{
	const char *mode = NULL;
	HistEvent event;
	history(self->history, &event, H_SETSIZE, RECALL_MAX);
	history(self->history, &event, H_SETUNIQUE, 1);
	el_set(self->line, EL_CLIENTDATA, self);
	el_set(self->line, EL_SIGNAL, 0);
	el_set(self->line, EL_EDITOR, "emacs");
	el_set(self->line, EL_HIST, history, self->history);
	el_set(self->line, EL_PROMPT_ESC, show_prompt, '\1');
	el_wset(self->line, EL_GETCFN, next_key);
	el_source(self->line, NULL);
	self->is_vi = !el_get(self->line, EL_EDITOR, &mode) && mode && !strcmp(mode, "vi");
	bind_keys(self->line, self->is_vi);
}

struct editor *editor_open(const struct terminal *terminal, editor_complete_fn *complete_line, void *user)
{
	struct editor *self = terminal_can_edit(terminal) ? calloc(1, sizeof *self) : NULL;
	if (!self)
		return NULL;
	self->terminal = *terminal;
	self->complete = complete_line;
	self->user = user;
	self->line = el_init("infer", stdin, terminal->fd == STDOUT_FILENO ? stdout : stderr, stderr);
	self->history = history_init();
	if (!self->line || !self->history) {
		editor_close(self);
		return NULL;
	}
	set_up(self);
	interrupt_watch_screen();
	return self;
}

void editor_close(struct editor *self)
{
	if (!self)
		return;
	if (self->line)
		el_end(self->line);
	if (self->history)
		history_end(self->history);
	free(self);
}

void editor_remember(struct editor *self, const char *line)
{
	HistEvent event;
	history(self->history, &event, H_ENTER, line);
}

/* ---- lines ---- */

enum input_event editor_line(struct editor *self, const char *prompt, struct text *out, struct failure *why)
{
	int len = 0;
	snprintf(self->prompt, sizeof self->prompt, "\1%s\1%s\1%s\1", terminal_style(&self->terminal, STYLE_BOLD), prompt,
		 terminal_plain(&self->terminal, STYLE_BOLD));
	self->leaves = false;
	self->sequence = SEQUENCE_NONE;
	const char *line = el_gets(self->line, &len);
	if (self->brackets)
		bracket(self, PASTE_ENDS);
	self->brackets = false;
	if (interrupt_code() != EXIT_DONE)
		return INPUT_INTERRUPTED;
	if (!line)
		return INPUT_END;
	text_reset(out);
	text_add(out, line, strlen(line));
	if (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	if (!out->failed)
		return INPUT_LINE;
	failure_set(why, INF_E_INVALID, "line_long", "the line is longer than %d bytes: put it into a file and use -f",
		    INPUT_LINE_MAX);
	return INPUT_FAILED;
}
