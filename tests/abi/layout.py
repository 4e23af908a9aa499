#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layout.py INCLUDE > layout.c: a program that prints the size, offsets and field sizes of every public struct as JSON,
{"inf_kv": {"size": 16, "fields": {"key": [0, 8], "value": [8, 8]}}}; what the mirrors of other languages are compared with."""
import sys

import contract


def program(structs):
    lines = ['#include <stdio.h>', '#include "inference/host.h"', '',
             '#define FIELD(T, f, end) printf("\\"%s\\": [%zu, %zu]%s", #f, offsetof(T, f), sizeof(((T *)0)->f), end)',
             '', 'int main(void)', '{', '\tconst char *between = "{";']
    for name, fields in structs.items():
        lines.append(f'\tprintf("%s\\"{name}\\": {{\\"size\\": %zu, \\"fields\\": {{", between, sizeof({name}));')
        ends = [', '] * (len(fields) - 1) + ['}}']
        lines += [f'\tFIELD({name}, {field.name}, "{end}");' for field, end in zip(fields, ends)]
        lines.append('\tbetween = ",\\n";')
    return '\n'.join(lines + ['\tputs("}");', '\treturn 0;', '}', ''])


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    text = ''.join(contract.read(sys.argv[1]).values()) + open(f'{sys.argv[1]}/inference/host.h', encoding='utf-8').read()
    sys.stdout.write(program(contract.structs(text)))
