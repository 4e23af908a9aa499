/* SPDX-License-Identifier: MIT */
#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *path_absolute(const char *path)
{
	char *current, *whole = NULL;
	if (path[0] == '/')
		return strdup(path);
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	current = getcwd(NULL, 0);
	if (current && asprintf(&whole, "%s/%s", strcmp(current, "/") ? current : "", path) < 0)
		whole = NULL;
	free(current);
	return whole;
}

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}
