/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAULTY_H
#define TEST_FAULTY_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "inference/extensions.h"

/*
 * faulty: a backend that keeps all of the contract, but for one fault.
 *
 * The model is a file that begins with "echo", and says back what it is told, word by word; with a temperature it says random
 * words of that seed. Where there are tools it calls the first of them. It has four layers on a device that is made up. It is
 * built once with FAULT=none, and once for each other name below, with FAULT_name defined as well.
 *
 * faulty.c is the plugin, its instances and models; faulty_speech.c what a model says.
 */
enum fault {
	none, extra_symbol, library_missing, may_be_unloaded, not_hardened, wrong_note, two_descriptors, entry_opens, changing_table,
	bad_licence, newer_host, flags_of_table, last_host, leaked_descriptor, leaked_thread, no_reason, slow_available, gpu_runtime,
	high_score, flag_ignored, option_ignored, optional_refused, twice_taken, handle_left, progress_back, load_unstoppable,
	layers_invented, bit_forgotten, request_option_ignored, random_default, one_token_more, stop_delivered, cut_character,
	bad_bytes_taken, prompt_cut, media_dropped, wrong_seed, result_unfilled, foreign_thread, lock_held, garbage_goes_on,
	poll_ignored, silent_queue, polls_too_often, much_stack, close_waits, error_touched, wrong_code, bad_reason, environment,
	exit_handler, prints, signal_handler, inherited_descriptor, signals_open, orphan, works_in_fork, writes_too_far,
	prefix_of_id, option_without_help, crash, dies_badly, heeds_locale,
	silent_cpu, silent_part, device_is_cpu, turn_injected, chat_injected, special_unread, half_call, other_tool, call_uncounted,
	call_ends_like_text, call_unasked, tool_result_refused,
};
#define IS(name) (FAULT == (name))

static const uint64_t fields = INF_GEN_SET_MAX_TOKENS | INF_GEN_SET_TEMPERATURE | INF_GEN_SET_SEED | INF_GEN_SET_STOP_STRINGS |
	INF_GEN_SET_TOOLS;
static const uint32_t flags = INF_GEN_FLAG_NO_WAIT | INF_GEN_FLAG_PARSE_SPECIAL;

struct inf_instance {
	const inf_host *host;
	pid_t pid;
	int leaked;
};

struct inf_model {
	struct inf_instance *instance;
	pid_t pid, child;
	int fd;
	int32_t context_len, slots, gpu_layers;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t change;
	bool closing, helper_runs, helper_ends;
	int in_flight, busy;
	inf_error last;
	pthread_t helper;
};

static inline int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ ns / 1000000000, ns % 1000000000 }, NULL);
}

static inline bool is_dead(pid_t pid)
{
	return !IS(works_in_fork) && pid != getpid();
}

/* ---- of faulty.c ---- */
void faulty_start_thread(pthread_t *thread, void *(*run)(void *), void *arg);
bool faulty_child_has_ended(pid_t pid);
/* known: "" = none. */
inf_status faulty_check_options(const inf_kv *options, size_t count, const char *known, inf_error *err);
extern pthread_mutex_t faulty_table_lock;	/* the fault lock_held */

/* ---- of faulty_speech.c ---- */
bool faulty_is_utf8(const char *text, size_t len);
/* given are INF_GEN_FLAG_*. */
size_t faulty_count_tokens(const char *text, size_t len, uint32_t given);
inf_status INF_CALL faulty_generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err);
inf_status INF_CALL faulty_chat(inf_model *self, const inf_message *const *msgs, size_t msg_count, const inf_gen_params *params,
				inf_gen_result *result, inf_error *err);

#endif
