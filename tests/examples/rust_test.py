#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rust_test.py RUSTC LAYOUT.RS LAYOUT SCRATCH: the structs of the example in Rust are laid out as in C."""
import json
import subprocess
import sys

rustc, source, layout, scratch = sys.argv[1:]
subprocess.run([rustc, '--edition=2021', '-D', 'warnings', '-o', f'{scratch}/layout_rust', source], check=True, timeout=120)
rust, c = (json.loads(subprocess.run([program], check=True, capture_output=True, timeout=30).stdout)
           for program in (f'{scratch}/layout_rust', layout))
wrong = [f'{name}: {mirror}, not {c.get(name)}' for name, mirror in rust.items() if mirror != c.get(name)]
if len(rust) < 25:
    wrong.append(f'only {len(rust)} structs')
sys.exit('\n'.join(wrong) or 0)
