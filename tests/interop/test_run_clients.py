#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Client programs under `xmit run` against servers of the kernel, contents compared.

    curl, wget, python3, busybox, nc, dig (stack, 198.18.0.2)  ->  nginx, dnsmasq, nc (kernel, 198.18.0.1)
"""
import signal
import socket
import subprocess

from harness import KERNEL_STACK, MB, OURS, PEER, SCALE, Task, case, expect, main, mount, sha256, tail, wait_for

BIG, MIDDLE, SMALL = 200 * MB // SCALE, 20 * MB // SCALE, 1 * MB // SCALE
sums = {}


def prepare(world):
    for name, size in (("big", BIG), ("middle", MIDDLE), ("small", SMALL), ("tiny", 10), ("empty", 0)):
        sums[name] = world.random_file(name, size)
    world.kernel_nginx()


def python(world, text, *args, **kw):
    """Runs a Python program on the stack."""
    return world.over("python3", "-c", text, *args, **kw)


def expect_sum(got, name):
    expect(got.split()[0] == sums[name], f"'{name}' arrived changed: SHA-256 {got.split()[0][:16]}... is not {sums[name][:16]}...")


# --- curl and wget -----------------------------------------------------------------------------------------------


@case("curl fetches 200 MB", needs=["curl"])
def curl_down(world):
    world.over("curl", "-sS", "-o", "got", f"http://{PEER}/big", seconds=50)
    expect(sha256(world.work / "got") == sums["big"], "the file arrived changed")
    (world.work / "got").unlink()


@case("curl sends 100 MB", needs=["curl"])
def curl_up(world):
    with open(world.work / "data" / "big", "rb") as f:
        half = f.read(BIG // 2)
    (world.work / "half").write_bytes(half)
    world.over("curl", "-sS", "-f", "-T", "half", f"http://{PEER}/up/half", seconds=50)
    expect(sha256(world.work / "up" / "half") == sha256(half), "the file arrived changed")
    (world.work / "half").unlink()
    (world.work / "up" / "half").unlink()


@case("curl fetches several files over one connection, with ranges", needs=["curl"])
def curl_keepalive(world):
    out = world.over("curl", "-sS", "-w", "%{num_connects} ", "-r", "5-9", f"http://{PEER}/tiny", "-o", "r1", f"http://{PEER}/small", "-o", "r2",
                     f"http://{PEER}/empty", "-o", "r3").stdout
    data = (world.work / "data" / "tiny").read_bytes()
    expect((world.work / "r1").read_bytes() == data[5:10], "the range arrived changed")
    expect(out.split() == ["1", "0", "0"], f"connections made for each file: {out}")


@case("curl with eight parallel connections", needs=["curl"])
def curl_parallel(world):
    urls = [w for i in range(8) for w in (f"http://{PEER}/middle", "-o", f"par{i}")]
    world.over("curl", "-sS", "-f", "-Z", "--parallel-immediate", *urls, seconds=50)
    for i in range(8):
        expect(sha256(world.work / f"par{i}") == sums["middle"], f"file {i} arrived changed")
        (world.work / f"par{i}").unlink()


@case("curl is refused at a closed port and times out where nobody is", needs=["curl"])
def curl_errors(world):
    for url, codes, word in ((f"http://{PEER}:9/", (7,), "Connection refused"), ("http://198.18.0.77/", (7, 28), ""),
                             ("http://203.0.113.1/", (7,), "Network is unreachable")):
        r = world.over("curl", "-sv", "--connect-timeout", "1", url, ok=codes)
        expect(word in r.stderr, f"curl said about {url}: {tail(r.stderr)}")


@case("wget fetches", needs=["wget"])
def wget(world):
    world.over("wget", "-q", "-O", "got", f"http://{PEER}/middle")
    expect(sha256(world.work / "got") == sums["middle"], "the file arrived changed")


# --- python ---------------------------------------------------------------------------------------------------------


@case("python urllib")
def urllib_fetch(world):
    out = python(world, "import hashlib, sys, urllib.request as u\n"
                 "print(hashlib.sha256(u.urlopen(sys.argv[1]).read()).hexdigest())", f"http://{PEER}/middle").stdout
    expect_sum(out, "middle")


ASYNCIO = """
import asyncio, hashlib, sys
async def fetch(host, name):
    r, w = await asyncio.open_connection(host, 80)
    w.write(f"GET /{name} HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n".encode())
    await w.drain()
    body = (await r.read()).split(b"\\r\\n\\r\\n", 1)[1]
    w.close()
    await w.wait_closed()
    return hashlib.sha256(body).hexdigest()
