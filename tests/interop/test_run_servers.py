#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Server programs under `xmit run` and clients of the kernel, contents compared; and the benchmarks that bring their own server.

    curl, redis-benchmark, iperf3 (kernel, 198.18.0.1)  <->  nginx, redis-server, python3, iperf3 (stack, 198.18.0.2)
"""
import hashlib
import json
import re
import socket

from harness import MB, OURS, PEER, SCALE, Task, case, expect, main, sha256, tail, wait_for

MIDDLE, SMALL = 20 * MB // SCALE, 1 * MB // SCALE
REQUESTS = 20000 // SCALE
sums = {}


def prepare(world):
    for name, size in (("middle", MIDDLE), ("small", SMALL), ("empty", 0)):
        sums[name] = world.random_file(name, size)


# --- nginx -----------------------------------------------------------------------------------------------------------


def fetch_all(world, names, port):
    """Fetches the files at the same time by the kernel's curl, each over its own connection, and compares."""
    urls = [w for i, n in enumerate(names) for w in (f"http://{OURS}:{port}/{n}", "-o", f"got{i}")]
    world.sh("curl", "-sS", "-f", "-Z", "--parallel-immediate", "--parallel-max", "64", *urls, seconds=50)
    for i, n in enumerate(names):
        expect(sha256(world.work / f"got{i}") == sums[n], f"{n} arrived changed on connection {i}")
        (world.work / f"got{i}").unlink()


@case("nginx with two workers serves parallel connections", needs=["nginx", "curl"])
def nginx(world):
    p = world.start_over(*world.nginx_conf("nginx-2", 8080, workers=2))
    world.listens(8080, OURS, p)
    fetch_all(world, ["middle"] * 8 + ["small"] * 24 + ["empty"], 8080)
    fetch_all(world, ["small"] * 32, 8080)
    (world.work / "upload").write_bytes((world.work / "data" / "middle").read_bytes())
    world.sh("curl", "-sS", "-f", "-T", "upload", f"http://{OURS}:8080/up/upload")
    expect(sha256(world.work / "up" / "upload") == sums["middle"], "the upload arrived changed")
    world.alive(p)


