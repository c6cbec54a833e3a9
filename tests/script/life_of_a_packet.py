#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds src/README.md, the life of a packet, to the code and to real packets.

usage: life_of_a_packet.py        (XMIT_BUILD: a build directory with tests/trace_paths in it)

1. every `file:function` is defined in that file (universal-ctags);
2. every hop with a trace point records that point, under the id that trace/points.h gives it; no recorded point is left out;
3. trace_paths sends packets; those of each table marked "traced: SCENARIO PACKET, from POINT to POINT" passed its points in its order.
"""
import json
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SRC = ROOT / "src"
README = SRC / "README.md"

Row = namedtuple("Row", "id file function point")
Table = namedtuple("Table", "marker rows")
Record = namedtuple("Record", "cookie rx seq end point")

HOP = re.compile(r"`([\w/]+\.c):(\w+)`")
ROW = re.compile(r"^\| ([A-Z]\d*|-) \| `([\w/]+\.c):(\w+)` \| (?:`(\w+)`)? ?\|")
MARKER = re.compile(r"^<!-- traced: (\w+) (\w+), from (\w+) to (\w+) -->$")
RECORD = re.compile(r"^\d+ cookie=(\d+) rx=(\d+) (\d+)-(\d+) \S+ +(\w+) \d+$")

failed = False


def report(name, problems):
    global failed
    if problems:
        failed = True
        print(f"not ok - {name}: " + "; ".join(problems[:5]) + (f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""))
    else:
        print(f"ok - {name}")


def read_readme():
    tables, marker = [], None
    for line in README.read_text().splitlines():
        if m := MARKER.match(line):
            marker = m.groups()
        elif m := ROW.match(line):
            tables[-1].rows.append(Row(*m.groups()))
        elif line.startswith("| id |"):
            tables.append(Table(marker, []))
            marker = None
    return tables


def read_points():
    """name: (id, direction)"""
    text = (SRC / "trace/points.h").read_text()
    return {m[1]: (m[2], m[3]) for m in re.finditer(r'X\((\w+), "([^"]+)", (\w)\)', text)}


def functions_of(files):
    """(file, function): (first line, last line)"""
    out = subprocess.run(["ctags", "--output-format=json", "--c-kinds=f", "--fields=+ne", "-f", "-", *files], cwd=SRC, stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    tags = [json.loads(line) for line in out.splitlines()]
    return {(t["path"], t["name"]): (t["line"], t["end"]) for t in tags if t.get("_type") == "tag"}


def check_code(tables, points):
    rows = [r for t in tables for r in t.rows]
    named = set(HOP.findall(README.read_text()))
    missing = sorted({f for f, _ in named if not (SRC / f).exists()})
    defined = functions_of(sorted({f for f, _ in named} - set(missing)))
    report("files_exist", [f"src/{f} does not exist" for f in missing])
    report("functions_are_defined_there", sorted(f"{f} does not define {n}" for f, n in named if f not in missing and (f, n) not in defined))
    problems = []
    for r in rows:
        if not r.point or (r.file, r.function) not in defined:
            continue
        first, last = defined[r.file, r.function]
        body = (SRC / r.file).read_text().splitlines()[first - 1:last]
        if not any(re.search(rf"\bTP_{r.point}\b", line) for line in body):
            problems.append(f"{r.file}:{r.function} does not record {r.point}")
        if r.point not in points:
            problems.append(f"{r.point} is no trace point")
        elif points[r.point][0] != r.id:
            problems.append(f"{r.point} has id {points[r.point][0]} in trace/points.h, {r.id} in the table")
    report("hops_record_their_points", sorted(set(problems)))
    sources = "\n".join(p.read_text() for p in SRC.glob("*/*.c") if p.parent.name != "trace" or p.name == "trace_api.c")
    recorded = set(re.findall(r"\bTP_(\w+)\b", sources)) & set(points)
    report("no_point_is_left_out", [f"{p} is recorded but has no row" for p in sorted(recorded - {r.point for r in rows})])
    folders = sorted(p.name for p in SRC.iterdir() if p.is_dir() and any(p.iterdir()))
    report("every_folder_is_listed", [f"{f}/ is not listed" for f in folders if f"`{f}/`" not in README.read_text()])


def trace_program():
    for where in (os.environ.get("XMIT_BUILD"), ROOT / "build/test-gcc", ROOT / "build/gcc"):
        if where and (Path(where) / "tests/trace_paths").exists():
            return Path(where) / "tests/trace_paths"
    return None


def run_scenarios(program):
    """scenario: host: [records]"""
    out = subprocess.run([str(program)], stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
    scenarios = {}
    for line in out.splitlines():
        if line.startswith("== "):
            hosts = scenarios[line[3:]] = {}
        elif line.startswith("-- host "):
            records = hosts[int(line[8:])] = []
        elif m := RECORD.match(line):
            records.append(Record(*(int(x) for x in m.groups()[:4]), m[5]))
    return scenarios


def first(records, point):
    return next(r for r in records if r.point == point)


def signed(x):
    return x - (1 << 32) if x >> 31 else x


def covers(r, seq, end):
    """The record is about some byte of [seq, end), or about its place in the stream (an empty skb made for it)."""
    if r.seq == r.end:
        return signed(r.seq) == signed(seq)
    return signed(r.seq) < signed(end) and signed(r.end) > signed(seq)


def sent(records, scenario, points):
    """The records of the packet that the scenario is about, on its way down."""
    if scenario in ("datagram", "fragments"):
        return [r for r in records if r.rx == 0]
    point = {"busy": "qdisc_enqueue", "gso": "tx_ring_post"}.get(scenario, "tcp_transmit_skb")
    packet = first(records, point)
    def is_ours(r):
        if r.rx or r.cookie != packet.cookie or points[r.point][0] in ("T6", "T7"):
            return False
        return covers(r, packet.seq, packet.end) and not (scenario == "handshake" and r.seq == r.end)

    if scenario != "handshake":
        return [r for r in records if is_ours(r)]
    answer = first(records, "arp_rcv")
    at = records.index(answer)
    return [first(records, "ip_route_output_flow")] + [r for r in records[:at] if is_ours(r)] + [answer] + [r for r in records[at:] if is_ours(r)]


def received(records, scenario):
    if scenario == "fragments":
        last = max(r.rx for r in records)
        return [r for r in records if r.rx == last or r.point in ("nf_local_in", "udp_rcv")]
    if scenario == "datagram":
        return records
    packet = first(records, "tcp_data_queue")
    return [r for r in records if r.rx == packet.rx or (r.point == "tcp_recvmsg" and covers(r, packet.seq, packet.end))]


def acknowledged(records):
    ack = first(records, "tcp_ack")
    own = ("tcp_clean_rtx_queue", "tcp_cong_avoid")
    return [r for r in records if r.rx == ack.rx or (r.point in own and covers(r, ack.seq, ack.end))]


def passed(scenarios, marker, points):
    scenario, packet, begin, end = marker
    hosts = scenarios[scenario]
    if packet == "up":
        records = received(hosts[1], scenario)
    elif packet == "ack":
        records = acknowledged(hosts[0])
    else:
        records = sent(hosts[0], scenario, points)
    names = [r.point for r in records]
    if packet == "down" and begin == "dev_queue_xmit":
        names = [n for n in names if points[n][1] == "D"]
    at = names.index(begin)
    return names[at:names.index(end, at) + 1]


def check_traces(tables, points):
    program = trace_program()
    if not program:
        report("real_packets", ["tests/trace_paths is not built (set XMIT_BUILD to a build directory with tests)"])
        return
    scenarios = run_scenarios(program)
    for t in tables:
        if not t.marker:
            continue
        want = [r.point for r in t.rows if r.point]
        try:
            got = passed(scenarios, t.marker, points)
        except (KeyError, StopIteration, ValueError) as e:
            got = [f"(the trace lacks {e or 'the packet'})"]
        differ = next((i for i, (a, b) in enumerate(zip(want + ["end"], got + ["end"])) if a != b), None)
        name = f"{t.marker[0]}_{t.marker[1]}_from_{t.marker[2]}"
        report(name, [] if want == got else
               [f"hop {differ}: the table says {(want + ['end'])[differ]}, the packet passed {(got + ['end'])[differ]} (it passed {' '.join(got)})"])
    if not any(t.marker for t in tables):
        report("real_packets", ["no table is marked as traced"])


def main():
    tables, points = read_readme(), read_points()
    check_code(tables, points)
    check_traces(tables, points)
    sys.exit(failed)


main()