async def main():
    for s in await asyncio.gather(*[fetch(sys.argv[1], n) for n in sys.argv[2:]]):
        print(s)
asyncio.run(main())
"""


@case("python asyncio, ten streams at once")
def asyncio_streams(world):
    names = ["small"] * 8 + ["middle", "tiny"]
    for got, name in zip(python(world, ASYNCIO, PEER, *names).stdout.split(), names, strict=True):
        expect_sum(got, name)


THREADS = """
import hashlib, sys, threading, urllib.request as u
out = []
def fetch():
    out.append(hashlib.sha256(u.urlopen(sys.argv[1]).read()).hexdigest())
threads = [threading.Thread(target=fetch) for _ in range(16)]
[t.start() for t in threads]
[t.join() for t in threads]
print(*out)
"""


@case("a threaded program, 16 downloads at once")
def threads(world):
    out = python(world, THREADS, f"http://{PEER}/middle", seconds=50).stdout.split()
    expect(out == [sums["middle"]] * 16, f"{sum(s == sums['middle'] for s in out)} of 16 downloads arrived unchanged")


FORK_EXEC = """
import os, socket, sys
s = socket.create_connection((sys.argv[1], 80))
s.sendall(b"GET /middle HTTP/1.0\\r\\n\\r\\n")
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += s.recv(1)
s.set_inheritable(True)
if (pid := os.fork()) == 0:
    os.dup2(s.fileno(), 0)
    os.execvp("sha256sum", ["sha256sum"])
s.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@case("a program that forks and executes another with its socket open")
def fork_exec(world):
    expect_sum(python(world, FORK_EXEC, PEER).stdout, "middle")


MAPPED = """
import hashlib, socket, sys
s = socket.socket(socket.AF_INET6)
s.connect(("::ffff:" + sys.argv[1], 80))
print(s.getpeername()[0], s.getsockname()[0])
s.sendall(b"GET /small HTTP/1.0\\r\\n\\r\\n")
data = b""
while block := s.recv(65536):
    data += block
print(hashlib.sha256(data.split(b"\\r\\n\\r\\n", 1)[1]).hexdigest())
"""


