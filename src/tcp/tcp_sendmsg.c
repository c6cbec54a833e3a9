/* SPDX-License-Identifier: MIT */
/*
 * tcp_sendmsg.c - where the user's bytes go (T1) and when they are pushed (T2).
 *
 * The loop fills the tail of the write queue up to size_goal, a super-segment's worth, and opens a new skb behind it when it is full.
 * Bytes are copied once, here: with scatter-gather into the socket's page fragment (sk_frag), so that small writes share pages
 * and neighbouring ones one frag; into the linear area where the route's device has no scatter-gather, and for a message
 * so small that it fits the skb's head, which spares the page.  An ITER_FILL iterator writes its bytes straight into that place
 * (a read() of a front end); it may stop early.
 *
 * Pushing: more than half the largest window ever seen queued since the last push (forced_push), or this full skb is all that waits
 * (tcp_push_one), else at the end of the call, unless MSG_MORE, TCP_CORK or autocorking.  Every road leads to tcp_write_xmit() (tcp_output.c).
 *
 * No room: what is queued is pushed, then the call waits as SO_SNDTIMEO and MSG_DONTWAIT say (tcp_stream.c).
 */
#include "ip/zerocopy.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_txstamp.h"

enum {
	LINEAR_MESSAGE_MAX = 128, /* bytes of payload that fit the head of an skb without making it larger */
	COPY_LEAST = 32,          /* a page with fewer bytes left is given up ... */
	FILL_LEAST = 2048,        /* ... and earlier where each piece costs the source a call */
};
#ifndef MSG_MORE
#define MSG_MORE 0x8000
#endif

struct send_call { /* one tcp_sendmsg() on its way */
	struct sock *sk;
	struct msghdr_k *msg;
	unsigned flags;
	int mss_now, size_goal;
	size_t copied;
	uint64_t timeo_ns;
	struct frag_owner *zc; /* MSG_ZEROCOPY: owner of the user's memory; NULL: the bytes are copied */
	uint32_t tsflags;      /* SOF_TIMESTAMPING_* of this call */
};

/* What came of the attempt to add bytes. */
enum add_result { ADDED, ADDED_SHORT /* the source has no more */, NO_ROOM, SKB_FULL };

/* --- pushing (T2) ------------------------------------------------------------------------------------------------------------ */

static void tcp_mark_push(struct tcp_sock *tp, struct sk_buff *skb)
{
	if (PROVE_BREAKS("T2"))
		return;
	TCP_SKB_CB(skb)->tcp_flags |= TCPHDR_PSH;
	tp->pushed_seq = tp->write_seq;
}

static bool forced_push(const struct tcp_sock *tp) { return seq_after(tp->write_seq, tp->pushed_seq + (tp->max_window >> 1)); }

/*
 * Autocorking: more of this socket still lies in qdisc or ring, so a small skb may grow until the completion (tcp_wfree) sends it.
 * True: it waits.
 */
static bool should_autocork(struct sock *sk, const struct sk_buff *skb, int size_goal)
{
	if ((int)skb->len >= size_goal || !sock_net(sk)->tcp->sysctl_tcp_autocorking || TCP_SKB_CB(skb)->eor || PROVE_BREAKS("T2.autocork"))
		return false;
	if (tcp_rtx_queue_empty(sk) || sk->sk_wmem_alloc <= skb->truesize || !tcp_sk(sk)->active)
		return false;
	if (!(sk->sk_tsq_flags & TSQ_THROTTLED))
		NET_INC_STATS(sock_net(sk), TCPAutoCorking);
	sk->sk_tsq_flags |= TSQ_THROTTLED;
	return true;
}

static void tcp_push(struct sock *sk, unsigned flags, int mss_now, int nonagle, int size_goal)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_write_queue_tail(sk);

	if (!skb)
		return;
	tcp_trace(sk, TP_tcp_push, TCP_SKB_CB(skb)->seq, TCP_SKB_CB(skb)->end_seq, skb->len);
	if ((!(flags & MSG_MORE) || forced_push(tp)) && !PROVE_BREAKS("MUST-61"))
		tcp_mark_push(tp, skb);
	if ((flags & MSG_OOB) && !PROVE_BREAKS("MUST-30"))
		tp->snd_up = tp->write_seq;
	if (should_autocork(sk, skb, size_goal))
		return;
	if (flags & MSG_MORE)
		nonagle = TCP_NAGLE_CORK;
	__tcp_push_pending_frames(sk, (unsigned)mss_now, nonagle);
}

/* --- filling (T1) ------------------------------------------------------------------------------------------------------------ */

