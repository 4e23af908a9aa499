/* SPDX-License-Identifier: MIT */
/*
 * soak: loads, streams, cancels, crashes and closes at random, and looks whether anything is left.
 *
 * In rounds of some seconds, workers load models, run streams on them in parallel, cancel them, kill servers and close
 * sessions with calls in flight, as a seeded generator says. At the end of a round everything is closed, and then the
 * process must hold the threads, descriptors and children it began with, the runtime directory must be empty, and
 * memory must not have grown. Each call must end in one of the ways that what was done to it allows. A seed gives the
 * same choices again; what they meet depends on the machine.
 *
 * Environment: GR_TEST_PLUGINS, GR_TEST_LLAMA_SERVER, GR_TEST_MODEL; GR_SOAK_SECONDS (60), GR_SOAK_SEED (of the clock).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inference/host.h"

#include "process.h"
#include "soak_memory.h"
#include "soak_random.h"

enum {
	WORKERS = 3, STREAMS_MAX = 4, SECONDS_DEFAULT = 60, ROUND_MS = 10000, ROUNDS_MIN = 6, HANG_MS = 120000,
		LEFT_MS = 10000,
};

struct counts {
	atomic_long loads, loads_cancelled, generations, tokens, cancelled, killed, died, closed_in_flight;
};

struct soak {
	const char *plugins, *server, *model;
	uint64_t seed;
	char runtime_dir[64];
	inf_registry *registry;			/* of this round */
	const inf_candidate *backend;
	int64_t round_end_ms;
	atomic_bool failed;
	struct counts counts;
	struct soak_memory memory;
};

struct worker {
	struct soak *soak;
	struct soak_random random;
	pthread_t thread;
};

/* One loaded model and what was done to it. */
struct life {
	struct soak *soak;
	inf_session *session;
	int slots;
	bool restarts;				/* restart=on-demand */
	long kills_before;			/* of all servers, when the load began */
	atomic_bool cancelled, closing;
};

struct stream {
	struct life *life;
	struct soak_random random;
	const char *prompt;
	int32_t max_tokens;
	uint32_t flags;				/* INF_GEN_FLAG_* */
	bool stops;				/* at a stop string */
	int cancel_at, stop_at, cancel_all_at, kill_at;	/* the token at which it happens; -1 = never */
	int seen;
	bool asked_to_cancel, asked_to_stop;
	atomic_bool inside;			/* the call is known to run, or it has ended */
	inf_status status;
	pthread_t thread;
};

enum { STOP_STRINGS = 2 };

static const char *const stop_strings[STOP_STRINGS] = { " the ", "ness of" };
static const char *const prompts[] = { "Once upon a time", "x", "It is a truth universally acknowledged, that", "The "
	"\xc3\xa9\n" };

__attribute__((format(printf, 2, 3))) static void flaw(struct soak *soak, const char *format, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	fprintf(stderr, "soak: seed %llu: %s\n", (unsigned long long)soak->seed, text);
	soak->failed = true;
}

/* ---- crashes ----------------------------------------------------------------------------------------------------- */
/* Our child, and a server that was told where to listen: not one that is only asked for its version. */
static bool is_server(pid_t pid)
{
	char path[64], text[4096], state;
	pid_t parent, group;
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text) : 0;
	if (fd >= 0)
		close(fd);
	return len > 0 && memmem(text, (size_t)len, "--host", sizeof "--host") &&
	       process_look(pid, &state, &parent, &group) && parent == getpid() && state != 'Z';
}

