# SPDX-License-Identifier: MIT
# Programs that must tell the same on Linux and under xmit run: what was tried for doc/frontend.md and is no difference.  Run by
# test_run_differences.py, after PRELUDE, which has the words used here.  Timers that interrupt a call ring again and again: on a busy machine the
# first may ring before the call has begun.

# == poll_through_a_life
s = tcp()
seen = [bits(s)]
connected(s)
seen.append(bits(s))
ask("send", b"abc")
wait(s, select.POLLIN)
seen.append(bits(s))
s.recv(3)
ask("fin")
wait(s, select.POLLIN)
seen.append(bits(s))
s.recv(1)
s.shutdown(socket.SHUT_WR)
wait(s, select.POLLHUP)
seen.append(bits(s))
result(*seen)

# == poll_after_reset
s = connected()
ask("send", b"abc")
wait(s, select.POLLIN)
ask("reset")
wait(s, select.POLLERR)
result(bits(s), s.recv(9), try_(s.recv, 9), s.recv(9), try_(s.send, b"x"), try_(s.getpeername), try_(s.connect, (PEER, PORT)))

# == error_after_reset
s = connected()
ask("reset")
wait(s, select.POLLERR)
result(bits(s), error(s), error(s), bits(s), s.recv(1), try_(s.send, b"x"))

# == poll_shut_one_way
s = connected()
s.shutdown(socket.SHUT_WR)
seen = bits(s)
ask("send", b"abc")
wait(s, select.POLLIN)
r = connected()
r.shutdown(socket.SHUT_RD)
result(seen, bits(s), s.recv(4), try_(s.send, b"x"), bits(r), r.recv(1))

# == listen_and_accept
l = tcp()
l.bind((OWN, 0))
l.listen(5)
l.setblocking(False)
seen = bits(l), try_(l.accept), try_(l.connect, (PEER, PORT))
ask("knock", l.getsockname()[1], 1, 2)
wait(l, select.POLLIN)
seen += (bits(l),)
fd = c("accept4", l.fileno(), None, None, socket.SOCK_NONBLOCK)
result(*seen, bits(l), try_(os.read, fd, 1), fcntl.fcntl(fd, fcntl.F_GETFD), c("accept4", l.fileno(), None, None, 1))

# == refused_and_again
s = tcp()
seen = try_(s.connect, (PEER, 1)), bits(s), error(s)
s.connect((PEER, PORT))
result(*seen, s.send(b"x"), ask("read", 1))

# == refused_without_waiting
s = tcp()
s.setblocking(False)
seen = name_of(s.connect_ex((PEER, 1)))
wait(s, select.POLLERR)
result(seen, bits(s), error(s), bits(s), s.recv(1), try_(s.send, b"x"), try_(s.connect, (PEER, PORT)))

# == connecting
s = tcp()
s.setblocking(False)
seen = name_of(s.connect_ex((OWN.rsplit(".", 1)[0] + ".77", 9)))
result(seen, bits(s), try_(s.connect, (PEER, PORT)), try_(s.recv, 1), try_(s.send, b"x"), try_(s.getpeername), error(s))

# == connect_interrupted
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
s = tcp()
to = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(9), socket.inet_aton(OWN.rsplit(".", 1)[0] + ".77"))
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
seen = c("connect", s.fileno(), to, 16)
signal.setitimer(signal.ITIMER_REAL, 0)
s.setblocking(False)
seen = seen, bits(s), c("connect", s.fileno(), to, 16)
wait(s, select.POLLERR, 8)
result(*seen, bits(s), error(s))

# == connect_timed_out
s = tcp()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
result(try_(s.connect, (OWN.rsplit(".", 1)[0] + ".77", 9)), bits(s))

# == accept_interrupted
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
l = socket.create_server((OWN, 0))
signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
seen = c("accept", l.fileno(), None, None)
signal.setitimer(signal.ITIMER_REAL, 0)
l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
result(seen, c("accept", l.fileno(), None, None))

# == listener_shut
l = socket.create_server((OWN, 0))
port = l.getsockname()[1]
got = []
waiting = threading.Thread(target=lambda: got.append(try_(l.accept)), daemon=True)
waiting.start()
time.sleep(0.1)
seen = try_(l.shutdown, socket.SHUT_RDWR)
waiting.join(3)
result(seen, got, ask("knock", port, 1, 0.3))

