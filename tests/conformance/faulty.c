/* SPDX-License-Identifier: MIT */
/*
 * faulty: a backend that keeps all of the contract, but for one fault.
 *
 * The model is a file that begins with "echo", and says back what it is told, word by word; with a temperature it says random
 * words of that seed. Where there are tools it calls the first of them. It has four layers on a device that is made up. It is
 * built once with FAULT=none, and once for each other name below, with FAULT_name defined as well.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inference/extensions.h"

#include "echo_tokens.h"

enum fault {
	none, extra_symbol, library_missing, may_be_unloaded, not_hardened, wrong_note, two_descriptors, entry_opens, changing_table,
	bad_licence, newer_host, flags_of_table, last_host, leaked_descriptor, leaked_thread, no_reason, slow_available, gpu_runtime,
	high_score, flag_ignored, option_ignored, optional_refused, twice_taken, handle_left, progress_back, load_unstoppable,
	layers_invented, bit_forgotten, request_option_ignored, random_default, one_token_more, stop_delivered, cut_character,
	bad_bytes_taken, prompt_cut, media_dropped, wrong_seed, result_unfilled, foreign_thread, lock_held, garbage_goes_on,
	poll_ignored, silent_queue, polls_too_often, much_stack, close_waits, error_touched, wrong_code, bad_reason, environment,
	exit_handler, prints, signal_handler, inherited_descriptor, signals_open, orphan, works_in_fork, writes_too_far,
	prefix_of_id, option_without_help, crash, dies_badly, heeds_locale,
	silent_cpu, silent_part, device_is_cpu, turn_injected, chat_injected, special_unread, half_call, other_tool, call_uncounted, call_ends_like_text, call_unasked, tool_result_refused,
};
#define IS(name) (FAULT == (name))

#if defined(FAULT_wrong_note)
INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.faulty;backends=other");
#elif defined(FAULT_newer_host)
INF_PLUGIN_NOTE("abi=1.0;min=3;id=org.example.faulty;backends=faulty");
#else
INF_PLUGIN_NOTE("abi=1.0;min=0;id=org.example.faulty;backends=faulty");
#endif

#ifdef FAULT_extra_symbol
INF_EXPORT int faulty_helper(void);
int faulty_helper(void)
{
	return 1;
}
#endif

enum { SCORE = 150, LAYERS = 4, CONTEXT = 2048, SLOTS = 2, POLL_NS = 2000000, WAIT_NS = 10000000, ROLES = 4, MUCH_STACK = 96 * 1024 };

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

struct run {
	struct inf_model *model;
	inf_gen_params params;
	inf_gen_result result;
	inf_error why;
	char *text;			/* what is said */
	size_t len;
	int64_t begun_ns, polled_ns;
	bool has_slot, answers_tool;
};

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ ns / 1000000000, ns % 1000000000 }, NULL);
}

static bool is_dead(pid_t pid)
{
	return !IS(works_in_fork) && pid != getpid();
}

/* ---- threads, processes ---- */
static void start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all;
	pthread_attr_init(&attr);
	sigfillset(&all);
	if (IS(signals_open))
		sigdelset(&all, SIGUSR1);
	pthread_attr_setsigmask_np(&attr, &all);
	if (pthread_create(thread, &attr, run, arg))
		abort();
	pthread_attr_destroy(&attr);
}

