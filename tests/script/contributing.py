#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds CONTRIBUTING.md to the tree: the files it names exist, the functions are defined there, the excerpts are what the files say."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PLACE = re.compile(r"`((?:src|include|examples|tests|frontend|doc)/[\w./]*)(?::(\w+))?`")
EXCERPT = re.compile(r"^From `([\w./]+)`:\n\n```c\n(.*?)^```$", re.M | re.S)
CALL = re.compile(r"`(\w+)\(\)`")

failed = False


def report(name, problems):
    global failed
    failed |= bool(problems)
    print(f"not ok - {name}: " + "; ".join(problems) if problems else f"ok - {name}")


def defines(path, function):
    out = subprocess.run(["ctags", "-x", "--c-kinds=f", "--_xformat=%N", str(ROOT / path)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return function in out.split()


places = sorted(set(PLACE.findall(TEXT)))
report("files_exist", [f"{p} does not exist" for p, _ in places if not (ROOT / p).exists()])
report("functions_are_defined_there", [f"{p} does not define {f}" for p, f in places if f and (ROOT / p).is_file() and not defines(p, f)])
excerpts = EXCERPT.findall(TEXT)
report("excerpts_are_what_the_files_say", [f"{p}: {e.splitlines()[0]}" for p, e in excerpts if e not in (ROOT / p).read_text()]
       + ([] if len(excerpts) >= 4 else ["fewer than four excerpts"]))
sources = "\n".join(f.read_text() for d in ("src", "include") for f in (ROOT / d).rglob("*.[ch]"))
report("functions_exist", [f"{c}() is nowhere in src/ or include/" for c in sorted(set(CALL.findall(TEXT))) if not re.search(rf"\b{c}\(", sources)])
sys.exit(failed)