# == listener_closed
l = socket.create_server((OWN, 0))
port = l.getsockname()[1]
kept = l.dup()
l.close()
seen = ask("knock", port, 1, 1)
kept.close()
result(seen, ask("knock", port, 1, 1), try_(socket.create_server, (OWN, port)).__class__.__name__)

# == unconnected_messages
s = tcp()
result(try_(s.recvmsg, 1), try_(s.sendmsg, [b"x"]), try_(s.recvfrom, 1), try_(s.sendto, b"x", (PEER, PORT)), try_(s.getpeername))

# == sigpipe
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
s = connected()
ask("reset")
wait(s, select.POLLERR)
error(s)
def dies(call, *args):
    if os.fork() == 0:
        try_(call, *args)
        os._exit(0)
    return os.wait()[1]
result(dies(s.send, b"x"), dies(s.sendto, b"x", (PEER, PORT)), dies(s.sendto, b"x", socket.MSG_NOSIGNAL, (PEER, PORT)), dies(tcp().sendmsg, [b"x"]))

# == cork
s = connected()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
s.send(b"a")
until(lambda: unsent(s) == 0, 0.1)
s.send(b"b")
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
until(lambda: unsent(s) == 0)
result(ask("segments"))

# == unsent
s = connected()
seen = unsent(s), number(s, 0x894b)
ask("vanish")
s.send(b"abc")
until(lambda: number(s, 0x894b) == 0)
result(*seen, unsent(s), number(s, 0x894b), try_(number, socket.create_server((OWN, 0)), 0x5411))

# == low_water
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
ask("send", b"ab")
time.sleep(0.1)
seen = bits(s, select.POLLIN)
ask("send", b"cd")
wait(s, select.POLLIN)
result(seen, bits(s, select.POLLIN), s.recv(9))

# == wait_for_all
s = connected()
ask("send", b"abc")
wait(s, select.POLLIN)
threading.Timer(0.1, lambda: ask("send", b"def")).start()
result(s.recv(6, socket.MSG_WAITALL), try_(s.recv, 1, socket.MSG_DONTWAIT), try_(s.recvmsg, 9, 99, socket.MSG_ERRQUEUE))

# == edges
s = tcp()
s.setblocking(False)
e = select.epoll()
e.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
seen = [e.poll(0.2)]
s.connect_ex((PEER, PORT))
seen += [e.poll(1)]
e.poll(0.1)  # an edge may be told twice
ask("send", b"x")
seen += [e.poll(1)]
e.poll(0.1)
ask("send", b"y")
seen += [e.poll(1)]
result(*([events for _, events in one] for one in seen))

# == splice_and_sendfile
s = connected()
r, w = os.pipe()
os.write(w, b"abc")
seen = os.splice(r, s.fileno(), 3), ask("read", 9)
ask("send", b"defg")
wait(s, select.POLLIN)
seen += os.splice(s.fileno(), w, 9), os.read(r, 9)
fd = os.memfd_create("file")
os.write(fd, b"contents")
result(*seen, os.sendfile(s.fileno(), fd, 0, 8), ask("read", 9))

# == dup_and_exec
s = connected()
copy = os.dup(s.fileno())
s.close()
os.set_inheritable(copy, True)
if os.fork() == 0:
    os.execvp("python3", ["python3", "-c", f"import socket; s = socket.socket(fileno={copy}); s.send(b'ab'); s.getpeername()[1] == {PORT} or 1 / 0"])
status = os.wait()[1]
seen = ask("read", 9)
os.close(copy)
result(status, seen, ask("read", 9))

# == passed_on
a, b = socket.socketpair()
s = connected()
if os.fork() == 0:
    s.close()
    got = socket.socket(fileno=socket.recv_fds(b, 9, 1)[1][0])
    got.send(b"hi")
    os._exit(got.getpeername()[1] != PORT)
socket.send_fds(a, [b"x"], [s.fileno()])
s.close()
result(os.wait()[1], ask("read", 9), ask("read", 9))

# == killed
if os.fork() == 0:
    s = connected()
    s.send(b"abc")
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
result(ask("read", 9), ask("read", 9))

# == closed_unread
s = connected()
ask("send", b"x")
wait(s, select.POLLIN)
s.close()
result(ask("read", 1))

# == closed_to_linger_0
s = connected()
ask("read", 1, 0.01)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
result(ask("read", 1))

# == closed_to_linger_0_unsent
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.setblocking(False)
until(lambda: try_(s.send, bytes(1 << 20)) == "EAGAIN" and not time.sleep(0.1) and try_(s.send, b"x") == "EAGAIN")
s.close()
result(ask("ended", 2))

