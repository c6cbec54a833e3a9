#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library and its examples, without `xmit run`: TAP and TUN against the kernel, virtual time, and linking from outside.

    kernel 198.18.0.1/24 -- tap0 -- examples/echo, bench/load 198.18.0.2/24
    kernel's clients -- 203.0.113.0/24, 198.51.100.0/24 routed into tun0 -- examples/tun2socks -- SOCKS5 server of this test
"""
import hashlib
import json
import os
import re
import shutil
import socket
import struct
import threading

from harness import BUILD, MB, OURS, PEER, PREFIX, ROOT, SCALE, Skip, Task, case, expect, main, sha256, tail, wait_for

EXAMPLES = BUILD / "examples"
LOAD = BUILD / "bench" / "load"
IMPAIRED = BUILD / "bench" / "impaired"


def prepare(world):
    # Thousands of connections in TIME_WAIT make the kernel's search for a free port its main work.
    world.sh("sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=1000")


# --- a TAP against the kernel -------------------------------------------------------------------------------------


def start_echo(world):
    p = world.start(EXAMPLES / "echo", "tap0", f"{OURS}/{PREFIX}", "7")
    world.says(p, "listening on port 7")
    return p


def send_blocks(s, block, count):
    for _ in range(count):
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)


def echo_compare(addr, block, count):
    """Sends `block` count times and compares all that comes back."""
    sent = hashlib.sha256()
    for _ in range(count):
        sent.update(block)
    with socket.create_connection(addr, 10) as s:
        sender = Task(send_blocks, s, block, count)
        got, n = hashlib.sha256(), 0
        while part := s.recv(1 << 20):
            got.update(part)
            n += len(part)
        sender.join_result(10, "all is sent")
    expect(n == len(block) * count, f"{n} of {len(block) * count} bytes came back")
    expect(got.digest() == sent.digest(), "other bytes came back than were sent")


@case("examples/echo: 100 MB of a kernel client come back unchanged", only_xmit=True)
def echo_big(world):
    p = start_echo(world)
    echo_compare((OURS, 7), os.urandom(MB), 100 // SCALE)
    world.alive(p)


@case("examples/echo: 50 clients at once, and clients that reset", only_xmit=True)
def echo_many(world):
    p = start_echo(world)
    block = os.urandom(100000)
    tasks = [Task(echo_compare, (OURS, 7), block, 5) for _ in range(50)]
    for _ in range(10):
        with socket.create_connection((OURS, 7), 5) as s:
            s.sendall(block[:1000])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for t in tasks:
        t.join_result(30, "an echo")
    world.alive(p)
    expect(world.stop(p) == 0, f"echo ended with {p.returncode} on SIGTERM")


@case("examples/echo: a closed port refuses, ping is answered", needs=["ping"], only_xmit=True)
def echo_refuses(world):
    start_echo(world)
    with socket.socket() as s:
        s.settimeout(5)
        try:
            s.connect((OURS, 8))
            raise AssertionError("a port that nobody listens on accepted")
        except ConnectionRefusedError:
            pass
    for size in ("56", "4000", "20000"):  # the larger ones in fragments
        world.sh("ping", "-c", "2", "-i", "0.01", "-W", "3", "-s", size, OURS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((OURS, 9))
        s.send(b"x")
        try:
            s.recv(1)
            raise AssertionError("an answer from a UDP port that nobody has")
        except ConnectionRefusedError:
            pass


def load(world, *words):
    return json.loads(world.sh(LOAD, *words, seconds=30).stdout)


def loads(world, client, server, addr, kinds):
    """The roles of bench/load with this stack as client and that as server."""
    for role, port, args in (("sink", 5001, ("tx",)), ("source", 5002, ("rx",)), ("echo", 5003, ("rpc", "pingpong", "connect", "reset"))):
        if not set(args) & set(kinds):
            continue
        p = world.start(LOAD, server, role, port)
        world.says(p, "ready")
        for what in args:
            if what not in kinds:
                continue
            extra = {"rpc": ["200"], "connect": ["fin"], "reset": ["rst"]}.get(what, [])
            got = load(world, client, {"reset": "connect"}.get(what, what), addr, port, "0.5", *extra)
            key, least = {"tx": ("bytes", 20 * MB), "rx": ("bytes", 20 * MB), "rpc": ("requests", 1000), "pingpong": ("pings", 500)}.get(
                what, ("connections", 200))
            expect(got[key] >= least // SCALE, f"{what} {client} to {server}: {got}")
        world.alive(p)
        world.stop(p)


EVERY_KIND = ("tx", "rx", "rpc", "pingpong", "connect", "reset")


@case("bench/load: our client, the kernel's servers", only_xmit=True)
def load_client(world):
    loads(world, f"tap0,{OURS}/{PREFIX}", "kernel", PEER, EVERY_KIND)


@case("bench/load: our servers, the kernel's client", only_xmit=True)
def load_server(world):
    loads(world, "kernel", f"tap0,{OURS}/{PREFIX}", OURS, EVERY_KIND)


@case("bench/load without offloads, both roles", only_xmit=True)
def load_plain(world):
    world.sh("ip", "tuntap", "add", "dev", "tap9", "mode", "tap")
    world.sh("ip", "addr", "add", "198.18.9.1/24", "dev", "tap9")
    world.sh("ip", "link", "set", "tap9", "up")
    try:
        loads(world, "tap9,198.18.9.2/24,plain", "kernel", "198.18.9.1", ("tx", "rx", "rpc"))
        loads(world, "kernel", "tap9,198.18.9.2/24,plain", "198.18.9.2", ("tx", "rx", "rpc"))
    finally:
        world.sh("ip", "tuntap", "del", "dev", "tap9", "mode", "tap")
    bad = world.sh("nstat", "-asz", "TcpInCsumErrors").stdout # frames are cut and summed by us
    expect(re.search(r"TcpInCsumErrors\s+0\s", bad), f"the kernel saw wrong checksums: {bad}")


# --- no kernel in it -------------------------------------------------------------------------------------------------


@case("examples/template_driver: two instances over a driver of one's own", only_xmit=True)
def template_driver(world):
    expect(world.sh(EXAMPLES / "template_driver").stdout.strip() == "ok", "it does not say ok")


def two_stacks(world, program, seed, name, **kw):
    return world.sh(program, seed, world.work / name, **kw).stdout


@case("examples/two_stacks: the same seed gives the same capture, byte for byte", needs=["tcpdump"], only_xmit=True)
def determinism(world):
    said = [two_stacks(world, EXAMPLES / "two_stacks", seed, name) for seed, name in ((7, "a.pcap"), (7, "b.pcap"), (8, "c.pcap"))]
    a, b, c = ((world.work / n).read_bytes() for n in ("a.pcap", "b.pcap", "c.pcap"))
    expect(a == b, "two runs with seed 7 gave different captures")
    expect(said[0] == said[1], "two runs with seed 7 printed different things")
    expect(a != c, "seeds 7 and 8 gave the same capture")
    dump = world.sh("tcpdump", "-r", "a.pcap", "-nn", "-vv").stdout
    expect(dump.count(" seq ") > 700, f"tcpdump found only {dump.count(' seq ')} data segments")
    expect("incorrect" not in dump and "bad cksum" not in dump, f"tcpdump found bad checksums: {tail(dump, 3)}")
    expect("truncated" not in dump and "[|" not in dump, "tcpdump found truncated packets")
    first = dump.splitlines()
    expect(any("Flags [S]" in line for line in first[:6]) and any("Flags [S.]" in line for line in first[:8]), "it does not begin with a handshake")


# --- tun2socks ----------------------------------------------------------------------------------------------------------


class Socks(threading.Thread):
    """A SOCKS5 server (RFC 1928, CONNECT, no authentication) that takes note of the destinations and echoes instead of going there.

    Port 9999 is refused (reply 5); port 21 greets with its destination first.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port, self.asked, self.errors = self.listener.getsockname()[1], [], []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            with c, c.makefile("rb") as f:
                version, n = f.read(2)
                expect(version == 5 and 0 in f.read(n), "a SOCKS5 greeting that offers no authentication")
                c.sendall(b"\x05\x00")
                version, command, _, kind = f.read(4)
                expect((version, command, kind) == (5, 1, 1), "a CONNECT to an IPv4 address")
                addr, port = socket.inet_ntoa(f.read(4)), struct.unpack("!H", f.read(2))[0]
                self.asked.append((addr, port))
                c.sendall(struct.pack("!BBBB4sH", 5, 5 if port == 9999 else 0, 0, 1, bytes(4), 0))
                if port == 9999:
                    return
                if port == 21:
                    c.sendall(f"{addr}:{port}\n".encode())
                while block := f.read1(65536):
                    c.sendall(block)
        except ConnectionError:
            pass
        except Exception as e:
            self.errors.append(repr(e))


