# SPDX-License-Identifier: MIT
"""Read the contract headers: their macros, structs, functions. Knows the style of these headers, no more of C."""
import re
import sys

# The size of each type in a struct; pointers and functions have 8.
SIZES = {'int32_t': 4, 'uint32_t': 4, 'float': 4, 'inf_status': 4, 'int64_t': 8, 'uint64_t': 8, 'size_t': 8}
# Not values: what they do is tested elsewhere, or nothing.
NO_VALUE = {'INF_SA', 'INF_CALL', 'INF_EXPORT', 'INF_API'}


HEADERS = ('plugin', 'extensions')


def read(include):
    """{name of the header: its text}"""
    return {name: open(f'{include}/inference/{name}.h', encoding='utf-8').read() for name in HEADERS}


class Field:
    """offset and size in bytes; ctype is a type name of C: "const char *", "char [32]", "inf_status (*)(inf_model *)"."""

    def __init__(self, name, ctype, offset, size):
        self.name, self.ctype, self.offset, self.size = name, ctype, offset, size


def strip(text):
    """Without comments and with single blanks: two headers that mean the same are equal."""
    text = re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)
    lines = (re.sub(r'\s+', ' ', line).strip() for line in re.sub(r'\\\n', ' ', text).split('\n'))
    return '\n'.join(line for line in lines if line)


def macros(text):
    """[(name, text of the value)] of those that are values."""
    found = re.findall(r'^# ?define (INF_\w+)(?!\() (.+)$', strip(text), flags=re.M)
    return [(name, value) for name, value in found if name not in NO_VALUE]


def declarators(declaration):
    """The (name, type) pairs of one declaration."""
    declaration = declaration.replace('INF_CALL ', '')
    function = re.match(r'([^()]*)\(\* ?(\w+)\) ?\((.*)\)$', declaration)
    if function:
        return [(function[2], f'{function[1].strip()} (*)({function[3]})')]
    base, first, rest = re.match(r'((?:const )?\w+ (?:\*const )?)([^,]*)(.*)$', declaration).groups()
    pairs = []
    for one in (first + rest).split(','):
        stars, name, array = re.match(r'\s*(\**) ?(\w+)(\[\d+\])?$', one).groups()
        pairs.append((name, ' '.join(part for part in (base.strip(), stars, array) if part)))
    return pairs


def size_of(ctype):
    if '*' in ctype:
        return 8
    array = re.search(r'^char \[(\d+)\]$', ctype)
    return int(array[1]) if array else SIZES[ctype]


def structs(text):
    """{name: [Field]}, in order. Fails where the fields do not fill the struct without a gap: one was not understood."""
    found = {}
    for name, body in re.findall(r'\bstruct (\w+) \{(.*?)\}', strip(text), flags=re.S):
        fields, offset = [], 0
        for declaration in filter(None, (part.strip() for part in body.replace('\n', ' ').split(';'))):
            for field, ctype in declarators(declaration):
                size = size_of(ctype)
                if offset % (1 if ctype.startswith('char [') else size):
                    sys.exit(f'{name}.{field}: not aligned at {offset}')
                fields.append(Field(field, ctype, offset, size))
                offset += size
        found[name] = fields
    return found


def functions(text):
    """[(name, type)] of the helpers and the entry."""
    text = strip(text).replace('\n', ' ')
    found = re.findall(r'static inline (\w+) (\w+)(\([^{;]*\)) \{', text)
    found += re.findall(r'INF_EXPORT (const \w+ \*)INF_CALL (\w+)(\([^;]*\));', text)
    return [(name, f'{result} {parameters}') for result, name, parameters in found]


def locks(text):
    """{(struct, field): offset} and {struct: size}, as the header's own layout lock has them."""
    text = strip(text)
    offsets = {(s, f): int(n) for s, f, n in re.findall(r'INF_AT\((inf_\w+), (\w+), (\d+)\);', text)}
    sizes = {s: int(n) for s, n in re.findall(r'INF_V1_\d+\((inf_\w+), (\d+)\);', text)}
    sizes.update((s, int(n)) for s, n in re.findall(r'sizeof\((inf_\w+)\) == (\d+), "\w+ is frozen"', text))
    return offsets, sizes


def typedefs(text):
    """[(name, type)] of those that are neither structs nor opaque."""
    text = strip(text)
    found = [(name, ctype) for ctype, name in re.findall(r'^typedef (\w+) (\w+);', text, flags=re.M)]
    functions_of = re.findall(r'^typedef ([^;{}()]+)\(INF_CALL \*(\w+)\)(\([^;]*\));', text, flags=re.M)
    return found + [(name, f'{result}(*){parameters}') for result, name, parameters in functions_of]
