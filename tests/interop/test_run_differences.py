#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every row of the table in doc/frontend.md: what a call gives on Linux, and what it gives under `xmit run`.

    198.18.9.2  PROGRAM on the kernel -- veth -- 198.18.9.1 +
                                                            | the peer: this test
    198.18.0.2  PROGRAM on the stack  -- tap0 -- 198.18.0.1 +

The programs stand in programs/differences.py and programs/agreements.py, by name.  Each is run on both sides, with PRELUDE before it, and
tells its findings by result(...), one line.  For a difference that line must be the first `code` of the row's cell "on Linux", and
of its cell "under xmit run": the table holds the expectations, and a row that is no longer true fails, whichever side has changed.
An agreement must tell the same on both sides.  What a program wants of its peer it asks for: ask("reset") is carried out
by Peer.reset() here, and returns what that returns.
"""
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time

from harness import OURS, PEER, ROOT, Skip, case, expect, main, mount, sha256, tail

DOC = ROOT / "doc" / "frontend.md"
TEST = "interop_run_differences"
KERNEL_PEER, KERNEL_OURS = "198.18.9.1", "198.18.9.2"
PATIENCE = 20  # seconds for a program
PROGRAMS = ROOT / "tests" / "interop" / "programs"
TCP_INFO_DATA_SEGS_IN = 152  # offset in struct tcp_info

PRELUDE = r'''
import ctypes, errno, fcntl, os, select, signal, socket, struct, sys, termios, threading, time
PEER, OWN, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
NAMES = {select.POLLIN: "IN", select.POLLPRI: "PRI", select.POLLOUT: "OUT", select.POLLERR: "ERR", select.POLLHUP: "HUP", 0x2000: "RDHUP"}
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
def result(*what):
    print("=" + " ".join(repr(w)[1:] if isinstance(w, bytes) else str(w) for w in what), flush=True)
def ask(*what):
    print("?" + repr(what), flush=True)
    return eval(sys.stdin.readline())
def name_of(error):
    return "EOPNOTSUPP" if error == errno.EOPNOTSUPP else errno.errorcode.get(error, str(error))
def try_(call, *args):
    """The value of a call of Python's (0 for None), or the name of its errno."""
    try:
        value = call(*args)
        return 0 if value is None else value
    except OSError as e:
        return name_of(e.errno) if e.errno else type(e).__name__
def c(name, *args):
    """The value of a call of libc's (which Python would not repeat after EINTR), or the name of its errno."""
    value = getattr(libc, name)(*args)
    return value if value >= 0 else name_of(ctypes.get_errno())
def tcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def connected(s=None):
    s = s or tcp()
    s.connect((PEER, PORT))
    return s
def bits(s, wanted=0x3fff):
    p = select.poll()
    p.register(s, wanted)
    got = dict(p.poll(0)).get(s.fileno(), 0)
    return "+".join(n for b, n in NAMES.items() if got & b) or "none"
def wait(s, bit, seconds=5):
    p = select.poll()
    p.register(s, bit)
    p.poll(seconds * 1000)
def until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
def number(s, request):
    return struct.unpack("i", fcntl.ioctl(s, request, b"1234"))[0]
def unread(s):
    return number(s, termios.FIONREAD)
def unsent(s):
    return number(s, 0x5411)
def kind(made):
    return made if isinstance(made, str) else "a socket"
def error(s):
    e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return name_of(e) if e else 0
