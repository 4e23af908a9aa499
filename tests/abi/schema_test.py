#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""schema_test.py DIR: what would break a program is told from what would not."""
import sys

import schema


def must_say(schemas, before, words):
    said = list(schema.compare_fields(before, schema.list_fields(schemas)))
    assert bool(said) == bool(words) and all(word in ' '.join(said) for word in words), said


def change(folder, words, what):
    schemas = schema.Schemas(folder)
    before = schema.list_fields(schemas)
    what(schemas.files, schemas.defs['generate', 'outcome'], schemas.defs['common', 'error'])
    must_say(schemas, before, words)


def rename(files, outcome, error):
    outcome['properties']['random'] = outcome['properties'].pop('seed')


def retype(files, outcome, error):
    error['properties']['reason']['type'] = 'integer'


def null(files, outcome, error):
    outcome['properties']['prompt_tokens']['type'] = ['integer', 'null']


def leave_out(files, outcome, error):
    outcome['required'].remove('seed')


def lose_value(files, outcome, error):
    error['properties']['status']['enum'].remove('usage')


def lose_kind(files, outcome, error):
    files['batch']['anyOf'].pop(1)


def refer_elsewhere(files, outcome, error):
    files['classify']['$defs']['next']['properties']['top']['items']['$ref'] = 'common.json#/$defs/error'


def add(files, outcome, error):
    outcome['properties']['more'] = {'type': 'integer', 'description': 'only a test'}
    error['properties']['status']['enum'].append('tired')
    files['embed']['anyOf'].append({'$ref': 'common.json#/$defs/model'})


change(sys.argv[1], ['generate.outcome.seed is gone', 'bring it back'], rename)
change(sys.argv[1], ['common.error.reason was string|null and is integer'], retype)
change(sys.argv[1], ['generate.outcome.prompt_tokens was integer and is integer|null'], null)
change(sys.argv[1], ['generate.outcome.seed was always there'], leave_out)
change(sys.argv[1], ['common.error.status no longer has usage'], lose_value)
change(sys.argv[1], ['batch prints batch.failed is gone'], lose_kind)
change(sys.argv[1], ['classify.next.top was [classify.score] and is [common.error]'], refer_elsewhere)
change(sys.argv[1], [], add)
