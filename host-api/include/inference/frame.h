/* SPDX-License-Identifier: MIT */
/*
 * inference/frame.h - what every backend owes its callers, for authors of backends in C11 or C++17.
 *
 * Functions over plugin.h that are compiled into the plugin: nothing to link but threads, nothing exported. Nobody has
 * to use them, and a host cannot tell. They are no part of the ABI: the structs are the plugin's own, never cross to a
 * host, and may change with libinference. POSIX is needed: -D_GNU_SOURCE, or -D_POSIX_C_SOURCE=200809L.
 *
 * GATE       One in each model. It knows the process that loaded it, how many calls are inside, how many slots there
 *            are, and what the last generation came to; so close() waits, and err() answers.
 * GEN        One generation: parameters that were read and checked, a slot, on_poll, the count of tokens, the result.
 *
 *              struct inf_model { inf_gate gate; ... };
 *
 *              inf_status INF_CALL generate(inf_model *self, const char *prompt, size_t len,
 *                                           const inf_gen_params *params, inf_gen_result *result, inf_error *err) {
 *                inf_gen gen;
 *                inf_status st = inf_gen_begin(&gen, &self->gate, params, &implemented);
 *                if (st == INF_OK) st = answer(&gen, prompt, len);      calls inf_gen_poll() and inf_gen_token()
 *                return inf_gen_end(&gen, st, result, err);
 *              }
 *
 * REQUESTS   inf_takes says what a backend implements. What it does not is INF_E_UNSUPPORTED, what is out of its range
 *            or not UTF-8 is INF_E_INVALID, and the message names the field. What was read points into the given.
 * ERRORS     Reasons are "forked", "closed", "busy", "cancelled", "no_memory", "load_params", "gen_params", "message",
 *            "text", "utf8", "option", "option_unknown", "option_twice", "failed". err may be NULL.
 * THREADS    Functions of a gate may run at the same time on any threads, but for its init. A gen belongs to the
 *            thread of its call. No lock is held in a callback.
 * FORK       In a forked child, each function with a gate returns INF_E_INVALID and touches no lock of the parent.
 */
#ifndef INF_FRAME_H
#define INF_FRAME_H
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include "inference/plugin.h"
#ifndef CLOCK_MONOTONIC
# error "inference/frame.h: needs POSIX: compile with -D_GNU_SOURCE, or with -D_POSIX_C_SOURCE=200809L"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- clock, process ----------------------------------------------------------------------------------------- */
/* Nanoseconds of the clock that durations of the ABI are of. */
static inline int64_t inf_clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* INF_OK in the process that had this getpid() when it made a handle, INF_E_INVALID in a forked child of it. */
static inline inf_status inf_owned(pid_t owner, inf_error *err) {
  if (owner == getpid()) return INF_OK;
  return inf_fail(err, INF_E_INVALID, "forked", "this handle is of the parent process: load again in the forked child");
}

/* ---- text --------------------------------------------------------------------------------------------------- */
/* How many bytes at the beginning of text are whole characters of UTF-8; len = all. text may be NULL if len is 0. */
static inline size_t inf_utf8_length(const char *text, size_t len) {
  const unsigned char *p = (const unsigned char *)text;
  size_t at = 0;
  while (at < len) {
    unsigned c = p[at], low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0, i = 1;
    if (!n || n > len - at) break;
    for (; i < n && p[at + i] >= low && p[at + i] <= high; i++) { low = 0x80; high = 0xbf; }
    if (i < n) break;
    at += n;
  }
  return at;
}

/* A text with a length that came from a host: sound, or INF_E_INVALID. `what` is its name, "prompt". */
static inline inf_status inf_text_check(const char *what, const char *text, size_t len, inf_error *err) {
  size_t sound;
  if (len && !text) return inf_fail(err, INF_E_INVALID, "text", "%s: is NULL, and has a length of %zu", what, len);
  sound = inf_utf8_length(text, len);
  if (sound == len) return INF_OK;
  return inf_fail(err, INF_E_INVALID, "utf8", "%s: byte %zu is not UTF-8", what, sound);
}

