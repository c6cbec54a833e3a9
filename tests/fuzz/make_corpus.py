#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seed inputs of the fuzz targets into tests/fuzz/corpus/<target>/seed-*.

usage: tests/fuzz/make_corpus.py

The formats are described at the head of each fuzz_*.c.  Files found by fuzzing lie beside the seeds under other names and are left alone.
"""
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
HOST, PEER = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
HOST_MAC, PEER_MAC, ALL_MAC = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 2]), b"\xff" * 6
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
MEND, OFFLOADS, OPENING, SMALL, OFFLOAD_HEADER, OPTIONS, BATCH, MORE = (1 << i for i in range(8))
SUMS, CONNECTION, TO_OPENING, BY_PROTOCOL = range(4)


def total(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f">{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def eth(payload, ethertype=0x0800, dst=HOST_MAC, src=PEER_MAC):
    return dst + src + struct.pack(">H", ethertype) + payload


def ip(protocol, payload, options=b"", src=PEER, dst=HOST, frag=0x4000, ident=7, ttl=64, tos=0, version=4, ihl=None, tot_len=None):
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    tot_len = 20 + len(options) + len(payload) if tot_len is None else tot_len
    head = struct.pack(">BBHHHBBH4s4s", version << 4 | ihl, tos, tot_len, ident, frag, ttl, protocol, 0, src, dst) + options
    return head[:10] + struct.pack(">H", total(head)) + head[12:] + payload


def with_sum(protocol, at, l4, src=PEER, dst=HOST):
    pseudo = b"" if protocol == 1 else src + dst + struct.pack(">HH", protocol, len(l4))
    return l4[:at] + struct.pack(">H", total(pseudo + l4)) + l4[at + 2:]


def udp(payload=b"question", sport=5353, dport=53, length=None):
    length = 8 + len(payload) if length is None else length
    return eth(ip(17, with_sum(17, 6, struct.pack(">HHHH", sport, dport, length, 0) + payload)))


def icmp_bytes(kind, code, rest, body):
    return with_sum(1, 2, struct.pack(">BBHI", kind, code, 0, rest) + body)


def icmp(kind, code=0, rest=0, body=b"x" * 32, **how):
    return eth(ip(1, icmp_bytes(kind, code, rest, body), **how))


def tcp_bytes(flags, options=b"", payload=b"", seq=0, ack=0, sport=4000, dport=80, window=0xFFFF, doff=None, urg=0):
    doff = 5 + len(options) // 4 if doff is None else doff
    return with_sum(6, 16, struct.pack(">HHIIBBHHH", sport, dport, seq, ack, doff << 4, flags, window, 0, urg) + options + payload)


def tcp(flags, options=b"", payload=b"", **fields):
    return eth(ip(6, tcp_bytes(flags, options, payload, **fields)))


def arp(op, sender=PEER, target=HOST, head=b"\0\1\x08\0\6\4", dst=HOST_MAC, sha=PEER_MAC):
    return eth(head + struct.pack(">H", op) + sha + sender + HOST_MAC + target, 0x0806, dst)


def quote(protocol, l4, ihl=None, options=b""):
    return ip(protocol, l4, options, src=HOST, dst=PEER, ihl=ihl)[:60]


MSS, NOP, SACK_OK = b"\2\4\5\xb4", b"\1", b"\4\2"
STAMP = b"\x08\x0a" + struct.pack(">II", 1, 0)


def pad(options):
    return options + b"\0" * (-len(options) % 4)


BAD_OPTIONS = {
    "len0": b"\x08\0\0\0", "len1": b"\x08\1\0\0", "len255": b"\x08\xff\0\0", "mss-len3": b"\2\3\5\0", "unknown-len255": b"\xfe\xff\1\1",
    "kind-at-end": b"\1\1\1\x08", "eol": b"\0\xff\xff\xff", "md5": b"\x13\x12" + b"m" * 16 + b"\0\0", "sack-len0": b"\5\0\0\0",
    "sack-odd": b"\5\7\0\0\0\0\0\0", "sack4": b"\5\x22" + struct.pack(">8I", 10, 20, 30, 40, 50, 60, 70, 80) + b"\0\0",
    "sack-backward": b"\1\1\5\x0a" + struct.pack(">II", 500, 100), "wscale15": b"\3\3\x0f\0", "mss0": b"\2\4\0\0", "mss1": b"\2\4\0\1",
    "all-nop": b"\1" * 40, "fastopen": b"\x22\x0a12345678\0\0", "stamp": b"\1\1" + STAMP, "two-stamps": STAMP + STAMP + b"\0" * 4,
    "mss-cut": b"\1\1\2\4", "wscale-cut": b"\1\1\3\3", "stamp-cut": b"\1\1\x08\x0a", "sack-cut": b"\1\1\5\x12", "fastopen-cut": b"\1\1\x22\x0a",
    "usual": MSS + SACK_OK + STAMP + NOP + b"\3\3\7",
}
BAD_IP_OPTIONS = {
    "len0": b"\x07\0\0\0", "len1": b"\x07\1\0\0", "len255": b"\x07\xff\4\0", "rr": b"\x07\x0b\4" + b"\0" * 9, "rr-pointer0": b"\x07\x0b\0" + b"\0" * 9,
    "rr-pointer255": b"\x07\x0b\xff" + b"\0" * 9, "ts": b"\x44\x0c\5\1" + b"\0" * 8, "ts-pointer1": b"\x44\x0c\1\3" + b"\0" * 8,
    "ts-full": b"\x44\x0c\x0d\xf1" + b"\0" * 8, "lsrr": b"\x83\x07\4\xc0\0\2\3\0", "ssrr": b"\x89\x07\4\xc0\0\2\3\0", "alert": b"\x94\4\0\0",
    "nops": b"\1" * 40, "kind-at-end": b"\1\1\1\x07", "unknown": b"\xb7\4\0\0",
}


def record(frame, act=0, time=0, mend=SUMS, offload=b""):
    return bytes([act | time << 3 | mend << 6]) + struct.pack(">H", len(frame)) + offload + frame


def frame_seeds():
    whole = {
        "arp-request": arp(1, dst=ALL_MAC), "arp-reply": arp(2), "arp-gratuitous": arp(1, target=PEER, dst=ALL_MAC), "arp-probe": arp(1, bytes(4)),
        "arp-conflict": arp(1, HOST, HOST, dst=ALL_MAC), "arp-bad": arp(9, head=b"\0\6\x86\xdd\0\xff"), "udp": udp(), "udp-no-socket": udp(dport=54),
        "udp-length0": udp(length=0), "udp-length-long": udp(length=9999), "echo": icmp(8), "echo-reply": icmp(0), "icmp-unknown": icmp(99),
        "icmp-stamp": icmp(13, body=b"\0" * 12), "igmp": eth(ip(2, b"\x11\x64\xee\x9b\0\0\0\0")), "ipv6": eth(b"\x60" + b"\0" * 39, 0x86DD),
        "no-protocol": eth(ip(200, b"?" * 20)), "vlan": eth(b"\0\1" + ip(17, b"x" * 8), 0x8100), "llc": eth(b"\x42\x42\3" + b"\0" * 40, 43),
        "version6": eth(ip(6, b"x" * 20, version=6)), "ihl0": eth(ip(6, b"x" * 20, ihl=0)), "ihl15": eth(ip(6, b"x" * 20, ihl=15)),
        "tot0": eth(ip(6, b"x" * 20, tot_len=0)), "tot65535": eth(ip(6, b"x" * 20, tot_len=65535)), "ttl0": eth(ip(6, b"x" * 20, ttl=0)),
        "from-broadcast": eth(ip(1, icmp_bytes(8, 0, 0, b""), src=b"\xff" * 4)), "from-loopback": eth(ip(1, icmp_bytes(8, 0, 0, b""), src=b"\x7f\0\0\1")),
        "to-multicast": eth(ip(2, b"\x11\0\xee\xff\0\0\0\0", dst=b"\xe0\0\0\1"), dst=b"\1\0\x5e\0\0\1"), "from-us": eth(ip(17, b"x" * 8, src=HOST)),
        "fragment": eth(ip(17, b"x" * 64, frag=0x2000)), "fragment-end": eth(ip(17, b"x" * 64, frag=0x1FFF)),
    }
    for name, frame in whole.items():
        yield name, bytes([0, 0]) + record(frame, time=2) + record(frame, act=6, time=3)
    for name, options in BAD_IP_OPTIONS.items():
        frame = eth(ip(1, icmp_bytes(8, 0, 0, b"x" * 8), pad(options)))
        yield "ip-option-" + name, bytes([0, 0]) + record(frame)
    for n in (0, 1, 13, 14, 15, 33, 34, 41, 42, 53, 54, 57):
        yield f"cut-{n}", bytes([0, 0]) + record(tcp(ACK, b"\1\1" + STAMP, b"x" * 20)[:n]) + record(icmp(8)[:n]) + record(arp(1)[:n])
    offsets = b"".join(record(tcp(f, payload=b"\1" * 18, doff=d, sport=6000 + d), mend=m) for d in range(16) for f in (ACK, SYN) for m in (CONNECTION, BY_PROTOCOL))
    yield "data-offsets", bytes([MEND, 0]) + offsets
    yield "data-offsets-options", bytes([MEND | OPTIONS, 0]) + offsets
    every_flags = b"".join(record(tcp(f, payload=b"data"), mend=CONNECTION) for f in range(64) if not f & (RST | SYN | FIN))
    yield "flags-no-control", bytes([MEND, 0]) + every_flags
    for f in (SYN, RST, FIN, SYN | ACK, RST | ACK, FIN | ACK, SYN | FIN, SYN | RST, 0, 63, 255):
        seed = record(b"", act=2) + record(tcp(f, payload=b"x" * 100), act=1, mend=CONNECTION) + record(tcp(ACK), act=4, time=3, mend=CONNECTION)
        yield f"flags-{f}", bytes([MEND, 0]) + seed
    yield "listener", bytes([MEND, 0]) + b"".join(record(tcp(f, MSS, sport=p), mend=BY_PROTOCOL) for p in range(1000, 1012) for f in (SYN, ACK)) + \
        record(b"", act=7, time=6)
    yield "syn-ack", bytes([MEND | OPENING, 0]) + record(tcp(SYN | ACK, MSS), time=2, mend=TO_OPENING) + record(tcp(ACK, payload=b"x" * 9, seq=1), act=1, mend=TO_OPENING)
    yield "crossing-syn", bytes([MEND | OPENING, 0]) + record(tcp(SYN, MSS), time=4, mend=TO_OPENING) + record(tcp(ACK, seq=1), act=1, mend=TO_OPENING)
    for kind, code in ((3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 13), (4, 0), (5, 1), (11, 0), (11, 1), (12, 0)):
        quotes = [quote(6, tcp_bytes(ACK)), quote(17, struct.pack(">HHHH", 53, 5353, 8, 0)), quote(1, struct.pack(">BBHI", 8, 0, 0, 0)),
                  quote(6, b"1234"), quote(6, b"12345678", ihl=15), quote(6, b"12345678", options=b"\7\0\0\0"), b"", b"E"]
        records = b"".join(record(icmp(kind, code, rest, q), mend=BY_PROTOCOL) for q in quotes for rest in (0, 68, 1400))
        yield f"error-{kind}-{code}", bytes([MEND | OPENING, 0]) + record(b"", act=3) + records + record(udp(), act=6, mend=BY_PROTOCOL)
    stream = [(0, 0), (4, 8), (2, 4), (4, 4), (12, 4), (8, 4), (8, 12)]
    data = b"".join(record(tcp(ACK, payload=b"x" * n, seq=s), mend=CONNECTION, time=1) for s, n in stream)
    yield "out-of-order", bytes([MEND, 0]) + data + record(tcp(FIN | ACK, seq=20), act=1, mend=CONNECTION, time=5)
    yield "sack", bytes([MEND | OPTIONS, 0]) + record(b"", act=3) + b"".join(
        record(tcp(ACK, b"\1\1" + STAMP + pad(b"\5\x0a" + struct.pack(">II", a & 0xFFFFFFFF, b & 0xFFFFFFFF)), ack=-14480 & 0xFFFFFFFF), mend=CONNECTION, time=2)
        for a, b in ((-13032, -11584), (-10136, -8688), (-13032, -7240), (-16000, -14480), (5, 10))) + record(b"", time=6)
    yield "zero-window", bytes([MEND, 0]) + record(b"", act=3) + record(tcp(ACK, window=0), mend=CONNECTION, time=7) + record(tcp(ACK), mend=CONNECTION)
    yield "close-all", bytes([MEND, 0]) + record(b"", act=5, time=2) + record(tcp(FIN | ACK), mend=CONNECTION, time=7) + record(tcp(SYN), mend=CONNECTION)
    segments = b"".join(record(tcp(ACK, payload=b"x" * 400, seq=400 * i), mend=CONNECTION) for i in range(8))
    yield "gro", bytes([MEND | OFFLOADS | BATCH, 0]) + segments + record(b"", act=1, time=3) + record(b"", act=3, time=4)
    for name, head in (("tso", bytes([0x11, 34, 16, 0, 1, 0, 0, 54])), ("gso-size1", bytes([0x11, 34, 16, 0, 0, 1, 0, 54])),
                       ("gso-udp", bytes([0x31, 34, 6, 0, 0, 8, 0, 42])), ("csum-outside", bytes([9, 255, 255, 255, 0, 0, 0, 0])),
                       ("csum-valid", bytes([2, 0, 0, 0, 0, 0, 0, 0]))):
        yield "offload-" + name, bytes([MEND | OFFLOADS | OFFLOAD_HEADER, 0]) + record(tcp(ACK | PSH, payload=b"x" * 1200), 1, 2, CONNECTION, head) + \
            record(udp(b"x" * 300), 6, 2, BY_PROTOCOL, head)
    far = bytes([198, 51, 100, 9])
    through = [ip(17, b"x" * 64, dst=far), ip(17, b"x" * 64, dst=far, ttl=1), ip(17, b"x" * 64, b"\x83\x07\4\xc0\0\2\3\0", dst=far),
               ip(17, b"x" * 64, b"\x07\x0b\4" + b"\0" * 9, dst=bytes([192, 0, 2, 3])), ip(1, icmp_bytes(8, 0, 0, b""), dst=bytes([192, 0, 2, 2]))]
    yield "forward", bytes([MORE, 0]) + b"".join(record(eth(f), time=2) for f in through) + record(b"", time=6)
    group = bytes([233, 252, 0, 1])
    yield "group", bytes([MORE, 0]) + record(eth(ip(17, with_sum(17, 6, struct.pack(">HHHH", 5353, 53, 12, 0) + b"data", dst=group), dst=group), dst=b"\1\0\x5e\x7c\0\1")) + \
        b"".join(record(eth(ip(2, with_sum(1, 2, bytes([0x11, code, 0, 0]) + to), b"\x94\4\0\0", dst=b"\xe0\0\0\1", ttl=1), dst=b"\1\0\x5e\0\0\1"), time=6)
                 for code, to in ((0, bytes(4)), (100, bytes(4)), (10, group), (10, bytes(4) + b"\2\x7d\0\1" + group)))
    yield "ping", bytes([MORE, 0]) + record(icmp(0, rest=0), act=6) + b"".join(
        record(icmp(3, c, 0, quote(1, struct.pack(">BBHHH", 8, 0, 0, i, 0))), act=6) for c in (1, 4) for i in range(4))
    holes = b"".join(record(tcp(ACK, payload=b"x" * 700, seq=700 * (2 + i * 3 % 7)), mend=CONNECTION) for i in range(14))
    yield "small-buffer", bytes([MEND | MORE, 0]) + holes + record(tcp(ACK, payload=b"x" * 1400), mend=CONNECTION, act=1) * 3
    yield "small-buffer-small-memory", bytes([MEND | MORE | SMALL | BATCH, 0]) + holes * 4 + record(tcp(ACK, payload=b"x" * 1400), mend=CONNECTION, act=1) * 3
    acks = b"".join(record(tcp(ACK, ack=0), mend=CONNECTION, time=2) for _ in range(6))
    yield "software-gso", bytes([MEND | MORE | OFFLOADS | OPTIONS, 0]) + record(b"", act=3) + acks + record(b"", act=3) + acks
    yield "udp-error-queue", bytes([MEND | MORE, 0]) + record(udp(), mend=BY_PROTOCOL, act=6) + b"".join(
        record(icmp(3, c, 576, quote(17, struct.pack(">HHHH", 53, 5353, 8, 0))), mend=BY_PROTOCOL, act=6) for c in range(5))
    for fail in (1, 2, 3, 5, 8):
        yield f"no-memory-{fail}", bytes([MEND | SMALL | OPENING, fail]) + record(udp(), 6, 0, BY_PROTOCOL) + record(tcp(ACK, payload=b"x" * 300), 3, 2, CONNECTION) + \
            record(tcp(SYN | ACK, MSS), 0, 4, TO_OPENING) + record(icmp(8))


def option_seeds():
    def segment(flags, options, payload=0, time=0, ahead=0, hole=False, write=False):
        return bytes([flags, payload | time << 3 | hole << 6 | write << 7, ahead, len(options)]) + options

    for name, options in BAD_OPTIONS.items():
        yield "syn-" + name, bytes([0]) + segment(SYN, options) + segment(ACK, b"", time=3) + segment(ACK, options, 2)
        yield "syn-ack-" + name, bytes([1]) + segment(SYN | ACK, options, time=2) + segment(ACK, b"", 1)
        yield "data-" + name, bytes([2 | 4]) + segment(ACK, options, 1, 2, 0, False, True) + segment(ACK, options, 2, 3, 200, True) + \
            segment(ACK, options, 0, 4, 1) + segment(ACK | FIN, options)
        yield "own-syn-" + name, bytes([2 | 8, len(options)]) + options + segment(ACK, options, 1, 3, 1, False, True)


def fragment_seeds():
    def fragment(offset, n, more=True, which=0, time=0, options=b"", ecn=0):
        return bytes([which | time << 2 | bool(options) << 5 | ecn << 6]) + struct.pack(">HH", offset // 8 | 0x2000 * more, n) + options

    in_order = [(0, 1480, True), (1480, 1480, True), (2960, 48, False)]
    yield "in-order", bytes([0]) + b"".join(fragment(*f) for f in in_order)
    yield "backward", bytes([0]) + b"".join(fragment(*f) for f in reversed(in_order))
    yield "twice", bytes([0]) + b"".join(fragment(*f) for f in in_order for _ in range(2))
    yield "two-datagrams", bytes([0]) + b"".join(fragment(*f, which=w) for f in in_order for w in (0, 1))
    yield "never-complete", bytes([0]) + fragment(0, 800) + fragment(1600, 800, time=7)
    yield "no-first", bytes([0]) + fragment(1480, 800, time=7)
    yield "too-long", bytes([0]) + fragment(0, 1480) + fragment(65528, 1480, False)
    yield "empty", bytes([0]) + fragment(0, 0) + fragment(8, 0, False)
    yield "odd-middle", bytes([0]) + fragment(0, 1477) + fragment(1480, 1480) + fragment(2960, 48, False)
    yield "two-ends", bytes([0]) + fragment(800, 80, False) + fragment(1600, 80, False) + fragment(0, 800)
    yield "behind-end", bytes([0]) + fragment(800, 80, False) + fragment(1600, 80)
    yield "end-before-held", bytes([0]) + fragment(1600, 80) + fragment(800, 80, False)
    yield "options", bytes([0]) + b"".join(fragment(*f, options=b"\x07\x07\4\0\0\0\0\0") for f in in_order)
    yield "options-bad", bytes([0]) + b"".join(fragment(*f, options=b"\x07\xff\4\0\0\0\0\0") for f in in_order)
    yield "whole", bytes([0]) + fragment(0, 72, False, 1)
    yield "ecn-mix", bytes([0]) + b"".join(fragment(*f, ecn=i) for i, f in enumerate(in_order))
    yield "tcp", bytes([0]) + fragment(0, 8, which=3) + fragment(8, 40, False, which=3)
    yield "icmp", bytes([0]) + fragment(0, 8, which=2) + fragment(8, 40, False, which=2)
    for name, (at, n) in {"inside": (808, 80), "same": (800, 800), "across-front": (400, 800), "across-back": (1200, 800), "over": (400, 1480),
                          "touching": (1600, 800)}.items():
        yield "overlap-" + name, bytes([0]) + fragment(800, 800) + fragment(at, n) + b"".join(fragment(*f) for f in in_order)
    many = b"".join(fragment(16 * i, 8, which=i & 1) for i in range(400))
    yield "many-holes", bytes([1]) + many + fragment(0, 0, time=7)
    yield "far-apart", bytes([0]) + fragment(0, 8) + many + fragment(8, 8, False)
    for fail in (1, 2, 3, 4):
        yield f"no-memory-{fail}", bytes([3, fail]) + b"".join(fragment(*f) for f in in_order)


# --- conversations: the ops of fuzz_conversation.c, in its order ------------------------------------------------------------

(SYN_IN, SYN_ACK_IN, DATA_IN, CRAFT, CRAFT2, ICMP_IN, CONNECT, ACCEPT, SEND, SEND2, RECEIVE, ERRORS, SET, SYSCTL, LOOK, SHUTDOWN, CLOSE, DISCONNECT, TIME,
 FAIL) = range(20)
CONV_OFFLOADS, CONV_SMALL, CONV_STAMPS, CONV_SACK, CONV_WSCALE, CONV_ECN, CONV_TINY, CONV_LINEAR = (1 << i for i in range(8))
USUAL = CONV_STAMPS | CONV_SACK | CONV_WSCALE
MS45, MS210, S1, S7, S35 = 3, 4, 5, 6, 7


def do(op, *arguments, slot=0, variant=0):
    return bytes([op, slot | variant << 2, *arguments])


def opened(slot=0):
    return do(SYN_IN, 0, slot=slot) + do(DATA_IN, 0, 255, slot=slot) + do(ACCEPT, slot=slot)


def connected(slot=0, kind=0):
    return do(CONNECT, kind, slot=slot) + do(SYN_ACK_IN, 0, slot=slot) + do(DATA_IN, 0, 255, slot=slot)


def send(n, how=0, slot=0):
    return do(SEND, n >> 8, n & 255, how, slot=slot)


def receive(k=255, how=0, slot=0):
    return do(RECEIVE, k, how, slot=slot)


def craft(flags=ACK, off=0, ack=64, payload=0, window=255, bits=0, sacks=(), slot=0):
    blocks = bytes(b for block in sacks for b in block)
    return do(CRAFT, flags, off >> 8 & 255, off & 255, ack, payload // 8, window, bits | len(sacks), slot=slot) + blocks


def wait(code, slot=0):
    return do(TIME, slot=slot, variant=code)


def setting(which, value, slot=0):
    return do(SET, which, value, slot=slot)


def conversation_programs():
    acks = b"".join(do(DATA_IN, 0, 255) for _ in range(4))
    yield "both-ways", opened() + send(20000) + acks + do(DATA_IN, 100, 255) + receive() + do(SHUTDOWN, variant=1) + acks + do(CLOSE) + wait(S35)
    yield "client", connected() + send(9000) + acks + do(DATA_IN, 100, 200) + receive() + do(CLOSE) + acks + craft(FIN | ACK, bits=0x10) + wait(S35)
    yield "fast-open", do(SYSCTL, 12, 5) + connected(kind=1) + send(3000) + acks
    yield "crossing", do(CONNECT, 0) + do(SYN_ACK_IN, 1) + do(SYN_ACK_IN, 0) + do(DATA_IN, 20, 255) + send(500) + receive()
    yield "syn-data", do(SYSCTL, 12, 7) + do(SYN_IN, 100) + do(DATA_IN, 0, 255) + do(ACCEPT) + receive()
    for name, blocks in {"one": [(6, 3)], "two": [(6, 2), (15, 2)], "odd": [(5, 11)], "dsack": [(255, 2)], "far": [(200, 2)], "many": [(3, 1), (6, 1), (9, 1)]}.items():
        yield f"sack-{name}", opened() + send(30000) + b"".join(craft(ack=0, sacks=blocks) for _ in range(4)) + wait(MS210) + craft(ack=128, sacks=blocks) + \
            wait(S1) + acks
    yield "reneging", opened() + send(30000) + craft(ack=0, sacks=[(6, 12)]) * 3 + wait(S1) + craft(ack=100) + wait(S7) + acks
    yield "partial-acks", opened() + send(40000) + b"".join(craft(ack=64 + 8 * i) + wait(2) for i in range(16)) + acks
    yield "timeouts", opened() + send(20000) + wait(S1) + wait(S7) + craft(ack=70) + wait(S35) + craft(ack=100) + acks
    yield "spurious-timeout", opened() + send(20000) + acks + send(20000) + wait(S1) + craft(ack=80) + craft(ack=100) + craft(ack=140) + acks
    yield "holes", opened() + b"".join(craft(off=o, payload=n, ack=191) for o, n in ((2000, 800), (4000, 800), (1000, 400), (2400, 1200), (0, 960), (-400, 1000))) + \
        receive() + craft(payload=1440, ack=191) + receive() + receive(how=5)
    yield "overlaps", opened() + b"".join(craft(off=o, payload=960, ack=191) for o in range(5000, -600, -400)) + receive() + receive()
    yield "prune", setting(1, 9) + opened() + setting(1, 9) + b"".join(craft(off=1000 + 1500 * i, payload=8 + 16 * (i % 9), ack=191) for i in range(40)) + \
        craft(payload=1440, ack=191, bits=0x10) + receive()
    yield "window-closes", opened() + send(20000) + do(DATA_IN, 0, 0) + wait(S1) + wait(S7) + wait(S35) + do(DATA_IN, 0, 1) + wait(S1) + do(DATA_IN, 0, 255) + acks
    yield "window-shrinks", opened() + send(40000) + b"".join(craft(ack=70 + 4 * i, window=200 - 12 * i) for i in range(16)) + wait(S1) + acks
    yield "reader-stops", opened() + b"".join(do(DATA_IN, 181, 255) for _ in range(60)) + receive() + receive() + do(DATA_IN, 181, 255) + receive()
    yield "urgent", opened() + send(100, 3) + acks + craft(ACK | URG, payload=80, ack=191, bits=0x30) + receive(how=3) + receive() + send(200)
    yield "urgent-inline", opened() + setting(4, 1) + craft(ACK | URG, payload=80, ack=191, bits=0x30) + receive() + receive(how=3)
    yield "cork", opened() + setting(9, 1) + b"".join(send(700) for _ in range(6)) + wait(MS210) + setting(9, 0) + acks
    yield "nagle", opened() + b"".join(send(100) for _ in range(6)) + acks + setting(8, 1) + b"".join(send(100) for _ in range(6)) + acks
    yield "more-and-records", opened() + b"".join(send(900, how) for how in (1, 2, 0, 5, 1)) + acks
    yield "zerocopy", opened() + setting(3, 1) + send(30000, 4) + acks + do(ERRORS) + do(ERRORS) + wait(S1) + send(3000, 4) + do(CLOSE) + acks
    yield "timestamps", opened() + setting(7, 35) + send(9000) + acks + do(ERRORS) + do(ERRORS)
    yield "fill", opened() + send(40000, 7) + acks + send(100, 7) + acks
    for i in range(4):
        yield f"control-{i}", opened() + setting(255, i) + send(60000) + (craft(ack=72) + wait(2)) * 8 + craft(ack=0, sacks=[(9, 4)]) * 4 + wait(S1) + acks + send(60000) + acks
    yield "change-control", opened() + b"".join(setting(255, i % 4) + send(9000) + craft(ack=100) for i in range(8)) + acks
    yield "keepalive", opened() + setting(2, 1) + setting(12, 5) + setting(13, 1) + setting(14, 3) + wait(S7) + do(DATA_IN, 0, 255) + wait(S35)
    yield "user-timeout", opened() + setting(15, 20) + send(9000) + wait(S7) + do(LOOK) + do(CLOSE)
    yield "linger", opened() + setting(254, 1) + send(9000) + do(CLOSE) + wait(S1)
    yield "reset-in", opened() + send(9000) + craft(RST, bits=0x40) + do(LOOK) + receive() + send(10)
    yield "reset-challenge", opened() + craft(RST, off=300) + craft(SYN, off=50) + craft(RST | ACK, off=-100) + send(100) + acks
    yield "icmp", opened() + send(20000) + do(ICMP_IN, 1, 4, 100) + acks + do(ICMP_IN, 1, 1, 0) + do(ICMP_IN, 1, 4, 9) + send(9000) + wait(S1) + acks + do(ERRORS)
    yield "paws", opened() + craft(payload=80, ack=191, bits=0x14) + craft(payload=80, ack=191, bits=0x18) + craft(payload=80, ack=191, bits=0x1c) + receive() + wait(MS45)
    yield "every-flag", opened() + send(3000) + b"".join(craft(f, payload=16, ack=100) for f in range(256) if not f & (RST | SYN)) + receive()
    yield "closing", opened() + send(3000) + do(SHUTDOWN, variant=1) + craft(FIN | ACK, ack=64, bits=0x10) + craft(ack=191, bits=0) + wait(S35) + wait(S35)
    yield "half-close", opened() + craft(FIN | ACK, payload=80, ack=191, bits=0x10) + receive() + receive() + send(9000) + acks + do(CLOSE) + acks
    yield "time-wait", opened() + do(CLOSE) + acks + craft(FIN | ACK, ack=191, bits=0x10) + wait(S7) + craft(SYN, off=9000) + craft(payload=80) + wait(S35)
    yield "disconnect", connected() + send(9000) + do(DISCONNECT) + connected() + send(100) + acks
    yield "four", b"".join(opened(i) for i in range(2)) + b"".join(connected(i) for i in (2, 3)) + \
        b"".join(send(9000, slot=i) + do(DATA_IN, 100, 255, slot=i) + receive(slot=i) for _ in range(3) for i in range(4))
    yield "mtu-probing", do(SYSCTL, 8, 2) + opened() + send(60000) + acks + wait(S1) + acks + send(60000) + acks + wait(S7)
    yield "splits", opened() + setting(10, 6) + send(30000) + craft(ack=0, sacks=[(3, 5), (8, 7)]) * 3 + setting(10, 90) + send(9000) + craft(ack=90) + acks


def conversation_seeds():
    for name, program in conversation_programs():
        yield name, bytes([USUAL, 0]) + program
        if name in ("both-ways", "sack-two", "timeouts", "partial-acks", "icmp", "cork", "zerocopy"):
            yield name + "-bare", bytes([0, 0]) + program
            yield name + "-offloads", bytes([USUAL | CONV_OFFLOADS, 0]) + program
        if name in ("both-ways", "sack-two", "holes", "prune"):
            yield name + "-small", bytes([USUAL | CONV_SMALL | CONV_TINY, 0]) + program
            yield name + "-linear-ecn", bytes([USUAL | CONV_LINEAR | CONV_ECN, 0]) + program
            for fail in (1, 3, 7):
                yield f"{name}-fail-{fail}", bytes([USUAL, 0]) + opened() + do(FAIL, variant=fail) + program
            yield f"{name}-fail-always", bytes([USUAL, 0]) + opened() + b"".join(do(FAIL, variant=1 + i % 3) + program[at:at + 3] for i, at in
                                                                                enumerate(range(0, len(program), 3)))


def main():
    for target, seeds in (("conversation", conversation_seeds()), ("frame", frame_seeds()), ("tcp_options", option_seeds()), ("ip_fragments", fragment_seeds())):
        where = CORPUS / target
        where.mkdir(parents=True, exist_ok=True)
        for old in where.glob("seed-*"):
            old.unlink()
        for name, data in seeds:
            (where / f"seed-{name}").write_bytes(data)
        print(f"{where.relative_to(CORPUS.parent)}: {len(list(where.glob('seed-*')))} seeds, {len(list(where.iterdir()))} files")


main()
