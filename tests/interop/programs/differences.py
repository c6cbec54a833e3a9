# SPDX-License-Identifier: MIT
# The programs of the table in doc/frontend.md, run by test_run_differences.py: one a row, after PRELUDE, which has the words used here.

# == read_unconnected
s = tcp()
result(try_(os.read, s.fileno(), 1), try_(s.recv, 1))

# == write_unconnected
s = tcp()
result(try_(os.write, s.fileno(), b"x"), try_(s.send, b"x"))

# == read_listening
l = socket.create_server((OWN, 0))
result(try_(l.recv, 1), try_(l.send, b"x"))

# == shutdown_unconnected
result(try_(tcp().shutdown, socket.SHUT_WR))

# == read_timed_out
s = connected()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
ask("vanish")
s.send(b"x")
wait(s, select.POLLERR, 10)
result(try_(s.recv, 1), error(s))

# == write_timed_out
s = connected()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
ask("vanish")
s.send(b"x")
wait(s, select.POLLERR, 10)
result(try_(s.send, b"x"), error(s))

# == write_after_reset
s = connected()
ask("reset")
wait(s, select.POLLERR)
result(try_(s.send, b"x"), try_(s.send, b"x"), error(s))

# == read_refused
s = tcp()
s.setblocking(False)
s.connect_ex((PEER, 1))
wait(s, select.POLLERR)
result(try_(s.recv, 1), error(s))

# == write_refused
s = tcp()
s.setblocking(False)
s.connect_ex((PEER, 1))
wait(s, select.POLLERR)
result(try_(s.send, b"x"), error(s))

# == poll_after_aborted
s = tcp()
s.setblocking(False)
s.connect_ex((PEER, 1))
wait(s, select.POLLERR)
error(s)
result(try_(s.connect, (PEER, PORT)), bits(s))

# == epoll_after_refused
s = tcp()
s.setblocking(False)
e = select.epoll()
e.register(s, select.EPOLLOUT)
s.connect_ex((PEER, 1))
wait(s, select.POLLERR)
error(s)
s.connect_ex((PEER, PORT))  # ECONNABORTED
s.connect_ex((PEER, PORT))
until(lambda: bits(s) == "OUT", 2)
result("told" if e.poll(0.5) else "silent")

# == poll_disconnected
s = connected()
result(c("connect", s.fileno(), bytes(16), 16), bits(s))

# == shutdown_connecting
s = tcp()
s.setblocking(False)
s.connect_ex((OWN.rsplit(".", 1)[0] + ".77", 9))
result(try_(s.shutdown, socket.SHUT_WR), bits(s))

# == shutdown_read
s = connected()
ask("read", 1, 0.01)
s.shutdown(socket.SHUT_RD)
ask("send", b"abc")
until(lambda: unread(s), 0.3)
result(try_(s.recv, 5))

# == shutdown_both
s = connected()
s.shutdown(socket.SHUT_RDWR)
until(lambda: s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\1")
result("known" if try_(s.getpeername) == (PEER, PORT) else try_(s.getpeername))

# == shutdown_both_then_data
s = connected()
s.shutdown(socket.SHUT_RDWR)
ask("read", 1)
ask("send", b"abc")
wait(s, select.POLLERR, 0.3)
result(try_(s.recv, 5))

# == ended_options
s = connected()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
ask("reset")
wait(s, select.POLLERR)
result(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), try_(s.setsockopt, socket.IPPROTO_TCP, 99, 1))

# == linger_seconds
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
ask("vanish")
s.send(b"x")
began = time.monotonic()
s.close()
result("waits" if time.monotonic() - began > 0.8 else "returns at once")

# == send_buffer
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
s.setblocking(False)
result("a part" if s.send(bytes(250000)) < 250000 else "all")

# == backlog
l = tcp()
l.bind((OWN, 0))
l.listen(1)
result(ask("knock", l.getsockname()[1], 12, 2.5))

# == urgent_unread
s = connected()
ask("urgent", b"ab!")
ask("send", b"cd")
until(lambda: unread(s) == 5, 0.3)
result(unread(s))

# == urgent_again
s = connected()
ask("urgent", b"ab!")
wait(s, select.POLLPRI)
s.recv(9)
ask("urgent", b"ef?")
until(lambda: unread(s) > 1, 0.3)
result(s.recv(9))

