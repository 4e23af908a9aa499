/* SPDX-License-Identifier: MIT */
#ifndef INFER_STATE_H
#define INFER_STATE_H

#include "engine.h"

/* state: what --load-state and --save-state do; without them nothing. EXIT_DONE, EXIT_FAILED, or interrupted. */

/* Before the first answer, into slot 0: which slot a call uses, the backend chooses by what they hold. */
enum exit_code state_load(const struct options *options, const struct engine *engine, struct failure *why);
/* After the last answer, of the slot that it used. */
enum exit_code state_save(const struct options *options, const struct engine *engine, struct failure *why);

#endif