static void skb_entail(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	tcb->seq = tcb->end_seq = tp->write_seq;
	tcb->tcp_flags = TCPHDR_ACK;
	skb_queue_tail(&sk->sk_write_queue, skb);
	sk_wmem_charge(sk, (int)skb->truesize);
	tp->nonagle &= (uint8_t)~TCP_NAGLE_PUSH;
	if (skb == tcp_send_head(sk))
		tcp_chrono_start(sk, TCP_CHRONO_BUSY);
	tcp_slow_start_after_idle_check(sk);
	tcp_trace(sk, TP_skb_entail, tcb->seq, tcb->seq, 0);
}

/* An skb entailed for bytes that did not come. */
static void remove_empty_skb(struct sock *sk)
{
	struct sk_buff *skb = tcp_write_queue_tail(sk);

	if (!skb || TCP_SKB_CB(skb)->seq != TCP_SKB_CB(skb)->end_seq)
		return;
	skb_unlink(skb, &sk->sk_write_queue);
	tcp_free_skb(sk, skb);
}

/* As much of copy as may be charged; the first skb of an empty connection always gets its page, else it could never move again. */
static unsigned wmem_schedule(struct sock *sk, unsigned copy)
{
	if (likely(sk_wmem_schedule(sk, copy)))
		return copy;
	int left = sk->sk_sndbuf - (int)sk->sk_wmem_queued;
	if (!tcp_rtx_queue_empty(sk) || left <= 0)
		return 0;
	unsigned amount = MIN(copy, (unsigned)left);
	amount = MIN(amount, (unsigned)PAGE_SIZE);
	sk_forced_mem_schedule(sk, amount);
	return amount;
}

static enum add_result account(struct send_call *c, struct sk_buff *skb, unsigned asked, unsigned got)
{
	struct tcp_sock *tp = tcp_sk(c->sk);
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	if (!c->copied)
		tcb->tcp_flags &= (uint8_t)~TCPHDR_PSH;
	if (likely(!c->zc || !c->sk->sk_gso_type)) {
		sock_net(c->sk)->copied.user_to_skb += PROVE_BREAKS("M") ? 2 * got : got;
		tcp_trace(c->sk, TP_skb_copy_to_page_nocache, tp->write_seq, tp->write_seq + got, got);
	}
	tp->write_seq += got;
	tcb->end_seq += got;
	tcb->tcp_gso_segs = 0; /* to be counted anew */
	c->copied += got;
	return got < asked ? ADDED_SHORT : ADDED;
}

/* Into the linear area, whose room was charged when the skb was made. */
static enum add_result skb_add_data_nocache(struct send_call *c, struct sk_buff *skb, unsigned copy)
{
	unsigned got = (unsigned)copy_from_iter(skb_tail_pointer(skb), copy, &c->msg->iter);

	skb_put(skb, got);
	return account(c, skb, copy, got);
}

/* Into the socket's page fragment. */
static enum add_result skb_copy_to_page_nocache(struct send_call *c, struct sk_buff *skb, unsigned copy)
{
	struct sock *sk = c->sk;
	struct net *net = sock_net(sk);
	struct page_frag *pf = &sk->sk_frag;
	struct skb_shared_info *si = skb_shinfo(skb);
	struct frag_owner *owner;
	uint8_t *to;
	unsigned got, least = c->msg->iter.type == ITER_FILL ? FILL_LEAST : COPY_LEAST;
	bool merge;

	if (!page_frag_refill(net, pf, MIN(copy, least), MEM_NORMAL))
		return NO_ROOM;
	owner = pf->owner;
	to = pf->page + pf->offset;
	merge = skb_can_coalesce(skb, to, owner) && !PROVE_BREAKS("T1");
	if (!merge && si->nr_frags >= MAX_SKB_FRAGS)
		return SKB_FULL;
	copy = wmem_schedule(sk, MIN(copy, pf->size - pf->offset));
	if (!copy)
		return NO_ROOM;
	got = (unsigned)copy_from_iter(to, copy, &c->msg->iter);
	if (merge) {
		si->frags[si->nr_frags - 1].len += got;
		skb->len += got;
		skb->data_len += got;
	} else if (got) {
		frag_owner_get(owner);
		skb_add_frag(skb, to, got, owner);
	}
	pf->offset += got;
	skb->truesize += got;
	sk_wmem_charge(sk, (int)got);
	return account(c, skb, copy, got);
}

/* MSG_ZEROCOPY: the user's memory itself, one piece of it, becomes a frag. */
static enum add_result skb_add_user_memory(struct send_call *c, struct sk_buff *skb, unsigned copy)
{
	struct iov_iter *it = &c->msg->iter;
	struct skb_shared_info *si = skb_shinfo(skb);
	uint8_t *from;
	size_t piece;

