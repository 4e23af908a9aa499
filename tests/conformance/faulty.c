/* SPDX-License-Identifier: MIT */
/* The plugin, its instances and its models. */
#include "faulty.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "echo_tokens.h"

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

enum { SCORE = 150, LAYERS = 4, CONTEXT = 2048, SLOTS = 2 };

/* ---- threads, processes ---- */
void faulty_start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
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

bool faulty_child_has_ended(pid_t pid)
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
		faulty_start_thread(&thread, stay, NULL);
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
static inf_status INF_CALL count_input(inf_model *self, const inf_input *input, const inf_call_params *params, size_t *count,
				       inf_error *err)
{
	inf_input in;
	(void)params;
	inf_status st = inf_read_request(&in, sizeof in, input, inf_input_V1_0, 0, ~0ull);
	if (is_dead(self->pid) || st != INF_OK || !in.prompt)
		return inf_fail(err, st != INF_OK ? st : INF_E_INVALID, "input", "faulty: only prompts are counted");
	*count = faulty_count_tokens(in.prompt, in.prompt_len, in.params ? in.params->flags : 0);
	return INF_OK;
}

static inf_status INF_CALL tokenize(inf_model *self, const char *text, size_t len, uint32_t how, const inf_call_params *params,
				    int32_t *ids, size_t cap, size_t *count, inf_error *err)
{
	(void)params;
	if (is_dead(self->pid))
		return inf_fail(err, INF_E_INVALID, "forked", "faulty: this is a forked child");
	if (how & ~(INF_TOKENIZE_FLAG_BOS | INF_TOKENIZE_FLAG_SPECIAL))
		return inf_fail(err, INF_E_UNSUPPORTED, "flags", "faulty: unknown flags of tokenize()");
	if (!faulty_is_utf8(text, len))
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

inf_status faulty_check_options(const inf_kv *options, size_t count, const char *known, inf_error *err)
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
	inf_status st = faulty_check_options(p->options, p->option_count, loud.key, err);
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
	faulty_start_thread(&self->helper, help, self);
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
pthread_mutex_t faulty_table_lock = PTHREAD_MUTEX_INITIALIZER;

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
		pthread_mutex_lock(&faulty_table_lock);
		pthread_mutex_unlock(&faulty_table_lock);
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

/* ---- tables ---- */
static const inf_backend faulty = {
	.struct_size = sizeof faulty, .flags = IS(flags_of_table), .name = "faulty", .description = description,
	.available = available, .load = load, .info = info, .generate = faulty_generate, .chat = faulty_chat, .err = last_error,
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