static void *stay(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *help(void *arg)
{
	struct inf_model *model = arg;
	pthread_mutex_lock(&model->lock);
	model->helper_runs = true;
	pthread_cond_broadcast(&model->change);
	while (!model->helper_ends)
		pthread_cond_wait(&model->change, &model->lock);
	pthread_mutex_unlock(&model->lock);
	return NULL;
}

static pid_t start_child(void)
{
	pid_t pid = fork();
	if (!pid)
		stay(NULL);
	return pid;
}

/* Ends when the other end of the pipe does. */
static pid_t start_watched_child(int *out_fd)
{
	int fds[2];
	char byte;
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid_t pid = fork();
	if (!pid) {
		close(fds[1]);
		_exit((int)read(fds[0], &byte, 1));
	}
	close(fds[0]);
	*out_fd = fds[1];
	return pid;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };
	return pid > 0 && !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

/* ---- instance ---- */
static char description[] = "says what it is told";
static const inf_host *newest;		/* the fault last_host */
static void *runtime;			/* the fault gpu_runtime */

static void INF_CALL at_exit(void)
{
}

static void INF_CALL on_signal(int number)
{
	(void)number;
}

static void disturb_process(void)
{
	if (IS(environment))
		setenv("FAULTY", "1", 1);
	if (IS(exit_handler))
		atexit(at_exit);
	if (IS(prints))
		fprintf(stderr, "faulty: hello\n");
	if (IS(signal_handler))
		sigaction(SIGUSR2, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	if (IS(gpu_runtime) && !runtime) {
		int fd = memfd_create("libvulkan.so.1", MFD_CLOEXEC);
		runtime = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
	}
	if (IS(changing_table))
		description[0] = 'S';
}

static inf_status INF_CALL create(const inf_host *host, inf_instance **out, inf_error *err)
{
	pthread_t thread;
	struct inf_instance *self = calloc(1, sizeof *self);
	*out = NULL;
	if (!self)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "faulty: no memory");
	self->host = newest = host;
	self->pid = getpid();
	self->leaked = IS(leaked_descriptor) ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	if (IS(leaked_thread))
		start_thread(&thread, stay, NULL);
	disturb_process();
	*out = self;
	return INF_OK;
}

static void INF_CALL destroy(inf_instance *self)
{
	free(self);
}

static inf_status INF_CALL available(inf_instance *self, const inf_backend *backend, inf_availability *out, inf_error *err)
{
	const inf_host *host = IS(last_host) ? newest : self->host;
	inf_availability found = { .struct_size = sizeof found, .score = SCORE, .message = "an echo needs nothing" };
	(void)backend;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	if (host->log)
		host->log(host->ctx, INF_LOG_DEBUG, "faulty: asked", strlen("faulty: asked"));
	if (IS(no_reason))
		found.score = 0;
	if (IS(high_score))
		found.score = 900;
	if (IS(slow_available))
		pause_ns(300000000);
	inf_write_struct(out, &found, sizeof found);
	return INF_OK;
}

/* ---- options, extensions ---- */
static const inf_option loud = {
	.struct_size = sizeof loud, .where = INF_OPTION_AT_LOAD, .key = "loud", .values = "", .default_value = "false",
	.help = IS(option_without_help) ? "" : "accepted and not used", .type = INF_OPTION_BOOL,
};
static const inf_option *const option_list[] = { &loud };
static const inf_options option_table = { sizeof option_table, 1, option_list };

/* ---- inf.tokenize ---- */
static bool is_utf8(const char *text, size_t len);
static inf_status INF_CALL count_input(inf_model *self, const inf_input *input, const inf_call_params *params, size_t *count,
				       inf_error *err);

static inf_status INF_CALL tokenize(inf_model *self, const char *text, size_t len, uint32_t how, const inf_call_params *params,
				    int32_t *ids, size_t cap, size_t *count, inf_error *err)
{
	(void)params;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	if (how & ~(INF_TOKENIZE_FLAG_BOS | INF_TOKENIZE_FLAG_SPECIAL))
		return inf_fail(err, INF_E_UNSUPPORTED, "flags", "faulty: unknown flags of tokenize()");
	if (!is_utf8(text, len))
		return inf_fail(err, INF_E_INVALID, "utf8", "faulty: the text is not UTF-8");
	*count = echo_tokenize(text, len, how & INF_TOKENIZE_FLAG_SPECIAL, ids, cap);
	return INF_OK;
}

static inf_status INF_CALL detokenize(inf_model *self, const int32_t *ids, size_t count, uint32_t how,
				      const inf_call_params *params, char *text, size_t cap, size_t *len, inf_error *err)
{
	(void)params;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	size_t whole = echo_detokenize(ids, count, how & INF_TOKENIZE_FLAG_SPECIAL, text, cap);
	if (whole == SIZE_MAX)
		return inf_fail(err, INF_E_INVALID, "token", "faulty: an id is outside the vocabulary");
	*len = whole;
	return INF_OK;
}

static const inf_tokenize tokenize_table = {
	.struct_size = sizeof tokenize_table, .tokenize = tokenize, .detokenize = detokenize, .count = count_input,
};

static const void *INF_CALL get_extension(inf_instance *self, const inf_backend *backend, inf_model *model, const char *id)
{
	(void)self;
	(void)backend;
	if (model && !strcmp(id, INF_EXT_TOKENIZE))
		return &tokenize_table;
	bool same = IS(prefix_of_id) ? !strncmp(id, INF_EXT_OPTIONS, strlen(INF_EXT_OPTIONS)) : !strcmp(id, INF_EXT_OPTIONS);
	return same ? &option_table : NULL;
}

/* known: "" = none. */
static inf_status check_options(const inf_kv *options, size_t count, const char *known, inf_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *key = options[i].key;
		bool ignored = *known ? IS(option_ignored) : IS(request_option_ignored);
		if (strcmp(key, known) && !ignored && (key[0] != '?' || IS(optional_refused)) && !(key[0] == '?' && !*known))
			return inf_fail(err, INF_E_UNSUPPORTED, "option", "faulty: there is no option \"%s\"", key);
		for (size_t j = 0; j < i && !IS(twice_taken); j++)
			if (!strcmp(options[j].key, key))
				return inf_fail(err, INF_E_INVALID, "option", "faulty: option \"%s\" is given twice", key);
	}
	return INF_OK;
}