@case("nginx serves many requests over one connection, and clients that leave early", needs=["nginx", "curl"])
def nginx_keepalive(world):
    p = world.start_over(*world.nginx_conf("nginx-k", 8081, workers=2))
    world.listens(8081, OURS, p)
    with socket.create_connection((OURS, 8081), 5) as s, s.makefile("rb") as f:
        for i in range(200):
            s.sendall(b"GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
            status = f.readline()
            expect(status.startswith(b"HTTP/1.1 200"), f"request {i} was answered {status}")
            while f.readline().strip():
                pass
    for i in range(20):  # they ask for 20 MB, read a little, and go: by FIN with data unread, that is RST
        with socket.create_connection((OURS, 8081), 5) as s:
            s.sendall(b"GET /middle HTTP/1.0\r\n\r\n")
            expect(s.recv(1000).startswith(b"HTTP/1.1 200"), "an answer")
    fetch_all(world, ["small"] * 4, 8081)
    world.alive(p)


# --- redis ------------------------------------------------------------------------------------------------------------


REDIS = ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--daemonize", "no", "--bind"]


def check_benchmark(text):
    rates = re.findall(r'^"(\w+)","([\d.]+)"', text, re.M)
    expect([name for name, _ in rates] == ["SET", "GET", "LPUSH"] and all(float(r) > 0 for _, r in rates), f"redis-benchmark said: {tail(text)}")


def benchmark_words(addr):
    return ["redis-benchmark", "-h", addr, "-c", 50, "-n", REQUESTS, "-t", "set,get,lpush", "--csv"]


def check_value(world, addr, prefix=()):
    """A value of a megabyte comes back as it was stored."""
    value = (world.work / "data" / "small").read_bytes()
    expect(world.sh(*prefix, "redis-cli", "-h", addr, "-x", "set", "k", input=value, text=False).stdout.strip() == b"OK", "SET of a megabyte")
    got = world.sh(*prefix, "redis-cli", "-h", addr, "--raw", "get", "k", text=False).stdout
    expect(got[:-1] == value, "GET gave another value than was SET")


@case("redis-server under xmit, redis-benchmark -c 50", needs=["redis-server", "redis-benchmark", "redis-cli"])
def redis_server(world):
    p = world.start_over(*REDIS, OURS)
    world.listens(6379, OURS, p)
    check_value(world, OURS)
    check_benchmark(world.sh(*benchmark_words(OURS), seconds=50).stdout)
    world.sh("redis-cli", "-h", OURS, "shutdown", "nosave", ok=None)
    expect(p.wait(5) == 0, f"redis-server ended with {p.returncode}")


@case("redis-benchmark -c 50 under xmit, redis-server of the kernel", needs=["redis-server", "redis-benchmark", "redis-cli"])
def redis_client(world):
    p = world.start(*REDIS, PEER)
    world.listens(6379, PEER, p)
    check_value(world, PEER, world.xmit())
    check_benchmark(world.over(*benchmark_words(PEER), seconds=50).stdout)


# --- python -----------------------------------------------------------------------------------------------------------


@case("python http.server", needs=["curl"])
def http_server(world):
    p = world.start_over("python3", "-m", "http.server", "8000", "-d", world.work / "data")
    world.listens(8000, OURS, p)
    fetch_all(world, ["middle", "small", "empty", "small"], 8000)
    out = world.sh("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{OURS}:8000/none").stdout
    expect(out == "404", f"a file that is not there was answered {out}")
    expect(PEER in world.said(p), f"the server logged no client {PEER}: {tail(world.said(p))}")


DUAL = """
import socket
l = socket.create_server(("::", 7008), family=socket.AF_INET6, dualstack_ipv6=True)
c, peer = l.accept()
c.sendall(f"{peer[0]} {c.getsockname()[0]}".encode())
"""


@case("an AF_INET6 server sees an IPv4 client as v4-mapped", only_xmit=True)
def dual_stack(world):
    p = world.start_over("python3", "-c", DUAL)

    def ask():
        world.alive(p)
        try:
            with socket.create_connection((OURS, 7008), 1) as s:
                return s.makefile().read()
        except OSError:
            return None
    said = wait_for(ask, 10, "an answer")
    expect(said == f"::ffff:{PEER} ::ffff:{OURS}", f"the names are {said}")
    expect(p.wait(5) == 0, f"the server ended with {p.returncode}")


FORKING = """
import os, signal, socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while block := self.request.recv(65536):
            self.request.sendall(block)
class Server(socketserver.ForkingTCPServer):
    allow_reuse_address, request_queue_size, max_children = True, 64, 64
Server(("", 7007), Echo).serve_forever()
"""


def echo_once(data):
    with socket.create_connection((OURS, 7007), 10) as s:
        sender = Task(lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        got = hashlib.sha256()
        while block := s.recv(65536):
            got.update(block)
        sender.join_result(10, "all is sent")
        return got.hexdigest()


@case("a python server that forks for each of 20 connections at once")
def forking_server(world):
    p = world.start_over("python3", "-c", FORKING)
    world.listens(7007, OURS, p)
    data = (world.work / "data" / "small").read_bytes()
    tasks = [Task(echo_once, data) for _ in range(20)]
    for t in tasks:
        expect(t.join_result(30, "echo of a megabyte") == sums["small"], "the echo came back changed")


# --- iperf3 -----------------------------------------------------------------------------------------------------------


def bits(report, side="sum_received"):
    end = json.loads(report)["end"]
    return end[side if side in end else "sum"]["bits_per_second"]


def iperf(world, client_prefix, addr, *options):
    report = world.sh(*client_prefix, "iperf3", "-J", "-c", addr, "-t", "1", *options, seconds=30).stdout
    error = json.loads(report).get("error")
    expect(not error, f"iperf3 {' '.join(map(str, options))}: {error}")
    return report


TCP_MODES = {"sends": [], "receives": ["-R"], "sends on 4 connections": ["-P", "4"], "receives on 4 connections": ["-P", "4", "-R"],
             "both ways at once": ["--bidir"]}


def check_udp(report):
    end = json.loads(report)["end"]["sum"]
    expect(end["bits_per_second"] > 40e6, f"UDP at {end['bits_per_second'] / 1e6:.1f} Mbit/s instead of 50")
    expect(end["lost_percent"] < 5, f"{end['lost_percent']:.1f} % of the datagrams lost")


def iperf_case(name, client_over, options, check):
    @case(name, needs=["iperf3"])
    def run(world):
        server = [*(() if client_over else world.xmit()), "iperf3", "-s", "-B", PEER if client_over else OURS]
        p = world.start(*server, "--forceflush")
        world.says(p, "Server listening")
        check(iperf(world, world.xmit() if client_over else (), PEER if client_over else OURS, *options))
        world.alive(p)


for mode, words in TCP_MODES.items():
    iperf_case(f"iperf3 client under xmit {mode}", True, words, lambda r: expect(bits(r) > 50e6, f"{bits(r) / 1e6:.1f} Mbit/s only"))
for mode, words in (("sends", []), ("receives", ["-R"])):
    iperf_case(f"iperf3 client under xmit {mode} UDP at 50 Mbit/s", True, ["-u", "-b", "50M", *words], check_udp)
    iperf_case(f"iperf3 server under xmit, the kernel's client {mode}", False, ["-P", "2", *words],
               lambda r: expect(bits(r) > 50e6, f"{bits(r) / 1e6:.1f} Mbit/s only"))
iperf_case("iperf3 server under xmit, UDP at 50 Mbit/s", False, ["-u", "-b", "50M"], check_udp)

main(prepare, needs=["ip"])
