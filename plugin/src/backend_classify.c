/* SPDX-License-Identifier: MIT */
/*
 * backend_classify: inf.classify/1: the next token, and the probabilities it had.
 *
 * One question to the server gives both, but for two cases. The server tells no probability when the token ends inside a
 * character; asked again it is made to take a token that does not, which leaves the model's distribution as it is. And among
 * candidates, whose logits are raised far above all others, a question tells probabilities or samples as the host wants.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backend_input.h"
#include "batch.h"
#include "classify.h"
#include "sampling.h"

/* Logits differ by less. A raise costs digits: 100 is exact to 1e-5, 1000 to 1e-4, enough to sample by. */
#define RAISE_TO_READ 100.0f
#define RAISE_TO_SAMPLE 1000.0f

/* ---- one call ---------------------------------------------------------------------------------------------------- */
struct classify {
	inf_model *model;
	inf_classify_params params;
	size_t vocabulary;
	int32_t *places;		/* of ids among the candidates, -1 = none; NULL without candidates */
};

/* ---- one input ----------------------------------------------------------------------------------------------------- */
struct one {
	const struct classify *all;
	const struct gr_input *input;
	inf_gen_params gen;
	struct gr_request_options options, place;	/* place: nothing but the slot of the options */
	struct gr_wire_completion sampling;	/* as the host wants it */
	struct gr_wire_choice choice;		/* what it came to */
	float *logprobs;			/* NULL = not asked for */
	size_t logprob_count;
	bool asked;				/* a question was answered: the next one finds the prompt in the cache */
	inf_gen_result result;
};

static inf_status refused(struct gr_call *call, int code, const struct gr_buf *body, void *user)
{
	struct one *one = user;
	struct gr_wire_error error;
	(void)code;
	if (!gr_wire_decode_error(gr_buf_text(body), body->len, &error) ||
	    strcmp(error.type, "exceed_context_size_error") != 0)
		return INF_OK;
	one->result.prompt_tokens = error.prompt_tokens;
	return gr_prompt_too_long(call, error.prompt_tokens);
}

static inf_status ask(struct one *one, struct gr_call *call, const struct gr_wire_completion *completion,
		      struct gr_wire_choice *out)
{
	struct gr_buf body = GR_BUF_INIT(GR_WIRE_BODY_MAX), answer = GR_BUF_INIT(GR_WIRE_BODY_MAX);
	const struct gr_question question = { .kind = GR_QUESTION_COMPUTES, .path = "/completion", .body = &body,
					      .answer = &answer, .refused = refused, .user = one };
	gr_wire_choice_release(out);
	inf_status st = gr_wire_encode_completion(&body, completion, call->err);
	if (st != INF_OK)
		gr_call_encode_failed(st, call->err);
	else
		st = gr_call_ask(call, &question);
	if (st == INF_OK)
		st = gr_wire_decode_choice(gr_buf_text(&answer), answer.len, completion->probe->wanted, out, call->err);
	if (st == INF_OK && !one->asked)
		one->result.cached_tokens = out->cached > 0 ? out->cached : 0;
	one->asked = one->asked || st == INF_OK;
	gr_buf_release(&body);
	gr_buf_release(&answer);
	return st;
}

/* No sampler but temperature has a say. */
static struct gr_wire_completion unbent(const struct one *one, float temperature, const struct gr_wire_probe *probe)
{
	return (struct gr_wire_completion){
		.prompt = one->sampling.prompt, .prompt_count = one->sampling.prompt_count,
		.prompt_text = one->sampling.prompt_text, .prompt_text_len = one->sampling.prompt_text_len,
		.media = one->sampling.media, .media_count = one->sampling.media_count, .max_tokens = 1,
		.seed = one->sampling.seed, .temperature = temperature, .top_p = 1, .repeat_penalty = 1,
		.cache_prompt = one->sampling.cache_prompt, .options = &one->place, .probe = probe,
	};
}