static void kill_a_server(struct soak *soak, struct soak_random *random)
{
	pid_t children[PROCESS_CHILDREN_MAX];
	size_t count = process_children(children, PROCESS_CHILDREN_MAX);
	if (!count || count > PROCESS_CHILDREN_MAX)
		return;
	pid_t victim = children[soak_random_next(random) % count];
	if (!is_server(victim))
		return;
	soak->counts.killed++;			/* before: who dies by it must find it counted */
	kill(victim, SIGKILL);
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */
static int32_t on_token(void *user, const inf_token *token)
{
	struct stream *s = user;
	s->life->soak->counts.tokens += token->count;
	s->seen++;
	if (s->seen == s->kill_at)
		kill_a_server(s->life->soak, &s->random);
	if (s->seen == s->cancel_all_at) {
		s->life->cancelled = true;
		inf_session_cancel(s->life->session);
	}
	if (s->seen != s->stop_at)
		return INF_CONTINUE;
	s->asked_to_stop = true;
	return 0;
}

static int32_t on_poll(void *user)
{
	struct stream *s = user;
	s->inside = true;
	if (s->cancel_at < 0 || s->seen < s->cancel_at)
		return INF_CONTINUE;
	s->asked_to_cancel = true;
	return 0;
}

static bool allowed(const struct stream *s, inf_status st, const inf_error *err, const inf_gen_result *result)
{
	const struct life *life = s->life;
	switch (st) {
	case INF_OK:
		return s->asked_to_stop ? result->finish == INF_FINISH_CALLER :
		       !s->max_tokens || result->generated_tokens <= s->max_tokens;
	case INF_E_BUSY:
		return s->flags & INF_GEN_FLAG_NO_WAIT;
	case INF_E_CANCELLED:
		return s->asked_to_cancel || life->cancelled;
	case INF_E_CLOSED:
		return life->closing;
	case INF_E_BACKEND_DIED:
		return life->soak->counts.killed > life->kills_before &&
		       err->flags & (life->restarts ? INF_ERR_FLAG_RETRYABLE | INF_ERR_FLAG_MODEL_DEAD :
		       INF_ERR_FLAG_MODEL_DEAD);
	default:
		return false;
	}
}

static void run_stream(struct stream *s)
{
	struct soak *soak = s->life->soak;
	inf_error err = { .struct_size = sizeof err };
	inf_gen_result result = { .struct_size = sizeof result };
	const inf_gen_params params = {
		.struct_size = sizeof params, .max_tokens = s->max_tokens, .user = s, .on_token = on_token,
			.on_poll = on_poll,
		.flags = s->flags, .stop_strings = stop_strings, .stop_string_count = s->stops ? STOP_STRINGS : 0,
	};
	s->status = inf_session_generate(s->life->session, s->prompt, strlen(s->prompt), &params, &result, &err);
	s->inside = true;
	soak->counts.generations++;
	soak->counts.cancelled += s->status == INF_E_CANCELLED;
	soak->counts.died += s->status == INF_E_BACKEND_DIED;
	soak->counts.closed_in_flight += s->status == INF_E_CLOSED;
	if (!allowed(s, s->status, &err, &result))
		flaw(soak, "generate: status %d, finish %d, %lld tokens of %d: %s: %s", s->status, result.finish,
		     (long long)result.generated_tokens, s->max_tokens, err.reason, err.message);
}

static void *stream_main(void *arg)
{
	run_stream(arg);
	return NULL;
}

static int maybe_at(struct soak_random *random, int once_in, int most)
{
	return soak_random_once_in(random, once_in) ? soak_random_between(random, 1, most) : -1;
}

static void draw_stream(struct stream *s, struct life *life, struct soak_random *random)
{
	*s = (struct stream){
		.life = life,
		.random.state = soak_random_next(random),
		.prompt = prompts[soak_random_next(random) % (sizeof prompts / sizeof prompts[0])],
		.flags = (soak_random_once_in(random, 2) ? INF_GEN_FLAG_IGNORE_EOS : 0) |
			 (soak_random_once_in(random, 10) ? INF_GEN_FLAG_NO_WAIT : 0),
		.stops = soak_random_once_in(random, 4),
		.max_tokens = soak_random_once_in(random, 8) ? 0 : soak_random_between(random, 1, 60),
		.cancel_at = maybe_at(random, 5, 40) - soak_random_once_in(random, 4),
		.stop_at = maybe_at(random, 5, 40),
		.cancel_all_at = maybe_at(random, 12, 40),
		.kill_at = maybe_at(random, 40, 40),
	};
}

static int start_streams(struct worker *w, struct life *life, struct stream *streams, int count)
{
	for (int i = 0; i < count; i++) {
		draw_stream(&streams[i], life, &w->random);
		if (pthread_create(&streams[i].thread, NULL, stream_main, &streams[i]) != 0) {
			flaw(w->soak, "no thread for a stream");
			return i;
		}
	}
	return count;
}

static bool is_inside(void *ctx)
{
	return ((struct stream *)ctx)->inside;
}

/* A call that has not entered the library when its session is closed is the host's own mistake. */
static void close_under(struct life *life, struct stream *streams, int count)
{
	for (int i = 0; i < count; i++)
		if (!wait_until(is_inside, &streams[i], HANG_MS))
			flaw(life->soak, "a call asks nothing");
	life->closing = true;
}

/* ---- one model --------------------------------------------------------------------------------------------------- */
struct loading {
	struct worker *worker;
	int cancel_at, kill_at;			/* the report at which it happens; -1 = never */
	int reports;
	bool cancelled;
};

static int32_t on_progress(void *user, const inf_progress *progress)
{
	struct loading *l = user;
	(void)progress;
	l->reports++;
	if (l->reports == l->kill_at)
		kill_a_server(l->worker->soak, &l->worker->random);
	if (l->reports != l->cancel_at)
		return INF_CONTINUE;
	l->cancelled = true;
	return 0;
}

static bool load(struct worker *w, struct life *life)
{
	struct soak *soak = w->soak;
	struct loading loading = { .worker = w, .cancel_at = maybe_at(&w->random, 8, 3),
		.kill_at = maybe_at(&w->random, 12, 3) };
	inf_error err = { .struct_size = sizeof err };
	const inf_kv restart = { "restart", "on-demand" };
	const inf_load_params params = {
		.struct_size = sizeof params, .options = &restart, .option_count = life->restarts,
			.path = soak->model, .context_len = 256 * soak_random_between(&w->random, 1, 4),
		.parallel_slots = life->slots, .user = &loading, .on_progress = on_progress,
	};
	inf_status st = inf_session_load(soak->registry, soak->backend, &params, &life->session, &err);
	soak->counts.loads++;
	soak->counts.loads_cancelled += st == INF_E_CANCELLED;
	soak->counts.died += st == INF_E_BACKEND_DIED;
	if (st == INF_OK)
		return true;
	bool expected = (st == INF_E_CANCELLED && loading.cancelled) ||
			(st == INF_E_BACKEND_DIED && soak->counts.killed > life->kills_before);
	if (!expected)
		flaw(soak, "load: status %d: %s: %s", st, err.reason, err.message);
	return false;
}

/* A dead model says so until it is closed. */
static void expect_dead(struct life *life)
{
	const inf_gen_params params = { .struct_size = sizeof params, .max_tokens = 1 };
	inf_status st = inf_session_generate(life->session, "x", 1, &params, NULL, NULL);
	if (st != INF_E_BACKEND_DIED)
		flaw(life->soak, "a model that was dead returns %d", st);
}

/* Streams beside each other, up to one more than there are slots. False when the model is dead for good, or closed. */
static bool run_streams(struct worker *w, struct life *life, bool then_close)
{
	struct stream streams[STREAMS_MAX];
	bool dead = false;
	int count = start_streams(w, life, streams, life->slots + soak_random_between(&w->random, 0, 1));
	if (then_close) {
		close_under(life, streams, count);
		inf_session_close(life->session, NULL);
	}
	for (int i = 0; i < count; i++) {
		pthread_join(streams[i].thread, NULL);
		dead = dead || streams[i].status == INF_E_BACKEND_DIED;
	}
	if (dead && !then_close && !life->restarts)
		expect_dead(life);
	return (!dead || life->restarts) && !then_close;
}

static void live(struct worker *w)
{
	inf_error err = { .struct_size = sizeof err };
	struct life life = {
		.soak = w->soak, .restarts = soak_random_once_in(&w->random, 3),
			.slots = soak_random_between(&w->random, 1, STREAMS_MAX - 1),
		.kills_before = w->soak->counts.killed,
	};
	if (!load(w, &life))
		return;
	bool usable = true;
	for (int left = soak_random_between(&w->random, 0, 8); usable && left; left--) {
		if (soak_random_once_in(&w->random, 16))
			kill_a_server(w->soak, &w->random);
		usable = run_streams(w, &life, soak_random_once_in(&w->random, 12));
	}
	if (!life.closing && inf_session_close(life.session, &err) != INF_OK)
		flaw(w->soak, "close: %s", err.message);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	while (monotonic_ms() < w->soak->round_end_ms && !w->soak->failed)
		live(w);
	return NULL;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */
static bool open_registry(struct soak *soak)
{
	const char *dirs[] = { soak->plugins };
	const inf_kv options[] = { { "llama-server.path", soak->server } };
	inf_error err = { .struct_size = sizeof err };
	const inf_registry_params params = {
		.struct_size = sizeof params, .flags = INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS,
		.plugin_dirs = dirs, .plugin_dir_count = 1, .options = options, .option_count = 1,
	};
	inf_status st = inf_registry_open(&params, &soak->registry, &err);
	if (st == INF_OK)
		st = inf_registry_select(soak->registry, "llama_cpp", &soak->backend, &err);
	if (st != INF_OK)
		flaw(soak, "registry: %s", err.message);
	return st == INF_OK;
}

/* A call that never returns cannot be cleaned up after: the process ends with it. */
static void join(struct soak *soak, struct worker *w)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (soak->round_end_ms - monotonic_ms() + HANG_MS) / 1000;
	if (pthread_timedjoin_np(w->thread, NULL, &until) == 0)
		return;
	flaw(soak, "a worker hangs");
	abort();
}

static void run_workers(struct soak *soak, struct soak_random *random)
{
	struct worker workers[WORKERS];
	int started = 0;
	for (; started < WORKERS; started++) {
		workers[started] = (struct worker){ .soak = soak, .random.state = soak_random_next(random) };
		if (pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]) != 0) {
			flaw(soak, "no thread for a worker");
			break;
		}
	}
	for (int i = 0; i < started; i++)
		join(soak, &workers[i]);
}

