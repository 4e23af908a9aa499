#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_test.py EXAMPLES LIBINFERENCE PLUGIN-DIR LLAMA-SERVER MODEL LAYOUT: the Python example over a real backend.

LAYOUT is the program that prints the structs as C has them."""
import contextlib
import glob
import json
import os
import pathlib
import subprocess
import sys
import unittest

EXAMPLES, LIBRARY, PLUGINS, SERVER, MODEL, LAYOUT = sys.argv[1:]
sys.path.insert(0, EXAMPLES)
# pylint: disable=wrong-import-position
import inference
import structs

# Filled in by a backend and called by a host that loads plugins itself; users of libinference never meet them.
TABLES = {'host', 'backend', 'plugin', 'devices', 'models', 'diagnose', 'tokenize', 'classify', 'batch', 'embed', 'rerank',
          'lora', 'state', 'cancel', 'streams', 'metrics'}
TURNS = [('user', 'It is a truth universally acknowledged')]


def children():
    return [child for file in glob.glob('/proc/self/task/*/children')
            for child in pathlib.Path(file).read_text('ascii').split()]


class Layout(unittest.TestCase):
    def test_every_struct_is_laid_out_as_in_c(self):
        layout = json.loads(subprocess.run([LAYOUT], check=True, capture_output=True, timeout=30).stdout)
        self.assertLess(40, len(layout))
        for name, expected in layout.items():
            if name[4:] in TABLES:
                continue
            mirror = getattr(structs, name[4:].title().replace('_', ''))
            fields = {f: [getattr(mirror, f).offset, getattr(mirror, f).size] for f, _ in mirror._fields_}
            with self.subTest(name):
                self.assertEqual(structs.sizeof(mirror), expected['size'])
                self.assertEqual(fields, expected['fields'])

    def test_misspelt_field_is_refused(self):
        with self.assertRaisesRegex(TypeError, 'max_tokns'):
            structs.GenParams(max_tokns=3)


class Host(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.closing = contextlib.ExitStack()
        cls.registry = cls.closing.enter_context(
            inference.Registry([PLUGINS], {'llama-server.path': SERVER}, inference.library(LIBRARY)))
        cls.session = cls.closing.enter_context(cls.registry.load(MODEL, 'llama_cpp'))

    @classmethod
    def tearDownClass(cls):
        assert children(), 'the server is no child of this process: the next line would prove nothing'
        cls.closing.close()
        assert not children(), f'left behind: {children()}'
        assert len(os.listdir('/proc/self/task')) == 1, 'threads are left'

    def test_candidates_are_listed(self):
        states = {backend: state for backend, state, _ in self.registry.candidates()}
        self.assertEqual(states['llama_cpp'], 'available')

    def test_tokens_come_one_by_one(self):
        pieces = []
        result = self.session.chat(TURNS, pieces.append, max_tokens=20)
        self.assertLess(5, len(pieces))
        self.assertEqual((result.generated_tokens, result.finish), (20, 2))

    def test_stream_gives_what_chat_gives(self):
        pieces = []
        self.session.chat(TURNS, pieces.append, max_tokens=20)
        self.assertEqual(''.join(self.session.stream(TURNS, max_tokens=20)), ''.join(pieces))

    def test_stream_that_is_left_early_ends(self):
        threads = len(os.listdir('/proc/self/task'))
        for piece in self.session.stream(TURNS, flags=inference.IGNORE_EOS):
            self.assertTrue(piece)
            self.assertEqual(len(os.listdir('/proc/self/task')), threads + 1)
            break
        self.assertEqual(len(os.listdir('/proc/self/task')), threads)

    def test_poll_cancels(self):
        pieces = []
        with self.assertRaises(inference.InferenceError) as caught:
            self.session.chat(TURNS, pieces.append, lambda: len(pieces) < 3, flags=inference.IGNORE_EOS)
        self.assertEqual(caught.exception.status, inference.CANCELLED)
        self.assertLess(2, len(pieces))

    def test_exception_in_callback_stops_and_is_raised(self):
        pieces = []

        def raises(text):
            pieces.append(text)
            raise LookupError(text)

        with self.assertRaises(LookupError):
            self.session.chat(TURNS, raises)
        self.assertEqual(len(pieces), 1)

    def test_refused_field_is_named(self):
        with self.assertRaisesRegex(inference.InferenceError, 'grammar'):
            self.session.chat(TURNS, grammar=b'root ::= "a"', json_schema=b'{}')


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
