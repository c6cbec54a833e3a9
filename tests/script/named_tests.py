#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each test that a document names in backticks (`executable:case`) stands in build/tests-passed.txt: it exists, ran and passed; or it stands in
tests-skipped.txt beside it: it exists, and said why this machine cannot run it (the kernel takes no i386 calls, say).

usage: named_tests.py [PASSED]        (tests/run writes PASSED, default build/tests-passed.txt)

Also: doc/transmit-path.md has a row for every id, with a state, and a test for each that is done; doc/rfc9293.md has one row for each of the 69
MUSTs and 31 SHOULDs, with a test, and lists those that follow Linux instead, no more and no fewer.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IDS = ["V1", "V2", "S1", "S2", *(f"T{i}" for i in range(1, 13)), *(f"I{i}" for i in range(1, 6)), *(f"N{i}" for i in range(1, 5)),
       *(f"Q{i}" for i in range(1, 5)), *(f"D{i}" for i in range(1, 5)), "M", "K"]
RFC9293 = [*(f"MUST-{i}" for i in range(1, 70)), *(f"SHLD-{i}" for i in range(1, 32))]
NAMED = re.compile(r"`((?:(?:unit|sim|script|fuzz|interop)_\w+|pkt):[^`]+)`")
ROW = re.compile(r"^\| ([A-Z]\d*) \| [^|]+ \| ([^|]+?) \|")
RFC9293_ROW = re.compile(r"^\| ((?:MUST|SHLD)-\d+) \| [^|]+ \| 3\.[\d.]+ \| ([^|]+?) \| ([^|]*) \|$")
RFC9293_LISTED = re.compile(r"^\| ((?:MUST|SHLD)-\d+) \| [^|]+ \| [^|]+ \|$")


def report(name, problems):
    print(f"not ok - {name}: " + "; ".join(problems[:8]) + (f" (and {len(problems) - 8} more)" if len(problems) > 8 else "") if problems else f"ok - {name}")
    return bool(problems)


def check_ids():
    states, tests = {}, {}
    for line in (ROOT / "doc/transmit-path.md").read_text().splitlines():
        if m := ROW.match(line):
            states[m[1]] = m[2]
            tests[m[1]] = NAMED.findall(line)
    problems = [f"{i} has no row" for i in IDS if i not in states]
    problems += [f"{i} is none of the path's ids" for i in states if i not in IDS]
    problems += [f"{i}: '{s}' is no state" for i, s in states.items() if s not in ("done", "later") and not s.startswith("done, but ")]
    problems += [f"{i} is done, but no test shows it" for i, s in states.items() if s != "later" and not tests[i]]
    return report("every_id_has_a_state_and_a_test", problems)


def check_rfc9293():
    lines = (ROOT / "doc/rfc9293.md").read_text().splitlines()
    rows = [m for m in map(RFC9293_ROW.match, lines) if m]
    listed = {m[1] for m in map(RFC9293_LISTED.match, lines) if m}
    ids = [m[1] for m in rows]
    problems = [f"{i} has {ids.count(i)} rows" for i in RFC9293 if ids.count(i) != 1]
    problems += [f"{i} is no id of the RFC's" for i in ids if i not in RFC9293]
    problems += [f"{m[1]}: no test shows it" for m in rows if not NAMED.search(m[3])]
    problems += [f"{m[1]}: '{m[2]}' does not say what we do" for m in rows if not re.match("(yes|as Linux:|not applicable:)", m[2])]
    deviate = {m[1] for m in rows if m[2].startswith("as Linux:")}
    problems += [f"{i} stands in the list of deviations or among the rows, but not in both" for i in sorted(deviate ^ listed)]
    return report("all_of_rfc9293_is_decided_and_tested", problems)


def main():
    passed_file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/tests-passed.txt"
    if not passed_file.exists():
        sys.exit(f"named_tests.py: {passed_file} is not there: run tests/run first")
    skipped_file = passed_file.with_name("tests-skipped.txt")
    passed = set(passed_file.read_text().splitlines()) | set(skipped_file.read_text().splitlines() if skipped_file.exists() else [])
    failed = check_ids() | check_rfc9293()
    for doc in sorted([*ROOT.glob("doc/*.md"), *ROOT.glob("*.md"), ROOT / "src/README.md"]):
        named = NAMED.findall(doc.read_text())
        if named:
            failed |= report(f"tests_named_in_{doc.relative_to(ROOT).as_posix().replace('/', '_')}",
                             [f"{n} did not pass or does not exist" for n in dict.fromkeys(named) if n not in passed])
    sys.exit(failed)


main()