@case("examples/tun2socks: connections to any address and port reach the proxy with their destination", only_xmit=True)
def tun2socks(world):
    world.sh("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
    world.sh("ip", "addr", "add", "198.18.7.1/24", "dev", "tun0")
    world.sh("ip", "link", "set", "tun0", "up")
    for net in ("203.0.113.0/24", "198.51.100.0/24"):
        world.sh("ip", "route", "add", net, "dev", "tun0")
    socks = Socks()
    p = world.start(EXAMPLES / "tun2socks", "tun0", "127.0.0.1", socks.port)
    world.says(p, "ready")
    block = os.urandom(MB // 5)
    wanted = [(f"{net}.{i}", port) for i in range(1, 17) for net, port in (("203.0.113", 80), ("198.51.100", 1024 + i))]
    for t in [Task(echo_compare, where, block, 5) for where in wanted]:
        t.join_result(30, "an echo through the proxy")
    expect(sorted(socks.asked) == sorted(wanted), "the destinations that the proxy was asked for are not those of the clients")
    with socket.create_connection(("203.0.113.200", 21), 5) as s:  # the server speaks first
        expect(s.makefile().readline() == "203.0.113.200:21\n", "another destination")
    echo_compare(("203.0.113.9", 443), os.urandom(MB), 50 // SCALE)
    with socket.create_connection(("203.0.113.7", 9999), 5) as s:
        try:
            expect(s.recv(1) == b"never", "end of file instead of a reset where the proxy refuses")
        except ConnectionResetError:
            pass
    world.alive(p)
    expect(not socks.errors, f"the proxy met {socks.errors[:1]}")
    socks.listener.close()
    expect(world.stop(p) == 0, f"tun2socks ended with {p.returncode} on SIGTERM")
    world.sh("ip", "tuntap", "del", "dev", "tun0", "mode", "tun")


# --- the impaired link of the bench ------------------------------------------------------------------------------------


@case("bench/impaired: a flow over the impaired link, the kernel's and ours at either end", only_xmit=True)
def impaired(world):
    for ends in (("kernel", "kernel"), ("xmit", "kernel"), ("kernel", "xmit"), ("xmit", "xmit")):
        r = json.loads(world.sh(IMPAIRED, *ends, "--cc", "reno", "--rtt", "2", "--mask", "20:64", "--seconds", "1").stdout)
        # No figure is asserted, only that the link does what it is told: the sixth of every 64 frames is lost, and is sent again.
        sent = r["frames"]
        expect(r["bytes"] > 0 and sent > 200, f"{ends}: {r}")
        expect(sent // 64 <= r["lost"] <= sent // 64 + 2, f"{ends}: {r['lost']} of {sent} frames were lost")
        expect(r["resent"] >= r["lost"] - 3, f"{ends}: {r['lost']} were lost, {r['resent']} sent again")


# --- linking from outside ------------------------------------------------------------------------------------------------


@case("an installed libxmit: pkg-config, headers, the shared library, its symbols", needs=["meson", "pkg-config", "nm"], only_xmit=True)
def installed(world):
    options = {o["name"]: o["value"] for o in json.loads(world.sh("meson", "introspect", "--buildoptions", BUILD).stdout)}
    if options["b_sanitize"] != "none":
        raise Skip("a library built with a sanitizer is for programs built with it")
    stage = world.work / "stage"
    world.sh("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage, seconds=60)
    pc = wait_for(lambda: list(stage.rglob("xmit.pc")), 0, "xmit.pc is installed")[0]
    env = {"PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(stage), "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}
    flags = world.sh("pkg-config", "--cflags", "--libs", "xmit", env=env).stdout.split()
    libdir = next(path.parent for path in stage.rglob("libxmit.so"))
    cc = os.environ.get("CC", "cc").split()
    for name in ("two_stacks", "echo", "template_driver", "tun2socks"):
        world.sh(*cc, "-std=gnu17", "-Wall", "-Wextra", "-o", name, ROOT / "examples" / f"{name}.c", *flags)
        needed = world.sh("objdump", "-p", name).stdout
        expect("libxmit.so.0" in needed, f"{name} does not need libxmit.so.0: it was linked with the static library")
    run = {"LD_LIBRARY_PATH": str(libdir)}
    two_stacks(world, world.work / "two_stacks", 7, "shared.pcap", env=run)
    two_stacks(world, EXAMPLES / "two_stacks", 7, "static.pcap")
    expect(sha256(world.work / "shared.pcap") == sha256(world.work / "static.pcap"), "the shared library sends other packets than the static one")
    expect(world.sh(world.work / "template_driver", env=run).stdout.strip() == "ok", "template_driver with the shared library")
    symbols = world.sh("nm", "-D", "--defined-only", libdir / "libxmit.so").stdout
    names = re.findall(r" [A-Z] (\S+)", symbols)
    wrong = [n for n in names if not n.startswith(("xmit_", "XMIT_"))]
    expect(names and not wrong, f"symbols beside xmit_*: {wrong[:5]}")
    for header in sorted(stage.rglob("xmit/*.h")):  # each compiles alone, as C and as C++
        for compiler, flag in ((cc, "c"), (["c++"], "c++")):
            if compiler == ["c++"] and not shutil.which("c++"):
                continue
            world.sh(*compiler, "-x", flag, "-Wall", "-Wextra", "-fsyntax-only", header, *[f for f in flags if f.startswith("-I")])
    xmit = next(p for p in stage.rglob("bin/xmit"))
    expect(re.fullmatch(r"xmit \d+\.\d+\.\d+\n", world.sh(xmit, "--version").stdout), "xmit --version")
    expect(list(stage.rglob("xmit.1*")), "the man page is not installed")


main(prepare, needs=["ip", "sysctl"])
