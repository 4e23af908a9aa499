/* SPDX-License-Identifier: MIT */
#include "adapters.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "path.h"
#include "text.h"

enum { SCALE_MAX = 1000, SETTING_MAX = 1 << 16 };

/* Does the name of a file end there? Then what is behind the colon is meant for a scale, whatever it is. */
static bool ends_file(const char *given, const char *colon)
{
	return colon - given > 5 && !strncmp(colon - 5, ".gguf", 5) && !strchr(colon, '/');
}

/* Behind the last colon; NULL = it says none. */
static const char *find_scale(const char *given)
{
	const char *colon = strrchr(given, ':');
	bool is_number = colon && colon[1] && strspn(colon + 1, "-.0123456789") == strlen(colon + 1);
	return is_number || (colon && ends_file(given, colon)) ? colon + 1 : NULL;
}

static enum exit_code add(struct text *setting, const char *given, struct failure *why)
{
	const char *text = find_scale(given);
	double scale = 1;
	if (strchr(given, ','))
		return failure_usage(why, "adapter_comma", "--adapter %.200s: among several, or with a scale, a comma would end the "
				     "name: rename the file", given);
	if (text && !number_real(text, -SCALE_MAX, SCALE_MAX, &scale))
		return failure_usage(why, "bad_number", "--adapter %.200s: the scale behind the last colon must be a number "
				     "from %d to %d", given, -SCALE_MAX, SCALE_MAX);
	char *file = strndup(given, text ? (size_t)(text - given) - 1 : strlen(given));
	char *path = file ? path_absolute(file) : NULL;
	if (path)
		text_printf(setting, "%s%s:%.7f", setting->len ? "," : "adapters=", path, scale);
	enum exit_code code = path ? EXIT_DONE : failure_memory(why, "a path");
	free(file);
	free(path);
	return code;
}

enum exit_code adapters_take(struct options *options, struct failure *why)
{
	const struct words *given = &options->adapters;
	struct text setting = TEXT_INIT(SETTING_MAX);
	enum exit_code code = EXIT_DONE;
	if (given->count == 1 && !find_scale(given->items[0])) {
		options->adapter_path = path_absolute(given->items[0]);
		return options->adapter_path ? EXIT_DONE : failure_memory(why, "a path");
	}
	for (size_t i = 0; code == EXIT_DONE && i < given->count; i++)
		code = add(&setting, given->items[i], why);
	if (code == EXIT_DONE && setting.failed)
		code = failure_memory(why, "the adapters");
	if (code == EXIT_DONE && given->count)
		options->adapters_setting = strdup(text_string(&setting));
	if (code == EXIT_DONE && given->count && !options->adapters_setting)
		code = failure_memory(why, "the adapters");
	text_release(&setting);
	return code;
}
