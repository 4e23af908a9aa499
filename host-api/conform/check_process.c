/* SPDX-License-Identifier: MIT */
/* INF-181 to 185: the process is the host's. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spy.h"
#include "world.h"

enum { SIGNALS = 64, STATE_MAX = 1 << 20, FDS_MAX = 1024, THREADS_MAX = 1024, CHILDREN_MAX = 64, GONE_MS = 15000, FORK_S = 30 };

extern char **environ;

/* All that a host may do in its life. */
static void live(struct kit *kit)
{
	struct kit_world world;
	inf_availability availability = { .struct_size = sizeof availability };
	if (!kit_world_open(&world, kit))
		return;
	kit->backend->available(world.instance, kit->backend, &availability, NULL);
	kit_world_close(&world);
	if (!kit->args->model || !kit_world_load(&world, kit))
		return;
	struct kit_sink *sink = kit_sink_new(), *chat = kit_sink_new();
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "a b", .content_len = 3 };
	kit_say(&world, sink, 8, NULL);
	const inf_gen_params params = kit_params(&world, chat, 4);
	kit_chat(&world, chat, &message, &params, NULL, NULL);
	kit_world_close(&world);
	free(sink);
	free(chat);
}

/* ---- INF-181 ---- */
struct state {
	char environment[STATE_MAX], folder[4096], locale[1024];
	mode_t umask;
	sigset_t mask;
	struct sigaction actions[SIGNALS + 1];
};

static void take_state(struct state *state)
{
	size_t len = 0;
	memset(state, 0, sizeof *state);
	for (char **variable = environ; *variable && len < STATE_MAX; variable++)
		len += (size_t)snprintf(state->environment + len, STATE_MAX - len, "%s\n", *variable);
	if (!getcwd(state->folder, sizeof state->folder))
		state->folder[0] = '\0';
	snprintf(state->locale, sizeof state->locale, "%s", setlocale(LC_ALL, NULL));
	state->umask = umask(0);
	umask(state->umask);
	pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
	for (int i = 1; i <= SIGNALS; i++)
		sigaction(i, NULL, &state->actions[i]);
}

static void compare_states(struct kit *kit, const struct state *before, const struct state *after)
{
	kit_expect(kit, !strcmp(before->environment, after->environment), "the environment was changed");
	kit_expect(kit, !strcmp(before->folder, after->folder), "the working directory was changed");
	kit_expect(kit, !strcmp(before->locale, after->locale), "the locale was changed");
	kit_expect(kit, before->umask == after->umask, "the umask was changed");
	kit_expect(kit, !memcmp(&before->mask, &after->mask, SIGNALS / 8), "the signal mask of the host's thread was changed");
	for (int i = 1; i <= SIGNALS; i++)
		kit_expect(kit, before->actions[i].sa_handler == after->actions[i].sa_handler, "the disposition of signal %d was changed",
			   i);
}

struct standard {
	int kept, file;
};

static void replace_standard(struct standard *standard)
{
	for (int fd = 0; fd < 3; fd++) {
		standard[fd].kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		standard[fd].file = memfd_create("inf-conform", MFD_CLOEXEC);
		dup2(standard[fd].file, fd);
	}
}

static void restore_standard(struct kit *kit, struct standard *standard)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat was, now;
		bool same = !fstat(standard[fd].file, &was) && !fstat(fd, &now) && was.st_ino == now.st_ino;
		char text[80] = "";
		ssize_t n = same ? pread(fd, text, sizeof text - 1, 0) : 0;
		text[n > 0 ? n : 0] = '\0';
		kit_expect(kit, same, "descriptor %d was replaced", fd);
		kit_expect(kit, n <= 0, "something was written to descriptor %d: %s", fd, text);
		dup2(standard[fd].kept, fd);
		close(standard[fd].kept);
		close(standard[fd].file);
	}
}

void kit_inf_181(struct kit *kit)
{
	static struct state before, after;	/* too large for the stack */
	struct standard standard[3];
	replace_standard(standard);
	take_state(&before);
	live(kit);
	take_state(&after);
	restore_standard(kit, standard);
	compare_states(kit, &before, &after);
	spy_tell(kit, SPY_PROCESS | SPY_EXIT);
	if (!spy_works())
		kit_note(kit, "a build of the kit with sanitizers sees only what lasts");
}

/* ---- INF-182 ---- */
struct known {
	struct kit *kit;
	bool fds[FDS_MAX];
	pid_t threads[THREADS_MAX];
	size_t thread_count;
};

