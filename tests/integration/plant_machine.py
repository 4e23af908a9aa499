# SPDX-License-Identifier: MIT
"""plant_machine.py TREE DIRECTORY: a machine that is written down in one file, as files."""
import os, sys
content = {}
for line in open(sys.argv[1], encoding="utf-8").read().splitlines():
    word, _, rest = line.partition(" ")
    if word == "|":
        content[path].append(rest)
        continue
    if word not in ("file", "link", "dir"):
        continue
    name, _, target = rest.partition(" -> ")
    path = os.path.join(sys.argv[2], name.lstrip("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if word == "link":
        os.symlink(target, path)
    elif word == "dir":
        os.makedirs(path, exist_ok=True)
    else:
        content[path] = []
for path, lines in content.items():
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))