CLOSES = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b'begun')
sys.stdin.readline()
s.sendall(b'x' * 3000)
s.close()
print('closed', flush=True)
"""


@case("bytes with a close behind them: the last segment has the FIN, on its own goes none", needs=["tcpdump"], only_xmit=True)
def close_behind_bytes(world):
    with socket.create_server((PEER, 0)) as l:
        p = world.start_over("python3", "-c", CLOSES, PEER, l.getsockname()[1], options=["--pcap", "close.pcap"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        c, _ = l.accept()
        with c:
            expect(c.recv(5, socket.MSG_WAITALL) == b"begun", "it did not begin")
            p.send_signal(signal.SIGSTOP)  # so that it sees both at once
            try:
                p.stdin.write("\n")
                p.stdin.flush()
                expect(p.stdout.readline() == "closed\n", "the program did not close")
            finally:
                p.send_signal(signal.SIGCONT)
            expect(len(c.recv(10000, socket.MSG_WAITALL)) == 3000, "bytes are missing")
        expect(p.wait(10) == 0, f"xmit ended with {p.returncode}")
    fins = [line for line in world.sh("tcpdump", "-r", "close.pcap", "-nn", "src", OURS).stdout.splitlines() if "Flags [F" in line]
    expect(len(fins) == 1 and "length 0" not in fins[0], f"FINs: {fins}")


@case("an AF_INET6 socket to a v4-mapped address")
def mapped(world):
    peer, own, got = python(world, MAPPED, PEER).stdout.split()
    expect((peer, own) == (f"::ffff:{PEER}", f"::ffff:{OURS}"), f"the socket's names are {peer} and {own}")
    expect_sum(got, "small")


# --- busybox and nc ---------------------------------------------------------------------------------------------------


@case("static busybox: wget", needs=["busybox"])
def busybox_wget(world):
    expect("statically linked" in world.sh("sh", "-c", "file -L $(command -v busybox) 2>/dev/null || echo statically linked").stdout,
           "this busybox is not the static one")
    world.over("busybox", "wget", "-q", "-O", "got", f"http://{PEER}/middle")
    expect(sha256(world.work / "got") == sums["middle"], "the file arrived changed")


def kernel_source(port_box, data):
    """A kernel server that sends `data` to one client; puts its port into port_box."""
    with socket.create_server((PEER, 0)) as l:
        port_box.append(l.getsockname()[1])
        c, _ = l.accept()
        with c:
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
            while c.recv(65536):
                pass


def kernel_sink(port_box):
    """A kernel server that returns all that one client sends."""
    with socket.create_server((PEER, 0)) as l:
        port_box.append(l.getsockname()[1])
        c, _ = l.accept()
        with c, c.makefile("rb") as f:
            return f.read()


def from_kernel(world, *nc):
    data, box = (world.work / "data" / "middle").read_bytes(), []
    task = Task(kernel_source, box, data)
    port = wait_for(lambda: box, 5, "a port")[0]
    got = world.over(*nc, PEER, port, text=False).stdout
    expect(got == data, f"{len(got)} bytes arrived of {len(data)}, or others")
    task.join_result(5, "the server's end of the connection")


def to_kernel(world, *nc):
    data, box = (world.work / "data" / "middle").read_bytes(), []
    task = Task(kernel_sink, box)
    port = wait_for(lambda: box, 5, "a port")[0]
    with open(world.work / "data" / "middle", "rb") as f:
        p = world.start_over(*nc, PEER, port, stdin=f)
    got = task.join_result(20, "what nc sends has arrived")
    expect(got == data, f"{len(got)} bytes arrived of {len(data)}, or others")
    p.wait(5)


@case("busybox nc receives", needs=["busybox"])
def busybox_nc_in(world):
    from_kernel(world, "busybox", "nc")


@case("busybox nc sends", needs=["busybox"])
def busybox_nc_out(world):
    to_kernel(world, "busybox", "nc")


@case("nc receives", needs=["nc"])
def nc_in(world):
    from_kernel(world, "nc", "-d")


@case("nc sends", needs=["nc"])
def nc_out(world):
    to_kernel(world, "nc", "-N")


@case("nc listens", needs=["nc"])
def nc_listens(world):
    data = (world.work / "data" / "middle").read_bytes()
    with open(world.work / "got", "wb") as f:
        p = world.start_over("nc", "-l", "-p", "7001", stdout=f)

    def reach():
        world.alive(p)
        try:
            return socket.create_connection((OURS, 7001), 1)
        except OSError:
            return None
    with wait_for(reach, 10, "nc accepts") as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        expect(p.wait(20) == 0, f"nc ended with {p.returncode}: {world.said(p)}")
    expect((world.work / "got").read_bytes() == data, "other bytes arrived")


@case("nc over UDP, both ways", needs=["nc"])
def nc_udp(world):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((PEER, 0))
        s.settimeout(10)
        p = world.start_over("nc", "-u", PEER, s.getsockname()[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(b"there\n")
        p.stdin.flush()
        data, addr = s.recvfrom(100)
        expect(data == b"there\n" and (KERNEL_STACK or addr[0] == OURS), f"{data} from {addr} arrived")
        s.sendto(b"back\n", addr)
        line = Task(p.stdout.readline).join_result(10, "nc prints the datagram")
        expect(line == b"back\n", f"nc printed {line}")


UDP = """
import socket, sys
peer = (sys.argv[1], int(sys.argv[2]))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for n in (0, 1, 1472, 1473, 9000, 60000):
    data = bytes(i * 7 % 251 for i in range(n))
    s.sendto(data, peer)
    got, addr = s.recvfrom(65536)
    if got != data or addr != peer:
        print(f"sendto, recvfrom: {n} bytes sent, {len(got)} came back from {addr}")
s.connect(peer)
s.sendmsg([b"a" * 10, b"", b"b" * 2000])
got, _, flags, addr = s.recvmsg(5)
if got != b"aaaaa" or not flags & socket.MSG_TRUNC or addr != peer:
    print("sendmsg, recvmsg:", got, flags, addr)