/* The first token that the server shows. */
static inf_status find_shown(struct gr_call *call, size_t vocabulary, int32_t *out)
{
	for (int32_t id = 0; (size_t)id < vocabulary; id++) {
		enum gr_token_kind kind;
		inf_status st = gr_prompt_token_kind(call, id, &kind);
		*out = id;
		if (st != INF_OK || kind == GR_TOKEN_SHOWN)
			return st;
	}
	return inf_fail(call->err, INF_E_UNSUPPORTED, "token_hidden", "no token of the model is a whole character");
}

/* The whole of the model's distribution, whatever is sampled. */
static inf_status ask_everything(struct one *one, struct gr_call *call, struct gr_wire_choice *out)
{
	int32_t shown = 0;
	inf_status st = find_shown(call, one->all->vocabulary, &shown);
	const struct gr_wire_probe probe = { .wanted = one->all->vocabulary, .favoured = &shown, .favoured_count = 1,
					     .raise = RAISE_TO_SAMPLE };
	const struct gr_wire_completion completion = unbent(one, 0, &probe);
	if (st == INF_OK)
		st = ask(one, call, &completion, out);
	if (st == INF_OK && !out->score_count)
		st = inf_fail(call->err, INF_E_INTERNAL, "server_answer", "llama-server tells no probabilities");
	return st;
}

/* ---- without candidates -------------------------------------------------------------------------------------------- */
static float logprob_of(const struct gr_wire_choice *choice, int32_t id)
{
	for (size_t i = 0; i < choice->score_count; i++)
		if (choice->scores[i].id == id)
			return choice->scores[i].logprob;
	return -INFINITY;
}

/* The token was not shown: take the probabilities from another question. */
static inf_status add_scores(struct one *one, struct gr_call *call)
{
	struct gr_wire_choice everything = GR_WIRE_CHOICE_INIT;
	inf_status st = ask_everything(one, call, &everything);
	if (st == INF_OK) {
		one->choice.logprob = logprob_of(&everything, one->choice.id);
		free(one->choice.scores);
		one->choice.scores = everything.scores;
		one->choice.score_count = everything.score_count;
		everything.scores = NULL;
	}
	gr_wire_choice_release(&everything);
	return st;
}

static inf_status among_all(struct one *one, struct gr_call *call)
{
	const inf_classify_params *params = &one->all->params;
	bool everything = params->flags & INF_CLASSIFY_FLAG_VOCABULARY;
	const struct gr_wire_probe probe = { .wanted = everything ? one->all->vocabulary :
						       params->top ? (size_t)params->top : 1 };
	struct gr_wire_completion completion = one->sampling;
	completion.probe = &probe;
	inf_status st = ask(one, call, &completion, &one->choice);
	if (st == INF_OK && !one->choice.score_count)
		st = add_scores(one, call);
	for (size_t i = 0; st == INF_OK && everything && i < one->choice.score_count; i++)
		if ((size_t)one->choice.scores[i].id < one->logprob_count)
			one->logprobs[one->choice.scores[i].id] = one->choice.scores[i].logprob;
	return st;
}

/* ---- among candidates ---------------------------------------------------------------------------------------------- */
/* Keep the candidates' scores, as if there were nothing else. */
static void keep_candidates(struct one *one, struct gr_wire_choice *choice)
{
	double sum = 0;
	size_t kept = 0;
	for (size_t i = 0; i < choice->score_count; i++)
		if ((size_t)choice->scores[i].id < one->all->vocabulary && one->all->places[choice->scores[i].id] >= 0)
			choice->scores[kept++] = choice->scores[i];
	choice->score_count = kept;
	double most = kept ? choice->scores[0].logprob : 0;
	for (size_t i = 0; i < kept; i++)
		sum += exp(choice->scores[i].logprob - most);
	for (size_t i = 0; i < kept; i++) {
		choice->scores[i].logprob = (float)(choice->scores[i].logprob - most - log(sum));
		one->logprobs[one->all->places[choice->scores[i].id]] = choice->scores[i].logprob;
	}
}

