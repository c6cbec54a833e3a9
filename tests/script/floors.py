#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the floors of the house: who may include whom, and every header compiles alone.

A layer includes its own floor and those below it.  Drivers include the public device header only: they are what an embedder's driver
would be.  Prints one `ok`/`not ok` line a check, in the form the test runner counts.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Top to bottom; those in one row do not include each other.
FLOORS = [
    ["vfs"],
    ["socket"],
    ["tcp", "udp"],
    ["ip", "ip6"],
    ["netfilter"],
    ["neigh"],
    ["sched"],
    ["dev"],
    ["core"],
    ["trace"],
    ["wire"],
    ["lib"],
]
FLOOR_OF = {name: i for i, row in enumerate(FLOORS) for name in row}
# What drivers may know: the public interface, wire formats, small helpers, each other.
# The trace reads the instance's clock and memory, nothing else of core.
ALSO = {("trace", "core/net.h")}
DRIVER_MAY = {"xmit", "wire", "lib", "drivers"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

failed = 0


def say(ok, what, detail=""):
    global failed
    print(("ok - " if ok else "not ok - ") + what + (f": {detail}" if detail and not ok else ""))
    failed += not ok


def layer(path):
    return path.parts[0] if len(path.parts) > 1 else ""


def check_layer(name):
    bad = []
    for f in sorted((ROOT / "src" / name).glob("*.[ch]")):
        for inc in INCLUDE.findall(f.read_text()):
            target = layer(Path(inc))
            if name == "drivers":
                if target not in DRIVER_MAY:
                    bad.append(f"{f.name} includes {inc}")
            elif (name, inc) in ALSO:
                continue
            elif target in FLOOR_OF:
                if FLOOR_OF[target] < FLOOR_OF[name] or (FLOOR_OF[target] == FLOOR_OF[name] and target != name):
                    bad.append(f"{f.name} includes {inc}")
            elif target != "xmit":
                bad.append(f"{f.name} includes {inc}")
    say(not bad, f"floor_{name}", "; ".join(bad))


def check_outside():
    """The program and the front end use the public interface only."""
    bad = []
    for d in ("cmd/xmit", "frontend", "frontend/packetdrill", "examples"):
        for f in sorted((ROOT / d).glob("*.[ch]")):
            for inc in re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', f.read_text(), re.M):
                if layer(Path(inc)) == "lib":
                    continue
                if layer(Path(inc)) in FLOOR_OF or layer(Path(inc)) == "drivers":
                    bad.append(f"{d}/{f.name} includes {inc}")
    say(not bad, "program_uses_public_headers", "; ".join(bad))


def check_headers():
    bad = []
    for base, std in (("src", "gnu17"), ("include", "c17")):
        for h in sorted((ROOT / base).rglob("*.h")):
            name = h.relative_to(ROOT / base)
            flags = ["-Iinclude"] + (["-Isrc"] if base == "src" else [])
            r = subprocess.run(["gcc", f"-std={std}", "-Wall", "-Wextra", "-Werror", *flags, "-fsyntax-only", "-xc", "-"],
                               input=f'#include "{name}"\nint unused_;\n', text=True, cwd=ROOT, capture_output=True)
            if r.returncode:
                bad.append(f"{name}: {r.stderr.splitlines()[0] if r.stderr else '?'}")
    say(not bad, "headers_compile_alone", "; ".join(bad))


def check_core_portable():
    """No Linux headers in the core: only drivers (those that name the host's devices) may have them."""
    bad = []
    for f in sorted((ROOT / "src").rglob("*.[ch]")):
        if f.parent.name in ("drivers", "netlink"):
            continue
        for inc in re.findall(r"^\s*#\s*include\s+<((?:linux|asm|net)/[^>]+)>", f.read_text(), re.M):
            bad.append(f"{f.relative_to(ROOT)} includes <{inc}>")
    say(not bad, "core_has_no_linux_headers", "; ".join(bad))


def check_spdx():
    bad = []
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for n in names:
        p = ROOT / n
        if p.suffix in (".c", ".h", ".py", ".sh", ".ini") or p.name in ("meson.build", "Makefile"):
            if "SPDX-License-Identifier: MIT" not in p.read_text()[:300]:
                bad.append(n)
    say(not bad, "spdx_line_in_each_file", " ".join(bad))


def check_no_globals():
    """The library has no writable data: nothing in .data or .bss of its objects (compiler-made guards of sanitizers aside)."""
    libs = sorted(ROOT.glob("build/test-gcc/src/libxmit.a"))
    if not libs:
        print("skip - no_globals: build/test-gcc is not built (run tests/run gcc)")
        return
    # Const tables of pointers lie in .data.rel.ro: written by the loader once, by nobody after.
    out = subprocess.run(["objdump", "-t", str(libs[0])], capture_output=True, text=True).stdout
    bad, member = [], "?"
    for line in out.splitlines():
        if m := re.match(r"(\S+):\s+file format", line):
            member = m.group(1)
        elif m := re.match(r"\S+ .{7} (\.data\S*|\.bss\S*|\*COM\*)\s+(\S+)\s+(?:\.hidden )?(\S+)$", line):
            if not m.group(1).startswith(".data.rel.ro") and int(m.group(2), 16) and not m.group(3).startswith("."):
                bad.append(f"{member} {m.group(3)}")
    say(not bad, "no_globals", "; ".join(bad))


for row in FLOORS:
    for name in row:
        if (ROOT / "src" / name).is_dir():
            check_layer(name)
check_layer("drivers")
check_outside()
check_headers()
check_core_portable()
check_spdx()
check_no_globals()
sys.exit(1 if failed else 0)
