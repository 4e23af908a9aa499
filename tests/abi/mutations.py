#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutations.py INCLUDE GOLDEN COMPILER SCRATCH: break a copy of the headers in INCLUDE in many ways, one at a time.

Each has to be found by GOLDEN with the layout lock of the header switched off, since whoever breaks a header may well
"repair" its lock; those that move something have to be found by the lock alone, too. What EVOLUTION allows has to pass both."""
import os
import re
import subprocess
import sys

import contract
import grow

LOCKS_OFF = (('#define INF_AT(T, f, off) INF_SA(offsetof(T, f) == (off), #T "." #f " moved")', '#define INF_AT(T, f, off)'),
             ('INF_SA(sizeof(T) >= (size), #T " shrank")', 'INF_SA(1, "")'),
             ('#define INF_END(T, last)  INF_SA(sizeof(T) == offsetof(T, last) + sizeof(((T *)0)->last), #T " has tail padding")',
              '#define INF_END(T, last)'))
LAYOUT, MEANING = 'layout', 'meaning'

# (what it does, whether it moves anything, header, struct or None for the whole file, pattern, replacement)
MUTATIONS = [
    ('a field in the middle of a request', LAYOUT, 'plugin', 'inf_gen_params', r'(int32_t +thinking;)', r'int64_t extra; \1'),
    ('a field in the middle of a report', LAYOUT, 'plugin', 'inf_gen_result', r'(int64_t +cached_tokens;)', r'int64_t extra; \1'),
    ('a slot in the middle of a vtable', LAYOUT, 'plugin', 'inf_backend', r'(const char \*description;)', r'\1 void (*extra)(void);'),
    ('a field in the middle of an extension', LAYOUT, 'extensions', 'inf_device', r'(uint64_t +memory_used;)', r'uint64_t extra; \1'),
    ('a field at the front', LAYOUT, 'plugin', 'inf_token', r'(uint32_t +flags;)', r'uint64_t extra; \1'),
    ('two fields of one size swapped', LAYOUT, 'plugin', 'inf_load_params', r'int32_t +context_len;(.*?)int32_t +gpu_layers;',
     r'int32_t gpu_layers;\1int32_t context_len;'),
    ('two slots of one signature swapped', LAYOUT, 'extensions', 'inf_models', r'\*inspect\)(.*?)\*resolve\)', r'*resolve)\1*inspect)'),
    ('two names of one line swapped', LAYOUT, 'plugin', 'inf_model_info', r'vocab_size, num_layers', 'num_layers, vocab_size'),
    ('signed becomes unsigned', MEANING, 'plugin', 'inf_gen_result', r'int32_t( +stop_index)', r'uint32_t\1'),
    ('an integer becomes a float', MEANING, 'plugin', 'inf_gen_params', r'int32_t( +top_k)', r'float\1'),
    ('a pointer becomes a number', MEANING, 'extensions', 'inf_call_params', r'void( +)\*user', r'uint64_t\1user'),
    ('const is lost', MEANING, 'extensions', 'inf_finding', r'const char( \*value)', r'char\1'),
    ('an array of pointers becomes one of structs', MEANING, 'plugin', 'inf_message', r'const inf_media \*const \*media',
     'const inf_media *media'),
    ('a field grows', LAYOUT, 'plugin', 'inf_gen_params', r'int32_t( +max_tokens)', r'int64_t\1'),
    ('a text becomes shorter', LAYOUT, 'plugin', 'inf_error', r'reason\[32\]', 'reason[24]'),
    ('the last text becomes shorter', LAYOUT, 'plugin', 'inf_availability', r'message\[208\]', 'message[200]'),
    ('a parameter of a slot changes its type', MEANING, 'plugin', 'inf_backend', r'const char \*prompt, size_t prompt_len',
     'const char *prompt, uint32_t prompt_len'),
    ('a slot gets a parameter', MEANING, 'plugin', 'inf_backend', r'(\*close\)\(inf_model \*), inf_error', r'\1, uint32_t flags, inf_error'),
    ('a slot loses a parameter', MEANING, 'extensions', 'inf_streams', r'inf_stream \*, int32_t timeout_ms, ', 'inf_stream *, '),
    ('a slot returns something else', MEANING, 'extensions', 'inf_streams', r'void( +\(INF_CALL \*cancel\))', r'inf_status\1'),
    ('a callback of a struct gets a parameter', MEANING, 'plugin', 'inf_gen_params', r'\*on_poll\)\(void \*user', '*on_poll)(void *user, int32_t n'),
    ('a callback of a slot changes', MEANING, 'extensions', 'inf_lora', r'\*on_adapter\)\(void \*user, const inf_adapter',
     '*on_adapter)(void *user, inf_adapter'),
    ('the entry takes an argument', MEANING, 'plugin', None, r'INF_CALL inf_plugin_entry_v1\(void\)', 'INF_CALL inf_plugin_entry_v1(uint32_t host)'),
    ('the type of the entry changes', MEANING, 'plugin', None, r'INF_CALL \*inf_plugin_entry_fn\)\(void\)', 'INF_CALL *inf_plugin_entry_fn)(int)'),
    ('inf_status grows', MEANING, 'plugin', None, r'typedef int32_t inf_status', 'typedef int64_t inf_status'),
    ('a status gets another number', MEANING, 'plugin', None, r'(INF_E_BUSY +)\(-11\)', r'\1(-19)'),
    ('two statuses swapped', MEANING, 'plugin', None, r'INF_E_NO_MEMORY( .*?)INF_E_NO_VRAM  ', r'INF_E_NO_VRAM\1INF_E_NO_MEMORY'),
    ('a finish gets another number', MEANING, 'plugin', None, r'(INF_FINISH_CONTEXT +)8', r'\1 9'),
    ('a flag bit moves', MEANING, 'plugin', None, r'(INF_GEN_FLAG_LOGPROBS +)0x08u', r'\1 0x40u'),
    ('a set bit moves', MEANING, 'plugin', None, r'(INF_GEN_SET_GRAMMAR +)0x00800000ull', r'\1 0x02000000ull'),
    ('a mask loses a bit', MEANING, 'plugin', None, r'(INF_GEN_SET_KNOWN +)0x01ff01ffull', r'\1 0x01ff01feull'),
    ('a flag becomes signed', MEANING, 'extensions', None, r'(INF_EMBED_FLAG_RAW +)1u', r'\1 1'),
    ('a kind of an extension gets another number', MEANING, 'extensions', None, r'(INF_MODEL_KIND_PROJECTOR +)3', r'\1 7'),
    ('INF_CONTINUE becomes 0', MEANING, 'plugin', None, r'(INF_CONTINUE +)1', r'\1 0'),
    ('a constant is dropped', MEANING, 'extensions', None, r'#define INF_STREAM_WAITING .*?\n', '\n'),
    ('a constant is renamed', MEANING, 'plugin', None, r'INF_STAGE_WARMUP', 'INF_STAGE_WARM'),
    ('an id of an extension changes', MEANING, 'extensions', None, r'"inf\.batch/1"', '"inf.batch/2"'),
    ('the entry symbol changes', MEANING, 'plugin', None, r'"inf_plugin_entry_v1"', '"inf_plugin_entry_v2"'),
    ('a field is dropped', LAYOUT, 'extensions', 'inf_model_file', r'uint64_t +expert_bytes;', ''),
    ('the last field is dropped', LAYOUT, 'plugin', 'inf_gen_result', r'int64_t +accepted_tokens;', ''),
    ('the last slot is dropped', LAYOUT, 'extensions', 'inf_state', r'inf_status \(INF_CALL \*fork\)[^;]*;', ''),
    ('a slot in the middle is dropped', LAYOUT, 'extensions', 'inf_streams', r'int32_t +\(INF_CALL \*descriptor\)[^;]*;', ''),
    ('a field is renamed', LAYOUT, 'plugin', 'inf_model_info', r'quant_group', 'quant_size'),
    ('a reserved field is renamed', LAYOUT, 'plugin', 'inf_load_params', r'reserved0', 'spare'),
    ('a frozen pair grows', MEANING, 'plugin', 'inf_kv', r'\*key, \*value;', '*key, *value, *unit;'),
    ('a frozen struct of an extension grows', MEANING, 'extensions', 'inf_token_score', r'float +logprob;', 'float logprob, p;'),
    ('a size of v1.0 is moved', MEANING, 'plugin', None, r'INF_V1_0\(inf_message, 64\)', 'INF_V1_0(inf_message, 56)'),
    ('a helper changes', MEANING, 'plugin', None, r'uint32_t known_flags, uint64_t known_set\) \{', 'uint64_t known_flags, uint64_t known_set) {'),
    ('a trailing field with padding behind it', 'lock', 'plugin', 'inf_gen_result', r'(int64_t +accepted_tokens;)', r'\1 int32_t extra;'),
]
GROWN = 'what a minor may add'


def mutate(headers, header, struct, pattern, replacement):
    """The headers with one change, in the struct's body where one is named. A pattern that fits nothing is out of date."""
    text = headers[header]
    start, end = 0, len(text)
    if struct:
        body = re.search(rf'\bstruct {struct} \{{.*?(?:\n\}}|\}} {struct};)', text, flags=re.S)
        start, end = body.span()
    part, count = re.subn(pattern, replacement, text[start:end], count=1, flags=re.S)
    if not count or part == text[start:end]:
        sys.exit(f'mutations.py: {pattern} does not fit {struct or header} any more')
    return {**headers, header: text[:start] + part + text[end:]}