# == urgent_spliced
s = connected()
ask("urgent", b"ab!")
ask("send", b"cd")
until(lambda: unread(s) == 5, 0.3)
s.setblocking(False)
r, w = os.pipe()
os.splice(s.fileno(), w, 9)
result(try_(os.splice, s.fileno(), w, 9))

# == low_water_read
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 5)
ask("send", b"ab")
until(lambda: unread(s) == 2, 0.3)
s.setblocking(False)
result(unread(s), try_(s.recv, 9))

# == urgent_inherited_late
l = socket.create_server((OWN, 0))
ask("knock", l.getsockname()[1], 1, 2)
wait(l, select.POLLIN)
l.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
result(l.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE))

# == urgent_mark_polled
s = connected()
ask("urgent", b"ab!")
wait(s, select.POLLPRI)
s.recv(9)
result(bits(s))

# == zerocopy
result(try_(tcp().setsockopt, socket.SOL_SOCKET, 60, 1))

# == tcp_inq
result(try_(tcp().setsockopt, socket.IPPROTO_TCP, 36, 1))

# == tcp_timestamps
s = connected()
s.setsockopt(socket.SOL_SOCKET, 29, 1)
ask("send", b"abc")
wait(s, select.POLLIN)
result(len(s.recvmsg(9, 100)[1]))

# == fastopen
l = tcp()
l.bind((OWN, 0))
result(try_(l.setsockopt, socket.IPPROTO_TCP, 23, 5), try_(tcp().setsockopt, socket.IPPROTO_TCP, 30, 1),
       try_(tcp().sendto, b"x", 0x20000000, (PEER, PORT)))

# == no_option
tries = {"SO_TIMESTAMPING": (1, 37), "SO_INCOMING_CPU": (1, 49), "IP_RETOPTS": (0, 7), "IP_LOCAL_PORT_RANGE": (0, 51),
         "TCP_TX_DELAY": (6, 37)}
result(*sorted({str(try_(tcp().setsockopt, level, option, 0)) for level, option in tries.values()}))

# == peercred
result(try_(lambda: struct.unpack("iii", tcp().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))))

# == socket_filter
s = udp()
drop = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
result(try_(s.setsockopt, socket.SOL_SOCKET, 26, struct.pack("HxxxxxxQ", 1, ctypes.addressof(drop))))

# == udp_peek_offset
result(try_(udp().setsockopt, socket.SOL_SOCKET, 42, 0))

# == udp_no_destination
s = udp()
result(try_(s.send, b"x"))

# == udp_too_long
s = connected(udp())
result(try_(s.send, bytes(65508)))

# == udp_refused_read
s = udp()
s.connect((PEER, 9))
s.send(b"x")
wait(s, select.POLLIN | select.POLLERR, 1)
result(try_(s.recv, 9), error(s))

# == udp_refused_write
s = udp()
s.connect((PEER, 9))
s.send(b"x")
wait(s, select.POLLIN | select.POLLERR, 1)
result(try_(s.send, b"x"))

# == udp_refused_poll
s = udp()
s.connect((PEER, 9))
s.send(b"x")
wait(s, select.POLLIN | select.POLLERR, 1)
result(bits(s))

# == udp_shutdown
s = udp()
s.bind((OWN, 0))
result(try_(s.shutdown, socket.SHUT_RDWR))

# == udp_shutdown_name
s = connected(udp())
s.shutdown(socket.SHUT_RDWR)
time.sleep(0.1)
name = (ctypes.c_char * 128)()
c("getsockname", s.fileno(), name, ctypes.byref(ctypes.c_int(128)))
result("AF_INET" if name[0] == b"\2" else "AF_UNIX")

# == udp_shutdown_read
s = connected(udp())
s.settimeout(0.3)
s.shutdown(socket.SHUT_RD)
result("waits" if try_(s.recv, 1) == "TimeoutError" else "returns 0")

# == udp_unread
s = udp()
s.bind((OWN, 0))
ask("tell", s.getsockname()[1], b"abc", b"defgh")
until(lambda: unread(s) == 8, 0.3)
result(unread(s))

# == udp_overflow
s = udp()
s.bind((OWN, 0))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
for i in range(50):
    ask("tell", s.getsockname()[1], bytes(1000))
time.sleep(0.1)
s.setblocking(False)
n = 0
while try_(s.recv, 2000) != "EAGAIN":
    n += 1
result("some are lost" if n < 50 else "none is lost")

# == udp_segment
s = connected(udp())
result(try_(s.setsockopt, socket.IPPROTO_UDP, 103, 2), try_(s.sendmsg, [b"abcd"], [(socket.IPPROTO_UDP, 103, struct.pack("H", 2))]))

