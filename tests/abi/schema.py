#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What infer --json prints is described in sample-host/schema, a file for each command, and nowhere else.

schema.py page DIR                the page JSON.md
schema.py fields DIR              every field and its type, a line each: what programs rely on
schema.py check DIR PAGE FIELDS   the schemas keep their own rules, PAGE is what page prints, and no field of FIELDS is gone or
                                  another"""
import copy
import json
import os
import sys

HEAD = '''# JSON

What `infer COMMAND --json` prints, field by field. Made by `tests/abi/schema.py` of the files in [schema](schema), which are
installed to `share/inference/schema`; [README.md](README.md#json) has the rules that hold for all of them.
'''


class Schemas:
    """The files of a folder. A definition is known by its file and its name: ("common", "error")."""

    def __init__(self, folder):
        self.files = {}
        for name in sorted(os.listdir(folder)):
            assert name.endswith('.json'), f'{name}: only schemas belong here'
            with open(os.path.join(folder, name), encoding='utf-8') as text:
                self.files[name[:-len('.json')]] = json.load(text)
        self.defs = {(file, name): node for file, root in self.files.items() for name, node in root.get('$defs', {}).items()}

    @property
    def commands(self):
        return [name for name in self.files if name != 'common']

    def target(self, file, ref):
        """The definition that a reference in a file means."""
        where, _, pointer = ref.partition('#')
        key = where[:-len('.json')] if where else file, pointer.replace('/$defs/', '', 1)
        assert key in self.defs, f'{file}.json: {ref} leads nowhere'
        return key

    def kinds(self, command):
        """The definitions that a line of its output may be of."""
        root = self.files[command]
        if '$ref' in root:
            return self.kinds(root['$ref'][:-len('.json')])
        return [self.target(command, kind['$ref']) for kind in root['anyOf']]

    def follow(self, file, node):
        """Where a node is a reference: the definition's file and node, with what the node says of it itself."""
        if '$ref' not in node:
            return file, node
        file, name = self.target(file, node['$ref'])
        return file, {**self.defs[file, name], **{key: value for key, value in node.items() if key != '$ref'}}

    def whole(self, file, node, closed):
        """Without references; closed: with no other fields than those it describes."""
        file, node = self.follow(file, node)
        node = copy.copy(node)
        if 'properties' in node:
            node['properties'] = {key: self.whole(file, value, closed) for key, value in node['properties'].items()}
            if closed:
                node['additionalProperties'] = False
        if 'items' in node:
            node['items'] = self.whole(file, node['items'], closed)
        return node

    def fields(self):
        """(file, definition, field, node, whether it is always there)"""
        for (file, name), node in self.defs.items():
            for field, value in node.get('properties', {}).items():
                yield file, name, field, value, field in node.get('required', [])


def types_of(node):
    kind = node.get('type', [])
    return [kind] if isinstance(kind, str) else kind


def values_of(node):
    return node.get('enum', [node['const']] if 'const' in node else [])


# ---- the list of fields ----

def type_text(schemas, file, node):
    if '$ref' in node:
        target_file, name = schemas.target(file, node['$ref'])
        target = schemas.defs[target_file, name]
        if 'properties' in target:
            return '|'.join([f'{target_file}.{name}', *(kind for kind in types_of(schemas.follow(file, node)[1]) if kind != 'object')])
        return type_text(schemas, target_file, target)
    if 'items' in node:
        return f"[{type_text(schemas, file, node['items'])}]"
    return '|'.join(types_of(node)) or 'any'


def values_text(schemas, file, node):
    return [json.dumps(value, ensure_ascii=False).strip('"').replace(' ', '_') for value in values_of(schemas.follow(file, node)[1])]


def list_fields(schemas):
    lines = [f'{command} prints {file}.{name}' for command in schemas.commands for file, name in schemas.kinds(command)]
    for file, name, field, node, always in schemas.fields():
        lines.append(' '.join([f'{file}.{name}.{field}', type_text(schemas, file, node), 'always' if always else 'sometimes',
                               *values_text(schemas, file, node)]))
    return '\n'.join(lines) + '\n'


def read_fields(text):
    lines = [line.split() for line in text.splitlines()]
    return {' '.join(words) if words[1] == 'prints' else words[0]: words[1:] for words in lines}