/* ---- load ---- */
static const char *reason(const char *good)
{
	return IS(bad_reason) ? "No Such Thing" : good;
}

static inf_status check_file(const char *path, inf_error *err)
{
	char head[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return inf_fail(err, INF_E_NOT_FOUND, reason("no_file"), "%s does not exist", path);
	ssize_t n = read(fd, head, sizeof head);
	close(fd);
	if (n != sizeof head || memcmp(head, "echo", sizeof head))
		return inf_fail(err, INF_E_BAD_MODEL, "no_model", "%s is no model", path);
	return INF_OK;
}

static inf_status check_load(const inf_load_params *p, inf_error *err)
{
	if (p->adapter_path || p->cache_mode || p->devices)
		return inf_fail(err, INF_E_UNSUPPORTED, "field", "faulty: adapter_path, cache_mode and devices");
	if (!p->path || p->path[0] != '/' || p->context_len < 0 || p->parallel_slots < 0 || p->reserved0 ||
	    p->gpu_layers < -1 || p->gpu_layers > LAYERS + 1)
		return inf_fail(err, INF_E_INVALID, "field", "faulty: path is not absolute, or a number is negative");
	inf_status st = check_options(p->options, p->option_count, loud.key, err);
	return st == INF_OK ? check_file(p->path, err) : st;
}

static inf_status tell_progress(const inf_load_params *p, inf_error *err)
{
	static const float fractions[] = { 0, 0.5f, IS(progress_back) ? 0.25f : 0.75f, 1 };
	for (size_t i = 0; p->on_progress && i < sizeof fractions / sizeof *fractions; i++) {
		const inf_progress progress = { .struct_size = sizeof progress, .stage = (int32_t)i, .fraction = fractions[i] };
		if (p->on_progress(p->user, &progress) != INF_CONTINUE && !IS(load_unstoppable))
			return inf_fail(err, INF_E_CANCELLED, "cancelled", "faulty: the load was cancelled");
	}
	return INF_OK;
}

static int32_t layers_of(const inf_load_params *p)
{
	if (IS(silent_part) || IS(silent_cpu))
		return IS(silent_part) ? LAYERS / 2 : 0;
	return p->set & INF_LOAD_SET_GPU_LAYERS && p->gpu_layers >= 0 ? p->gpu_layers : LAYERS + 1;
}

static struct inf_model *new_model(struct inf_instance *instance, const inf_load_params *p)
{
	struct inf_model *self = calloc(1, sizeof *self);
	if (!self)
		return NULL;
	*self = (struct inf_model){
		.instance = instance, .pid = getpid(), .context_len = p->context_len ? p->context_len : CONTEXT,
		.slots = p->parallel_slots ? p->parallel_slots : SLOTS, .gpu_layers = layers_of(p),
		.last.struct_size = sizeof self->last,
		.fd = IS(inherited_descriptor) ? open("/dev/null", O_RDONLY) : -1, .child = IS(orphan) ? start_child() : -1,
	};
	if (IS(dies_badly))
		self->child = start_watched_child(&self->fd);
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->change, NULL);
	start_thread(&self->helper, help, self);
	pthread_mutex_lock(&self->lock);
	while (!self->helper_runs)	/* before, libc has all signals blocked in it */
		pthread_cond_wait(&self->change, &self->lock);
	pthread_mutex_unlock(&self->lock);
	return self;
}