# == half_closed
s = connected()
s.send(b"q")
s.shutdown(socket.SHUT_WR)
seen = ask("read", 9), ask("read", 9), ask("send", b"answer"), ask("fin")
wait(s, select.POLLIN)
result(*seen, s.recv(9), s.recv(9), try_(s.getpeername))

# == shut_under_a_reader
got = []
s = connected()
reader = threading.Thread(target=lambda: got.append(try_(s.recv, 1)), daemon=True)
reader.start()
time.sleep(0.1)
s.shutdown(socket.SHUT_RDWR)
reader.join(2)
result(got)

# == reuse_port
ls = [tcp(), tcp()]
for l in ls:
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    l.bind((OWN, ls[0].getsockname()[1]))
    l.listen(50)
r, w = os.pipe()
ask("knock", ls[0].getsockname()[1], 40, 3)
def taken(l):
    l.setblocking(False)
    n = 0
    while not isinstance(try_(l.accept), str):
        n += 1
    return n
if os.fork() == 0:
    os.write(w, bytes([taken(ls[1])]))
    os._exit(0)
os.wait()
theirs = os.read(r, 1)[0]
mine = taken(ls[0])
result(mine + theirs, mine > 0, theirs > 0)

# == mapped
s = socket.socket(socket.AF_INET6)
s.connect(("::ffff:" + PEER, PORT))
s.send(b"x")
result(ask("read", 1), s.getpeername()[0] == "::ffff:" + PEER)

# == raw_echo
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
s.settimeout(2)
s.sendto(b"\x08\x00\xf7\xfe\0\0\0\1", (PEER, 0))
answer, sender = s.recvfrom(100)
result(answer[20:22], sender[0] == PEER)

# == bad_arguments
s = tcp()
bad = ctypes.c_void_p(8)
result(c("connect", s.fileno(), bad, 16), c("bind", s.fileno(), bad, 16), c("setsockopt", s.fileno(), 1, 2, bad, 4),
       c("getsockopt", s.fileno(), 1, 2, bad, bad), c("getsockname", s.fileno(), bad, bad), c("bind", s.fileno(), b"", 1),
       c("connect", s.fileno(), bytes(16), -1), try_(s.bind, ("203.0.113.5", 1)), try_(socket.socket, 2, 7),
       try_(socket.socket, 2, 1 | 0x10000), try_(socket.socket, 2, 1, 17))

# == interface_list
def listed(length, buffer):
    ifconf = ctypes.create_string_buffer(struct.pack("i4xP", length, ctypes.addressof(buffer) if buffer else 0))
    done = c("ioctl", s.fileno(), 0x8912, ifconf)
    return done, struct.unpack("i", ifconf[:4])[0]
s = udp()
room = ctypes.create_string_buffer(400)
total = listed(0, None)[1]
lengths = [listed(n, None) == (0, total) for n in (-5, 1000)]
result(total >= 80, lengths, [listed(n, room) for n in (-5, 0, 30, 40, 79)], bytes(room[:16]).strip(b"\0"))

# == udp_messages
s = udp()
s.bind((OWN, 0))
for level, option in ((0, 8), (0, 12), (0, 13), (1, 29), (1, 40)):
    s.setsockopt(level, option, 1)
port = s.getsockname()[1]
ask("tell", port, b"abc", b"def", b"ghijkl")
wait(s, select.POLLIN)
data, control, flags, sender = s.recvmsg(10, 400)
seen = data, sorted((a, b, len(v)) for a, b, v in control), flags, sender == (PEER, PORT)
time.sleep(0.1)
result(*seen, [x[:2] for x in s.recvmsg(10, socket.CMSG_SPACE(16) + 4)[1]][:1], s.recvmsg(3)[::2])

# == udp_shut_for_writing
s = connected(udp())
sent = [s.send(b"a"), s.send(b""), s.send(b"b")]
s.shutdown(socket.SHUT_WR)
refused = try_(s.send, b"c"), try_(s.sendmsg, [b"c"])
heard = [ask("hear"), ask("hear"), ask("hear"), ask("hear", 0.3)]
ask("tell", s.getsockname()[1], b"reply")
result(sent, refused, heard, s.recv(9))

# == udp_sending
s = connected(udp())
heard = []
for call, *args in ((s.send, b""), (os.write, s.fileno(), b"a"), (os.writev, s.fileno(), [b"b", b"c"]), (s.sendmsg, [b"d", b"e"])):
    call(*args)
    heard.append(ask("hear"))
