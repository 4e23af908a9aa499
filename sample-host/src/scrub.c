/* SPDX-License-Identifier: MIT */
#include "scrub.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char placeholder[] = "USER";

struct scrub scrub_of_environment(void)
{
	struct scrub self = { .home = getenv("HOME"), .user = getenv("USER") };
	if (!self.user || !self.user[0])
		self.user = getenv("LOGNAME");
	if (self.home && (self.home[0] != '/' || !self.home[strspn(self.home, "/")]))
		self.home = NULL;
	if (self.user && (!self.user[0] || !strcmp(self.user, "root") || strchr(self.user, '/')))
		self.user = NULL;
	return self;
}

/* Where no name goes on. */
static bool ends_name(char c)
{
	return !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", c) || !c;
}

static size_t home_length(const char *home)
{
	size_t len = strlen(home);
	while (len && home[len - 1] == '/')
		len--;
	return len;
}

/* Bytes at s that are to be replaced, 0 for none. begins: nothing of a name is before s. */
static size_t hidden(const struct scrub *self, const char *s, bool begins, const char **by)
{
	size_t home = self->home ? home_length(self->home) : 0, user = self->user ? strlen(self->user) : 0;
	if (home && begins && !strncmp(s, self->home, home) && ends_name(s[home])) {
		*by = "~";
		return home;
	}
	if (user && *s == '/' && !strncmp(s + 1, self->user, user) && ends_name(s[1 + user])) {
		*by = placeholder;
		return 1 + user;
	}
	return 0;
}

char *scrub_copy(const struct scrub *self, const char *string)
{
	struct text out = TEXT_INIT(TEXT_LINE_MAX);
	const char *by = NULL;
	text_puts(&out, "");
	for (const char *s = string; *s; ) {
		size_t len = hidden(self, s, s == string || ends_name(s[-1]), &by);
		if (len && *by != '~')
			text_puts(&out, "/");
		if (len)
			text_puts(&out, by);
		else
			text_add(&out, s, 1);
		s += len ? len : 1;
	}
	char *copy = out.failed ? NULL : strdup(text_string(&out));
	text_release(&out);
	return copy;
}