/* The same as a copy with a NUL behind it, to be freed with free(). NUL may also be inside. *out is NULL on failure. */
static inline inf_status inf_text_take(char **out, const char *what, const char *text, size_t len, inf_error *err) {
  inf_status st = inf_text_check(what, text, len, err);
  *out = NULL;
  if (st != INF_OK) return st;
  *out = (char *)malloc(len + 1);
  if (!*out) return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "%s: no memory for its %zu bytes", what, len);
  if (text) memcpy(*out, text, len);
  (*out)[len] = 0;
  return INF_OK;
}

/* ---- options ------------------------------------------------------------------------------------------------ */
/* The key without the mark that makes it optional. */
static inline const char *inf_option_key(const inf_kv *option) {
  return option->key + (option->key[0] == '?');
}

/* The value of an option, NULL = not given. Also of those of an inf_host. */
static inline const char *inf_option_value(const inf_kv *options, size_t count, const char *key) {
  for (size_t i = 0; i < count; i++)
    if (!strcmp(inf_option_key(&options[i]), key)) return options[i].value;
  return NULL;
}

/* known: the keys there are, ends with NULL; NULL = none. Others are refused, unless they begin with '?'; one that
 * comes twice is INF_E_INVALID (INF-132). Values are the backend's to read. */
static inline inf_status inf_options_check(const inf_kv *options, size_t count, const char *const *known,
                                           inf_error *err) {
  if (count && !options) return inf_fail(err, INF_E_INVALID, "option", "options: are NULL, and there are %zu", count);
  for (size_t i = 0; i < count; i++) {
    const char *const *k = known;
    if (!options[i].key || !options[i].value)
      return inf_fail(err, INF_E_INVALID, "option", "options: the key or the value of number %zu is NULL", i);
    if (inf_option_value(options, i, inf_option_key(&options[i])))
      return inf_fail(err, INF_E_INVALID, "option_twice", "option %s is given twice", options[i].key);
    while (k && *k && strcmp(*k, inf_option_key(&options[i]))) k++;
    if ((!k || !*k) && options[i].key[0] != '?')
      return inf_fail(err, INF_E_UNSUPPORTED, "option_unknown", "option %s: is none of this backend", options[i].key);
  }
  return INF_OK;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */
/* What a backend implements of a request. Zeroed: nothing but what each has to. */
#define INF_TAKES_ADAPTER_PATH   0x01u /* fields without a bit in set; of a load                                    */
#define INF_TAKES_CACHE_MODE     0x02u
#define INF_TAKES_DEVICES        0x04u
#define INF_TAKES_CONTEXT_LEN    0x08u
#define INF_TAKES_PARALLEL_SLOTS 0x10u
#define INF_TAKES_MEDIA          0x20u /* of a message                                                              */
#define INF_TAKES_TOOL_CALLS     0x40u /* tool_calls, tool_call_id, role "tool"                                    */
typedef struct inf_takes {
  uint64_t fields;                    /* INF_LOAD_SET_* or INF_GEN_SET_*                                            */
  uint32_t flags;                     /* INF_LOAD_FLAG_* or INF_GEN_FLAG_*                                          */
  uint32_t plain;                     /* INF_TAKES_*                                                                */
  const char *const *options;         /* keys, ends with NULL; NULL = none                                          */
} inf_takes;

/* Why inf_read_request() said st, as a sentence. name is the struct's, "gen_params", and the reason. Returns st. */
static inline inf_status inf_request_refused(inf_error *err, inf_status st, const char *name, const void *given,
                                             uint32_t known_flags) {
  uint32_t head[2] = { 0, 0 };
  if (!given) return inf_fail(err, st, name, "%s: is NULL", name);
  memcpy(head, given, st == INF_E_UNSUPPORTED ? sizeof head : sizeof head[0]);
  if (st != INF_E_UNSUPPORTED) return inf_fail(err, st, name, "%s: there is no struct_size of %u", name, head[0]);
  if (head[1] & ~known_flags)
    return inf_fail(err, st, name, "%s: flags 0x%x are not implemented here", name, head[1] & ~known_flags);
  return inf_fail(err, st, name, "%s: a field or a bit in set is of a later minor than this backend", name);
}

static inline inf_status inf_load_ranges_(const inf_load_params *p, inf_error *err) {
  const char *wrong = !p->path || p->path[0] != '/' ? "path: is not absolute" :
    p->context_len < 0 ? "context_len: is negative" :
    p->parallel_slots < 0 ? "parallel_slots: is negative" :
    p->gpu_layers < -1 ? "gpu_layers: is below -1" :
    p->gpu_layers && !(p->set & INF_LOAD_SET_GPU_LAYERS) ? "gpu_layers: its bit in set is missing" :
    p->reserved0 ? "reserved0: is not 0" : NULL;
  return wrong ? inf_fail(err, INF_E_INVALID, "load_params", "%s", wrong) : INF_OK;
}

/* Read, check and copy the request of load(). on_progress is the backend's to call (INF-134). */
static inline inf_status inf_load_read(inf_load_params *out, const inf_load_params *given, const inf_takes *takes,
                                       inf_error *err) {
  const char *unknown;
  inf_status st = inf_read_request(out, sizeof *out, given, inf_load_params_V1_0, takes->flags,
                                   INF_LOAD_SET_GPU_LAYERS);
  if (st != INF_OK) return inf_request_refused(err, st, "load_params", given, takes->flags);
  unknown = out->set & ~takes->fields ? "gpu_layers" :
    out->adapter_path && !(takes->plain & INF_TAKES_ADAPTER_PATH) ? "adapter_path" :
    out->cache_mode && !(takes->plain & INF_TAKES_CACHE_MODE) ? "cache_mode" :
    out->devices && !(takes->plain & INF_TAKES_DEVICES) ? "devices" :
    out->context_len > 0 && !(takes->plain & INF_TAKES_CONTEXT_LEN) ? "context_len" :
    out->parallel_slots > 0 && !(takes->plain & INF_TAKES_PARALLEL_SLOTS) ? "parallel_slots" : NULL;
  if (unknown) return inf_fail(err, INF_E_UNSUPPORTED, "load_params", "%s: is not implemented here", unknown);
  st = inf_load_ranges_(out, err);
  return st == INF_OK ? inf_options_check(out->options, out->option_count, takes->options, err) : st;
}

/* The first of these fields by name. */
static inline const char *inf_gen_field_(uint64_t bits) {
  static const char *const first[] = { "temperature", "top_k", "top_p", "min_p", "seed", "repeat_penalty",
    "frequency_penalty", "presence_penalty", "thinking" };
  static const char *const second[] = { "max_tokens", "min_tokens", "thinking_budget", "stop_tokens", "suppress_tokens",
    "stop_strings", "json_schema", "grammar", "tools" };
  for (unsigned i = 0; i < 9; i++)
    if (bits >> i & 1) return first[i];
  for (unsigned i = 0; i < 9; i++)
    if (bits >> (16 + i) & 1) return second[i];
  return "set";
}

/* What is outside its range or does not go together; NULL = nothing. */
static inline const char *inf_gen_range_(const inf_gen_params *p) {
  const char *choice = p->tool_choice;
  if (p->max_tokens < 0) return "max_tokens: is negative";
  if (p->min_tokens < 0) return "min_tokens: is negative";
  if (p->max_tokens && p->min_tokens > p->max_tokens) return "min_tokens: is above max_tokens";
  if (!(p->temperature >= 0)) return "temperature: is not 0 or more";            /* written so that NaN is refused */
  if (p->top_k < 0) return "top_k: is negative";
  if (!(p->top_p >= 0 && p->top_p <= 1)) return "top_p: is outside 0..1";
  if (!(p->min_p >= 0 && p->min_p <= 1)) return "min_p: is outside 0..1";
  if ((p->set & INF_GEN_SET_REPEAT_PENALTY) && !(p->repeat_penalty > 0)) return "repeat_penalty: is not above 0";
  if (!(p->frequency_penalty >= -2 && p->frequency_penalty <= 2)) return "frequency_penalty: is outside -2..2";
  if (!(p->presence_penalty >= -2 && p->presence_penalty <= 2)) return "presence_penalty: is outside -2..2";
  if (p->thinking != 0 && p->thinking != 1) return "thinking: is neither 0 nor 1";
  if (p->thinking_budget < 0) return "thinking_budget: is negative";
  if (p->stop_token_count && !p->stop_tokens) return "stop_tokens: are NULL, and have a count";
  if (p->suppress_token_count && !p->suppress_tokens) return "suppress_tokens: are NULL, and have a count";
  if (p->stop_string_count && !p->stop_strings) return "stop_strings: are NULL, and have a count";
  for (size_t i = 0; i < p->stop_string_count; i++)
    if (!p->stop_strings[i] || !p->stop_strings[i][0]) return "stop_strings: one is NULL or empty";
  if (p->reserved0) return "reserved0: is not 0";
  if (p->json_schema && p->grammar) return "grammar: is given beside json_schema";
  if (!choice) return NULL;
  if (!p->tools) return "tool_choice: is given without tools";
  return strcmp(choice, "auto") && strcmp(choice, "none") && strcmp(choice, "required") ?
    "tool_choice: is not auto, none or required" : NULL;
}

static inline inf_status inf_gen_texts_(const inf_gen_params *p, inf_error *err) {
  const char *const text[] = { p->json_schema, p->grammar, p->tools, p->request_id };
  static const char *const name[] = { "json_schema", "grammar", "tools", "request_id" };
  inf_status st = INF_OK;
  for (size_t i = 0; i < 4 && st == INF_OK; i++)
    if (text[i]) st = inf_text_check(name[i], text[i], strlen(text[i]), err);
  for (size_t i = 0; i < p->stop_string_count && st == INF_OK; i++)
    st = inf_text_check("stop_strings", p->stop_strings[i], strlen(p->stop_strings[i]), err);
  return st;
}

/* Read, check and copy the parameters of a generation, as inf_gen_begin() does. The backend checks ids of tokens. */
static inline inf_status inf_gen_read(inf_gen_params *out, const inf_gen_params *given, const inf_takes *takes,
                                      inf_error *err) {
  uint64_t bad = 0;
  const char *wrong;
  inf_status st = inf_read_request(out, sizeof *out, given, inf_gen_params_V1_0, takes->flags, INF_GEN_SET_KNOWN);
  if (st != INF_OK) return inf_request_refused(err, st, "gen_params", given, takes->flags);
  wrong = inf_gen_range_(out);
  if (wrong) return inf_fail(err, INF_E_INVALID, "gen_params", "%s", wrong);
  st = inf_gen_check(out, takes->fields, &bad);
  if (st != INF_OK)
    return inf_fail(err, st, "gen_params", "%s: %s", inf_gen_field_(bad),
                    st == INF_E_UNSUPPORTED ? "is not implemented here" : "its bit in set is missing");
  st = inf_gen_texts_(out, err);
  return st == INF_OK ? inf_options_check(out->options, out->option_count, takes->options, err) : st;
}

/* Read, check and copy one message; its content is sound then. Roles are system, user and assistant. */
static inline inf_status inf_message_read(inf_message *out, const inf_message *given, const inf_takes *takes,
                                          inf_error *err) {
  static const char *const roles[] = { "system", "user", "assistant", "tool" };
  bool tools = takes->plain & INF_TAKES_TOOL_CALLS;
  size_t i = 0, count = tools ? 4 : 3;
  inf_status st = inf_read_request(out, sizeof *out, given, inf_message_V1_0, 0, ~0ull);
  if (st != INF_OK) return inf_request_refused(err, st, "message", given, 0);
  if (out->media_count && !(takes->plain & INF_TAKES_MEDIA))
    return inf_fail(err, INF_E_UNSUPPORTED, "message", "media: are not implemented here");
  if ((out->tool_calls || out->tool_call_id) && !tools)
    return inf_fail(err, INF_E_UNSUPPORTED, "message", "tool_calls, tool_call_id: are not implemented here");
  while (i < count && (!out->role || strcmp(out->role, roles[i]))) i++;
  if (i == count) return inf_fail(err, INF_E_INVALID, "message", "role: \"%s\" is unknown", out->role ? out->role : "");
  return inf_text_check("content", out->content, out->content_len, err);
}

/* ---- gate: the calls of one model ---------------------------------------------------------------------------- */
typedef struct inf_gate {             /* its fields are the functions' below                                        */
  pthread_mutex_t lock;
  pthread_cond_t  left;
  inf_error       last;
  size_t          inside;             /* calls                                                                      */
  pid_t           owner;
  int32_t         slots, taken;
  int32_t         closing;
} inf_gate;

/* slots: generations at the same time, of which one more is INF_E_BUSY; 0 = any number. INF_E_NO_MEMORY. */
static inline inf_status inf_gate_init(inf_gate *gate, int32_t slots, inf_error *err) {
  memset(gate, 0, sizeof *gate);
  gate->owner = getpid();
  gate->slots = slots;
  gate->last.struct_size = sizeof gate->last;
  if (pthread_mutex_init(&gate->lock, NULL))
    return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the lock of a model");
  if (!pthread_cond_init(&gate->left, NULL)) return INF_OK;
  pthread_mutex_destroy(&gate->lock);
  return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "no memory for the lock of a model");
}