s.setsockopt(socket.IPPROTO_UDP, 1, 1)
s.send(b"f")
s.send(b"g")
s.setsockopt(socket.IPPROTO_UDP, 1, 0)
heard.append(ask("hear"))
result(*heard, try_(udp().sendto, bytes(65508), (PEER, PORT)), try_(udp().sendmsg, [b"x"]), try_(udp().listen, 1))

# == udp_errors
def refused():
    s = udp()
    s.connect((PEER, 9))
    s.send(b"x")
    wait(s, select.POLLIN | select.POLLERR, 1)
    return s
s, again = refused(), refused()
seen = try_(s.recvfrom, 9), bits(s), try_(refused().sendmsg, [b"x"]), error(again), error(again), bits(again)
s = udp()
s.setsockopt(socket.IPPROTO_IP, 11, 1)
s.connect((PEER, 9))
s.send(b"xyz")
wait(s, select.POLLIN | select.POLLERR, 1)
data, control, flags, _ = s.recvmsg(100, 200, socket.MSG_ERRQUEUE)
result(*seen, data, [x[:2] for x in control], flags & 0x2000, bits(s))

# == udp_report_taken_by_read
s = udp()
s.connect((PEER, PORT + 1 if PORT < 65535 else 9))
s.send(b"x")
wait(s, select.POLLIN | select.POLLERR, 1)
try_(s.recv, 9)
error(s)
s.connect((PEER, PORT))
ask("tell", s.getsockname()[1], b"abc")
wait(s, select.POLLIN, 1)
s.settimeout(1)
result(try_(s.recvfrom, 9)[0])

# == unreachable
to = ("203.0.113.1", 9)
result(try_(udp().connect, to), try_(udp().sendto, b"x", to), try_(tcp().connect, to), try_(udp().sendto, b"x", ("255.255.255.255", 9)))

# == msg_more
s = connected()
s.send(b"a", socket.MSG_MORE)
until(lambda: unsent(s) == 0, 0.1)
s.send(b"b")
until(lambda: unsent(s) == 0)
result(ask("segments"))

# == more_in_order
s = connected()
block = bytes(range(256)) * 400
results = []
reader = threading.Thread(target=lambda: results.append(ask("digest", 8 * len(block) + 13)))
reader.start()
sent = []
for i in range(4):
    sent.append(s.send(block[i:] + block[:i]))
    sent.append(s.send(block[-i:] + block[:-i], socket.MSG_MORE))
sent.append(s.sendmsg([b"abc", b"", b"defg"], [], socket.MSG_MORE))
sent.append(s.send(b"hijklm"))
reader.join()
result(sent, *results)

# == more_without_waiting
s = connected()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
s.setblocking(False)
more = lambda: try_(s.send, bytes(8 << 20), socket.MSG_MORE)
n = more()
until(lambda: more() == "EAGAIN" and not time.sleep(0.2) and more() == "EAGAIN")
again = more()
s.setblocking(True)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 100000))
result(0 < n < 8 << 20, again, try_(s.send, b"x", socket.MSG_MORE))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

# == more_interrupted
s = connected()
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
n = c("send", s.fileno(), bytes(64 << 20), 64 << 20, socket.MSG_MORE)
signal.setitimer(signal.ITIMER_REAL, 0)
result(0 < n < 64 << 20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

# == more_after_reset
s = connected()
ask("reset")
wait(s, select.POLLERR)
result(*[try_(s.send, b"x", socket.MSG_MORE) for i in range(2)], error(s))

# == more_of_bad_memory
s = connected()
result(c("send", s.fileno(), ctypes.c_void_p(8), 4, socket.MSG_MORE), try_(s.send, b"", socket.MSG_MORE), try_(tcp().send, b"x", socket.MSG_MORE))

# == udp_msg_more
s = connected(udp())
s.send(b"ab", socket.MSG_MORE)
s.send(b"cd")
result(ask("hear"))

# == send_with_address
s = connected()
peer = threading.Thread(target=lambda: ask("read_some", 1 << 20))
peer.start()
n = s.sendto(bytes(1 << 20), (PEER, PORT))
peer.join()
result(n)

# == urgent_sent
s = connected()
s.send(b"ab")
s.send(b"!", socket.MSG_OOB)
result(ask("urgent_byte"), ask("read", 9))

# == urgent_received
seen = []
for inline in 0, 1:
    for way in range(8):
        s = connected()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, inline)
        ask("urgent", b"ab!")
        wait(s, select.POLLPRI)
        seen += bits(s), number(s, 0x8905)
        if way & 1:
            seen.append(try_(s.recv, 1, socket.MSG_OOB))
        if way & 2:
            ask("send", b"cd")
            until(lambda: unread(s) > 3, 0.3)
        seen += s.recv(9, socket.MSG_PEEK), s.recv(9), number(s, 0x8905)
        if way & 4 and (inline or way & 1):
            ask("urgent", b"ef?")
            until(lambda: unread(s) > 5, 0.3)
        s.setblocking(False)
        for i in range(4):
            seen += try_(s.recv, 9), number(s, 0x8905)
        seen.append(try_(s.recv, 1, socket.MSG_OOB))
        ask("hang_up")
        wait(s, 0x2000)
        seen += try_(s.recv, 9), s.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE)
