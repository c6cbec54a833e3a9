# SPDX-License-Identifier: MIT
"""What the interop tests share: a world of their own, programs in it, waiting with deadlines, and the count.

    network, mount and process namespace of the test; all of it goes with its first process
    +-----------------------------------------------------------------------------------------------+
    |   the kernel's side                                                                           |
    |   nginx, dnsmasq, curl, nc ...            tap0                  xmit run -- COMMAND, echo ... |
    |   198.18.0.1/24  ----------------------------------------------  198.18.0.2/24 (our stack)    |
    +-----------------------------------------------------------------------------------------------+

XMIT_BUILD names the build directory.  With XMIT_INTEROP_STACK=kernel the programs run over the kernel instead, in a second
namespace behind a veth pair: the test of the tests.  XMIT_INTEROP_SCALE=N divides the amounts of data (sanitizer builds);
XMIT_INTEROP_OPTIONS holds more options for xmit run, to look into a failure: "--pcap /tmp/x.pcap --stats".

A test file registers functions with @case and calls main().  Each prints one line: "ok - NAME", "not ok - NAME: reason" or
"skip - NAME: reason".  Nothing here waits for a time to pass: wait_for() asks until a deadline.  After each case the processes that it
started are ended, by their ids, and one that is left over fails the case.

Processes: the one that was started keeps outside and passes signals on; the first in the new process namespace reaps orphans; its child
runs the cases.  When the first one ends, in whatever way, the kernel ends all others and takes the network away.
"""
import ctypes
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("XMIT_BUILD") or ROOT / "build" / "gcc").resolve()
KERNEL_STACK = os.environ.get("XMIT_INTEROP_STACK") == "kernel"
SCALE = int(os.environ.get("XMIT_INTEROP_SCALE") or 1)
XMIT = BUILD / "cmd" / "xmit" / "xmit"
PEER, OURS, PREFIX = "198.18.0.1", "198.18.0.2", 24
MB = 1000 * 1000

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)

os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"  # ip, nginx, dnsmasq

cases = []


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def case(name, *, needs=(), seconds=60, only_xmit=False):
    """Registers a case: programs that it needs, its deadline; only_xmit: it makes no sense over the kernel's stack."""
    def register(fn):
        cases.append((name, fn, needs, seconds, only_xmit))
        return fn
    return register


def expect(condition, what):
    if not condition:
        raise Failure(what)


def wait_for(condition, seconds, what):
    """The condition's value as soon as it is true; Failure at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"after {seconds} s still not: {what}")
        time.sleep(0.01)


def sha256(data_or_path):
    h = hashlib.sha256()
    if isinstance(data_or_path, (bytes, bytearray, memoryview)):
        h.update(data_or_path)
    else:
        with open(data_or_path, "rb") as f:
            while block := f.read(1 << 20):
                h.update(block)
    return h.hexdigest()


def tail(text, lines=12):
    return " / ".join(line.strip() for line in text.strip().splitlines()[-lines:] if line.strip())


# --- the world -----------------------------------------------------------------------------------------------------


def _check(result):
    if result != 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def mount(source, target, fstype=None, flags=0, data=None):
    encoded = [str(s).encode() if s is not None else None for s in (source, target, fstype)]
    _check(libc.mount(*encoded, ctypes.c_ulong(flags), data.encode() if data else None))


def _pass_on(child, work):
    """Outside: ends when the child does; a signal to us ends the child, and with it the whole world."""
    def end(signo, _frame):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.rmdir(work)
        signal.signal(signo, signal.SIG_DFL)
        os.kill(os.getpid(), signo)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, end)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.rmdir(work)
    return status


def _first_process(child):
    """The first process of the namespace: reaps whoever lost its parent, ends with the one that runs the cases."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _enter_world():
    """Returns, with an empty directory, in a process that has its own network, mounts and processes; the others leave here."""
    if os.geteuid() != 0:
        for name, *_ in cases:
            print(f"skip - {name}: making namespaces needs root")
        sys.exit(0)
    sys.stdout.flush()
    try:
        _check(libc.unshare(CLONE_NEWPID))  # for our children
    except OSError as e:
        for name, *_ in cases:
            print(f"skip - {name}: this machine does not let us make namespaces: {e.strerror}")
        sys.exit(0)
    work = tempfile.mkdtemp(prefix="xmit-interop.", dir="/tmp")
    if child := os.fork():
        sys.exit(_pass_on(child, work))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if child := os.fork():
        os._exit(max(_first_process(child), 0))
    _check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", work, "tmpfs", 0, "mode=755")  # seen by us alone: outside the directory stays empty
    return Path(work)


