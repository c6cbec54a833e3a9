/* SPDX-License-Identifier: MIT */
/*
 * inet_connect.c - connect() of a stream socket, and its states:
 *
 *	SS_UNCONNECTED --connect()--> SS_CONNECTING --handshake done--> SS_CONNECTED
 *	      ^                            |
 *	      +------- failed: errno ------+
 *
 * The protocol's own state (SYN_SENT, ESTABLISHED, CLOSE) moves by itself; socket.state follows when the user calls again.  A
 * non-blocking caller gets EINPROGRESS, then EALREADY, then 0 or the error once, then EISCONN (POSIX connect()).
 */
#include "socket/socket_internal.h"
#include "tcp/tcp.h"
#include "ip/zerocopy.h"
#include "tcp/tcp_fastopen.h"

enum { CONNECTING_STATES = TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV) };

static bool handshake_over(struct sock *sk, void *arg)
{
	(void)arg;
	return !(TCPF(sk->sk_state) & CONNECTING_STATES);
}

/* 0 when the state is past the handshake; pending, the errno so far, when the caller does not wait or his time is up. */
static int wait_for_connect(struct sock *sk, int flags, int pending)
{
	uint64_t timeo = sock_sndtimeo(sk, flags & O_NONBLOCK);

	if (handshake_over(sk, NULL))
		return 0;
	if (!timeo)
		return pending;
	int err = sk_wait(sk, &timeo, handshake_over, NULL);
	return err == -EAGAIN ? pending : err;
}

static int disconnect(struct socket *sock)
{
	int err = sock->sk->sk_prot->disconnect(sock->sk);

	sock->state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
	return err;
}

/* Begins to connect; -EINPROGRESS when that went well. */
static int start_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len)
{
	struct sock *sk = sock->sk;

	if (sk->sk_state != TCP_CLOSE)
		return -EISCONN;
	if (!addr)
		return -EINVAL;
	int err = sk->sk_prot->connect(sk, addr, len);
	if (err)
		return err;
	sock->state = SS_CONNECTING;
	return -EINPROGRESS;
}

/* The SYN of a Fast Open socket waits for the first write, which knows its destination from connect(). */
static bool is_deferred(const struct sock *sk) { return sk->sk_prot == &tcp_prot && tcp_sk(sk)->defer_connect; }

/* While the SYN is out a writer with more to say lets its data carry the ACK of the SYN-ACK. */
static int wait_as_writer(struct sock *sk, int flags, int pending)
{
	bool more = sk->sk_prot == &tcp_prot && tcp_fastopen_data_waits(sk);
	int err;

	if (more)
		tcp_sk(sk)->write_pending = 1;
	err = wait_for_connect(sk, flags, pending);
	if (more)
		tcp_sk(sk)->write_pending = 0;
	return err;
}

/* is_sendmsg: on behalf of a write that opens the connection; addr may then be NULL. */
static int stream_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags, bool is_sendmsg)
{
	struct sock *sk = sock->sk;
	int err;

	if (addr && len < sizeof(addr->family))
		return -EINVAL;
	if (addr && addr->family == AF_UNSPEC)
		return disconnect(sock);
	switch (sock->state) {
	case SS_CONNECTED:
		return -EISCONN;
	case SS_CONNECTING:
		if (is_deferred(sk))
			err = is_sendmsg ? -EINPROGRESS : -EISCONN;
		else
			err = -EALREADY;
		break;
	case SS_UNCONNECTED:
		err = start_connect(sock, addr, len);
		if (err != -EINPROGRESS)
			return err;
		if (is_deferred(sk))
			return 0;
		break;
	default:
		return -EINVAL;
	}
	err = wait_as_writer(sk, flags, err);
	if (err)
		return err;
	if (sk->sk_state == TCP_CLOSE) { /* refused, timed out, unreachable */
		err = sock_error(sk);
		disconnect(sock);
		return err ? err : -ECONNABORTED;
	}
	sock->state = SS_CONNECTED;
	return 0;
}

int inet_stream_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags)
{
	if (!addr)
		return -EINVAL;
	return stream_connect(sock, addr, len, flags, false);
}

/*
 * A write that opens the connection (RFC 7413): MSG_FASTOPEN with the destination, or the first one after a deferred connect().  What of it the SYN
 * carries is told even where the connection is still opening; the rest is written when it is open.
 */
ssize_t inet_sendmsg_fastopen(struct socket *sock, struct msghdr_k *msg)
{
	struct sock *sk = sock->sk;
	size_t copied;
	ssize_t rest;
	int err = tcp_fastopen_begin(sk, msg);

	if (err)
		return err;
	err = stream_connect(sock, msg->name, msg->namelen, msg->flags & MSG_DONTWAIT ? O_NONBLOCK : 0, true);
	copied = tcp_fastopen_end(sk);
	/* Those bytes were copied.  Where more follows, the rest of the call tells. */
	if (copied && (err || !msg->iter.count) && (msg->flags & MSG_ZEROCOPY) && sock_flag(sk, SOCK_F_ZEROCOPY))
		msg_zerocopy_all_copied(sk);
	if (err)
		return err == -EINPROGRESS && copied ? (ssize_t)copied : err;
	if (copied && !msg->iter.count)
		return (ssize_t)copied;
	rest = sk->sk_prot->sendmsg(sk, msg);
	if (rest < 0)
		return copied ? (ssize_t)copied : rest;
	return (ssize_t)copied + rest;
}
