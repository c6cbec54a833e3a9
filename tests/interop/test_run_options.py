#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The options of `xmit run`, how it ends, and what it does when the program or the device goes away.

    COMMAND (stack, 198.18.0.2) -- tap0, or a TAP that is taken away -- 198.18.0.1 (kernel)
"""
import os
import re
import signal
import socket
import subprocess
import time

from harness import MB, OURS, PEER, SCALE, XMIT, Task, case, expect, main, sha256, tail, wait_for

MIDDLE = 20 * MB // SCALE
sums = {}


def prepare(world):
    sums["middle"] = world.random_file("middle", MIDDLE)
    world.kernel_nginx()


def fetch(world, *options, ok=(0,)):
    """curl on the stack fetches a file and compares it; what xmit said."""
    r = world.over("curl", "-sS", "-o", "got", f"http://{PEER}/middle", options=options, ok=ok)
    expect(sha256(world.work / "got") == sums["middle"], "the file arrived changed")
    return r


def tcpdump(world, file, *words):
    return world.sh("tcpdump", "-r", file, "-nn", *words).stdout


# --- seeing the path ------------------------------------------------------------------------------------------------


@case("--pcap: tcpdump reads the capture, nothing is missing in it", needs=["curl", "tcpdump"], only_xmit=True)
def pcap(world):
    fetch(world, "--pcap", "run.pcap")
    lines = tcpdump(world, "run.pcap", "tcp", "and", "host", PEER).splitlines()
    expect("Flags [S]," in lines[0] and f"> {PEER}.80:" in lines[0] and "Flags [S.]," in lines[1], f"it begins with: {lines[:2]}")
    got = sum(int(m.group(1)) for line in lines if f"IP {PEER}.80 >" in line and (m := re.search(r"length (\d+)", line)))
    expect(got >= MIDDLE, f"{got} bytes of data in the capture, {MIDDLE} were fetched")
    expect(any("Flags [F" in line for line in lines[-6:]), "no FIN at the end")
    whole = tcpdump(world, "run.pcap", "-e", "arp")
    expect("who-has" in whole, "no ARP in the capture")


@case("--pcap without a device captures lo", needs=["tcpdump"], only_xmit=True)
def pcap_lo(world):
    text = ("import socket\nl = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(l.getsockname())\n"
            "s, _ = l.accept()\nc.sendall(b'x' * 1000)\nprint(len(s.recv(1000, socket.MSG_WAITALL)))\n")
    r = world.sh(XMIT, "run", "--pcap", "lo.pcap", "--", "python3", "-c", text)
    expect(r.stdout == "1000\n", f"the program printed {r.stdout}{r.stderr}")
    expect("127.0.0.1" in tcpdump(world, "lo.pcap") and "length 1000" in tcpdump(world, "lo.pcap"), "no loopback packets in the capture")


@case("--trace: every hop of every packet, as text", needs=["curl"], only_xmit=True)
def trace(world):
    world.over("curl", "-sS", "-o", "/dev/null", f"http://{PEER}/none", options=["--trace", "hops"])
    text = (world.work / "hops").read_text()
    for name in ("tcp_sendmsg", "tcp_write_xmit", "tcp_transmit_skb", "ip_queue_xmit", "dev_queue_xmit", "dev_hard_start_xmit", "tcp_ack"):
        expect(re.search(rf" {name} \d+$", text, re.M), f"no hop at {name} in the trace")
    times = [int(line.split()[0]) for line in text.splitlines() if line[0].isdigit()]
    expect(len(times) > 50 and times == sorted(times), f"{len(times)} records, in order: {times == sorted(times)}")
    said = world.over("curl", "-sS", "-o", "/dev/null", f"http://{PEER}/none", options=["--trace"]).stderr
    expect(" tcp_write_xmit " in said, "--trace alone does not write to stderr")


TALKS = """
import socket, sys
s = socket.create_connection(('%s', int(sys.argv[1])))
s.sendall(b'x')
s.recv(1)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.connect(s.getpeername())
for i in range(int(sys.argv[2])):
    u.send(b'datagram')
