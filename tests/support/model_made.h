/* SPDX-License-Identifier: MIT */
#ifndef MODEL_MADE_H
#define MODEL_MADE_H

#include "gguf_build.h"
#include "model_script.h"

/*
 * model_made: models by name whose behaviour is known. Token ids are given in brackets. What they say is what they say at
 * temperature 0 after a text that does not end with a token of theirs; after one of theirs they go on from there.
 *
 * markov       " yes" [259], " no" [260], " maybe" [261], " not" [262], " sure" [263], " so" [264]; logits, others -25:
 *              after      " yes"  " no"  " maybe"  " not"  " sure"  " so"  EOS
 *              " yes"      0.5     3      -1        -2      -25     -25     1
 *              " no"       2       0.25   -0.5      1.5     -25     -25     1
 *              " maybe"    1.25    1      -3        0       -25     -25     2
 *              " not"      -4      -5     -6        -7       2       1      -8
 *              all else    2       1       0        0.75    -25     -25    -3
 * markov-bpe   the same with a byte-pair tokenizer; its words are pieces of kind NORMAL
 * emoji        " smile" [259], the four bytes of U+1F600 [243 162 155 131], " again" [260], EOS
 * emoji-cut    " smile" [259], the first two of those bytes [243 162], EOS
 * counter      " one" [259], " two" [260], ... " ten" [268], " one", and so on for ever: EOS is at -25. The next word is at
 *              10, and the one after it at 5
 * counter-bpe  the same with a byte-pair tokenizer
 * eos-early    EOS at 10 after every token. The word that counter says is at 5
 * draft        a draft model for counter: says what counter says, but " seven" after " five"
 *
 * All of these have a chat template that names roles in plain words, and end with </s> [2]. Chat models, that end with
 * <|im_end|> [260] and have <|im_start|> [259] and "\n\n" [261]:
 *
 * thinker      <think> [262] and </think> [263], as Qwen3 has them: says "<think>", 20 words " hm1" to " hm20" [264 to 283],
 *              "</think>", "\n\n", "All" [284], " is" [285], " well" [286], EOS. Without thinking (enable_thinking false) the
 *              template has an empty thought, and it says "All is well" alone
 * toolcaller   <tool_call> [262] and </tool_call> [263] as Hermes and Qwen2.5 have them: if there are tools, and the last
 *              message is not the result of one, it calls get_weather with {"city": "Paris"} in one call of 7 tokens
 *              [262, 264 to 268, 263] and EOS; else it says "It", " is", " sunny" [269 to 271], EOS
 *
 * No language models:
 *
 * adapter      a LoRA adapter for counter (no other model has a vocabulary of that size but counter-bpe, eos-early and
 *              draft): adds 40 times its scale to the logit of " ten" [268], so that at 1 all is " ten", at 0 nothing changes,
 *              and at 0.8 " ten" has 7 where counter has 10 and 5
 * embedder     vectors of 32 numbers (model_vectors.h) over the words "cat" [4], "dog" [5], "bird" [6], "fish" [7], "sees" [8],
 *              "a" [9], "the" [10], "panda" [11], "what" [12], "is" [13]: the same for the same words in another order, the
 *              nearer the more words are shared. Pooling mean; cls and last do as well
 * ranker       ranks documents by how much of them, and of the query, is the word "panda"; the vocabulary of embedder
 */
extern const char *const model_made_names[];	/* ends with NULL */

/* The whole file; aborts if there is none of that name. */
struct gguf_build model_made(const char *name);
/* The script of a language model, NULL if none of that name is one. */
const struct model_script *model_made_script(const char *name);
/* model_made() into a file; says what fails on standard error. */
bool model_made_write(const char *name, const char *path);

#endif
