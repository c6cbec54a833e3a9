#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ways out of `xmit run`: TAP and TUN made or attached to, AF_PACKET on a veth, without root, and passt.

    kernel 198.18.N.1/24 -- new TAP or TUN | veth -- stack 198.18.N.2/24
    an unprivileged user: a user and network namespace of its own with a TAP (or veth), whose kernel is the peer
    an unprivileged user: stack -- passt -- kernel 198.18.4.1/24 -- veth -- kernel of namespace "far" 198.18.4.2/24
"""
import os
import shutil
import stat

from harness import MB, SCALE, XMIT, Skip, case, expect, main, mount, sha256, tail, wait_for

MIDDLE = 20 * MB // SCALE
NOBODY = "65534"
sums = {}


def prepare(world):
    sums["middle"] = world.random_file("middle", MIDDLE)
    world.kernel_nginx(80, "127.0.0.1")


def both_ways(world, host, *options):
    """Fetches a file from the kernel's nginx at `host`, and sends it there."""
    words = [XMIT, "run", *options, "--"]
    world.sh(*words, "curl", "-sS", "-f", "-o", "got", f"http://{host}/middle")
    expect(sha256(world.work / "got") == sums["middle"], "the file that was fetched arrived changed")
    world.sh(*words, "curl", "-sS", "-f", "-T", "got", f"http://{host}/up/{host}")
    expect(sha256(world.work / "up" / host) == sums["middle"], "the file that was sent arrived changed")


def serve(world, ours, *options):
    """nginx on the stack, the kernel's curl as client."""
    p = world.start(XMIT, "run", *options, "--", *world.nginx_conf("nginx-" + ours, 8080))
    world.listens(8080, ours, p)
    out = world.sh("curl", "-sS", "-f", f"http://{ours}:8080/middle", text=False).stdout
    expect(sha256(out) == sums["middle"], "the file that was served arrived changed")


# --- TAP and TUN ------------------------------------------------------------------------------------------------------


@case("--dev tap: makes the interface, and it is gone afterwards", needs=["curl"], only_xmit=True)
def tap_made(world):
    both_ways(world, "198.18.1.1", "--dev", "tap:new1", "--host-addr", "198.18.1.1/24", "--addr", "198.18.1.2/24")
    expect(not os.path.exists("/proc/sys/net/ipv4/conf/new1"), "the interface is still there")


@case("--dev tap: with --mtu for both ends", needs=["curl"], only_xmit=True)
def tap_mtu(world):
    options = ["--dev", "tap:new2", "--host-addr", "198.18.1.1/24", "--addr", "198.18.1.2/24", "--mtu", "9000"]
    both_ways(world, "198.18.1.1", *options)
    p = world.start(XMIT, "run", *options, "--", "sleep", "60")
    wait_for(lambda: "mtu 9000" in world.sh("ip", "link", "show", "new2", ok=None).stdout, 5, "new2 with MTU 9000")
    world.alive(p)


@case("--dev tun: makes the interface; client and server", needs=["curl"], only_xmit=True)
def tun_made(world):
    options = ["--dev", "tun:new3", "--host-addr", "198.18.2.1/24", "--addr", "198.18.2.2/24"]
    both_ways(world, "198.18.2.1", *options)
    serve(world, "198.18.2.2", *options)


@case("--dev tun: attaches to an interface that is there", needs=["curl"], only_xmit=True)
def tun_attached(world):
    world.sh("ip", "tuntap", "add", "dev", "tun6", "mode", "tun")
    world.sh("ip", "addr", "add", "198.18.6.1/24", "dev", "tun6")
    world.sh("ip", "link", "set", "tun6", "up")
    both_ways(world, "198.18.6.1", "--dev", "tun:tun6", "--addr", "198.18.6.2/24")
    r = world.sh(XMIT, "run", "--dev", "tun:tun6", "--host-addr", "198.18.6.1/24", "--addr", "198.18.6.2/24", "--", "true", ok=(125,))
    expect("--host-addr" in r.stderr, f"with --host-addr for an interface that exists xmit said: {r.stderr}")
    r = world.sh(XMIT, "run", "--dev", "tap:tun6", "--addr", "198.18.6.2/24", "--", "true", ok=(125,))
    expect("not a tap" in r.stderr, f"for a TUN named as a TAP xmit said: {r.stderr}")
    p = world.start(XMIT, "run", "--dev", "tun:tun6", "--addr", "198.18.6.2/24", "--", "sleep", "60")
    wait_for(lambda: "LOWER_UP" in world.sh("ip", "link", "show", "tun6").stdout, 5, "the first is attached")
    r = world.sh(XMIT, "run", "--dev", "tun:tun6", "--addr", "198.18.6.2/24", "--", "true", ok=(125,))
    expect("in use" in r.stderr, f"for an interface in use xmit said: {r.stderr}")
    world.stop(p)
    world.sh("ip", "tuntap", "del", "dev", "tun6", "mode", "tun")


