/* SPDX-License-Identifier: MIT */
#include "conform.h"

/* The numbers and levels of host-api/docs/ABI.md, section 2. */
#define ROW(n, level, need, title) { n, KIT_##level, KIT_##need, kit_inf_##n, title }

const struct kit_check kit_checks[] = {
	ROW(101, MUST, FILE, "the file exports inf_plugin_entry_v1 and nothing else"),
	ROW(102, MUST, FILE, "it needs no symbol that its own libraries lack"),
	ROW(103, MUST, FILE, "it is linked so that it is never unloaded"),
	ROW(104, SHOULD, FILE, "it is hardened: now, relro, no executable stack, text relocation or foreign run path"),
	ROW(105, SHOULD, PLUGIN, "its scan record agrees with what the entry returns"),
	ROW(111, MUST, FILE, "the entry returns one pointer each time and does nothing else"),
	ROW(112, MUST, PLUGIN, "tables and strings are constant and live in a file's image"),
	ROW(113, MUST, PLUGIN, "id, licence, version and backend names are well formed"),
	ROW(114, MUST, PLUGIN, "no newer host is asked for than there is"),
	ROW(115, MUST, PLUGIN, "tables are whole and all required slots are there"),
	ROW(116, MUST, PLUGIN, "instances do not see each other"),
	ROW(117, MUST, PLUGIN, "destroy() leaves nothing behind and does not call the host afterwards"),
	ROW(121, MUST, PLUGIN, "available() answers, and says why and what to do where it is no"),
	ROW(122, MUST, PLUGIN, "available() takes at most 2 s the first time and 200 ms afterwards"),
	ROW(123, MUST, PLUGIN, "available() loads no GPU runtime and opens no device"),
	ROW(124, MUST, PLUGIN, "the score is within the bands"),
	ROW(131, MUST, MODEL, "load() refuses what it does not implement, by name"),
	ROW(132, MUST, MODEL, "unknown options are refused, with '?' ignored, and no key is given twice"),
	ROW(133, MUST, MODEL, "*out is NULL unless the status is INF_OK"),
	ROW(134, MUST, MODEL, "on_progress is asked 4 times a second, never goes back, and can stop the load"),
	ROW(135, MUST, MODEL, "a load without INF_LOAD_FLAG_ALLOW_CPU is on the device or fails"),
	ROW(136, MUST, MODEL, "a model loads, and info() is plausible and constant"),
	ROW(141, MUST, MODEL, "generate() and chat() refuse what this model does not implement, by name"),
	ROW(142, MUST, MODEL, "all-zero parameters are the documented defaults"),
	ROW(143, MUST, MODEL, "max_tokens is exact"),
	ROW(144, MUST, MODEL, "stop strings and stop tokens end the text and are not delivered"),
	ROW(145, MUST, MODEL, "text is whole UTF-8, both ways"),
	ROW(146, MUST, MODEL, "text of control tokens is text"),
	ROW(147, MUST, MODEL, "a prompt that does not fit is INF_E_CONTEXT_FULL with its length"),
	ROW(148, MUST, MODEL, "media that are not used are refused"),
	ROW(149, SHOULD, MODEL, "greedy text is the same each time, and so is that of a seed"),
	ROW(150, MUST, MODEL, "the result agrees with what was called back, also after an error"),
	ROW(151, MUST, MODEL, "each tool call is one chunk, and counted"),
	ROW(161, MUST, MODEL, "callbacks run on the thread of the call, during it, with no lock held"),
	ROW(162, MUST, MODEL, "anything but INF_CONTINUE stops, and nothing comes afterwards"),
	ROW(163, MUST, MODEL, "on_poll is asked 10 to 1000 times a second: in the queue, in prefill, between tokens"),
	ROW(164, MUST, MODEL, "many threads and 64 KiB of stack are enough"),
	ROW(165, MUST, MODEL, "close() ends the calls in flight with INF_E_CLOSED and returns after them"),
	ROW(171, MUST, MODEL, "*err is filled on each error and untouched on INF_OK"),
	ROW(172, MUST, MODEL, "a backend that died says so until it works again"),
	ROW(173, SHOULD, MODEL, "reasons are machine codes"),
	ROW(181, MUST, PLUGIN, "the process is left as it was"),
	ROW(182, MUST, MODEL, "descriptors are close-on-exec and threads block all signals"),
	ROW(183, MUST, MODEL, "children are reaped, and gone soon after the host"),
	ROW(184, MUST, MODEL, "in a forked child every function is INF_E_INVALID, and the parent keeps what it has"),
	ROW(185, MUST, MODEL, "the locale makes no difference"),
	ROW(191, MUST, MODEL, "struct_size of every age is honoured"),
	ROW(192, MUST, MODEL, "get_extension() compares ids whole and returns static tables"),
	ROW(193, MUST, MODEL, "the extensions that are offered work"),
	{ 0 },
};

const struct kit_check *kit_check_find(int number)
{
	for (const struct kit_check *check = kit_checks; check->number; check++)
		if (check->number == number)
			return check;
	return NULL;
}
