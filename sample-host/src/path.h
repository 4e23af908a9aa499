/* SPDX-License-Identifier: MIT */
#ifndef INFER_PATH_H
#define INFER_PATH_H

/*
 * path: what the user typed -> the absolute path that the library wants, to be freed.
 *
 * Symbolic links stay what they are: the parts of a split model are found by the name of the first, and a download cache
 * may well be links to files without such names. The file need not exist: the backend says what is wrong with it. NULL
 * without memory, or without a current directory.
 */
char *path_absolute(const char *path);

/* The part behind the last '/'. */
const char *path_name(const char *path);

#endif