static inf_status read_candidates(struct one *one, struct gr_call *call, struct gr_wire_choice *out)
{
	const inf_classify_params *params = &one->all->params;
	const struct gr_wire_probe probe = { .wanted = params->candidate_count, .favoured = params->candidates,
					     .favoured_count = params->candidate_count, .raise = RAISE_TO_READ,
					     .among_favoured = true };
	const struct gr_wire_completion completion = unbent(one, 1, &probe);
	inf_status st = ask(one, call, &completion, out);
	int32_t likeliest = st == INF_OK && out->score_count ? out->scores[0].id : -1;
	if (st == INF_OK && !out->score_count) {
		st = ask_everything(one, call, out);
		likeliest = -1;		/* its text is another's */
	}
	if (st == INF_OK)
		keep_candidates(one, out);
	if (st == INF_OK && (!out->score_count || out->scores[0].id != likeliest))
		gr_buf_release(&out->likeliest_text);
	return st;
}

/* The likeliest is the one. */
static bool is_greedy(const struct gr_wire_completion *s)
{
	return !(s->temperature > 0) && !(s->frequency_penalty > 0 || s->frequency_penalty < 0) &&
	       !(s->presence_penalty > 0 || s->presence_penalty < 0) && !s->suppress_token_count && !s->ignore_eos &&
	       !gr_options_bend(s->options);
}

static inf_status sample_candidate(struct one *one, struct gr_call *call, const struct gr_wire_choice *scores)
{
	const inf_classify_params *params = &one->all->params;
	const struct gr_wire_probe probe = { .favoured = params->candidates, .favoured_count = params->candidate_count,
					     .raise = RAISE_TO_SAMPLE };
	int32_t count = (int32_t)params->candidate_count;
	struct gr_wire_completion completion = one->sampling;
	completion.probe = &probe;
	/* A temperature divides the raise too: the others go before it. */
	completion.top_k = completion.top_k && completion.top_k < count ? completion.top_k : count;
	inf_status st = ask(one, call, &completion, &one->choice);
	if (st == INF_OK && ((size_t)one->choice.id >= one->all->vocabulary || one->all->places[one->choice.id] < 0))
		return inf_fail(call->err, INF_E_INVALID, "candidates", "the sampling parameters leave none of the candidates: "
				"suppress_tokens, a penalty or INF_GEN_FLAG_IGNORE_EOS excludes them");
	one->choice.logprob = logprob_of(scores, one->choice.id);
	return st;
}

/* Is the answer that tells the scores all that is needed? In the list of these the server cuts text inside a character off. */
static inf_status is_answered(const struct one *one, struct gr_call *call, const struct gr_wire_choice *scores, bool *out)
{
	enum gr_token_kind kind;
	*out = is_greedy(&one->sampling) && scores->likeliest_text.len;
	if (!*out)
		return INF_OK;
	inf_status st = gr_prompt_token_kind(call, scores->scores[0].id, &kind);
	*out = st == INF_OK && kind == GR_TOKEN_SHOWN;
	return st;
}

static void take_likeliest(struct gr_wire_choice *out, const struct gr_wire_choice *scores)
{
	*out = *scores;
	out->eos = scores->eos && scores->id == scores->scores[0].id;
	out->id = scores->scores[0].id;
	out->logprob = scores->scores[0].logprob;
	out->text = scores->likeliest_text;
	out->likeliest_text = scores->text;
}

static inf_status among_candidates(struct one *one, struct gr_call *call)
{
	struct gr_wire_choice scores = GR_WIRE_CHOICE_INIT;
	bool answered = false;
	inf_status st = read_candidates(one, call, &scores);
	if (st == INF_OK)
		st = is_answered(one, call, &scores, &answered);
	if (answered) {
		take_likeliest(&one->choice, &scores);
		return INF_OK;
	}
	if (st == INF_OK)
		st = sample_candidate(one, call, &scores);
	if (st == INF_OK) {
		free(one->choice.scores);
		one->choice.scores = scores.scores;
		one->choice.score_count = scores.score_count;
		scores.scores = NULL;
	}
	gr_wire_choice_release(&scores);
	return st;
}