def compare_fields(before, now):
    """Sentences on what programs would miss."""
    before, now = read_fields(before), read_fields(now)
    for key, (kind, *rest) in before.items():
        if key not in now:
            yield f'{key} is gone or has another name: programs read it, so bring it back; a new one may stand beside it'
        elif now[key][0] != kind:
            yield f'{key} was {kind} and is {now[key][0]}: programs read it as it was; make a field with another name for it'
        elif rest[:1] == ['always'] and now[key][1] != 'always':
            yield f'{key} was always there: programs count on it, so keep it in "required", and print null where it is not known'
        elif set(rest[1:]) - set(now[key][2:]):
            yield f'{key} no longer has {" ".join(sorted(set(rest[1:]) - set(now[key][2:])))}: programs look for it'


# ---- the page ----

def link(file, name):
    return f'[{name}](#{file}-{name})'


def page_type(schemas, file, node):
    if '$ref' in node:
        target_file, name = schemas.target(file, node['$ref'])
        target = schemas.defs[target_file, name]
        if 'properties' in target:
            return ' or '.join([link(target_file, name), *(kind for kind in types_of(schemas.follow(file, node)[1]) if kind != 'object')])
        return page_type(schemas, target_file, target)
    if 'items' in node:
        return f"list of {page_type(schemas, file, node['items'])}"
    if values_of(node):
        return ' '.join([f'`{value}`' for value in values_of(node)] + (['null'] if 'null' in types_of(node) else []))
    return ' or '.join(types_of(node)) + range_text(node) if types_of(node) else 'any'


def range_text(node):
    low, high = node.get('minimum'), node.get('maximum')
    return (f', {low} or more' if low is not None else '') + (f', {high} or less' if high is not None else '')


def describe(schemas, file, node):
    return schemas.follow(file, node)[1].get('description', '')


def add_definition(schemas, file, name, out):
    node = schemas.defs[file, name]
    if 'properties' not in node:
        return
    out += [f'<a id="{file}-{name}"></a>', f"**{name}**{': ' if 'description' in node else ''}{node.get('description', '')}", '', '| field | | |', '|---|---|---|']
    out += [f'| `{field}` | {page_type(schemas, file, value)} | {describe(schemas, file, value)} |'
            for field, value in node['properties'].items()]
    out.append('')


def page(schemas):
    out = [HEAD]
    for file in [*schemas.commands, 'common']:
        root = schemas.files[file]
        out += [f"## {root['title']}", '']
        if 'description' in root:
            out += [root['description'], '']
        if file != 'common':
            out += [f"A line is one of: {', '.join(link(*kind) for kind in schemas.kinds(file))}.", '']
        for name in root.get('$defs', {}):
            add_definition(schemas, file, name, out)
    return '\n'.join(out).rstrip() + '\n'


# ---- rules ----

def faults(schemas):
    known = {'type', 'description', 'required', 'properties', 'items', 'enum', 'const', 'minimum', 'maximum', 'minLength', 'maxLength',
             'minItems', 'maxItems', '$ref'}
    for (file, name), node in schemas.defs.items():
        if set(node) - known:
            yield f'{file}.json: {name} has {" ".join(sorted(set(node) - known))}, which tests/abi/schema.py does not know'
        if set(node.get('required', [])) - set(node.get('properties', {})):
            yield f'{file}.json: {name} requires what it does not describe'
    for file, name, field, node, always in schemas.fields():
        at, text = f'{file}.json: {name}.{field}', describe(schemas, file, node)
        inner = node.get('items', node)
        if set(node) - known:
            yield f'{at} has {" ".join(sorted(set(node) - known))}, which tests/abi/schema.py does not know'
        if 'properties' in inner:
            yield f'{at} describes an object: give it a name in $defs'
        if not text:
            yield f'{at} has no description'
        if not always and 'only' not in text:
            yield f'{at} is not always there: its description must say that it is so "only" where'
        if field.endswith('_bytes') and 'integer' not in types_of(schemas.follow(file, node)[1]):
            yield f'{at} is no integer'


def check(schemas, folder, page_path, fields_path):
    complaints = list(faults(schemas))
    with open(fields_path, encoding='utf-8') as text:
        before = text.read()
    complaints += compare_fields(before, list_fields(schemas))
    if not complaints and before != list_fields(schemas):
        complaints.append(f'something is new: {sys.argv[0]} fields {folder} >{fields_path}')
    with open(page_path, encoding='utf-8') as text:
        if text.read() != page(schemas):
            complaints.append(f'{page_path} is not what the schemas say: {sys.argv[0]} page {folder} >{page_path}')
    return complaints


def main(what, folder, *paths):
    schemas = Schemas(folder)
    if what == 'check':
        complaints = check(schemas, folder, *paths)
        print(*complaints, sep='\n', file=sys.stderr)
        return int(bool(complaints))
    sys.stdout.write({'page': page, 'fields': list_fields}[what](schemas))
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