static inf_status INF_CALL load(inf_instance *self, const inf_backend *backend, const inf_load_params *params,
				inf_model **out, inf_error *err)
{
	inf_load_params p;
	(void)backend;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	if (!IS(handle_left))
		*out = NULL;
	inf_status st = inf_read_request(&p, sizeof p, params, inf_load_params_V1_0, IS(flag_ignored) ? ~0u : 0,
					 INF_LOAD_SET_GPU_LAYERS);
	if (st != INF_OK)
		return inf_fail(err, st, "params", "faulty: load parameters of an unknown size, flag or field");
	st = check_load(&p, err);
	if (st == INF_OK)
		st = tell_progress(&p, err);
	if (st != INF_OK)
		return IS(wrong_code) && st == INF_E_NOT_FOUND ? INF_E_INTERNAL : st;
	if (IS(error_touched) && err)
		err->os_errno = 0;
	*out = new_model(self, &p);
	return *out ? INF_OK : inf_fail(err, INF_E_NO_MEMORY, "no_memory", "faulty: no memory");
}

/* The fault lock_held. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static inf_status INF_CALL info(inf_model *self, inf_model_info *out, inf_error *err)
{
	inf_model_info known = {
		.struct_size = sizeof known, .flags = INF_INFO_FLAG_CHAT | INF_INFO_FLAG_TOOLS, .gen_fields = fields, .gen_flags = flags,
		.context_len = self->context_len, .parallel_slots = self->slots, .vocab_size = ECHO_VOCABULARY, .num_layers = LAYERS,
		.gpu_layers = IS(layers_invented) ? 7 : self->gpu_layers, .model_type = "echo", .name = "echo", .devices = "Echo0",
	};
	if (IS(device_is_cpu))
		strcpy(known.devices, "cpu");
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	if (IS(lock_held)) {
		pthread_mutex_lock(&table_lock);
		pthread_mutex_unlock(&table_lock);
	}
	if (IS(writes_too_far))
		memcpy(out, &known, sizeof known);
	else
		inf_write_struct(out, &known, sizeof known);
	return INF_OK;
}

static inf_status INF_CALL last_error(inf_model *self, inf_error *out)
{
	if (is_dead(self->pid))
		return INF_E_INVALID;
	pthread_mutex_lock(&self->lock);
	inf_status st = self->last.code;
	inf_write_struct(out, &self->last, sizeof self->last);
	pthread_mutex_unlock(&self->lock);
	return st;
}

static inf_status INF_CALL close_model(inf_model *self, inf_error *err)
{
	(void)err;
	if (is_dead(self->pid))
		return INF_E_INVALID;
	pthread_mutex_lock(&self->lock);
	self->closing = !IS(close_waits);
	while (self->in_flight)
		pthread_cond_wait(&self->change, &self->lock);
	self->helper_ends = true;
	pthread_cond_broadcast(&self->change);
	pthread_mutex_unlock(&self->lock);
	if (self->pid == getpid())
		pthread_join(self->helper, NULL);
	if (self->fd >= 0)
		close(self->fd);
	if (self->child > 0) {
		kill(self->child, SIGKILL);
		waitpid(self->child, NULL, 0);
	}
	free(self);
	return INF_OK;
}

/* ---- text ---- */
static bool is_utf8(const char *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	for (size_t n; len; s += n, len -= n) {
		n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
		uint32_t value = n == 1 ? s[0] : s[0] & (0x7fu >> n);
		if (!n || n > len)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			value = value << 6 | (s[i] & 0x3f);
		}
		if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
			return false;
	}
	return true;
}