/* ---- the work ------------------------------------------------------------------------------------------------------ */
static void translate(struct one *one, const struct gr_call *call, const struct gr_prompt *prompt)
{
	uint32_t seed = 0;
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = (uint32_t)gr_now_ns();
	gr_sampling_translate(&one->sampling, &one->gen, &call->model->file.sampling, seed);
	gr_prompt_put(prompt, &one->sampling);
	one->sampling.options = &one->options;
	one->place = (struct gr_request_options){ .slot = one->options.slot };
	one->sampling.max_tokens = 1;
	if (one->all->places)
		one->sampling.repeat_penalty = 1;	/* the file's; it would divide the raise */
}

static inf_status with_server(struct gr_call *call, void *user)
{
	struct one *one = user;
	struct gr_prompt prompt = GR_PROMPT_INIT;
	gr_wire_choice_release(&one->choice);
	one->asked = false;
	for (size_t i = 0; i < one->logprob_count; i++)
		one->logprobs[i] = -INFINITY;
	inf_status st = gr_input_prompt(one->input, call, one->gen.flags, &prompt);
	one->result.prompt_tokens = (int64_t)prompt.count;
	if (st == INF_OK)
		st = gr_prompt_check(&prompt, call);
	if (st == INF_OK) {
		translate(one, call, &prompt);
		st = one->all->places ? among_candidates(one, call) : among_all(one, call);
	}
	gr_prompt_release(&prompt);
	return st;
}

static void fill_result(struct one *one, const struct gr_call *call)
{
	const struct gr_wire_choice *choice = &one->choice;
	inf_gen_result *result = &one->result;
	int64_t end = gr_now_ns();
	result->flags = INF_RESULT_FLAG_SEED;
	result->seed = one->sampling.seed;
	result->finish = choice->eos ? INF_FINISH_EOS : INF_FINISH_LENGTH;
	result->generated_tokens = 1;
	result->queue_ns = call->slot_ns - call->entry_ns;
	result->prefill_ns = end - call->slot_ns;
	result->total_ns = end - call->entry_ns;
	if (choice->slot >= 0) {
		result->slot = choice->slot;
		result->flags |= INF_RESULT_FLAG_SLOT;
	}
}

static void tell(const struct one *one, const struct ic_class_job *job)
{
	const struct gr_wire_choice *choice = &one->choice;
	size_t top = (size_t)one->all->params.top;
	inf_class result = {
		.id = choice->id, .logprob = choice->logprob,
		.text = gr_buf_text(&choice->text), .text_len = choice->text.len,
		.top = top ? choice->scores : NULL, .top_count = choice->score_count < top ? choice->score_count : top,
		.logprobs = one->logprobs, .logprob_count = one->logprob_count, .result = &one->result,
	};
	ic_class_tell(job, &result);
}

static inf_status check_gen(struct one *one, const inf_gen_params *gen, inf_error *err)
{
	const struct classify *all = one->all;
	inf_status st = gr_sampling_check(&one->gen, gen, GR_GEN_FIELDS, gr_input_gen_flags(one->input),
					  all->model->file.vocab_size, err);
	if (st == INF_OK)
		st = gr_input_options(&one->options, one->all->model, &one->gen, err);
	bool repeats = one->gen.repeat_penalty > 1 || one->gen.repeat_penalty < 1;
	if (st == INF_OK && all->places && one->gen.set & INF_GEN_SET_REPEAT_PENALTY && repeats)
		return inf_fail(err, INF_E_UNSUPPORTED, "repeat_penalty", "repeat_penalty cannot be applied to candidates: leave it "
				"out, or take frequency_penalty");
	return st;
}

static inf_status make_logprobs(struct one *one, inf_error *err)
{
	const inf_classify_params *params = &one->all->params;
	one->logprob_count = params->flags & INF_CLASSIFY_FLAG_VOCABULARY ? one->all->vocabulary : params->candidate_count;
	one->logprobs = one->logprob_count ? malloc(one->logprob_count * sizeof *one->logprobs) : NULL;
	if (one->logprob_count && !one->logprobs)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for probabilities");
	return INF_OK;
}