static bool nothing_left(void *before)
{
	struct process_census now = census_take();
	return census_equal(before, &now, NULL, 0);
}

static void look_for_leaks(struct soak *soak, struct process_census *before)
{
	char text[1024];
	if (!wait_until(nothing_left, before, LEFT_MS)) {
		struct process_census now = census_take();
		census_equal(before, &now, text, sizeof text);
		flaw(soak, "left behind: %s", text);
	}
	if (rmdir(soak->runtime_dir) != 0)
		flaw(soak, "left in %s: %s", soak->runtime_dir, strerror(errno));
	else if (mkdir(soak->runtime_dir, 0700) != 0)
		flaw(soak, "%s: %s", soak->runtime_dir, strerror(errno));
	soak_memory_sample(&soak->memory);
	if (!soak_memory_steady(&soak->memory, text, sizeof text))
		flaw(soak, "%s", text);
}

static void report(const struct soak *soak, const char *head, const char *verdict)
{
	const struct counts *c = &soak->counts;
	printf("%s%ld loads (%ld cancelled), %ld generations (%ld cancelled, %ld closed in flight), %ld tokens, %ld "
		"servers killed, "
	       "%ld calls told of a death; heap %+ld KiB, resident %ld MiB (%+ld KiB)%s\n", head, c->loads,
	       c->loads_cancelled,
	       c->generations, c->cancelled, c->closed_in_flight, c->tokens, c->killed, c->died,
	       (soak->memory.heap - soak->memory.first_heap) / 1024, soak->memory.rss >> 20,
	       (soak->memory.rss - soak->memory.first_rss) / 1024, verdict);
	fflush(stdout);
}