static size_t next_word(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && text[n] == ' ')
		n++;
	while (n < len && text[n] != ' ')
		n++;
	return IS(cut_character) && n > 3 && (text[3] & 0x80) ? 3 : n;
}

/* flags are INF_GEN_FLAG_*. */
static size_t count_tokens(const char *text, size_t len, uint32_t given)
{
	bool special = ((given & INF_GEN_FLAG_PARSE_SPECIAL) && !IS(special_unread)) || IS(turn_injected);
	return echo_tokenize(text, len, special, NULL, 0);
}

static void shuffle(char *text, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)('a' + (seed >> 33) % 26);
	}
}

static void sample(struct run *run)
{
	char number[16];
	snprintf(number, sizeof number, "%.1f", 0.5);
	bool random = (run->params.temperature > 0 && !(IS(heeds_locale) && strchr(number, ','))) || (IS(random_default) && !(run->params.set & INF_GEN_SET_TEMPERATURE));
	uint64_t seed = run->params.set & INF_GEN_SET_SEED ? run->params.seed : 12345;
	run->result.flags |= INF_RESULT_FLAG_SEED;
	run->result.seed = IS(wrong_seed) ? seed + 1 : seed;
	if (random)
		shuffle(run->text, run->len, seed);
}

static void cut_at_stop(struct run *run)
{
	for (size_t i = 0; i < run->params.stop_string_count; i++) {
		const char *stop = run->params.stop_strings[i], *found = memmem(run->text, run->len, stop, strlen(stop));
		if (!found)
			continue;
		run->len = (size_t)(found - run->text) + (IS(stop_delivered) ? strlen(stop) : 0);
		run->result.finish = INF_FINISH_STOP_STRING;
		run->result.stop_index = (int32_t)i;
	}
}

/* ---- callbacks ---- */
static inf_status stop(struct run *run, inf_status st, const char *why)
{
	return inf_fail(&run->why, st, why, "faulty: the call was stopped: %s", why);
}

static inf_status poll_caller(struct run *run)
{
	int64_t now = now_ns();
	pthread_mutex_lock(&run->model->lock);
	bool closing = run->model->closing;
	pthread_mutex_unlock(&run->model->lock);
	if (closing)
		return stop(run, INF_E_CLOSED, "closed");
	if (!run->params.on_poll || now - run->polled_ns < POLL_NS)
		return INF_OK;
	run->polled_ns = now;
	for (int i = 0; IS(polls_too_often) && i < 100; i++)
		if (run->params.on_poll(run->params.user) != INF_CONTINUE)
			return stop(run, INF_E_CANCELLED, "cancelled");
	if (run->params.on_poll(run->params.user) == INF_CONTINUE || IS(poll_ignored))
		return INF_OK;
	return stop(run, INF_E_CANCELLED, "cancelled");
}

struct delivery {
	struct run *run;
	const inf_token *token;
	int32_t answer;
};

static void *hand_over(void *arg)
{
	struct delivery *delivery = arg;
	const inf_gen_params *params = &delivery->run->params;
	delivery->answer = params->on_token ? params->on_token(params->user, delivery->token) : INF_CONTINUE;
	return NULL;
}

