/* SPDX-License-Identifier: MIT */
/*
 * tcp_poll.c - what a TCP socket is ready for, and the ioctls that ask for lengths.  The masks are Linux's, bit for bit: programs
 * (and edge-triggered loops above all) depend on them.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_user.h"

enum { /* Linux's numbers */ IOC_INQ = 0x541b, IOC_OUTQ = 0x5411, IOC_OUTQNSD = 0x894b, IOC_ATMARK = 0x8905 };

static bool handshake_state(const struct sock *sk) { return TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)); }

/* Below the low-water mark a socket is readable all the same when no more could come: window or memory are at their end. */
bool tcp_epollin_ready(const struct sock *sk, int target)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int avail = (int)(tp->rcv_nxt - tp->copied_seq);

	if (avail <= 0)
		return false;
	return avail >= target || sk_under_memory_pressure(sk) || tcp_receive_window(tp) <= inet_csk(sk)->icsk_ack.rcv_mss;
}

static unsigned poll_for_write(struct sock *sk)
{
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return POLLOUT | POLLWRNORM;
	if (sk_stream_wspace(sk) >= sk_stream_min_wspace(sk) && tcp_stream_half_free(sk))
		return POLLOUT | POLLWRNORM;
	sock_set_flag(sk, SOCK_F_NOSPACE); /* whoever frees room says so */
	return 0;
}

static unsigned poll_connected(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int target = sock_rcvlowat(sk, false, 0x7fffffff);
	unsigned mask = 0;

	if (tp->urg_data && tp->urg_seq == tp->copied_seq && !sock_flag(sk, SOCK_F_URGINLINE))
		target++;
	if (tcp_epollin_ready(sk, target))
		mask |= POLLIN | POLLRDNORM;
	mask |= poll_for_write(sk);
	if (tp->urg_data & TCP_URG_VALID)
		mask |= POLLPRI;
	return mask;
}

unsigned tcp_poll(struct sock *sk)
{
	unsigned mask = 0;

	if (sk->sk_state == TCP_LISTEN)
		return sk->sk_ack_backlog ? POLLIN | POLLRDNORM : 0;
	if (sk->sk_shutdown == SHUTDOWN_MASK || sk->sk_state == TCP_CLOSE)
		mask |= POLLHUP;
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (!handshake_state(sk) || tcp_passive_fastopen(sk))
		mask |= poll_connected(sk);
	else if (sk->sk_state == TCP_SYN_SENT && tcp_sk(sk)->defer_connect)
		mask |= POLLOUT | POLLWRNORM; /* the write is what sends the SYN */
	if (sk->sk_err || (sk->sk_ext && !skb_queue_empty(&sk->sk_ext->error_queue)))
		mask |= POLLERR;
	return mask;
}

/* Bytes that a read would give now: up to the urgent byte where that is still ahead and not in line; without the FIN. */
static int unread_bytes(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int n;

	if (handshake_state(sk))
		return 0;
	if (!sock_flag(sk, SOCK_F_URGINLINE) && tp->urg_data && !seq_before(tp->urg_seq, tp->copied_seq) && seq_before(tp->urg_seq, tp->rcv_nxt))
		return (int)(tp->urg_seq - tp->copied_seq);
	n = (int)(tp->rcv_nxt - tp->copied_seq);
	return n && sock_flag(sk, SOCK_F_DONE) ? n - 1 : n;
}

/* -EINVAL on a listener, -EFAULT, -ENOTTY: not one of TCP's. */
int tcp_ioctl(struct sock *sk, unsigned long cmd, void *arg)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	bool listening = sk->sk_state == TCP_LISTEN;
	int n;

	switch (cmd) {
	case IOC_INQ:
		n = listening ? -1 : unread_bytes(sk);
		break;
	case IOC_ATMARK:
		n = tp->urg_data && tp->urg_seq == tp->copied_seq;
		break;
	case IOC_OUTQ:
		n = listening ? -1 : handshake_state(sk) ? 0 : (int)(tp->write_seq - tp->snd_una);
		break;
	case IOC_OUTQNSD:
		n = listening ? -1 : handshake_state(sk) ? 0 : (int)(tp->write_seq - tp->snd_nxt);
		break;
	default:
		return -ENOTTY;
	}
	if (n < 0)
		return -EINVAL;
	if (!arg)
		return -EFAULT;
	memcpy(arg, &n, sizeof(n));
	return 0;
}