# == udp_gro
result(try_(udp().setsockopt, socket.IPPROTO_UDP, 104, 1))

# == udp_stamp
s = udp()
s.bind((OWN, 0))
ask("tell", s.getsockname()[1], b"x")
wait(s, select.POLLIN)
s.recv(1)
stamp = try_(fcntl.ioctl, s, 0x8906, bytes(16))
result(stamp if isinstance(stamp, str) else "a time")

# == ipv6_loopback
s = socket.socket(socket.AF_INET6)
result(try_(s.connect, ("::1", 9)), try_(s.bind, ("::1", 0)))

# == ipv6_raw
result(kind(try_(socket.socket, socket.AF_INET6, socket.SOCK_RAW, 58)))

# == packet_socket
result(kind(try_(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)))

# == privilege
os.setgid(65534)
os.setuid(65534)
result(try_(tcp().bind, ("0.0.0.0", 81)), kind(try_(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)))

# == ping_group
result(kind(try_(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 1)))

# == mptcp
result(kind(try_(socket.socket, socket.AF_INET, socket.SOCK_STREAM, 262)))

# == udplite
result(kind(try_(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, 136)))

# == io_uring
ring = c("syscall", 425, 4, (ctypes.c_char * 120)())
result(ring if isinstance(ring, str) else "a ring")

# == i386_call
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\xb8\x14\0\0\0\xcd\x80\xc3")  # getpid() by int 0x80
answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
result("a process id" if answer == os.getpid() else name_of(-answer))

# == proc_net
l = tcp()
l.bind((OWN, 0))
l.listen(1)
port = ":%04X" % l.getsockname()[1]
result("listed" if any(port in line for line in open("/proc/net/tcp")) else "not listed")

# == proc_net_dev
devices = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
result("the socket's" if sorted(devices) == sorted(name for _, name in socket.if_nameindex()) else "the host's")

# == proc_sys
with open("/proc/sys/net/ipv4/ip_default_ttl", "w") as f:
    f.write("33")
ttl = udp().getsockopt(socket.IPPROTO_IP, socket.IP_TTL)
with open("/proc/sys/net/ipv4/ip_default_ttl", "w") as f:
    f.write("64")
result(ttl)

# == netlink_events
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.bind((0, 1))
s.settimeout(0.5)
os.system("ip link set dev lo mtu 65000 2>/dev/null")
told = try_(s.recv, 9999)
os.system("ip link set dev lo mtu 65536 2>/dev/null")
result("told" if isinstance(told, bytes) else "silent")

# == netlink_changes
result("done" if os.system("ip addr add 198.18.77.1/32 dev lo 2>/dev/null") == 0 else "refused")

# == netlink_neighbours
udp().sendto(b"x", (PEER, PORT))
ask("hear")
result("listed" if PEER in os.popen("ip neigh").read() else "not listed")

# == netlink_tables
result(os.popen("ip rule").read().count("\n"), "routes" if os.popen("ip route show table local").read() else "no routes")

# == netlink_protocols
result(*sorted({kind(try_(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, protocol)) for protocol in (4, 6, 12)}))

# == interface_ioctl
flags = fcntl.ioctl(udp(), 0x8913, struct.pack("16s24x", b"eth0"))
done = try_(fcntl.ioctl, udp(), 0x8914, flags)
result(done if isinstance(done, str) else 0)

# == ethtool
carrier = ctypes.create_string_buffer(struct.pack("II", 10, 0))
done = try_(fcntl.ioctl, udp(), 0x8946, struct.pack("16sQ16x", b"eth0", ctypes.addressof(carrier)))
result(done if isinstance(done, str) else 0)

# == other_namespace
libc.unshare(0x40000000)
result(try_(connected) if isinstance(try_(connected), str) else "connected")

# == seccomp_listener
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
allow = Program(1, struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
libc.prctl(38, 1, 0, 0, 0)
listener = c("syscall", 317, 1, 8, ctypes.byref(allow))
result(listener if isinstance(listener, str) else "a listener")

# == seccomp_status
result(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("Seccomp:")))

# == left_behind
if os.fork() == 0:
    os.setsid()
    s = connected()
    before = os.getppid()
    until(lambda: os.getppid() != before)
    wait(s, select.POLLHUP, 1)
    result(bits(s), kind(try_(tcp)))
    os._exit(0)
time.sleep(0.3)
os._exit(0)