/* flags are INF_TOKEN_FLAG_*. */
static bool deliver(struct run *run, char *word, size_t len, uint32_t given)
{
	char kept = word[len];
	inf_token token = { .struct_size = sizeof token, .flags = given, .id = -1, .count = 1, .text = word, .text_len = len };
	struct delivery delivery = { run, &token, 0 };
	pthread_t thread;
	run->result.generated_tokens++;
	word[len] = '\0';
	bool locks = IS(lock_held) && run->params.max_tokens == 8;	/* not where several are held in a callback */
	if (locks)
		pthread_mutex_lock(&table_lock);
	if (IS(foreign_thread)) {
		start_thread(&thread, hand_over, &delivery);
		pthread_join(thread, NULL);
	} else {
		hand_over(&delivery);
	}
	if (locks)
		pthread_mutex_unlock(&table_lock);
	word[len] = kept;
	return delivery.answer == INF_CONTINUE || (IS(garbage_goes_on) && delivery.answer);
}

static inf_status say(struct run *run)
{
	int32_t most = run->params.max_tokens + (IS(one_token_more) && run->params.max_tokens);
	for (size_t at = 0, len; (len = next_word(run->text + at, run->len - at)); at += len) {
		inf_status st = poll_caller(run);
		if (st != INF_OK)
			return st;
		if (!deliver(run, run->text + at, len, 0)) {
			run->result.finish = INF_FINISH_CALLER;
			return INF_OK;
		}
		if (most && run->result.generated_tokens >= most) {
			run->result.finish = INF_FINISH_LENGTH;
			return INF_OK;
		}
	}
	if (!run->result.finish)
		run->result.finish = INF_FINISH_EOS;
	return poll_caller(run);
}

/* The first name in the tools is that of the first tool. */
static void call_tool(struct run *run)
{
	static const char key[] = "\"name\":\"";
	char text[256];
	const char *name = run->params.tools ? strstr(run->params.tools, key) : NULL;
	name = name && !IS(other_tool) ? name + sizeof key - 1 : "other\"";
	int len = snprintf(text, sizeof text, "{\"id\":\"1\",\"name\":\"%.*s\",\"arguments\":\"{\\\"city\\\":1}\"}",
			   (int)strcspn(name, "\""), name);
	size_t half = IS(half_call) ? (size_t)len / 2 : 0;
	run->result.tool_call_count = IS(call_uncounted) ? 0 : IS(half_call) ? 2 : 1;
	run->result.finish = IS(call_ends_like_text) ? INF_FINISH_EOS : INF_FINISH_TOOL_CALLS;
	if ((half && !deliver(run, text, half, INF_TOKEN_FLAG_TOOL_CALL)) ||
	    !deliver(run, text + half, (size_t)len - half, INF_TOKEN_FLAG_TOOL_CALL))
		run->result.finish = INF_FINISH_CALLER;
}

static bool wants_call(const struct run *run)
{
	const char *choice = run->params.tool_choice;
	if (!run->params.tools || (choice && !strcmp(choice, "none")))
		return IS(call_unasked) && run->params.tools;
	return !run->answers_tool;
}

/* ---- slots ---- */
static inf_status take_slot(struct run *run)
{
	struct inf_model *model = run->model;
	inf_status st = INF_OK;
	while (st == INF_OK && !run->has_slot) {
		pthread_mutex_lock(&model->lock);
		run->has_slot = model->busy < model->slots;
		model->busy += run->has_slot;
		pthread_mutex_unlock(&model->lock);
		if (run->has_slot)
			break;
		if (run->params.flags & INF_GEN_FLAG_NO_WAIT)
			return stop(run, INF_E_BUSY, "busy");
		pause_ns(WAIT_NS);
		if (!IS(silent_queue))
			st = poll_caller(run);
		else if (model->closing)
			st = stop(run, INF_E_CLOSED, "closed");
	}
	return st;
}

/* ---- generate, chat ---- */
static void begin(struct run *run, struct inf_model *model)
{
	*run = (struct run){ .model = model, .begun_ns = now_ns(), .why.struct_size = sizeof run->why,
			     .result.struct_size = sizeof run->result };
	pthread_mutex_lock(&model->lock);
	model->in_flight++;
	pthread_mutex_unlock(&model->lock);
}