'''


class Peer:
    """The other end, on the kernel's side: does what the program asks for."""

    def __init__(self, world, addr, theirs):
        self.world, self.addr, self.theirs, self.conn, self.more = world, addr, theirs, None, []
        self.listener = socket.create_server((addr, 0), backlog=64)
        self.listener.settimeout(5)
        self.port = self.listener.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((addr, self.port))
        self.udp.settimeout(5)

    def close(self):
        self.come_back()
        for s in (self.listener, self.udp, self.conn, *self.more):
            if s:
                s.close()

    def accept(self):
        if not self.conn:
            self.conn, _ = self.listener.accept()
            self.conn.settimeout(5)
        return self.conn

    def send(self, data):
        return self.accept().send(data)

    def urgent(self, data):
        return self.accept().send(data, socket.MSG_OOB)

    def fin(self):
        self.accept().shutdown(socket.SHUT_WR)

    def hang_up(self):
        """Closes; what is asked next is of the next connection."""
        self.accept().close()
        self.conn = None

    def reset(self):
        self.accept().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.conn.close()

    def read(self, n, seconds=5):
        self.accept().settimeout(seconds)
        try:
            return self.conn.recv(n)
        except socket.timeout:
            return "nothing"
        except OSError as e:
            return type(e).__name__

    def read_some(self, n):
        """Reads at least n bytes, then what comes within half a second, and so on."""
        got = 0
        self.accept().settimeout(0.5)
        try:
            while block := self.conn.recv(1 << 20):
                got += len(block)
        except socket.timeout:
            pass
        return got >= n

    def ended(self, seconds):
        """True: the connection is reset within so many seconds, whatever is unread."""
        p = select.poll()
        p.register(self.accept(), 0)
        return bool(p.poll(seconds * 1000))

    def digest(self, n):
        """Of the next n bytes."""
        got = b""
        while len(got) < n and (block := self.accept().recv(n - len(got))):
            got += block
        return sha256(got)

    def urgent_byte(self):
        """What has come as urgent data, within a second."""
        _, _, special = select.select([], [], [self.accept()], 1)
        return self.conn.recv(1, socket.MSG_OOB) if special else "nothing"

    def segments(self):
        """With data, received on the connection."""
        info = self.accept().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("I", info, TCP_INFO_DATA_SEGS_IN)[0]

    def vanish(self):
        """No packet reaches the program any more."""
        self.accept()
        self.world.sh("ip", "route", "add", "blackhole", f"{self.theirs}/32")

    def come_back(self):
        self.world.sh("ip", "route", "del", "blackhole", f"{self.theirs}/32", ok=None)

    def knock(self, port, n, seconds):
        """n connections to the program's port are begun; how many stand after so many seconds at most."""
        fresh = [socket.socket() for _ in range(n)]
        self.more += fresh
        for s in fresh:
            s.setblocking(False)
            s.connect_ex((self.theirs, port))
        p = select.poll()
        for s in fresh:
            p.register(s, select.POLLOUT)
        end = time.monotonic() + seconds
        while len(p.poll(0)) < n and time.monotonic() < end:
            time.sleep(0.01)
        return sum(1 for s in fresh if s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\1")

    def tell(self, port, *datagrams):
        """Datagrams to the program's port."""
        for d in datagrams:
            self.udp.sendto(d, (self.theirs, port))

    def hear(self, seconds=1):
        """The next datagram."""
        self.udp.settimeout(seconds)
        try:
            return self.udp.recv(1 << 16)
        except socket.timeout:
            return "nothing"


def converse(world, words, program, addr, theirs, **popen):
    """Runs a program to its end, doing what it asks for; its results."""
    peer = Peer(world, addr, theirs)
    p = world.start(*words, "python3", "-c", PRELUDE + program, addr, theirs, str(peer.port), stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)
    results, other = [], []
    try:
        for line in p.stdout:
            if line.startswith("?"):
                what, *args = eval(line[1:])
                answer = repr(getattr(peer, what)(*args))
                if p.poll() is None:
                    p.stdin.write(answer + "\n")
                    p.stdin.flush()
            elif line.startswith("="):
                results.append(line[1:].strip())
            else:
                other.append(line)
        status = p.wait(PATIENCE)
    finally:
        peer.close()
    expect(status == 0 and results, f"the program ended with {status}: {tail(''.join(other))}")
    return "; ".join(results)


def on_kernel(world, program):
    return converse(world, ["ip", "netns", "exec", "plain"], program, KERNEL_PEER, KERNEL_OURS)


def on_stack(world, program):
    return converse(world, world.xmit(), program, PEER, OURS)


def first_code(cell):
    found = re.search(r"`([^`]*)`", cell)
    return found.group(1) if found else None


def table():
    """Name of the test -> what the table says for Linux, and for xmit run."""
    rows = {}
    for line in DOC.read_text().splitlines():
        cells = [c.strip() for c in line.split("|")[1:-1]]
        found = re.search(TEST + r":(\w+)", cells[-1]) if len(cells) == 5 else None
        if found:
            expect(found.group(1) not in rows, f"two rows name {found.group(1)}")
            rows[found.group(1)] = [first_code(c) for c in cells[1:3]]
    return rows


def read_programs(file):
    """Sections that begin with "# == NAME"; what stands before the first is for the reader."""
    parts = re.split(r"^# == (\w+)\n", (PROGRAMS / file).read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


I386_CALL = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3")
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""


def possible(name):
    """What this machine forbids its programs cannot be compared."""
    disabled = "/proc/sys/kernel/io_uring_disabled"
    if name == "io_uring" and os.path.exists(disabled) and open(disabled).read().strip() != "0":
        raise Skip("kernel.io_uring_disabled is set on this machine")
    if name == "i386_call" and (os.uname().machine != "x86_64" or subprocess.run(["python3", "-c", I386_CALL]).returncode == -signal.SIGSEGV):
        raise Skip("this kernel takes no i386 calls")


def difference(name, program):
    @case(name, only_xmit=True)
    def compare(world):
        possible(name)
        expect(name in table(), f"doc/frontend.md has no row for {name}")
        on_linux, under_xmit = table()[name]
        got = on_kernel(world, program)
        expect(got == on_linux, f"on Linux it gives '{got}', the table says '{on_linux}'")
        got = on_stack(world, program)
        expect(got == under_xmit, f"under xmit run it gives '{got}', the table says '{under_xmit}'")


def agreement(name, program):
    @case(name, only_xmit=True)
    def compare(world):
        on_linux, under_xmit = on_kernel(world, program), on_stack(world, program)
        expect(on_linux == under_xmit, f"on Linux it gives '{on_linux}', under xmit run '{under_xmit}'")


differences = read_programs("differences.py")
for each in differences.items():
    difference(*each)
for each in read_programs("agreements.py").items():
    agreement(*each)


@case("every row of the table has its test")
def rows_have_tests(_world):
    missing = set(table()) - set(differences)
    expect(not missing, f"doc/frontend.md names tests that are not there: {', '.join(sorted(missing))}")


def prepare(world):
    os.makedirs("/run/netns", exist_ok=True)
    mount("tmpfs", "/run/netns", "tmpfs")
    world.sh("ip", "netns", "add", "plain")
    world.sh("ip", "link", "add", "veth9", "type", "veth", "peer", "name", "eth0", "netns", "plain")
    world.sh("ip", "addr", "add", f"{KERNEL_PEER}/24", "dev", "veth9")
    world.sh("ip", "link", "set", "veth9", "up")
    for words in (("addr", "add", f"{KERNEL_OURS}/24", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
        world.sh("ip", "-n", "plain", *words)


main(prepare, needs=["ip", "python3"])
