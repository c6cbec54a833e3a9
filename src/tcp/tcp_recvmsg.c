/* SPDX-License-Identifier: MIT */
/*
 * tcp_recvmsg.c - bytes to the user (T8): the receive queue from copied_seq on, copied once.
 *
 * sk_receive_queue holds [copied_seq, rcv_nxt) in order, each skb with its range in the control block.  A read goes on until its target (one byte,
 * SO_RCVLOWAT, or all with MSG_WAITALL) is met, the stream ends or fails, the time is up, or the urgent mark is reached: data before and after the
 * mark never comes in one read.  What was read is freed at once (except with MSG_PEEK), and tcp_cleanup_rbuf() tells the peer when that
 * opened the window enough, or when an ACK waited for the reader.  RFC 9293 3.10.3, 3.8.5 (urgent), 3.8.6.2.2 (when to update the window).
 */
#include "ip/error_queue.h"
#include "tcp/tcp_user.h"
#ifndef MSG_ERRQUEUE
#define MSG_ERRQUEUE 0x2000
#endif

/* --- shared with reading in place ----------------------------------------------------------------------------------------------- */

struct sk_buff *tcp_recv_skb(struct sock *sk, uint32_t seq, uint32_t *offset)
{
	struct sk_buff *skb;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		const struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
		uint32_t off = seq - tcb->seq - !!(tcb->tcp_flags & TCPHDR_SYN);
		if (off < skb->len || (off == skb->len && (tcb->tcp_flags & TCPHDR_FIN))) {
			*offset = off;
			return skb;
		}
	}
	return NULL;
}

void tcp_eat_recv_skb(struct sock *sk, struct sk_buff *skb)
{
	skb_unlink(skb, &sk->sk_receive_queue);
	skb_consume(skb);
}

void tcp_urg_passed(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (unlikely(tp->urg_data) && seq_after(tp->copied_seq, tp->urg_seq)) {
		tp->urg_data = 0;
		tcp_fast_path_check(sk);
	}
}

int tcp_inq_hint(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int n = (int)(tp->rcv_nxt - tp->copied_seq);

	return !n && sock_flag(sk, SOCK_F_DONE) ? 1 : n;
}

/* --- window updates ---------------------------------------------------------------------------------------------------------------- */

/* An ACK is scheduled: is it due now that the user has read `copied` bytes? */
static bool scheduled_ack_is_due(const struct sock *sk, size_t copied)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (tp->rcv_nxt - tp->rcv_wup > icsk->icsk_ack.rcv_mss)
		return true;
	/* The buffer is empty after a small segment: no more will come soon that the ACK could wait for. */
	return copied > 0 && !sk->sk_rmem_alloc &&
	       ((icsk->icsk_ack.pending & ICSK_ACK_PUSHED2) || ((icsk->icsk_ack.pending & ICSK_ACK_PUSHED) && !inet_csk_in_pingpong_mode(sk)));
}

/* The window that could now be offered is at least twice what the peer sees, which is at most half of all. */
static bool window_opened_much(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t now = tcp_receive_window(tp), could;

	if (2 * (uint64_t)now > tp->window_clamp)
		return false;
	could = __tcp_select_window(sk);
	return could && could >= 2 * (uint64_t)now;
}

void tcp_cleanup_rbuf(struct sock *sk, size_t copied)
{
	bool ack = inet_csk_ack_scheduled(sk) && scheduled_ack_is_due(sk, copied);

	if (!ack && copied > 0 && !(sk->sk_shutdown & RCV_SHUTDOWN))
		ack = window_opened_much(sk);
	if (ack) {
		tcp_mstamp_refresh(tcp_sk(sk));
		tcp_send_ack(sk);
	}
}

static void put_inq(struct sock *sk, struct msghdr_k *msg)
{
	int inq = tcp_inq_hint(sk);

	put_cmsg(msg, IPPROTO_TCP, XMIT_TCP_INQ, &inq, sizeof(inq));
}

/* --- urgent data (MSG_OOB) ------------------------------------------------------------------------------------------------------------ */