static inf_status run_one(struct one *one, const struct ic_class_job *job, inf_error *err)
{
	const inf_call_params params = { .struct_size = sizeof params, .request_id = job->gen->request_id,
					 .user = job->gen->user, .on_poll = job->gen->on_poll };
	const struct gr_call_work work = { .run = with_server, .user = one, .computes = true };
	struct gr_call call;
	inf_status st = gr_call_enter(&call, one->all->model, &params, err);
	if (st != INF_OK)
		return st;
	st = gr_call_run(&call, &work);
	gr_call_leave(&call);
	if (st == INF_OK) {
		fill_result(one, &call);
		gr_metrics_add(call.model, &one->result);
		tell(one, job);
	}
	return st;
}

static inf_status classify(void *user, const struct ic_class_job *job, inf_error *err)
{
	struct gr_input input = GR_INPUT_INIT;
	struct one one = { .all = user, .input = &input, .choice = GR_WIRE_CHOICE_INIT,
			   .result = { .struct_size = sizeof one.result } };
	inf_status st = gr_input_read(&input, one.all->model, job->input, NULL, err);
	if (st == INF_OK)
		st = check_gen(&one, job->gen, err);
	if (st == INF_OK)
		st = make_logprobs(&one, err);
	if (st == INF_OK)
		st = run_one(&one, job, err);
	gr_wire_choice_release(&one.choice);
	free(one.logprobs);
	gr_input_release(&input);
	return st;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */
static inf_status place_candidates(struct classify *self, inf_error *err)
{
	const inf_classify_params *params = &self->params;
	if ((params->candidates || params->flags & INF_CLASSIFY_FLAG_VOCABULARY) && !self->vocabulary)
		return inf_fail(err, INF_E_UNSUPPORTED, "vocabulary", "the model's file does not tell the size of its vocabulary");
	if (!params->candidates)
		return INF_OK;
	self->places = malloc(self->vocabulary * sizeof *self->places);
	if (!self->places)
		return inf_fail(err, INF_E_NO_MEMORY, "no_memory", "out of memory for the candidates");
	for (size_t i = 0; i < self->vocabulary; i++)
		self->places[i] = -1;
	for (size_t i = 0; i < params->candidate_count; i++) {
		int32_t id = params->candidates[i];
		if (id < 0 || (size_t)id >= self->vocabulary)
			return inf_fail(err, INF_E_INVALID, "token_id", "candidates: the model has no token %d (0..%zu)", id,
					self->vocabulary - 1);
		if (self->places[id] >= 0)
			return inf_fail(err, INF_E_INVALID, "candidates", "candidates: token %d is there twice", id);
		self->places[id] = (int32_t)i;
	}
	return INF_OK;
}

static inf_status run_entered(inf_model *model, const inf_input *const *inputs, size_t count,
			      const inf_classify_params *params, inf_error *err)
{
	struct classify self = { .model = model, .vocabulary = model->file.vocab_size };
	struct gr_call whole;
	inf_model_info info = { .struct_size = sizeof info };
	inf_status st = ic_classify_read(&self.params, params, err);
	if (st == INF_OK)
		st = place_candidates(&self, err);
	if (st == INF_OK)
		st = gr_backend_info(model, &info, err);
	const struct ic_classify_target target = { classify, &self, ic_batch_width(&info) };
	if (st == INF_OK)
		st = gr_call_list_whole(&whole, model, self.params.request_id, NULL, err);
	if (st == INF_OK) {
		st = ic_classify_run(&target, inputs, count, &self.params, err);
		gr_call_unlist(&whole);
	}
	free(self.places);
	return st;
}

static inf_status run(inf_model *model, const inf_input *const *inputs, size_t count, const inf_classify_params *params,
		      inf_error *err)
{
	inf_status st = gr_model_enter(model, err);
	if (st != INF_OK)
		return st;
	st = run_entered(model, inputs, count, params, err);
	gr_slots_leave(model->slots);
	return st;
}

const inf_classify gr_classify_table = { .struct_size = sizeof gr_classify_table, .run = run };