static inline inf_status inf_gate_closed_(inf_error *err) {
  return inf_fail(err, INF_E_CLOSED, "closed", "the model is being closed: load it again");
}

/* For a call that is no generation, as those of extensions are: close() waits for what is inside. INF_E_INVALID,
 * INF_E_CLOSED; only on INF_OK there is something to leave. */
static inline inf_status inf_gate_enter(inf_gate *gate, inf_error *err) {
  bool closing;
  inf_status st = inf_owned(gate->owner, err);
  if (st != INF_OK) return st;
  pthread_mutex_lock(&gate->lock);
  closing = gate->closing;
  gate->inside += !closing;
  pthread_mutex_unlock(&gate->lock);
  return closing ? inf_gate_closed_(err) : INF_OK;
}

/* The model may be gone when it returns. */
static inline void inf_gate_leave(inf_gate *gate) {
  pthread_mutex_lock(&gate->lock);
  if (!--gate->inside) pthread_cond_signal(&gate->left);
  pthread_mutex_unlock(&gate->lock);
}

#define INF_ASK_EVERY_NS 2000000        /* on_poll is asked no more often                                           */

/* May the call go on? INF_E_CLOSED or INF_E_CANCELLED where it may not. Call it at least ten times a second; on_poll
 * (may be NULL) is asked at most 500 times (INF-163). *asked_ns is 0 at first, and kept from call to call. */