@case("--dev tap: a default route by --gateway", needs=["curl"], only_xmit=True)
def gateway(world):
    world.sh("ip", "addr", "add", "203.0.113.80/32", "dev", "lo")
    options = ["--dev", "tap:new4", "--host-addr", "198.18.1.1/24", "--addr", "198.18.1.2/24"]
    both_ways(world, "203.0.113.80", *options, "--gateway", "198.18.1.1")
    r = world.sh(XMIT, "run", *options, "--", "curl", "-sv", "http://203.0.113.80/", ok=(7,))
    expect("unreachable" in r.stderr, f"without a route curl said: {tail(r.stderr)}")
    world.sh("ip", "addr", "del", "203.0.113.80/32", "dev", "lo")


# --- AF_PACKET ------------------------------------------------------------------------------------------------------------


@case("--dev packet: on a veth, client and server", needs=["curl"], only_xmit=True)
def packet(world):
    world.sh("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    world.sh("ip", "addr", "add", "198.18.3.1/24", "dev", "veth0")
    for end in ("veth0", "veth1"):
        world.sh("ip", "link", "set", end, "up")
    options = ["--dev", "packet:veth1", "--addr", "198.18.3.2/24"]
    both_ways(world, "198.18.3.1", *options)
    serve(world, "198.18.3.2", *options)
    world.sh("ip", "link", "del", "veth0")


# --- without root -------------------------------------------------------------------------------------------------------------


def as_nobody(world, *cmd, **kw):
    """Runs as an unprivileged user in a directory of its own, with a copy of xmit that it may execute."""
    home = world.work / "nobody"
    if not home.exists():
        home.mkdir()
        shutil.copy(XMIT, home / "xmit")
        os.chown(home, int(NOBODY), int(NOBODY))
    words = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--reset-env", "env", "-C", home]
    return world.sh(*words, f"PATH={home}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *cmd, **kw)


def need_user_namespaces(world):
    r = as_nobody(world, "unshare", "-Urn", "true", ok=None)
    if r.returncode:
        raise Skip(f"this machine does not let an ordinary user make a user namespace: {tail(r.stderr)}")


def device_file(world, mode):
    """A /dev/net/tun of ours with this mode, put over the real one (in our mount namespace)."""
    dev = world.work / f"tun-{mode:o}"
    if not dev.exists():
        try:
            os.mknod(dev, stat.S_IFCHR | mode, os.makedev(10, 200))
            os.chmod(dev, mode)
            os.close(os.open(dev, os.O_RDWR))
        except OSError as e:
            raise Skip(f"this machine does not let us make a device file: {e.strerror}") from None
    mount(dev, "/dev/net/tun", None, 4096)


SERVE_THERE = """
set -e
ip link set lo up
{setup}
mkdir -p data && head -c {size} /dev/urandom >data/file
python3 -m http.server -d data 80 >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT
for i in $(seq 200); do curl -s -o /dev/null http://127.0.0.1/ && break; read -r -t 0.05 nothing <> fifo || true; done
xmit run {options} -- curl -sS -f -o got http://198.18.1.1/file
cmp got data/file
xmit run {options} -- python3 -c 'import socket; s = socket.create_server(("", 7)); c = socket.create_connection(s.getsockname()); print("server")'
"""


def in_own_namespace(world, setup, options):
    script = SERVE_THERE.format(setup=setup, size=MIDDLE, options=options)
    as_nobody(world, "mkfifo", "fifo", ok=None)
    r = as_nobody(world, "unshare", "-Urn", "bash", "-c", script, seconds=40)
    expect(r.stdout.endswith("server\n"), f"the script said: {r.stdout}{r.stderr}")


@case("without root: a TAP in a user and network namespace of one's own", needs=["curl", "setpriv", "unshare"], only_xmit=True)
def rootless_tap(world):
    need_user_namespaces(world)
    device_file(world, 0o666)
    in_own_namespace(world, "", "--dev tap:t0 --host-addr 198.18.1.1/24 --addr 198.18.1.2/24")


@case("without root: AF_PACKET on a veth where /dev/net/tun is closed", needs=["curl", "setpriv", "unshare"], only_xmit=True)
def rootless_packet(world):
    need_user_namespaces(world)
    device_file(world, 0o600)
    setup = ("ip link add v0 type veth peer name v1\nip addr add 198.18.1.1/24 dev v0\nip link set v0 up\nip link set v1 up\n"
             "! xmit run --dev tap:t0 --host-addr 198.18.7.1/24 --addr 198.18.7.2/24 -- true 2>said || exit 9\ngrep -q permission said")
    in_own_namespace(world, setup, "--dev packet:v1 --addr 198.18.1.2/24")


@case("without root and without a namespace: the message says what to do", needs=["setpriv"], only_xmit=True)
def no_permission(world):
    for dev in ("tap:t0", "tun:t0"):
        r = as_nobody(world, "xmit", "run", "--dev", dev, "--addr", "198.18.1.2/24", "--", "true", ok=(125,))
        for word in ("permission", "unshare -Urn", "ip tuntap add", "passt"):
            expect(word in r.stderr, f"for {dev} the message lacks '{word}': {r.stderr}")
    r = as_nobody(world, "xmit", "run", "--dev", "packet:lo", "--addr", "198.18.1.2/24", "--", "true", ok=(125,))
    expect("permission" in r.stderr and "unshare -Urn" in r.stderr, f"for packet: xmit said: {r.stderr}")


@case("without root: programs on lo alone", needs=["setpriv"], only_xmit=True)
def rootless_lo(world):
    text = ("import socket\nl = socket.create_server(('127.0.0.1', 80))\nc = socket.create_connection(('127.0.0.1', 80))\n"
            "s, _ = l.accept()\nc.sendall(b'hello')\nprint(s.recv(5).decode())\n")
    expect(as_nobody(world, "xmit", "run", "--", "python3", "-c", text).stdout == "hello\n", "port 80 of a stack is the stack's own")


# --- passt ----------------------------------------------------------------------------------------------------------------------


def far_side(world):
    """A namespace behind a veth with an nginx, reached by the kernel alone; 198.18.4.2 is also the default gateway."""
    if not os.path.exists("/run/netns/far"):
        make_far_side(world)
    p = world.start("ip", "netns", "exec", "far", *world.nginx_conf("nginx-far", 80))
    world.listens(80, "198.18.4.2", p)


def make_far_side(world):
    os.makedirs("/run/netns", exist_ok=True)
    mount("tmpfs", "/run/netns", "tmpfs")
    world.sh("ip", "netns", "add", "far")
    world.sh("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1", "netns", "far")
    world.sh("ip", "addr", "add", "198.18.4.1/24", "dev", "up0")
    world.sh("ip", "link", "set", "up0", "up")
    for words in (("addr", "add", "198.18.4.2/24", "dev", "up1"), ("link", "set", "up1", "up"), ("link", "set", "lo", "up")):
        world.sh("ip", "-n", "far", *words)
    world.sh("ip", "route", "add", "default", "via", "198.18.4.2")


@case("--dev passt: an unprivileged curl reaches a server on the kernel's side", needs=["passt", "curl", "setpriv"], only_xmit=True)
def passt(world):
    far_side(world)
    as_nobody(world, "xmit", "run", "--dev", "passt", "--", "curl", "-sS", "-f", "-o", "got", "http://198.18.4.2/middle", seconds=30)
    expect(sha256(world.work / "nobody" / "got") == sums["middle"], "the file that was fetched arrived changed")
    as_nobody(world, "xmit", "run", "--dev", "passt", "--", "curl", "-sS", "-f", "-T", "got", "http://198.18.4.2/up/passt", seconds=30)
    expect(sha256(world.work / "up" / "passt") == sums["middle"], "the file that was sent arrived changed")
    r = as_nobody(world, "xmit", "run", "--dev", "passt", "--addr", "192.0.2.9/24", "--", "python3", "-c",
                  "import socket; print(socket.create_connection(('198.18.4.2', 80)).getsockname()[0])")
    expect(r.stdout == "192.0.2.9\n", f"with --addr the program's address is {r.stdout}")


@case("--dev passt: windows that its socket has room for, so that nothing is lost", needs=["passt", "curl", "setpriv"], only_xmit=True)
def passt_window(world):
    far_side(world)
    try:
        room = 2 * min(int(open("/proc/sys/net/core/wmem_max").read()), 4 << 20)
    except OSError:
        room = 2 * (4 << 20)
    r = as_nobody(world, "xmit", "run", "--dev", "passt", "--", "python3", "-c", "import socket\nfor host in ('198.18.4.2', '10.0.2.2'):\n"
                  "  print(socket.create_connection((host, 80)).getsockopt(6, socket.TCP_INFO, 8)[6] >> 4)")
    most = [65535 << int(scale) for scale in r.stdout.split()]
    expect(len(most) == 2 and max(most) <= max(room // 8, 65535), f"the windows may grow to {most}, passt's socket holds {room}")
    r = as_nobody(world, "xmit", "run", "--dev", "passt", "--stats", "--", "curl", "-sS", "-f", "-o", "got", "http://198.18.4.2/middle")
    expect("TCPOFOQueue" not in r.stderr, f"segments were lost between passt and the stack: {r.stderr}")


@case("--dev passt: the message when passt is not there", needs=["setpriv"], only_xmit=True)
def no_passt(world):
    (world.work / "empty").mkdir()
    r = as_nobody(world, "PATH=" + str(world.work / "empty"), str(world.work / "nobody" / "xmit"), "run", "--dev", "passt", "--", "/bin/true", ok=(125,))
    expect("not installed" in r.stderr, f"xmit said: {r.stderr}")


main(prepare, needs=["nginx", "ip"])