static bool is_known(const struct known *known, pid_t thread)
{
	for (size_t i = 0; i < known->thread_count && i < THREADS_MAX; i++)
		if (known->threads[i] == thread)
			return true;
	return false;
}

static uint64_t blocked_by(pid_t thread)
{
	char path[64], line[256];
	unsigned long long mask = ~0ull;
	snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (file)
		fclose(file);
	return mask;
}

static void tell_descriptor(struct kit *kit, int fd)
{
	char path[64], target[256];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(path, target, sizeof target - 1);
	kit_fail(kit, "descriptor %d (%.*s) is not close-on-exec", fd, len > 0 ? (int)len : 0, target);
}

static void check_new(struct kit_sink *sink)
{
	/* SIGKILL, SIGSTOP and two of the C library's cannot be blocked. */
	const uint64_t never = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << 31 | 1ull << 32;
	struct known *known = sink->user;
	pid_t threads[THREADS_MAX];
	if (sink->calls > 1)
		return;
	for (int fd = 0; fd < FDS_MAX; fd++) {
		int flags = known->fds[fd] ? -1 : fcntl(fd, F_GETFD);
		if (flags >= 0 && !(flags & FD_CLOEXEC))
			tell_descriptor(known->kit, fd);
	}
	size_t count = kit_threads(threads, THREADS_MAX);
	for (size_t i = 0; i < count && i < THREADS_MAX; i++) {
		uint64_t open = is_known(known, threads[i]) ? 0 : ~blocked_by(threads[i]) & ~never;
		kit_expect(known->kit, !open, "a thread of the plugin does not block the signals 0x%llx", (unsigned long long)open);
	}
}

void kit_inf_182(struct kit *kit)
{
	struct known known = { .kit = kit };
	struct kit_world world;
	struct kit_sink *sink = kit_sink_new();
	for (int fd = 0; fd < FDS_MAX; fd++)
		known.fds[fd] = fcntl(fd, F_GETFD) >= 0;
	known.thread_count = kit_threads(known.threads, THREADS_MAX);
	if (kit_world_load(&world, kit)) {
		sink->user = &known;
		sink->in_token = check_new;
		kit_say(&world, sink, 4, NULL);
		kit_world_close(&world);
	}
	spy_tell(kit, SPY_INHERITED);
	free(sink);
}