static inline inf_status inf_gate_ask(inf_gate *gate, int32_t (INF_CALL *on_poll)(void *user), void *user,
                                      int64_t *asked_ns, inf_error *err) {
  bool closing;
  int64_t now = inf_clock_ns();
  if (now - *asked_ns < INF_ASK_EVERY_NS) return INF_OK;
  *asked_ns = now;
  pthread_mutex_lock(&gate->lock);
  closing = gate->closing;
  pthread_mutex_unlock(&gate->lock);
  if (closing) return inf_gate_closed_(err);
  if (!on_poll || on_poll(user) == INF_CONTINUE) return INF_OK;
  return inf_fail(err, INF_E_CANCELLED, "cancelled", "the caller ended the call");
}

/* The err() of a backend. */
static inline inf_status inf_gate_last(inf_gate *gate, inf_error *out) {
  inf_status st = inf_owned(gate->owner, out);
  if (st != INF_OK) return st;
  pthread_mutex_lock(&gate->lock);
  st = gate->last.code;
  inf_write_struct(out, &gate->last, sizeof gate->last);
  pthread_mutex_unlock(&gate->lock);
  return st;
}

/* For close(): nobody comes in any more, and those inside are told at their next inf_gate_ask() or inf_gen_poll().
 * Returns when all have left, and the gate holds nothing then. INF_E_INVALID in a forked child: leave the model. */