static ssize_t recv_urg(struct sock *sk, struct msghdr_k *msg, int flags)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t byte;

	if (sock_flag(sk, SOCK_F_URGINLINE) || !tp->urg_data || tp->urg_data == TCP_URG_READ)
		return -EINVAL;
	if (sk->sk_state == TCP_CLOSE && !sock_flag(sk, SOCK_F_DONE))
		return -ENOTCONN;
	if (!(tp->urg_data & TCP_URG_VALID))
		return sk->sk_state == TCP_CLOSE || (sk->sk_shutdown & RCV_SHUTDOWN) ? 0 : -EAGAIN; /* announced, not here: never waits */
	byte = (uint8_t)tp->urg_data;
	if (!(flags & MSG_PEEK))
		tp->urg_data = TCP_URG_READ;
	if (tp->recvmsg_inq)
		put_inq(sk, msg);
	msg->flags |= MSG_OOB;
	if (!msg->iter.count) {
		msg->flags |= MSG_TRUNC;
		return 0;
	}
	if (!(flags & MSG_TRUNC) && copy_to_iter(&byte, 1, &msg->iter) != 1)
		return -EFAULT;
	return 1;
}

/* --- the stream --------------------------------------------------------------------------------------------------------------------------- */

struct recv_call { /* one tcp_recvmsg() on its way */
	struct sock *sk;
	struct msghdr_k *msg;
	int flags;
	uint32_t peek_seq, *seq;    /* where the next byte is read: copied_seq, or peek_seq */
	size_t len;                 /* still wanted */
	size_t copied;
	int target;
	uint64_t timeo_ns;
	uint64_t tstamp_ns;         /* arrival of the last segment read from, where the device said it; else 0 */
};
enum step { GO_ON, STOP };

static bool at_urgent_mark(const struct recv_call *c)
{
	const struct tcp_sock *tp = tcp_sk(c->sk);

	return unlikely(tp->urg_data) && tp->urg_seq == *c->seq;
}

/* How much of `used` bytes at *c->seq may go in this read; the urgent byte itself is stepped over where it does not lie in line. */
static uint32_t bound_by_urgent(struct recv_call *c, uint32_t *offset, uint32_t used)
{
	const struct tcp_sock *tp = tcp_sk(c->sk);
	uint32_t ahead = tp->urg_seq - *c->seq;

	if (ahead >= used)
		return used;
	if (ahead)
		return ahead;
	if (sock_flag(c->sk, SOCK_F_URGINLINE))
		return used;
	++*c->seq;
	++*offset;
	return used - 1;
}

/* The peer's FIN is next. */
static void read_fin(struct recv_call *c, struct sk_buff *skb)
{
	++*c->seq;
	if (!(c->flags & MSG_PEEK))
		tcp_eat_recv_skb(c->sk, skb);
}

/* Takes from skb at offset; STOP at the end of the stream, or with *err -EFAULT. */
static enum step read_from(struct recv_call *c, struct sk_buff *skb, uint32_t offset, int *err)
{
	uint32_t used = skb->len - offset;

	if (used > c->len)
		used = (uint32_t)c->len;
	if (unlikely(tcp_sk(c->sk)->urg_data) && used)
		used = bound_by_urgent(c, &offset, used);
	if (likely(used)) {
		if (likely(!(c->flags & MSG_TRUNC)) && skb_copy_datagram_iter(skb, offset, &c->msg->iter, used))
			goto fault;
		*c->seq += used;
		c->copied += used;
		c->len -= used;
		if (TCP_SKB_CB(skb)->has_rxtstamp)
			c->tstamp_ns = skb->tstamp_ns;
		tcp_rcv_space_adjust(c->sk);
	}
	tcp_urg_passed(c->sk);
	if (offset + used < skb->len)
		return GO_ON;
	if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN) {
		read_fin(c, skb);
		return STOP;
	}
	if (!(c->flags & MSG_PEEK))
		tcp_eat_recv_skb(c->sk, skb);
	return GO_ON;

fault:
	if (!c->copied)
		*err = -EFAULT;
	return STOP;
}

/* Nothing to read now: is that the end of this call?  STOP with *err: what to return if nothing was read. */
static enum step nothing_there(struct recv_call *c, int *err)
{
	struct sock *sk = c->sk;

	if (c->copied) {
		if (!c->timeo_ns || sk->sk_err || sk->sk_state == TCP_CLOSE || (sk->sk_shutdown & RCV_SHUTDOWN))
			return STOP;
		return GO_ON;
	}
	if (sock_flag(sk, SOCK_F_DONE))
		return STOP;
	if (sk->sk_err) {
		*err = sock_error(sk);
		return STOP;
	}
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return STOP;
	if (sk->sk_state == TCP_CLOSE) {
		*err = -ENOTCONN; /* never connected: else SOCK_F_DONE would stand */
		return STOP;
	}
	if (!c->timeo_ns) {
		*err = -EAGAIN;
		return STOP;
	}
	return GO_ON;
}