class World:
    """The namespace, its addresses, its files, and the processes of the running case."""

    def __init__(self, work):
        self.work = work
        self.shared, self.own, self.log_number, self.keep_starting = [], [], 0, False
        self.logs = self.work / "log"
        self.logs.mkdir()
        self.sh("ip", "link", "set", "lo", "up")
        if KERNEL_STACK:
            os.makedirs("/run/netns", exist_ok=True)
            mount("tmpfs", "/run/netns", "tmpfs")
            self.sh("ip", "netns", "add", "stack")
            self.sh("ip", "link", "add", "tap0", "type", "veth", "peer", "name", "eth0", "netns", "stack")
            for cmd in (("addr", "add", f"{OURS}/{PREFIX}", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
                self.sh("ip", "-n", "stack", *cmd)
        else:
            self.sh("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
        self.sh("ip", "addr", "add", f"{PEER}/{PREFIX}", "dev", "tap0")
        self.sh("ip", "link", "set", "tap0", "up")

    # Programs.

    def sh(self, *cmd, seconds=30, ok=(0,), input=None, text=True, env=None):
        """Runs to its end on the kernel's side; output and errors; Failure if it takes too long or ends otherwise than in `ok`."""
        p = self.start(*cmd, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=text, env=env)
        try:
            out, err = p.communicate(input, timeout=seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            said = err if text else err.decode(errors="replace")
            raise Failure(f"'{shorten(cmd)}' did not end within {seconds} s: {tail(said)}") from None
        if ok is not None and p.returncode not in ok:
            said = (err or out) if text else (err or out).decode(errors="replace")
            raise Failure(f"'{shorten(cmd)}' ended with {p.returncode}: {tail(said)}")
        return subprocess.CompletedProcess(cmd, p.returncode, out, err)

    def start(self, *cmd, env=None, **popen):
        """Starts a program that is ended with the case (or with the world, within a `with world.shared_servers()`)."""
        full = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **os.environ, "LC_ALL": "C", "HOME": str(self.work), **(env or {})}
        for proxy in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY"):
            full.pop(proxy, None)
        popen.setdefault("stdin", subprocess.DEVNULL)
        log = None
        if "stdout" not in popen or "stderr" not in popen:
            self.log_number += 1
            log = open(self.logs / f"{self.log_number}-{Path(str(cmd[0])).name}", "wb")
            popen.setdefault("stdout", log)
            popen.setdefault("stderr", log)
        try:
            p = subprocess.Popen([str(c) for c in cmd], env=full, cwd=self.work, **popen)
        finally:
            if log:
                log.close()
        p.log = Path(log.name) if log else None
        p.shown = shorten(cmd)
        (self.shared if self.keep_starting else self.own).append(p)
        return p

    def said(self, p):
        return p.log.read_text(errors="replace") if p.log else ""

    def stop(self, p, signo=signal.SIGTERM, seconds=5):
        """Ends a program by its id; its exit status."""
        if p.poll() is None:
            p.send_signal(signo)
        try:
            return p.wait(seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Failure(f"'{p.shown}' did not end within {seconds} s of {signal.Signals(signo).name}: {tail(self.said(p))}") from None

    def alive(self, p):
        expect(p.poll() is None, f"'{p.shown}' ended with {p.returncode}: {tail(self.said(p))}")
        return True

    # The stack.

    def xmit(self, *options):
        """The words before a command that shall run on the stack."""
        options = (*options, *os.environ.get("XMIT_INTEROP_OPTIONS", "").split())
        if KERNEL_STACK:
            return ["ip", "netns", "exec", "stack"]
        return [str(XMIT), "run", "--dev", "tap:tap0", "--addr", f"{OURS}/{PREFIX}", *options, "--"]

    def over(self, *cmd, options=(), **kw):
        """Runs a command on the stack to its end."""
        return self.sh(*self.xmit(*options), *cmd, **kw)

    def start_over(self, *cmd, options=(), **kw):
        return self.start(*self.xmit(*options), *cmd, **kw)

    # Waiting.

    def listens(self, port, addr=OURS, p=None, seconds=10):
        """Waits until a TCP connection to addr:port is accepted (p: the program that shall do it)."""
        def probe():
            if p:
                self.alive(p)
            with socket.socket() as s:
                s.settimeout(0.5)
                try:
                    s.connect((addr, port))
                    return True
                except OSError:
                    return False
        wait_for(probe, seconds, f"{addr}:{port} accepts connections" + (f" ({tail(self.said(p))})" if p else ""))

    def says(self, p, pattern, seconds=10):
        """Waits until the program has printed what matches."""
        def look():
            found = re.search(pattern, self.said(p))
            return found or (self.alive(p) and None)
        return wait_for(look, seconds, f"'{p.shown}' says {pattern}: {tail(self.said(p))}")

    # Files and servers of the kernel's side.

    def random_file(self, name, size):
        """A file of `size` bytes under data/ that repeats nowhere within any window; its SHA-256."""
        path = self.work / "data" / name
        path.parent.mkdir(exist_ok=True)
        with open(path, "wb") as f:
            left = size
            while left:
                block = os.urandom(min(left, 1 << 22))
                f.write(block)
                left -= len(block)
        path.chmod(0o644)
        return sha256(path)

    def nginx_conf(self, name, port, workers=1):
        """An nginx that serves data/ and takes uploads by PUT under /up/."""
        home = self.work / name
        (home / "logs").mkdir(parents=True, exist_ok=True)
        (self.work / "data").mkdir(exist_ok=True)
        (self.work / "up").mkdir(exist_ok=True)
        conf = home / "conf"
        temp = "".join(f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(
            f"daemon off; worker_processes {workers}; error_log {home}/error.log; pid {home}/pid; user root;\n"
            "events { worker_connections 512; }\n"
            f"http {{ access_log off; sendfile on; client_max_body_size 4g; {temp}\n"
            f"  server {{ listen {port}; root {self.work}/data;\n"
            f"    location /up/ {{ root {self.work}; dav_methods PUT; create_full_put_path on; }} }} }}\n")
        return ["nginx", "-c", str(conf), "-p", str(home)]

    def kernel_nginx(self, port=80, addr=PEER):
        p = self.start(*self.nginx_conf(f"nginx-{port}", port))
        self.listens(port, addr, p)
        return p

    # The end of a case.

    def settle(self):
        """Ends the case's processes; Failure if one had to be forced or another is left behind."""
        complaint = None
        for p in reversed(self.own):
            try:
                self.stop(p)
            except Failure as e:
                complaint = complaint or str(e)
            for f in (p.stdin, p.stdout, p.stderr):
                if f:
                    f.close()
        self.own.clear()
        try:
            wait_for(lambda: not self.strangers(), 3, "no process is left behind")
        except Failure:
            left = self.strangers()
            complaint = complaint or "left behind: " + ", ".join(f"{pid} ({name})" for pid, name in left.items())
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            wait_for(lambda: not self.strangers(), 3, "the processes left behind are gone")
        if complaint:
            raise Failure(complaint)

    def strangers(self):
        """Processes that are neither ours nor those of the shared servers."""
        parents, names = {}, {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                head, rest = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)
            except OSError:
                continue
            if rest.split()[0] not in "ZX":
                names[int(entry)] = head.split("(", 1)[1]
                parents[int(entry)] = int(rest.split()[1])
        ours = {1, os.getpid()} | {p.pid for p in self.shared}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in ours - {1, os.getpid()}} - ours
            ours |= more
            grown = bool(more)
        return {pid: name for pid, name in names.items() if pid not in ours}


def shorten(cmd):
    words = [Path(str(c)).name if i == 0 else str(c) for i, c in enumerate(cmd)]
    text = " ".join(words)
    return (text if len(text) < 160 else text[:157] + "...").replace("\n", ";")


class Task(threading.Thread):
    """A function in a thread; join_result() gives its value or raises what it raised."""

    def __init__(self, fn, *args):
        super().__init__(daemon=True)
        self.fn, self.args, self.value, self.error = fn, args, None, None
        self.start()

    def run(self):
        try:
            self.value = self.fn(*self.args)
        except BaseException as e:
            self.error = e

    def join_result(self, seconds, what):
        self.join(seconds)
        if self.is_alive():
            raise Failure(f"after {seconds} s still not done: {what}")
        if self.error:
            raise self.error
        return self.value


# --- running the cases -----------------------------------------------------------------------------------------------


def _run_case(world, name, fn, needs, seconds, only_xmit):
    missing = [n for n in needs if not shutil.which(n)]
    if missing:
        print(f"skip - {name}: {', '.join(missing)} is not installed", flush=True)
        return True
    if only_xmit and KERNEL_STACK:
        print(f"skip - {name}: it is about xmit's own, not the kernel's stack", flush=True)
        return True

    def too_long(_signo, _frame):
        raise Failure(f"the case took longer than {seconds} s")
    signal.signal(signal.SIGALRM, too_long)
    verdict, details, started = None, "", time.monotonic()
    try:
        signal.alarm(seconds)
        try:
            fn(world)
        finally:
            signal.alarm(0)
            logs = [p for p in world.own if p.log]
            try:
                world.settle()
            finally:
                details = "\n".join(f"# {p.shown}:\n#   " + "\n#   ".join(world.said(p).splitlines()[-15:]) for p in logs if world.said(p))
    except Skip as e:
        verdict = f"skip - {name}: {e}"
    except Failure as e:
        verdict = f"not ok - {name}: {' '.join(str(e).split())}"
    except Exception as e:
        verdict = f"not ok - {name}: {type(e).__name__}: {' '.join(str(e).split())}"
        details = "# " + "\n# ".join(traceback.format_exc().splitlines()[-6:]) + "\n" + details
    if verdict and not verdict.startswith("skip") and details:
        print(details)
    print(verdict or f"ok - {name}", f"# {name}: {time.monotonic() - started:.1f} s", sep="\n", flush=True)
    return not (verdict or "").startswith("not ok")


def main(prepare=None, needs=()):
    """Runs the cases (those named on the command line, else all) in a world of their own.  prepare(world) starts shared servers."""
    global cases
    chosen = sys.argv[1:]
    if unknown := [c for c in chosen if c not in [name for name, *_ in cases]]:
        sys.exit(f"no case named {unknown[0]}; there are: {', '.join(name for name, *_ in cases)}")
    cases = [c for c in cases if not chosen or c[0] in chosen]
    missing = [n for n in needs if not shutil.which(n)]
    if missing:
        for name, *_ in cases:
            print(f"skip - {name}: {', '.join(missing)} is not installed")
        return
    if not KERNEL_STACK and not XMIT.exists():
        sys.exit(f"{XMIT} does not exist: build first, or name the build directory in XMIT_BUILD")
    work = _enter_world()
    good = True
    try:
        if not KERNEL_STACK and not os.path.exists("/dev/net/tun"):
            for name, *_ in cases:
                print(f"skip - {name}: there is no /dev/net/tun here")
            sys.stdout.flush()
            os._exit(0)
        world = World(work)
        world.keep_starting = True
        if prepare:
            prepare(world)
        world.keep_starting = False
        for c in cases:
            good &= _run_case(world, *c)
    except Exception as e:
        print(f"not ok - setting up: {type(e).__name__}: {' '.join(str(e).split())}")
        traceback.print_exc()
        good = False
    sys.stdout.flush()
    os._exit(0 if good else 1)  # the first process of the namespace ends too, and the kernel ends whatever is left
