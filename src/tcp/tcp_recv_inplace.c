/* SPDX-License-Identifier: MIT */
/*
 * tcp_recv_inplace.c - received bytes where they lie (xmit_recv_iov, xmit_recv_skip): a front end can send them on without a copy.
 *
 * The pieces belong to the receive queue and stay until the next call on the socket or the next xmit_poll().  The rules are those of
 * tcp_recvmsg.c: data before and after the urgent mark is not shown together, the urgent byte is stepped over where it is not in line.
 */
#include "tcp/tcp_user.h"

struct pieces {
	struct iovec *iov;
	int n, max;
	uint32_t skip, limit;    /* bytes still to pass over; bytes still to show */
};

/* False when no more is wanted. */
static bool add_piece(struct pieces *p, uint8_t *addr, uint32_t len)
{
	if (p->skip >= len) {
		p->skip -= len;
		return true;
	}
	addr += p->skip;
	len = MIN(len - p->skip, p->limit);
	p->skip = 0;
	if (p->n == p->max || !len)
		return false;
	p->iov[p->n++] = (struct iovec){addr, len};
	p->limit -= len;
	return p->limit && p->n < p->max;
}

static bool add_flat(struct pieces *p, const struct sk_buff *skb)
{
	const struct skb_shared_info *si = skb_shinfo(skb);

	if (!add_piece(p, skb->data, skb_headlen(skb)))
		return false;
	for (unsigned i = 0; i < si->nr_frags; i++)
		if (!add_piece(p, si->frags[i].addr, si->frags[i].len))
			return false;
	return true;
}

static bool add_skb(struct pieces *p, const struct sk_buff *skb)
{
	if (!add_flat(p, skb))
		return false;
	for (const struct sk_buff *s = skb_shinfo(skb)->frag_list; s; s = s->next)
		if (!add_flat(p, s))
			return false;
	return true;
}

/* The urgent byte at copied_seq that is not in line is not part of the stream. */
static void step_over_urgent(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	if (likely(!tp->urg_data) || tp->urg_seq != tp->copied_seq || sock_flag(sk, SOCK_F_URGINLINE) || tp->copied_seq == tp->rcv_nxt)
		return;
	tp->copied_seq++;
	tcp_urg_passed(sk);
	skb = skb_peek(&sk->sk_receive_queue);
	if (skb && !seq_before(tp->copied_seq, TCP_SKB_CB(skb)->end_seq))
		tcp_eat_recv_skb(sk, skb);
}

static uint32_t bytes_until_urgent(const struct tcp_sock *tp)
{
	if (likely(!tp->urg_data) || seq_before_eq(tp->urg_seq, tp->copied_seq))
		return UINT32_MAX;
	return tp->urg_seq - tp->copied_seq;
}

/* Why there is nothing to show: 0 at the end of the stream, or -errno. */
static int why_nothing(struct sock *sk)
{
	if (sock_flag(sk, SOCK_F_DONE))
		return 0;
	if (sk->sk_err)
		return sock_error(sk);
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	return sk->sk_state == TCP_CLOSE ? -ENOTCONN : -EAGAIN;
}

/* Pieces filled in; 0 at the end of the stream; -EAGAIN, -ENOTCONN, -EINVAL, the connection's error. */
int tcp_recv_iov(struct sock *sk, struct iovec *iov, int max)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct pieces p = {.iov = iov, .max = max};
	struct sk_buff *skb;
	uint32_t offset;

	if (sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;
	if (max <= 0)
		return -EINVAL;
	step_over_urgent(sk);
	p.limit = bytes_until_urgent(tp);
	skb = tcp_recv_skb(sk, tp->copied_seq, &offset);
	if (!skb)
		return why_nothing(sk);
	/* What came out of order may overlap: an skb can begin before its predecessor ends. */
	for (uint32_t seq = tp->copied_seq; skb != (struct sk_buff *)&sk->sk_receive_queue; skb = skb->next) {
		p.skip = seq - TCP_SKB_CB(skb)->seq;
		if (!add_skb(&p, skb))
			break;
		seq = TCP_SKB_CB(skb)->end_seq;
	}
	return p.n; /* none: the FIN is what is left */
}

/* Consumes n bytes.  0; -EINVAL: there are not so many. */
int tcp_recv_skip(struct sock *sk, size_t n)
{
	struct tcp_sock *tp = tcp_sk(sk);
	size_t left = n;
	struct sk_buff *skb;
	uint32_t offset;

	if (n > tp->rcv_nxt - tp->copied_seq || n > bytes_until_urgent(tp))
		return -EINVAL;
	while (left && (skb = tcp_recv_skb(sk, tp->copied_seq, &offset)) && offset < skb->len) {
		uint32_t used = (uint32_t)MIN((size_t)(skb->len - offset), left);
		tp->copied_seq += used;
		left -= used;
		tcp_urg_passed(sk);
		if (offset + used == skb->len && !(TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN))
			tcp_eat_recv_skb(sk, skb);
	}
	tcp_rcv_space_adjust(sk);
	tcp_cleanup_rbuf(sk, n - left);
	return left ? -EINVAL : 0;
}
