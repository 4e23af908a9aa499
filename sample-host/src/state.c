/* SPDX-License-Identifier: MIT */
#include "state.h"

#include "interrupt.h"

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