result(seen)

# == urgent_signal
got = []
signal.signal(signal.SIGURG, lambda *_: got.append(1))
s = connected()
fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
ask("urgent", b"!")
until(lambda: got, 2)
_, _, special = select.select([], [], [s], 2)
result("SIGURG" if got else "none", special == [s])

# == urgent_inherited
l = socket.create_server((OWN, 0))
l.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
l.setsockopt(socket.SOL_SOCKET, 42, 3)
l.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 7)
ask("knock", l.getsockname()[1], 1, 2)
s, _ = l.accept()
result(s.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), s.getsockopt(socket.SOL_SOCKET, 42), s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT))

# == urgent_ignored
s = connected()
ask("urgent", b"ab!")
wait(s, select.POLLPRI)
ask("send", b"cd")
until(lambda: unread(s) > 3, 0.3)
seen = s.recv(9), s.recv(9)
s.close()
result(seen, ask("read", 1))

# == msg_trunc
seen = []
def discard(n, flags):
    into = bytearray(3)
    seen.append((try_(s.recv_into, into, n, flags), bytes(into)))
s = connected()
s.settimeout(None)
ask("send", b"abcdefghij")
until(lambda: unread(s) == 10)
discard(3, socket.MSG_TRUNC)
discard(2, socket.MSG_TRUNC | socket.MSG_PEEK)
seen.append(try_(c, "recv", s.fileno(), None, 2, socket.MSG_TRUNC))
seen.append(s.recv(9, socket.MSG_PEEK))
into = bytearray(2)
seen.append((s.recvmsg_into([into], 0, socket.MSG_TRUNC), bytes(into)))
later = threading.Timer(0.2, lambda: ask("send", b"klmnop"))
later.start()
seen.append(c("recv", s.fileno(), None, 7, socket.MSG_TRUNC | socket.MSG_WAITALL))
later.join()
ask("urgent", b"qr!")
wait(s, select.POLLPRI)
seen.append(s.recv(1))
seen.append(c("recv", s.fileno(), None, 99, socket.MSG_TRUNC))
ask("send", b"st")
until(lambda: s.recv(9, socket.MSG_PEEK) == b"st")
seen.append(c("recv", s.fileno(), None, 99, socket.MSG_TRUNC))
seen.append(c("recv", s.fileno(), None, 1, socket.MSG_TRUNC | socket.MSG_DONTWAIT))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
seen.append(c("recv", s.fileno(), None, 1, socket.MSG_TRUNC))
ask("fin")
wait(s, 0x2000)
seen.append(c("recv", s.fileno(), None, 1, socket.MSG_TRUNC))
result(seen)

# == peek_offset
s = connected()
s.setsockopt(socket.SOL_SOCKET, 42, 1)
ask("send", b"abcdefg")
until(lambda: unread(s) == 7)
seen = [s.recv(2, socket.MSG_PEEK), s.recv(3, socket.MSG_PEEK), s.getsockopt(socket.SOL_SOCKET, 42), s.recv(2), s.recv(9, socket.MSG_PEEK)]
s.setblocking(False)
result(seen, try_(s.recv, 1, socket.MSG_PEEK), s.getsockopt(socket.SOL_SOCKET, 42))

# == fault_unconnected
to = struct.pack("=HH4s8x", socket.AF_INET, 9, socket.inet_aton(PEER))
s = tcp()
result(c("sendto", s.fileno(), ctypes.c_void_p(8), 4, socket.MSG_NOSIGNAL, to, 16))