for i in range(100):
    s.send(str(i).encode())
if (order := [int(s.recv(100)) for _ in range(100)]) != list(range(100)):
    print("order:", order)
"""


@case("UDP datagrams of every size, in pieces, cut and in order")
def udp_sizes(world):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((PEER, 0))

        def echo():
            while True:
                data, addr = s.recvfrom(65536)
                s.sendto(data, addr)
        Task(echo)
        said = python(world, UDP, PEER, s.getsockname()[1]).stdout
    expect(not said, said)


# --- names --------------------------------------------------------------------------------------------------------------


def with_dns(world):
    """A dnsmasq on the kernel's side, and /etc/resolv.conf (ours alone) that names it."""
    conf, resolv = world.work / "dnsmasq.conf", world.work / "resolv.conf"
    long = "".join(f"part{i:03d}-" for i in range(28))
    conf.write_text(f"no-resolv\nno-hosts\nport=53\nlisten-address={PEER}\nbind-interfaces\nuser=root\npid-file=\nkeep-in-foreground\n"
                    f"address=/web.test/{PEER}\naddress=/web6.test/2001:db8::7\nlocal=/test/\n"
                    + "".join(f"address=/host{i}.test/198.51.100.{i}\n" for i in range(64))
                    + "".join(f"txt-record=long.test,{i}-{long}\n" for i in range(12)))
    resolv.write_text(f"nameserver {PEER}\noptions timeout:2 attempts:3\n")
    if not resolv.samefile("/etc/resolv.conf"):
        mount(resolv, "/etc/resolv.conf", None, 4096)
    p = world.start("dnsmasq", "-C", conf)
    world.listens(53, PEER, p)


@case("dig: UDP, TCP, names that do not exist", needs=["dig", "dnsmasq"])
def dig(world):
    with_dns(world)
    expect(world.over("dig", "+short", "web.test", f"@{PEER}").stdout.strip() == PEER, "A record")
    expect(world.over("dig", "+short", "AAAA", "web6.test", f"@{PEER}").stdout.strip() == "2001:db8::7", "AAAA record")
    expect("NXDOMAIN" in world.over("dig", "nothing.test", f"@{PEER}").stdout, "NXDOMAIN for a name that does not exist")
    for how in ("+tcp", "+notcp"):  # the second is truncated over UDP, then asked again over TCP
        out = world.over("dig", how, "+short", "+bufsize=512", "TXT", "long.test", f"@{PEER}").stdout
        expect(len(out.splitlines()) == 12, f"{len(out.splitlines())} of 12 long TXT records arrived with {how}")
    r = world.over("dig", "+tries=1", "+time=1", "-p", "54", "web.test", f"@{PEER}", ok=(9,))
    expect("refused" in r.stdout + r.stderr, f"at a closed port dig said: {r.stdout}{r.stderr}")


RESOLVE = """
import socket, sys, threading
bad = []
def look(i):
    try:
        got = {a[4][0] for a in socket.getaddrinfo(f"host{i}.test", 80, type=socket.SOCK_STREAM)}
    except OSError as e:
        got = e
    if got != {f"198.51.100.{i}"}:
        bad.append(f"host{i}: {got}")
for start in range(0, 64, 16):
    threads = [threading.Thread(target=look, args=(i,)) for i in range(start, start + 16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
print(*bad)
"""


@case("getaddrinfo from 16 threads at once", needs=["dnsmasq"])
def resolver(world):
    with_dns(world)
    bad = python(world, RESOLVE).stdout.strip()
    expect(not bad, f"wrong answers: {bad}")


@case("busybox nslookup", needs=["busybox", "dnsmasq"])
def busybox_nslookup(world):
    with_dns(world)
    out = world.over("busybox", "nslookup", "web.test", PEER, ok=None).stdout
    expect(f"Address: {PEER}\n" in out.split("web.test", 1)[-1], f"nslookup said: {out}")


@case("curl by name", needs=["curl", "dnsmasq"])
def curl_by_name(world):
    with_dns(world)
    out = world.over("curl", "-sS", "http://web.test/small", text=False).stdout
    expect(sha256(out) == sums["small"], "the file arrived changed")


main(prepare, needs=["nginx", "ip"])