/* ---- INF-183 ---- */
/* The process that will be killed: loads, says so, and stays. */
static void be_host(struct kit *kit, int say)
{
	struct kit_world world;
	char loaded = kit_world_load(&world, kit);
	if (write(say, &loaded, 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static size_t descendants(pid_t parent, pid_t *pids, size_t cap)
{
	size_t count = kit_children(parent, pids, cap);
	for (size_t i = 0; i < count; i++)
		count += kit_children(pids[i], pids + count, cap - count);
	return count;
}

struct gone {
	pid_t pids[CHILDREN_MAX];
	size_t count;
};

static bool are_gone(void *ctx)
{
	struct gone *gone = ctx;
	for (size_t i = 0; i < gone->count; i++) {
		waitpid(gone->pids[i], NULL, WNOHANG);	/* it is ours now, if its parent is dead */
		if (!kill(gone->pids[i], 0))
			return false;
	}
	return true;
}

static void kill_host(struct kit *kit, pid_t host, int said)
{
	struct gone gone = { .count = 0 };
	char loaded = 0;
	if (read(said, &loaded, 1) == 1 && loaded)
		gone.count = descendants(host, gone.pids, CHILDREN_MAX);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	if (!gone.count)
		kit_note(kit, "it has no children");
	int ms = kit_patience_ms(kit, GONE_MS);
	kit_expect(kit, kit_wait(are_gone, &gone, ms), "children were still there %d ms after the host was killed", ms);
}

void kit_inf_183(struct kit *kit)
{
	int fds[2];
	live(kit);
	kit_expect_no_child(kit, "after close() and destroy()");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(fds, O_CLOEXEC))
		return;
	pid_t host = fork();
	if (!host) {
		close(fds[0]);
		be_host(kit, fds[1]);
	}
	close(fds[1]);
	kill_host(kit, host, fds[0]);
	close(fds[0]);
}

/* ---- INF-184 ---- */
#define EXPECT_DEAD(call) do { \
		inf_status st = (call); \
		kit_expect(kit, st == INF_E_INVALID, "in a forked child " #call " is %s", kit_status(st)); \
	} while (0)

static void use_in_child(struct kit_world *world)
{
	struct kit *kit = world->kit;
	const inf_backend *backend = kit->backend;
	inf_instance *instance = world->instance;
	inf_model *model = world->model, *out = NULL;
	inf_availability availability = { .struct_size = sizeof availability };
	inf_model_info info = { .struct_size = sizeof info };
	const inf_load_params load_params = kit_load_params(kit);
	const inf_gen_params params = kit_params(world, kit_sink_new(), 2);
	const inf_message message = { .struct_size = sizeof message, .role = "user", .content = "a", .content_len = 1 };
	const inf_message *const messages[] = { &message };
	alarm(FORK_S);
	EXPECT_DEAD(backend->available(instance, backend, &availability, NULL));
	EXPECT_DEAD(backend->load(instance, backend, &load_params, &out, NULL));
	EXPECT_DEAD(backend->info(model, &info, NULL));
	EXPECT_DEAD(backend->generate(model, "a", 1, &params, NULL, NULL));
	EXPECT_DEAD(backend->chat(model, messages, 1, &params, NULL, NULL));
	EXPECT_DEAD(backend->err(model, NULL));
	backend->get_extension(instance, backend, model, INF_EXT_OPTIONS);
	backend->close(model, NULL);
	kit->plugin->destroy(instance);
	_exit(0);
}

void kit_inf_184(struct kit *kit)
{
	struct kit_world world;
	struct kit_sink *sink = kit_sink_new();
	int status = 0;
	if (!kit_world_load(&world, kit))
		return;
	pid_t child = fork();
	if (!child)
		use_in_child(&world);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	kit_expect(kit, WIFEXITED(status) && !WEXITSTATUS(status), "the forked child %s %d", WIFSIGNALED(status) ? "died of signal" :
		   "ended with status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	inf_status st = kit_say(&world, sink, 4, NULL);
	kit_expect(kit, st == INF_OK, "after a forked child closed its copy, generate() in the parent returned %s", kit_status(st));
	kit_world_close(&world);
	free(sink);
}

/* ---- INF-185 ---- */
static bool set_comma_locale(void)
{
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "es_ES.UTF-8", "it_IT.UTF-8",
					     "ru_RU.UTF-8", "pl_PL.UTF-8", "nl_NL.UTF-8", "pt_BR.UTF-8", "sv_SE.UTF-8" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (setlocale(LC_ALL, names[i]) && !strcmp(localeconv()->decimal_point, ","))
			return true;
	return false;
}

/* Numbers go in both ways: in the request, and in what the plugin reads at load. */
static void say_numbers(struct kit *kit, struct kit_sink *sink, inf_status *status)
{
	struct kit_world world;
	*status = INF_E_INTERNAL;
	if (!kit_world_load(&world, kit))
		return;
	inf_gen_params params = kit_params(&world, sink, 16);
	uint64_t numbers = INF_GEN_SET_TEMPERATURE | INF_GEN_SET_TOP_P | INF_GEN_SET_MIN_P | INF_GEN_SET_SEED;
	params.set = numbers & world.info.gen_fields;
	params.temperature = params.set & INF_GEN_SET_TEMPERATURE ? 0.75f : 0;
	params.top_p = params.set & INF_GEN_SET_TOP_P ? 0.95f : 0;
	params.min_p = params.set & INF_GEN_SET_MIN_P ? 0.05f : 0;
	params.seed = params.set & INF_GEN_SET_SEED ? 42 : 0;
	*status = kit_generate(&world, sink, kit_prompt, sizeof kit_prompt - 1, &params, NULL, NULL);
	kit_world_close(&world);
}

void kit_inf_185(struct kit *kit)
{
	struct kit_sink *plain = kit_sink_new(), *comma = kit_sink_new();
	inf_status in_c, in_comma;
	say_numbers(kit, plain, &in_c);
	if (set_comma_locale()) {
		say_numbers(kit, comma, &in_comma);
		kit_expect(kit, in_c == in_comma, "under another locale generate() returned %s", kit_status(in_comma));
		kit_expect(kit, plain->len == comma->len && !memcmp(plain->text, comma->text, plain->len),
			   "under another locale another text comes");
	} else {
		kit_skip(kit, "no locale with a decimal comma is installed");
	}
	free(plain);
	free(comma);
}