static void run_round(struct soak *soak, struct soak_random *random, int64_t length_ms)
{
	struct process_census before = census_take();
	soak->round_end_ms = monotonic_ms() + length_ms;
	if (open_registry(soak))
		run_workers(soak, random);
	inf_registry_close(soak->registry);
	soak->registry = NULL;
	look_for_leaks(soak, &before);
	report(soak, "", "");
}

static const char *required(const char *name)
{
	const char *value = getenv(name);
	if (!value || !*value) {
		fprintf(stderr, "soak: %s is not set: run it through ctest\n", name);
		exit(2);
	}
	return value;
}

int main(void)
{
	const char *seconds_text = getenv("GR_SOAK_SECONDS"), *seed_text = getenv("GR_SOAK_SEED");
	long seconds = seconds_text && *seconds_text ? atol(seconds_text) : SECONDS_DEFAULT;
	struct soak soak = {
		.plugins = required("GR_TEST_PLUGINS"), .server = required("GR_TEST_LLAMA_SERVER"),
			.model = required("GR_TEST_MODEL"),
		.seed = seed_text && *seed_text ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL),
		.runtime_dir = "/tmp/go-rocm-soak-XXXXXX",
	};
	struct soak_random random = { soak.seed };
	int64_t start_ms = monotonic_ms(), length_ms = seconds * 1000 / ROUNDS_MIN;
	char head[96];
	if (!mkdtemp(soak.runtime_dir) || setenv("XDG_RUNTIME_DIR", soak.runtime_dir, 1) != 0) {
		perror(soak.runtime_dir);
		return 2;
	}
	printf("soak: seed %llu, %ld s\n", (unsigned long long)soak.seed, seconds);
	while (!soak.failed && monotonic_ms() - start_ms < seconds * 1000)
		run_round(&soak, &random, length_ms < ROUND_MS ? length_ms : ROUND_MS);
	rmdir(soak.runtime_dir);
	snprintf(head, sizeof head, "soak: seed %llu, %lld s, ", (unsigned long long)soak.seed,
		 (long long)(monotonic_ms() - start_ms) / 1000);
	report(&soak, head, soak.failed ? ": FAILED" : ": clean");
	return soak.failed;
}