def without_locks(headers):
    plugin = headers['plugin']
    for before, after in LOCKS_OFF:
        if before not in plugin:
            sys.exit(f'mutations.py: plugin.h has no {before}')
        plugin = plugin.replace(before, after)
    return {**headers, 'plugin': plugin}


class Gates:
    def __init__(self, golden, compiler, scratch):
        self.golden, self.compiler, self.scratch = golden, compiler, scratch
        os.makedirs(f'{scratch}/inference', exist_ok=True)

    def compiles(self, headers, source):
        for name, text in headers.items():
            with open(f'{self.scratch}/inference/{name}.h', 'w', encoding='utf-8') as file:
                file.write(text)
        command = [self.compiler, '-std=c11', '-fsyntax-only', f'-I{self.scratch}', '-x', 'c', source]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).returncode == 0

    def lock(self, headers):
        return self.compiles(headers, f'{self.scratch}/alone.c')

    def frozen(self, headers):
        return self.compiles(without_locks(headers), self.golden)


def main(include, golden, compiler, scratch):
    headers = contract.read(include)
    gates = Gates(golden, compiler, scratch)
    with open(f'{scratch}/alone.c', 'w', encoding='utf-8') as file:
        file.write('#include "inference/extensions.h"\n')
    wrong = []
    for name, good in ((name, h) for name, h in (('the headers as they are', headers), (GROWN, grow.grown(headers)))):
        if not gates.lock(good) or not gates.frozen(good):
            wrong.append(f'{name}: does not pass')
    for what, kind, *where in MUTATIONS:
        broken = mutate(headers, *where)
        if kind != 'lock' and gates.frozen(broken):
            wrong.append(f'{what}: the golden file does not see it')
        if kind != MEANING and gates.lock(broken):
            wrong.append(f'{what}: the layout lock does not see it')
    print(f'{len(MUTATIONS)} mutations, {len(wrong)} unseen')
    sys.exit('\n'.join(wrong) or 0)


if __name__ == '__main__':
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