static inline inf_status inf_gate_close(inf_gate *gate, inf_error *err) {
  inf_status st = inf_owned(gate->owner, err);
  if (st != INF_OK) return st;
  pthread_mutex_lock(&gate->lock);
  gate->closing = true;
  while (gate->inside) pthread_cond_wait(&gate->left, &gate->lock);
  pthread_mutex_unlock(&gate->lock);
  pthread_cond_destroy(&gate->left);
  pthread_mutex_destroy(&gate->lock);
  return INF_OK;
}

/* ---- gen: one generation -------------------------------------------------------------------------------------- */
typedef struct inf_gen {
  inf_gate      *gate;
  inf_gen_params params;              /* read and checked; pointers are the caller's                                */
  inf_gen_result result;              /* to be filled in; what is below does counts, finish and times               */
  inf_error      why;                 /* what a failure is said in                                                  */
  int64_t        begun_ns, first_ns, last_ns, asked_ns;
  size_t         slots;               /* taken: 0 or 1                                                              */
} inf_gen;

/* inf_gen_end() has to follow in any case. INF_E_INVALID, INF_E_UNSUPPORTED, INF_E_BUSY, INF_E_CLOSED. */
static inline inf_status inf_gen_begin(inf_gen *gen, inf_gate *gate, const inf_gen_params *params,
                                       const inf_takes *takes) {
  inf_status st;
  memset(gen, 0, sizeof *gen);
  gen->result.struct_size = sizeof gen->result;
  gen->why.struct_size = sizeof gen->why;
  gen->begun_ns = inf_clock_ns();
  st = inf_gate_enter(gate, &gen->why);
  if (st != INF_OK) return st;
  gen->gate = gate;
  st = inf_gen_read(&gen->params, params, takes, &gen->why);
  if (st != INF_OK) return st;
  pthread_mutex_lock(&gate->lock);
  gen->slots = !gate->slots || gate->taken < gate->slots;
  gate->taken += (int32_t)gen->slots;
  pthread_mutex_unlock(&gate->lock);
  if (gen->slots) return INF_OK;
  st = inf_fail(&gen->why, INF_E_BUSY, "busy", "all %d slots are taken: try again, or load with more", gate->slots);
  gen->why.flags = INF_ERR_FLAG_RETRYABLE;
  return st;
}

