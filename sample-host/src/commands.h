/* SPDX-License-Identifier: MIT */
#ifndef INFER_COMMANDS_H
#define INFER_COMMANDS_H

#include "console.h"
#include "options.h"

/* commands: one file each. Each prints what was asked for, cleans up after itself and leaves failures to be printed. */
enum exit_code cmd_run(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_backends(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_devices(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_doctor(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_models(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_inspect(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_generate(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_classify(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_batch(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_config(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_chat(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_tokenize(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_embed(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_rerank(const struct options *options, struct console *console, struct failure *why);
enum exit_code cmd_bench(const struct options *options, struct console *console, struct failure *why);

#endif