struct seen { uint32_t rcv_nxt; uint16_t urg_data; }; /* when the reader went to sleep */

/* Who waits is woken when SO_RCVLOWAT is reached, however little it asked for, or by an urgent byte. */
static bool reader_woken(struct sock *sk, void *arg)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct seen *seen = arg;

	if (sk->sk_err || sk->sk_state == TCP_CLOSE || (sk->sk_shutdown & RCV_SHUTDOWN))
		return true;
	return tp->rcv_nxt != seen->rcv_nxt && (tp->urg_data != seen->urg_data || tcp_epollin_ready(sk, sk->sk_rcvlowat));
}

/* 0: look again, if only for what came without waking; -EAGAIN, -EINTR. */
static int wait_for_more(struct recv_call *c)
{
	const struct tcp_sock *tp = tcp_sk(c->sk);
	struct seen seen = {tp->rcv_nxt, tp->urg_data};
	int err;

	tcp_cleanup_rbuf(c->sk, c->copied);
	err = sk_wait(c->sk, &c->timeo_ns, reader_woken, &seen);
	if (err && tp->rcv_nxt != seen.rcv_nxt) {
		c->timeo_ns = 0;
		return 0;
	}
	return err;
}

/* Reads until the target is met or there is a reason to stop; 0, or -errno where nothing was read. */
static int recv_loop(struct recv_call *c)
{
	int err = 0;

	do {
		struct sk_buff *skb;
		uint32_t offset;

		if (at_urgent_mark(c) && c->copied)
			return 0;
		skb = tcp_recv_skb(c->sk, *c->seq, &offset);
		if (likely(skb)) {
			if (read_from(c, skb, offset, &err) == STOP)
				return err;
			continue;
		}
		if (c->copied >= (size_t)c->target || nothing_there(c, &err) == STOP)
			return err;
		err = wait_for_more(c);
		if (err) /* who wants nothing has waited for nothing: that is no failure */
			return c->copied || (!c->len && !c->timeo_ns) ? 0 : err;
	} while (c->len);
	return 0;
}

static bool wants_stamp(const struct sock *sk)
{
	const uint32_t stamps = 1u << SOCK_F_TIMESTAMP | 1u << SOCK_F_TIMESTAMPNS;

	return (sk->sk_flags & stamps) || (sk->sk_ext && sk->sk_ext->tsflags);
}

/* Bytes read; 0: end of the stream; -ENOTCONN, -EAGAIN, -EINTR, -EFAULT, -EINVAL (MSG_OOB), the connection's error. */
ssize_t tcp_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct recv_call c = {.sk = sk, .msg = msg, .flags = flags, .len = msg->iter.count};
	int err;

	if (unlikely(flags & MSG_ERRQUEUE))
		return ip_recv_error(sk, msg);
	if (unlikely(sk->sk_state == TCP_LISTEN))
		return -ENOTCONN;
	if (unlikely(flags & MSG_OOB))
		return recv_urg(sk, msg, flags);
	if (unlikely(sock_net(sk)->trace.on)) {
		uint32_t base = tp->isn_rcv + 1;
		trace_record(sock_net(sk), TP_tcp_recvmsg, sk->sk_cookie, tp->copied_seq - base, tp->rcv_nxt - base, tp->rcv_nxt - tp->copied_seq, 0);
	}
	c.timeo_ns = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	c.target = sock_rcvlowat(sk, flags & MSG_WAITALL, c.len);
	c.seq = &tp->copied_seq;
	if (unlikely(flags & MSG_PEEK)) {
		c.peek_seq = tp->copied_seq + (uint32_t)MAX(sk_peek_offset(sk, flags), 0);
		c.seq = &c.peek_seq;
	}
	err = recv_loop(&c);
	if (err)
		return err;
	sk_peek_offset_moved(sk, flags, c.copied);
	tcp_cleanup_rbuf(sk, c.copied);
	if (unlikely(wants_stamp(sk)) && c.tstamp_ns)
		ip_recv_stamp(msg, sk, c.tstamp_ns, false);
	if (tp->recvmsg_inq)
		put_inq(sk, msg);
	return (ssize_t)c.copied;
}