	while (it->iov->iov_len == it->iov_offset) { /* count says that more follows */
		it->iov++;
		it->nr_segs--;
		it->iov_offset = 0;
	}
	if (unlikely(!it->iov->iov_base))
		return ADDED_SHORT;
	from = (uint8_t *)it->iov->iov_base + it->iov_offset;
	piece = it->iov->iov_len - it->iov_offset;
	bool merge = skb_can_coalesce(skb, from, c->zc);
	if (!merge && si->nr_frags >= MAX_SKB_FRAGS)
		return SKB_FULL;
	copy = wmem_schedule(c->sk, (unsigned)MIN(piece, (size_t)copy));
	if (!copy)
		return NO_ROOM;
	if (merge) {
		si->frags[si->nr_frags - 1].len += copy;
		skb->len += copy;
		skb->data_len += copy;
	} else {
		frag_owner_get(c->zc);
		skb_add_frag(skb, from, copy, c->zc);
	}
	iov_iter_advance(it, copy);
	skb->truesize += copy;
	sk_wmem_charge(c->sk, (int)copy);
	return account(c, skb, copy, copy);
}

/* Bytes of linear room for a new skb: everything without scatter-gather, and messages that fit the head. */
static unsigned linear_size(const struct send_call *c)
{
	if (!c->sk->sk_gso_type)
		return (unsigned)c->size_goal;
	if (c->msg->iter.count <= LINEAR_MESSAGE_MAX && !(c->flags & MSG_MORE) && !c->zc)
		return (unsigned)MIN(c->msg->iter.count, (size_t)c->size_goal);
	return 0;
}

static struct sk_buff *new_segment(struct send_call *c)
{
	struct sock *sk = c->sk;
	bool first = tcp_rtx_and_write_queues_empty(sk);
	struct sk_buff *skb;

	if (!sk_stream_memory_free(sk) || !tcp_stream_memory_free(sk))
		return NULL;
	if (unlikely(!tcp_sk(sk)->active) && tcp_activate(sk))
		return NULL;
	skb = tcp_stream_alloc_skb(sk, linear_size(c), MEM_NORMAL, first);
	if (likely(skb))
		skb_entail(sk, skb);
	return skb;
}

/* Adds bytes to the tail, or to a new skb behind it. */
static enum add_result add_bytes(struct send_call *c, struct sk_buff **res)
{
	struct sk_buff *skb = tcp_write_queue_tail(c->sk);
	size_t left = c->msg->iter.count;
	unsigned copy;

	if (!skb || (int)skb->len >= c->size_goal || TCP_SKB_CB(skb)->eor) {
		skb = new_segment(c);
		if (unlikely(!skb))
			return NO_ROOM;
	}
	*res = skb;
	copy = (unsigned)MIN(left, (size_t)c->size_goal - skb->len);
	if (unlikely(c->zc && c->sk->sk_gso_type))
		return skb_add_user_memory(c, skb, copy);
	if (skb_tailroom(skb) && (skb_headlen(skb) || linear_size(c)))
		return skb_add_data_nocache(c, skb, MIN(copy, skb_tailroom(skb)));
	if (likely(c->sk->sk_gso_type))
		return skb_copy_to_page_nocache(c, skb, copy);
	return SKB_FULL;
}

/* A tail that can take no more although it is below size_goal: its bytes go, and the next ones get a new skb. */
static enum add_result add_behind_full(struct send_call *c, struct sk_buff **res)
{
	tcp_mark_push(tcp_sk(c->sk), *res);
	*res = new_segment(c);
	if (!*res)
		return NO_ROOM;
	return add_bytes(c, res);
}

/* The skb is full: does it go now? */
static void push_when_due(struct send_call *c, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(c->sk);

	if (forced_push(tp)) {
		tcp_mark_push(tp, skb);
		__tcp_push_pending_frames(c->sk, (unsigned)c->mss_now, TCP_NAGLE_PUSH);
	} else if (skb == tcp_send_head(c->sk)) {
		tcp_push_one(c->sk, (unsigned)c->mss_now);
	}
}

static int wait_for_room(struct send_call *c)
{
	int err;

	remove_empty_skb(c->sk);
	if (c->copied)
		tcp_push(c->sk, c->flags & ~(unsigned)MSG_MORE, c->mss_now, TCP_NAGLE_PUSH, c->size_goal);
	err = tcp_wait_memory(c->sk, &c->timeo_ns);
	if (!err)
		c->mss_now = tcp_send_mss(c->sk, &c->size_goal, c->flags);
	return err;
}