/* inf_gate_ask() of this generation: between tokens, and ten times a second where there are none. */
static inline inf_status inf_gen_poll(inf_gen *gen) {
  return inf_gate_ask(gen->gate, gen->params.on_poll, gen->params.user, &gen->asked_ns, &gen->why);
}

/* Hand on what was generated, and count it. false: it was the last, by max_tokens or the caller, and finish says so.
 * Several tokens at a time are to be no more than max_tokens leaves. */
static inline bool inf_gen_token(inf_gen *gen, const inf_token *token) {
  inf_gen_result *result = &gen->result;
  gen->last_ns = inf_clock_ns();
  if (!gen->first_ns) gen->first_ns = gen->last_ns;
  result->generated_tokens += token->count;
  if (token->flags & INF_TOKEN_FLAG_REASONING) result->reasoning_tokens += token->count;
  if (token->flags & INF_TOKEN_FLAG_TOOL_CALL) result->tool_call_count++;
  if (gen->params.on_token && gen->params.on_token(gen->params.user, token) != INF_CONTINUE)
    result->finish = INF_FINISH_CALLER;
  else if (gen->params.max_tokens && result->generated_tokens >= gen->params.max_tokens)
    result->finish = INF_FINISH_LENGTH;
  return result->finish == INF_FINISH_UNKNOWN;
}

/* Write the result, also on failure (INF-150), and err, and leave the gate, after which the model may be gone. A finish
 * that nobody set is INF_FINISH_EOS. Returns st. */
static inline inf_status inf_gen_end(inf_gen *gen, inf_status st, inf_gen_result *result, inf_error *err) {
  inf_gate *gate = gen->gate;
  inf_gen_result *r = &gen->result;
  if (st == INF_OK) memset(&gen->why, 0, sizeof gen->why);
  else if (gen->why.code != st) inf_fail(&gen->why, st, "failed", "the generation failed");
  if (st != INF_OK) r->finish = st == INF_E_CANCELLED ? INF_FINISH_CANCELLED : INF_FINISH_ERROR;
  else if (r->finish == INF_FINISH_UNKNOWN) r->finish = INF_FINISH_EOS;
  r->total_ns = inf_clock_ns() - gen->begun_ns;
  r->prefill_ns = gen->first_ns ? gen->first_ns - gen->begun_ns : 0;
  r->decode_ns = gen->last_ns - gen->first_ns;
  gen->why.struct_size = sizeof gen->why;
  inf_write_struct(result, r, sizeof *r);
  if (st != INF_OK) inf_write_struct(err, &gen->why, sizeof gen->why);
  if (!gate) return st;
  pthread_mutex_lock(&gate->lock);
  gate->last = gen->why;
  gate->taken -= (int32_t)gen->slots;
  if (!--gate->inside) pthread_cond_signal(&gate->left);
  pthread_mutex_unlock(&gate->lock);
  return st;
}

#ifdef __cplusplus
}
#endif
#endif