static inf_status end(struct run *run, inf_status st, inf_gen_result *result, inf_error *err)
{
	struct inf_model *model = run->model;
	if (st != INF_OK)
		run->result.finish = st == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
	run->result.total_ns = now_ns() - run->begun_ns;
	if (st != INF_E_INVALID || !IS(result_unfilled))
		inf_write_struct(result, &run->result, sizeof run->result);
	if (st != INF_OK)
		inf_write_struct(err, &run->why, sizeof run->why);
	free(run->text);
	pthread_mutex_lock(&model->lock);
	model->last = run->why;
	model->busy -= run->has_slot;
	model->in_flight--;
	pthread_cond_broadcast(&model->change);
	pthread_mutex_unlock(&model->lock);
	return st;
}

static inf_status read_params(struct run *run, const inf_gen_params *params)
{
	const inf_gen_params *p = &run->params;
	uint64_t bad = 0;
	inf_status st = inf_read_request(&run->params, sizeof run->params, params, inf_gen_params_V1_0, flags,
					 INF_GEN_SET_KNOWN);
	if (st != INF_OK)
		return inf_fail(&run->why, st, "params", "faulty: parameters of an unknown size, flag or field");
	st = inf_gen_check(p, fields, &bad);
	if (st == INF_E_INVALID && IS(bit_forgotten) && !p->reserved0 && !p->tool_choice && !p->grammar)
		st = INF_OK;
	if (st != INF_OK)
		return inf_fail(&run->why, st, "params", "faulty: %s (fields 0x%llx) is not implemented: top_k top_p min_p repeat_penalty "
				"frequency_penalty presence_penalty thinking min_tokens thinking_budget stop_tokens suppress_tokens "
				"json_schema grammar", "one of these", (unsigned long long)bad);
	if (p->max_tokens < 0 || !(p->temperature >= 0))
		return inf_fail(&run->why, INF_E_INVALID, "params", "faulty: max_tokens or temperature is negative");
	return check_options(p->options, p->option_count, "", &run->why);
}

static inf_status take_text(struct run *run, const char *text, size_t len)
{
	if (!is_utf8(text, len) && !IS(bad_bytes_taken))
		return inf_fail(&run->why, INF_E_INVALID, "utf8", "faulty: the text is not UTF-8");
	run->text = malloc(len + 1);
	if (!run->text)
		return inf_fail(&run->why, INF_E_NO_MEMORY, "no_memory", "faulty: no memory");
	memcpy(run->text, text, len);
	run->text[len] = '\0';
	run->len = len;
	run->result.prompt_tokens = (int64_t)count_tokens(text, len, run->params.flags);
	if (run->result.prompt_tokens > run->model->context_len && !IS(prompt_cut))
		return inf_fail(&run->why, INF_E_CONTEXT_FULL, "context_full", "faulty: %lld tokens, the context holds %d",
				(long long)run->result.prompt_tokens, run->model->context_len);
	return INF_OK;
}

static inf_status answer(struct run *run)
{
	volatile char room[IS(much_stack) ? MUCH_STACK : 1];
	for (size_t i = 0; i < sizeof room; i += 512)
		room[i] = 0;
	if (IS(crash) && run->params.max_tokens == 3)
		raise(SIGSEGV);
	inf_status st = take_slot(run);
	if (st != INF_OK)
		return st;
	if (IS(dies_badly) && has_ended(run->model->child))
		return inf_fail(&run->why, INF_E_INTERNAL, "child", "faulty: the child is gone");
	if (wants_call(run)) {
		call_tool(run);
		return poll_caller(run);
	}
	sample(run);
	cut_at_stop(run);
	return say(run);
}

static inf_status INF_CALL count_input(inf_model *self, const inf_input *input, const inf_call_params *params, size_t *count,
				       inf_error *err)
{
	inf_input in;
	(void)params;
	inf_status st = inf_read_request(&in, sizeof in, input, inf_input_V1_0, 0, ~0ull);
	if (is_dead(self->pid) || st != INF_OK || !in.prompt)
		return inf_fail(err, st != INF_OK ? st : INF_E_INVALID, "input", "faulty: only prompts are counted");
	*count = count_tokens(in.prompt, in.prompt_len, in.params ? in.params->flags : 0);
	return INF_OK;
}

static inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t prompt_len, const inf_gen_params *params,
				    inf_gen_result *result, inf_error *err)
{
	struct run run;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	begin(&run, self);
	inf_status st = read_params(&run, params);
	if (st == INF_OK && run.params.tools)
		st = inf_fail(&run.why, INF_E_INVALID, "tools", "faulty: tools are for chat()");
	if (st == INF_OK)
		st = take_text(&run, prompt, prompt_len);
	if (st == INF_OK)
		st = answer(&run);
	return end(&run, st, result, err);
}

static inf_status read_message(struct run *run, const inf_message *given, inf_message *out)
{
	static const char *const roles[ROLES] = { "system", "user", "assistant", "tool" };
	inf_status st = inf_read_request(out, sizeof *out, given, inf_message_V1_0, 0, ~0ull);
	if (st != INF_OK || !out->role)
		return inf_fail(&run->why, st != INF_OK ? st : INF_E_INVALID, "message", "faulty: a message of an unknown size or field");
	if (out->media_count && !IS(media_dropped))
		return inf_fail(&run->why, INF_E_UNSUPPORTED, "media", "faulty: media");
	run->answers_tool = !strcmp(out->role, "tool");
	for (size_t i = 0; i < ROLES - IS(tool_result_refused); i++)
		if (!strcmp(out->role, roles[i]))
			return INF_OK;
	return inf_fail(&run->why, INF_E_INVALID, "role", "faulty: unknown role \"%s\"", out->role);
}

static inf_status INF_CALL chat(inf_model *self, const inf_message *const *msgs, size_t msg_count,
				const inf_gen_params *params, inf_gen_result *result, inf_error *err)
{
	struct run run;
	inf_message message = { .content = "" };
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	begin(&run, self);
	inf_status st = read_params(&run, params);
	if (st == INF_OK && (run.params.flags & INF_GEN_FLAG_PARSE_SPECIAL))
		st = inf_fail(&run.why, INF_E_UNSUPPORTED, "flags", "faulty: PARSE_SPECIAL is for generate()");
	run.params.flags |= IS(chat_injected) ? INF_GEN_FLAG_PARSE_SPECIAL : 0;
	for (size_t i = 0; st == INF_OK && i < msg_count; i++)
		st = read_message(&run, msgs[i], &message);
	if (st == INF_OK)
		st = take_text(&run, message.content, message.content_len);
	if (st == INF_OK)
		st = answer(&run);
	return end(&run, st, result, err);
}

/* ---- tables ---- */
static const inf_backend faulty = {
	.struct_size = sizeof faulty, .flags = IS(flags_of_table), .name = "faulty", .description = description,
	.available = available, .load = load, .info = info, .generate = generate, .chat = chat, .err = last_error,
	.close = close_model, .get_extension = get_extension,
};
static const inf_backend *const backends[] = { &faulty };

#define PLUGIN { \
	.struct_size = sizeof(inf_plugin), .abi_minor = INF_ABI_MINOR, .min_host_minor = IS(newer_host) ? 3 : 0, \
	.id = "org.example.faulty", .version = "1.0.0", .vendor = "tests", .license = IS(bad_licence) ? "Apache 2.0" : "MIT", \
	.backends = backends, .backend_count = 1, .create = create, .destroy = destroy, \
}
static const inf_plugin plugin = PLUGIN, twin = PLUGIN;

const inf_plugin *INF_CALL inf_plugin_entry_v1(void)
{
	static bool again;
	if (IS(entry_opens))
		close(open("/dev/null", O_RDONLY | O_CLOEXEC));
#ifdef FAULT_library_missing
	again = exp((double)getpid()) < 0;
#endif
	if (IS(two_descriptors) && again)
		return &twin;
	again = true;
	return &plugin;
}
