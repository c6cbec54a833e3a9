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
	int err = sk->sk_prot->connect(sk, addr, len);
	if (err)
		return err;
	sock->state = SS_CONNECTING;
	return -EINPROGRESS;
}

int inet_stream_connect(struct socket *sock, const struct sockaddr_any *addr, socklen_t len, int flags)
{
	struct sock *sk = sock->sk;
	int err;

	if (len < sizeof(addr->family))
		return -EINVAL;
	if (addr->family == AF_UNSPEC)
		return disconnect(sock);
	switch (sock->state) {
	case SS_CONNECTED:
		return -EISCONN;
	case SS_CONNECTING:
		err = -EALREADY;
		break;
	case SS_UNCONNECTED:
		err = start_connect(sock, addr, len);
		if (err != -EINPROGRESS)
			return err;
		break;
	default:
		return -EINVAL;
	}
	err = wait_for_connect(sk, flags, err);
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