s.sendall(b'x')
s.recv(1)
print('sent', flush=True)
sys.stdin.read()
""" % PEER


def talk(listener):
    """The other end of TALKS, whose datagrams find a socket that nobody reads; until the connection ends."""
    c, _ = listener.accept()
    with c, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.bind(listener.getsockname())
        while c.recv(1):
            c.sendall(b"y")


@case("--trace: written while the command runs, the rest after SIGTERM", only_xmit=True)
def trace_live(world):
    with socket.create_server((PEER, 0)) as l:
        peer = Task(talk, l)
        live = world.work / "live"
        p = world.start_over("python3", "-c", TALKS, l.getsockname()[1], 10, options=["--trace", live], stdin=subprocess.PIPE)
        world.says(p, "sent")
        wait_for(lambda: live.read_text().count(" udp_sendmsg ") == 10 and live.read_text().count(" tcp_sendmsg ") == 2, 5,
                 "the hops of a running command in the file")
        before = live.read_text()
        world.stop(p)
        expect(p.returncode == -signal.SIGTERM, f"xmit ended with {p.returncode}")
        peer.join_result(5, "the connection's end")
    text = live.read_text()
    expect(text.startswith(before) and text.endswith("\n") and " tcp_transmit_skb " in text[len(before):], "the FIN is not in the trace")
    expect("overwritten" not in text, "records were lost although the file took all")


@case("--trace: a reader that does not read stops nothing, and what it missed is counted", only_xmit=True)
def trace_unread(world):
    with socket.create_server((PEER, 0)) as l:
        peer = Task(talk, l)
        p = world.start_over("python3", "-c", TALKS, l.getsockname()[1], 40000, options=["--trace"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        expect(p.stdout.readline() == "sent\n", "the program waits for the reader of the trace")
        said = p.communicate("", timeout=30)[1]
        peer.join_result(5, "the connection's end")
    records = len(re.findall(r"^\d+ cookie=", said, re.M))
    lost = [int(n) for n in re.findall(r"^\((\d+) older records were overwritten\)$", said, re.M)]
    expect(records + len(lost) == len(said.splitlines()), "lines of the trace are torn")
    expect(records >= 1 << 18 and lost and sum(lost) > 0, f"{records} records, lost: {lost}")


@case("--trace: a reader that goes away ends the trace, not the command", only_xmit=True)
def trace_reader_gone(world):
    with socket.create_server((PEER, 0)) as l:
        peer = Task(talk, l)
        r, w = os.pipe()
        p = world.start_over("python3", "-c", TALKS, l.getsockname()[1], 100, options=["--trace=/dev/fd/%d" % w], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[w])
        os.close(w)
        os.close(r)
        expect(p.stdout.readline() == "sent\n", "the program ended with the reader of the trace")
        expect(p.communicate("", timeout=10)[1] == "" and p.returncode == 0, f"xmit ended with {p.returncode}")
        peer.join_result(5, "the connection's end")


@case("--walk: the walk of one data segment", needs=["curl"], only_xmit=True)
def walk(world):
    said = fetch(world, "--walk").stderr
    places = [said.find(name) for name in ("outside the stack", "tcp_sendmsg", "tcp_transmit_skb", "ip_queue_xmit", "dev_hard_start_xmit", "tcp_ack")]
    expect(all(p >= 0 for p in places), f"the walk lacks a hop: {tail(said, 40)}")
    expect(places == sorted(places), f"the hops are not in the order of the path: {tail(said, 40)}")


@case("--stats: counters and drop reasons", only_xmit=True)
def stats(world):
    text = (f"import socket, sys\ns = socket.create_connection(('{PEER}', int(sys.argv[1])))\ns.sendall(b'x' * 100000)\n"
            "s.shutdown(socket.SHUT_WR)\ns.recv(1)\n")
    with socket.create_server((PEER, 0)) as l:
        p = world.start_over("python3", "-c", text, l.getsockname()[1], options=["--stats"], stderr=subprocess.PIPE, text=True)
        l.settimeout(10)
        c, _ = l.accept()
        with c:
            while c.recv(65536):
                pass
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:  # a datagram for a port that nobody has
                u.settimeout(5)
                u.connect((OURS, 9))
                u.send(b"x")
                try:
                    u.recv(1)
                except ConnectionRefusedError:
                    pass
    said = p.communicate(timeout=10)[1]
    found = {m.group(1): int(m.group(2)) for m in re.finditer(r"^(\S+) +(\d+)", said, re.M)}
    for name, least in (("TcpActiveOpens", 1), ("TcpOutSegs", 2), ("TcpInSegs", 2), ("UdpNoPorts", 1), ("IpInReceives", 3), ("drop:NO_SOCKET", 1)):
        expect(found.get(name, 0) >= least, f"{name} is {found.get(name)}; xmit said: {tail(said, 40)}")


# --- settings -----------------------------------------------------------------------------------------------------------


def syn(world, *options):
    """The options of the SYN that a stack with these options sends."""
    world.over("curl", "-sS", "-o", "/dev/null", f"http://{PEER}/none", options=["--pcap", "syn.pcap", *options])
    return tcpdump(world, "syn.pcap", "tcp[tcpflags] == tcp-syn").split("options", 1)[1]


@case("--mtu: the MSS follows, and no packet is longer", needs=["curl", "tcpdump"], only_xmit=True)
def mtu(world):
    expect("mss 1460" in syn(world), "the MSS without --mtu is not 1460")
    expect("mss 960" in syn(world, "--mtu", "1000"), "the MSS with --mtu 1000 is not 960")
    fetch(world, "--mtu", "576")


@case("--sysctl: settings by Linux's names", needs=["curl", "tcpdump"], only_xmit=True)
def sysctl(world):
    usual = syn(world)
    expect("sackOK" in usual and "TS val" in usual and "wscale" in usual, f"the usual SYN says {usual}")
    said = syn(world, "--sysctl", "net.ipv4.tcp_sack=0", "--sysctl", "net.ipv4.tcp_timestamps=0", "--sysctl=net.ipv4.tcp_window_scaling=0")
    expect("sackOK" not in said and "TS val" not in said and "wscale" not in said, f"with these options off the SYN says {said}")


@case("--memory: a transfer in 4 MB", needs=["curl"], only_xmit=True)
def memory(world):
    fetch(world, "--memory", "4M")


@case("--name: only one stack of a name", only_xmit=True)
def name(world):
    p = world.start_over("sleep", "60", options=["--name", "one"])
    wait_for(lambda: "@xmit/one" in open("/proc/net/unix").read(), 5, "the name is taken")
    r = world.sh(XMIT, "run", "--name", "one", "--", "true", ok=(125,))
    expect("one" in r.stderr and "runs already" in r.stderr, f"xmit said: {r.stderr}")
    world.sh(XMIT, "run", "--name", "two", "--", "true")
    world.alive(p)


# --- bad options ----------------------------------------------------------------------------------------------------------


# Options, a word that the message must have.  The status is 125, as of env(1) and timeout(1): the command's own are below.
BAD = [
    (["--dev"], "--dev"), (["--dev", "tap"], "tap:"), (["--dev", "tap:"], "name"), (["--dev", "tap:a-name-of-too-many-letters"], "15"),
    (["--dev", "wire:x"], "passt"), (["--dev", "tap:x0"], "--addr"), (["--dev", "tap:x0", "--addr", "192.0.2.2"], "prefix length"),
    (["--dev", "tap:x0", "--addr", "192.0.2.2/33"], "32"), (["--dev", "tap:x0", "--addr", "192.0.2.2/24x"], "prefix length"),
    (["--dev", "tap:x0", "--addr", "192.0.2/24"], "IPv4"), (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--gateway", "198.51.100.1"], "192.0.2.2/24"),
    (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--gateway", "192.0.2.1/24"], "prefix"),
    (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--host-addr", "192.0.2.2/24"], "same"), (["--mtu", "1500"], "--dev"),
    (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--mtu", "67"], "68"), (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--mtu", "65536"], "65535"),
    (["--dev", "tap:x0", "--addr", "192.0.2.2/24", "--mtu", "15oo"], "number"), (["--dev", "packet:none9", "--addr", "192.0.2.2/24"], "none9"),
    (["--dev", "packet:lo", "--addr", "192.0.2.2/24", "--host-addr", "192.0.2.1/24"], "TAP"), (["--addr", "192.0.2.2/24"], "--dev"),
    (["--sysctl", "net.ipv4.tcp_sack"], "NAME=VALUE"), (["--sysctl", "net.ipv4.tcp_sakc=1"], "net.ipv4.tcp_sakc"),
    (["--sysctl", "net.ipv4.tcp_sack=maybe"], "net.ipv4.tcp_sack=maybe"), (["--memory", "12"], "1M"), (["--memory", "1X"], "bytes"),
    (["--name", "a/b"], "letters"), (["--name", ""], "letters"), (["--pcap", "/nowhere/x.pcap"], "/nowhere/x.pcap"),
    (["--trace=/nowhere/x"], "/nowhere/x"), (["--stat"], "--stats"), (["--quux"], "--quux"), (["--stats=1"], "no value"), (["curl"], "--"),
]


@case("bad options: a message that says what would be right, exit status 125", seconds=30, only_xmit=True)
def bad_options(world):
    wrong = []
    for options, word in BAD:
        r = world.sh(XMIT, "run", *options, "--", "echo", "ran", ok=None)
        said = r.stderr.strip()
        if r.returncode != 125 or r.stdout or word not in said or not said.startswith("xmit: "):
            wrong.append(f"{' '.join(options)}: status {r.returncode}, '{said}{r.stdout.strip()}'")
    for words, word in (([], "usage"), (["run"], "command is missing"), (["run", "--"], "no command"), (["ran"], "run"), (["help", "fly"], "fly")):
        r = world.sh(XMIT, *words, ok=None)
        if r.returncode != 125 or word not in r.stderr or r.stdout:
            wrong.append(f"xmit {' '.join(words)}: status {r.returncode}, '{r.stderr.strip()}'")
    expect(not wrong, "; ".join(wrong))


@case("--help, help run, --version", only_xmit=True)
def help_texts(world):
    expect("usage: xmit run" in world.sh(XMIT, "--help").stdout, "xmit --help")
    expect(world.sh(XMIT, "--version").stdout.startswith("xmit "), "xmit --version")
    text = world.sh(XMIT, "help", "run").stdout
    for option in ("--dev", "--host-addr", "--addr", "--gateway", "--mtu", "--sysctl", "--pcap", "--trace", "--stats", "--name", "passt"):
        expect(option in text, f"{option} is not in xmit help run")


# --- how it ends -------------------------------------------------------------------------------------------------------------


@case("exit status, output and environment are the command's", only_xmit=True)
def exit_status(world):
    for status in (0, 1, 42, 255):
        world.over("sh", "-c", f"exit {status}", ok=(status,))
    r = world.over("no-such-command", ok=(127,))
    expect("no-such-command" in r.stderr, f"xmit said: {r.stderr}")
    (world.work / "plain").write_text("not a program\n")
    world.over("./plain", ok=(126,))
    r = world.over("sh", "-c", 'cat; echo "$WORD"; echo err >&2', input="in\n", env={"WORD": "word"})
    expect((r.stdout, r.stderr) == ("in\nword\n", "err\n"), f"output is {r.stdout!r} and {r.stderr!r}")


@case("signals: the command's end by one, and those sent to us", only_xmit=True)
def signals(world):
    for s in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        r = world.over("sh", "-c", f"ulimit -c 0; kill -{int(s)} $$", ok=None)
        expect(r.returncode == -s, f"the command died by {s.name}, xmit ended with {r.returncode}")
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        p = world.start_over("python3", "-uc", "import signal, sys\n"
                             f"signal.signal({int(s)}, lambda n, f: sys.exit(10 + n))\nprint('ready')\nwhile True: signal.pause()")
        world.says(p, "ready")
        expect(world.stop(p, s) == 10 + s, f"{s.name} was not passed on: status {p.returncode}")


@case("a signal interrupts a held accept, connect and receive", only_xmit=True)
def signal_in_call(world):
    text = ("import signal, socket, sys\nclass Alarm(Exception): pass\ndef alarm(*_): raise Alarm\nsignal.signal(signal.SIGALRM, alarm)\n"
            "l = socket.create_server(('', 7100))\nu = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nu.bind(('', 7100))\n"
            "for call in (l.accept, lambda: socket.create_connection(('198.18.0.99', 1)), lambda: u.recvfrom(1)):\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0.1)\n    try:\n        call()\n    except Alarm:\n        print('alarm')\n")
    expect(world.over("python3", "-uc", text, seconds=10).stdout == "alarm\n" * 3, "not all three calls were interrupted")


@case("standard descriptors that are closed stay so for the command, and are none of xmit's sockets", only_xmit=True)
def closed_standard_fds(world):
    text = "import os\nopened = [n for n in range(3) if os.path.exists(f'/proc/self/fd/{n}')]\nopen('opened', 'w').write(f'{opened}.')\n" \
           "import time; time.sleep(60)"
    words = [*world.xmit("--stats"), "python3", "-c", text]
    p = world.start("sh", "-c", 'exec "$@" <&- 2>&-', "sh", *words)
    opened = world.work / "opened"
    wait_for(lambda: opened.exists() and opened.read_text().endswith("."), 10, "the program has looked")
    expect(opened.read_text() == "[1].", f"of 0, 1 and 2 the program has {opened.read_text()}")
    links = [os.readlink(f"/proc/{p.pid}/fd/{n}") for n in (0, 2)]
    expect(links == ["/dev/null"] * 2, f"for 0 and 2 xmit has {links}")


MANY = """
import os, signal, socket, sys
peer = (sys.argv[1], int(sys.argv[2]))
def all_kinds(n):
    connected = [socket.create_connection(peer) for i in range(n)]
    datagram = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for i in range(n)]
    fresh = [socket.socket() for i in range(n)]
    listening = [socket.create_server(('127.0.0.1', 0)) for i in range(n // 3 + 1)]
    pending = [socket.socket() for i in range(20)]
    for i, s in enumerate(pending):
        s.setblocking(False)
        s.connect_ex(('127.0.0.1', listening[0].getsockname()[1]) if i % 2 else (sys.argv[3], 9))
    return connected, datagram, fresh, listening, pending
print('begun', flush=True)
sys.stdin.readline()
for round in range(2):
    held = all_kinds(300)
    print('full', flush=True)
    sys.stdin.readline()
    del held
children = []
for i in range(60):
    if not (pid := os.fork()):
        held = all_kinds(3)
        os.write(1, b'+')
        held[3][0].close()  # to which some are connecting
        held[3][1].accept()  # for ever
    children.append(pid)
sys.stdin.readline()
for pid in children:
    os.kill(pid, signal.SIGKILL)
for pid in children:
    os.waitpid(pid, 0)
print('ended', flush=True)
sys.stdin.readline()
"""


def sockets_of(p):
    """How many sockets a process has."""
    n = 0
    for fd in os.listdir(f"/proc/{p.pid}/fd"):
        try:
            n += os.readlink(f"/proc/{p.pid}/fd/{fd}").startswith("socket:")
        except OSError:
            pass
    return n


def keep_accepting(listener):
    kept = []
    try:
        while True:
            kept.append(listener.accept()[0])
    except OSError:
        pass


@case("many sockets, many processes killed: none of xmit's sockets and processes is left over", only_xmit=True)
def many(world):
    with socket.create_server((PEER, 0), backlog=1000) as l:
        Task(keep_accepting, l)
        p = world.start_over("python3", "-c", MANY, PEER, l.getsockname()[1], OURS.rsplit(".", 1)[0] + ".77", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, bufsize=1)

        def go_on(word):
            said = p.stdout.readline()
            expect(said.strip() == word, f"instead of '{word}' the program said '{said}', xmit: {p.poll()}")

        go_on("begun")
        before = sockets_of(p)
        p.stdin.write("\n")
        for _ in range(2):
            go_on("full")
            expect(sockets_of(p) >= before + 600, "the sockets are not of xmit run")
            p.stdin.write("\n")
        expect(p.stdout.read(60) == "+" * 60, "not all children have their sockets")
        p.stdin.write("\n")
        go_on("ended")
        wait_for(lambda: sockets_of(p) <= before, 10, f"xmit has as many sockets as before: {sockets_of(p)}, before {before}")
        children = world.sh("ps", "-o", "pid=", "--ppid", p.pid, ok=None).stdout.split()
        expect(len(children) == 1, f"children of xmit: {children}")
        p.stdin.write("\n")
        expect(p.wait(10) == 0, f"xmit ended with {p.returncode}")
        l.shutdown(socket.SHUT_RDWR)


@case("xmit ends with the command as soon as all is acknowledged", needs=["curl"], only_xmit=True)
def prompt_end(world):
    for _ in range(10):  # it would wait 5 s for what it believes unsent
        world.over("curl", "-sS", "-o", "/dev/null", f"http://{PEER}/none", seconds=3)
    udp = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('198.18.0.1', 9))"
    for _ in range(5):
        world.over("python3", "-c", udp, seconds=3)


@case("xmit under xmit says that it cannot", only_xmit=True)
def nested(world):
    r = world.over(XMIT, "run", "--", "true", ok=(125,))
    expect("xmit inside xmit" in r.stderr, f"xmit said: {r.stderr}")


# --- the program is killed ----------------------------------------------------------------------------------------------------


SENDER = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    s.sendall(b"x" * 65536)
"""
READER = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.recv(1000)
print("up", flush=True)
while True:
    s.recv(1000)
    time.sleep(0.01)
"""


def command_pid(p):
    """The process id of the command of this xmit run."""
    with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
        return int(f.read().split()[0])


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(") ", 1)[1][0] in "ZX"
    except OSError:
        return True


def transfer(world, text):
    """A program on the stack in mid-transfer with the kernel: xmit, and the kernel's end."""
    with socket.create_server((PEER, 0)) as l:
        l.settimeout(10)
        p = world.start_over("python3", "-c", text, PEER, l.getsockname()[1])
        c, _ = l.accept()
    c.settimeout(10)
    return p, c


def end_of(c):
    """Reads to the end: 'FIN' or 'RST'."""
    try:
        while c.recv(1 << 20):
            pass
        return "FIN"
    except ConnectionResetError:
        return "RST"


@case("SIGKILL of a program that sends: the peer sees FIN, xmit ends by SIGKILL", only_xmit=True)
def kill_sender(world):
    p, c = transfer(world, SENDER)
    with c:
        expect(c.recv(100000), "data")
        os.kill(command_pid(p), signal.SIGKILL)
        end = end_of(c)
        expect(end in ("FIN", "RST"), end)
    expect(p.wait(10) == -signal.SIGKILL, f"xmit ended with {p.returncode}")


@case("SIGKILL of a program with unread data: the peer sees RST, xmit ends by SIGKILL", only_xmit=True)
def kill_reader(world):
    p, c = transfer(world, READER)
    with c:
        def push():
            try:
                while True:
                    c.sendall(b"y" * 65536)
            except OSError as e:
                return e
        sender = Task(push)
        world.says(p, "up")
        os.kill(command_pid(p), signal.SIGKILL)
        error = sender.join_result(10, "the peer learns of the end")
        expect(isinstance(error, (ConnectionResetError, BrokenPipeError)), f"the peer's send gave {error!r}")
    expect(p.wait(10) == -signal.SIGKILL, f"xmit ended with {p.returncode}")


@case("SIGKILL of one of two processes that share a listener: the other serves on", only_xmit=True)
def kill_worker(world):
    text = ("import os, socket\nl = socket.create_server(('', 7200))\nos.fork()\nwhile True:\n    c, _ = l.accept()\n"
            "    c.sendall(str(os.getpid()).encode())\n    c.close()\n")
    p = world.start_over("python3", "-c", text)
    world.listens(7200, OURS, p)

    def ask():
        with socket.create_connection((OURS, 7200), 5) as s:
            return int(s.makefile().read())
    parent = command_pid(p)
    with open(f"/proc/{parent}/task/{parent}/children") as f:
        worker = int(f.read().split()[0])
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: gone(worker), 5, "the worker is gone")
    for _ in range(20):
        expect(wait_for(ask, 5, "an answer") == parent, "answered by another")


@case("SIGKILL of xmit itself takes the command along", only_xmit=True)
def kill_supervisor(world):
    p, c = transfer(world, SENDER)
    with c:
        expect(c.recv(1000), "data")
        child = command_pid(p)
        p.kill()
        p.wait(5)
        wait_for(lambda: gone(child), 5, "the command is gone")
    fetch(world)  # and nothing is in the way of the next


# --- the device goes away --------------------------------------------------------------------------------------------------------


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case("the device is taken away: defined errors, no spinning", only_xmit=True)
def device_gone(world):
    text = ("import errno, socket, sys\npeer, port = sys.argv[1], int(sys.argv[2])\ns = socket.create_connection((peer, port))\n"
            "print('up', flush=True)\nsys.stdin.readline()\ns.settimeout(1)\n"
            "try:\n    s.sendall(b'x' * 1000)\n    print('old', s.recv(1))\nexcept OSError as e:\n    print('old', type(e).__name__)\n"
            "try:\n    socket.create_connection((peer, port), 1)\n    print('new connected')\nexcept OSError as e:\n"
            "    print('new', errno.errorcode.get(e.errno, type(e).__name__))\n")
    with socket.create_server(("", 0)) as l:
        l.settimeout(10)
        p = world.start(XMIT, "run", "--dev", "tap:tap5", "--host-addr", "198.18.5.1/24", "--addr", "198.18.5.2/24", "--", "python3", "-c", text,
                        "198.18.5.1", l.getsockname()[1], stdin=subprocess.PIPE)
        c, _ = l.accept()
        with c:
            world.says(p, "up")
            world.sh("ip", "link", "del", "tap5")
            before, began = cpu_seconds(p.pid), time.monotonic()
            p.stdin.write(b"\n")
            p.stdin.flush()
            world.says(p, "new")
            used, took = (cpu_seconds(p.pid) if p.poll() is None else before), time.monotonic() - began
            status = p.wait(15)
    said = world.said(p)
    expect(status == 0, f"the program ended with {status}: {tail(said)}")
    expect(re.search(r"^old (TimeoutError|OSError|ConnectionError\w*)$", said, re.M), f"on the old connection: {tail(said)}")
    expect(re.search(r"^new (ENETDOWN|ENETUNREACH|EHOSTUNREACH|ENODEV|ETIMEDOUT|TimeoutError)$", said, re.M), f"on a new connection: {tail(said)}")
    expect(used - before < 0.3, f"{used - before:.2f} s of processor time in {took:.1f} s without a device")


@case("the device goes down and comes back: the transfer goes on", needs=["curl"], only_xmit=True)
def device_down(world):
    p = world.start_over("curl", "-sS", "--limit-rate", str(MIDDLE // 2), "-o", "got", f"http://{PEER}/middle")
    wait_for(lambda: (world.work / "got").exists() and (world.work / "got").stat().st_size > MIDDLE // 20 or (world.alive(p) and False), 10,
             "the transfer has begun")
    world.sh("ip", "link", "set", "tap0", "down")
    before, began = cpu_seconds(p.pid), time.monotonic()
    wait_for(lambda: time.monotonic() > began + 0.5, 5, "half a second of silence")
    used = cpu_seconds(p.pid) - before
    world.sh("ip", "link", "set", "tap0", "up")
    expect(p.wait(30) == 0, f"curl ended with {p.returncode}: {tail(world.said(p))}")
    expect(sha256(world.work / "got") == sums["middle"], "the file arrived changed")
    expect(used < 0.3, f"{used:.2f} s of processor time in half a second of silence")


main(prepare, needs=["nginx", "ip", "curl"])
