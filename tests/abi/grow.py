#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""grow.py INCLUDE OUT: a made-up minor 1 of the headers in INCLUDE, into OUT/inference, grown as EVOLUTION allows.

A request gets the field `extra` with its bit, a report the field `extra_tokens`, a table of operations the slot `extra`, the
host's table a service; and there is an extension inf.extra/1."""
import os
import re
import sys

import contract

# (header, struct, declaration of the field, its name)
FIELDS = (
    ('plugin', 'inf_gen_params', 'int64_t extra;', 'extra'),
    ('plugin', 'inf_gen_result', 'int64_t extra_tokens;', 'extra_tokens'),
    ('plugin', 'inf_host', 'int32_t (INF_CALL *extra)(void *ctx, int32_t value);', 'extra'),
    ('plugin', 'inf_backend', 'inf_status (INF_CALL *extra)(inf_model *, int32_t *out, inf_error *err);', 'extra'),
    ('extensions', 'inf_metrics_report', 'uint64_t extra;', 'extra'),
)
EXTENSION = '''
#define INF_EXT_EXTRA "inf.extra/1"
typedef struct inf_extra {
  uint32_t struct_size;
  uint32_t flags;
  inf_status (INF_CALL *run)(inf_model *, int32_t value, int32_t *out, inf_error *err);
} inf_extra;
INF_SA(sizeof(inf_extra) == 16, "inf_extra moved");
'''


def once(pattern, replacement, text):
    text, count = re.subn(pattern, replacement, text, count=1, flags=re.S)
    if not count:
        sys.exit(f'grow.py: {pattern} does not fit any more')
    return text


def append(text, struct, declaration, name):
    fields = contract.structs(text)[struct]
    at = fields[-1].offset + fields[-1].size
    text = once(rf'(\bstruct {struct} \{{.*?)(\n\}})', rf'\1\n  {declaration}\2', text)
    return once(rf'INF_END\({struct}, \w+\);', f'INF_END({struct}, {name}); INF_AT({struct}, {name}, {at});', text)


def grown(headers):
    headers = dict(headers)
    for header, struct, declaration, name in FIELDS:
        headers[header] = append(headers[header], struct, declaration, name)
    known = int(re.search(r'INF_GEN_SET_KNOWN +(0x\w+)ull', headers['plugin'])[1], 16)
    bit = 1 << known.bit_length()
    headers['plugin'] = once(r'#define INF_GEN_SET_KNOWN +0x\w+ull',
                             f'#define INF_GEN_SET_EXTRA {bit:#x}ull\n#define INF_GEN_SET_KNOWN {known | bit:#x}ull', headers['plugin'])
    headers['plugin'] = once(r'#define INF_ABI_MINOR +\d+u', '#define INF_ABI_MINOR 1u', headers['plugin'])
    headers['extensions'] = once(r'(/\* ---- layout lock)', EXTENSION.replace('\\', r'\\') + r'\n\1', headers['extensions'])
    return headers


def main(include, out):
    os.makedirs(f'{out}/inference', exist_ok=True)
    for name, text in grown(contract.read(include)).items():
        with open(f'{out}/inference/{name}.h', 'w', encoding='utf-8') as file:
            file.write(text)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
