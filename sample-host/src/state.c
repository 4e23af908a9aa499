/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <string.h>

#include "interrupt.h"

enum { NAME_MAX_BYTES = 200 };		/* of inf.state/1 */

static enum exit_code check_name(const char *option, const char *name, struct failure *why)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);
	if (len && len <= NAME_MAX_BYTES && name[0] != '.' && strspn(name, allowed) == len)
		return EXIT_DONE;
	return failure_usage(why, "state_name", "--%s %.200s: a name is 1 to %d letters, digits or . _ - and does not begin with a "
			     "dot", option, name, NAME_MAX_BYTES);
}

enum exit_code state_check(const struct options *options, struct failure *why)
{
	enum exit_code code = EXIT_DONE;
	if ((options->save_state || options->load_state) && !options->state_dir)
		return failure_usage(why, "no_state_dir", "--%s needs --state-dir DIR",
				     options->save_state ? "save-state" : "load-state");
	if (options->load_state)
		code = check_name("load-state", options->load_state, why);
	return code == EXIT_DONE && options->save_state ? check_name("save-state", options->save_state, why) : code;
}

static const inf_call_params params = { .struct_size = sizeof params, .on_poll = engine_on_poll };

static enum exit_code judge(inf_status st, struct failure *why)
{
	if (interrupt_code() != EXIT_DONE)
		return interrupt_code();
	return st == INF_OK ? EXIT_DONE : failure_as(why, EXIT_FAILED);
}

enum exit_code state_load(const struct options *options, const struct engine *engine, struct failure *why)
{
	if (!options->load_state)
		return EXIT_DONE;
	return judge(inf_session_restore_state(engine->session, 0, options->load_state, &params, NULL, &why->error), why);
}

enum exit_code state_save(const struct options *options, const struct engine *engine, struct failure *why)
{
	inf_gen_result last = { .struct_size = sizeof last };
	if (!options->save_state)
		return EXIT_DONE;
	inf_session_last_result(engine->session, &last);
	return judge(inf_session_save_state(engine->session, last.slot < 0 ? 0 : last.slot, options->save_state, &params, NULL,
					    &why->error), why);
}
