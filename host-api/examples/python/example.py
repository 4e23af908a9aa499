#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""example.py MODEL.gguf TEXT [PLUGIN-DIR]: list the backends, load a model, answer. Ctrl-C stops the answer."""
import os
import sys

import inference


def main(model, text, *plugin_dirs):
    with inference.Registry(plugin_dirs) as registry:
        for backend, state, message in registry.candidates():
            print(f'{backend or "?"}: {state}: {message}', file=sys.stderr)
        with registry.load(os.path.abspath(model)) as session:
            print(f'{session.info().name.decode()}', file=sys.stderr)
            for piece in session.stream([('user', text)], max_tokens=200):
                print(piece, end='', flush=True)
            print()


if __name__ == '__main__':
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except inference.InferenceError as error:
        sys.exit(f'{error} ({error.reason})')