/* Queues until all is taken; 0 or -errno, with c->copied what was taken. */
static int send_loop(struct send_call *c)
{
	struct sk_buff *skb = NULL;
	int err;

	while (c->msg->iter.count) {
		enum add_result res = add_bytes(c, &skb);
		if (unlikely(res == SKB_FULL))
			res = add_behind_full(c, &skb);
		if (unlikely(res == NO_ROOM || res == SKB_FULL)) {
			err = wait_for_room(c);
			if (err)
				return err;
			if (c->sk->sk_err || (c->sk->sk_shutdown & SEND_SHUTDOWN))
				return -EPIPE;
			continue;
		}
		if (unlikely(res == ADDED_SHORT)) {
			remove_empty_skb(c->sk);
			return c->msg->iter.type == ITER_FILL ? 0 : -EFAULT;
		}
		if (!c->msg->iter.count) {
			if (unlikely(c->flags & MSG_EOR))
				TCP_SKB_CB(skb)->eor = 1;
			return 0;
		}
		if ((int)skb->len >= c->size_goal && !(c->flags & MSG_OOB))
			push_when_due(c, skb);
	}
	return 0;
}

/* The connection is there, or is waited for; 0 or -errno. */
static int wait_until_open(struct send_call *c)
{
	struct sock *sk = c->sk;
	int err;

	if (unlikely(!(TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT)))) && !tcp_passive_fastopen(sk)) {
		err = tcp_wait_connect(sk, &c->timeo_ns);
		if (err)
			return err;
	}
	return unlikely(sk->sk_err || (sk->sk_shutdown & SEND_SHUTDOWN)) ? -EPIPE : 0;
}

/* What the call asks for beside its bytes; 0, -EINVAL, -ENOBUFS. */
static int begin_extras(struct send_call *c)
{
	struct sock *sk = c->sk;
	int err = 0;

	if (unlikely(c->msg->controllen))
		err = tcp_parse_send_cmsg(sk, c->msg, &c->tsflags);
	else if (unlikely(sk->sk_ext))
		c->tsflags = sk->sk_ext->tsflags;
	if (err || likely(!(c->flags & MSG_ZEROCOPY)) || !sock_flag(sk, SOCK_F_ZEROCOPY) || !c->msg->iter.count)
		return err;
	c->zc = msg_zerocopy_start(sk);
	return c->zc ? 0 : -ENOBUFS;
}

/* The notification is due once nobody holds the bytes; at once where they were copied. */
static void end_extras(struct send_call *c)
{
	if (likely(!c->zc))
		return;
	if (c->msg->iter.type != ITER_IOVEC || !c->sk->sk_gso_type)
		c->zc->copied = true;
	msg_zerocopy_end(c->zc, c->copied);
}

/*
 * Bytes queued, at least one unless nothing was asked for; or -EPIPE (never SIGPIPE), -EAGAIN, -EINTR, -EFAULT, -ENOBUFS (MSG_ZEROCOPY: too many
 * calls are in flight), the connection's error, -EINVAL for a control message that no socket has.  A fill iterator's own error is its owner's to
 * remember: 0 then.
 */
ssize_t tcp_sendmsg(struct sock *sk, struct msghdr_k *msg)
{
	struct send_call c = {.sk = sk, .msg = msg, .flags = msg->flags};
	int err;

	tcp_trace(sk, TP_tcp_sendmsg, tcp_sk(sk)->write_seq, tcp_sk(sk)->write_seq + (uint32_t)msg->iter.count, (uint32_t)msg->iter.count);
	c.timeo_ns = sock_sndtimeo(sk, c.flags & MSG_DONTWAIT);
	err = begin_extras(&c);
	if (unlikely(err)) /* an error of the connection is told first */
		return sk->sk_err || (sk->sk_shutdown & SEND_SHUTDOWN) ? tcp_stream_error(sk, -EPIPE) : err;
	err = wait_until_open(&c);
	if (likely(!err)) {
		tcp_rate_check_app_limited(sk);
		c.mss_now = tcp_send_mss(sk, &c.size_goal, c.flags);
		err = send_loop(&c);
		remove_empty_skb(sk);
	}
	if (c.copied) {
		if (unlikely(c.tsflags))
			tcp_tx_timestamp(sk, c.tsflags);
		tcp_push(sk, c.flags, c.mss_now, tcp_sk(sk)->nonagle, c.size_goal);
	}
	end_extras(&c);
	if (c.copied)
		return (ssize_t)c.copied;
	return err ? tcp_stream_error(sk, err) : 0;
}
