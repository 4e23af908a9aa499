#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""golden.py write DIR > golden_1_0.c     what is frozen, from DIR/inference/{plugin,extensions}.h
golden.py check DIR FILE               FILE is what write gives, and nothing of DIR is missing in it
golden.py same DIR INCLUDE             the headers in INCLUDE are those in DIR but for comments, until there is a minor 1"""
import re
import sys

import contract

MASKS = ('INF_GEN_FLAG_KNOWN', 'INF_GEN_SET_KNOWN')       # a minor adds bits
# Have no value, or only while the header is read.
EXEMPT = {'INF_HAS', 'INF_SA', 'INF_CALL', 'INF_EXPORT', 'INF_NONZERO', 'INF_PLUGIN_NOTE', 'INF_AT', 'INF_END', 'INF_V1_0'}
HEAD = '''/* SPDX-License-Identifier: MIT */
/* Made by tests/abi/golden.py of the headers in host-api/abi/1.0; host-api/abi/README.md says how. Holds for every minor. */
#include <stdarg.h>

#include "inference/extensions.h"

#define TYPE_OF(what, ...) _Static_assert(__builtin_types_compatible_p(__typeof__(what), __VA_ARGS__), #what ": another type")
#define NUMBER(name, type, value) \\
	_Static_assert(__builtin_types_compatible_p(__typeof__(name), type), #name " has another type"); \\
	_Static_assert((name) == (value), #name " is another number")
#define MASK(name, bits) _Static_assert(((name) & (bits)) == (bits), #name " lost a bit")
#define TEXT(name, text) _Static_assert(__builtin_strcmp(name, text) == 0, #name " is another text")
#define STRUCT(T, size) _Static_assert(sizeof(T) >= (size), #T " shrank")
#define V1_0(T, size) STRUCT(T, size); _Static_assert(T##_V1_0 == (size), #T "_V1_0 is frozen")
#define FROZEN(T, size) _Static_assert(sizeof(T) == (size), #T " is frozen")
#define FIELD(T, f, at, ...) \\
	_Static_assert(offsetof(T, f) == (at), #T "." #f " moved"); \\
	TYPE_OF(((T *)0)->f, __VA_ARGS__)
'''


def read(folder):
    return ''.join(contract.read(folder).values())


def constant(name, value):
    if value.startswith('"'):
        return f'TEXT({name}, {value});'
    if name in MASKS:
        return f'MASK({name}, {value});'
    if name == 'INF_ABI_MINOR':
        return f'TYPE_OF({name}, unsigned);'
    suffix = value.strip('()').lstrip('-0123456789abcdefx')
    return f'NUMBER({name}, {({"": "int", "u": "unsigned", "ull": "unsigned long long"})[suffix]}, {value});'


def golden(text):
    lines = [HEAD]
    lines += [constant(name, value) for name, value in contract.macros(text)]
    for name, fields in contract.structs(text).items():
        kind = 'V1_0' if fields[0].name == 'struct_size' else 'FROZEN'
        lines += ['', f'{kind}({name}, {fields[-1].offset + fields[-1].size});']
        lines += [f'FIELD({name}, {f.name}, {f.offset}, {f.ctype});' for f in fields]
    lines += [''] + [f'TYPE_OF({name}, {ctype});' for name, ctype in contract.functions(text)]
    lines += [f'TYPE_OF(({name})0, {ctype});' for name, ctype in contract.typedefs(text)]
    return '\n'.join(lines) + '\n'


def check(folder, file):
    """The second and third look do not trust the parser: they search by the words and by the header's own layout lock."""
    text, made = read(folder), open(file, encoding='utf-8').read()
    if golden(text) != made:
        sys.exit(f'{file} is not what golden.py makes of {folder}: run the command in host-api/abi/README.md')
    missing = [name for name in re.findall(r'^# *define (INF_\w+)[ (]', text, flags=re.M)
               if not re.search(rf'\b{name}\b', made) and name not in EXEMPT]
    offsets, sizes = contract.locks(text)
    missing += [f'{s}.{f}' for (s, f), at in offsets.items() if f'FIELD({s}, {f}, {at}, ' not in made]
    missing += [s for s, size in sizes.items() if not re.search(rf'(V1_0|FROZEN)\({s}, {size}\);', made)]
    missing += [f'{s}.{f.name} in the layout lock' for s, fields in contract.structs(text).items()
                for f in fields[1:] if (s, f.name) not in offsets]
    if missing:
        sys.exit('missing: ' + ', '.join(missing))


def same(frozen, living):
    if not re.search(r'define INF_ABI_MINOR +0u', read(living)):
        return
    was, now = contract.read(frozen), contract.read(living)
    for name in contract.HEADERS:
        old, new = (contract.strip(headers[name]).split('\n') for headers in (was, now))
        for before, after in zip(old + [''], new + ['']):
            if before != after:
                sys.exit(f'{name}.h is not the frozen one:\n  frozen: {before}\n  living: {after}\n'
                         'Before 1.0 is released: freeze it again, with the command in host-api/abi/README.md. Afterwards: '
                         'what is appended is minor 1, set INF_ABI_MINOR; everything else has to be taken back.')


if __name__ == '__main__':
    try:
        {'write': lambda folder: sys.stdout.write(golden(read(folder))), 'check': check, 'same': same}[sys.argv[1]](*sys.argv[2:])
    except (IndexError, KeyError, TypeError):
        sys.exit(__doc__)
