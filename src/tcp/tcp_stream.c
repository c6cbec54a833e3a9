/* SPDX-License-Identifier: MIT */
/*
 * tcp_stream.c - memory of the sending side: allocating and freeing skbs of the stream, waiting for room, growing the send buffer (T1).
 *
 * sk_wmem_queued counts the true size of all skbs of the write and retransmit queues; sk_forward_alloc is what of the protocol's memory is
 * reserved and not yet used.  Every change of an skb's truesize while it is queued changes both (sk_wmem_charge).  A writer that found
 * no room sets SOCK_F_NOSPACE; tcp_check_space() wakes it once ACKs have freed a third.  A writer that found room but no memory, with nothing
 * in flight whose ACK could wake it, is woken by the probe timer.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_output.h"

enum { SOCK_MIN_SNDBUF_BYTES = 4608, VM_WAIT_US = 200000 };

/* Memory is short: this socket stops growing until others have given some back. */
static void moderate_sndbuf(struct sock *sk)
{
	if (sock_flag(sk, SOCK_F_SNDBUF_LOCK))
		return;
	int32_t half = MIN(sk->sk_sndbuf, (int32_t)(sk->sk_wmem_queued >> 1));
	sk->sk_sndbuf = MAX(half, (int32_t)SOCK_MIN_SNDBUF_BYTES);
}

/*
 * What an skb of the stream is charged beside its payload: as on Linux (SK_MEMINFO_WMEM_QUEUED there), not what it takes here, so that
 * SO_SNDBUF and tcp_wmem hold as much and wake writers at the same acknowledgment.
 */
enum { STREAM_SKB_BYTES = 832, SKB_STRUCT_BYTES = 256 };

struct sk_buff *tcp_stream_alloc_skb(struct sock *sk, unsigned size, enum mem_prio prio, bool force)
{
	unsigned flags = SKB_ALLOC_FCLONE | (prio == MEM_RESERVE ? (unsigned)SKB_ALLOC_RESERVE : 0);
	struct sk_buff *skb = alloc_skb(sock_net(sk), MAX_TCP_HEADER, size, flags);

	if (unlikely(!skb)) {
		moderate_sndbuf(sk);
		return NULL;
	}
	skb->truesize = STREAM_SKB_BYTES + size;
	if (force) {
		sk_forced_mem_schedule(sk, skb->truesize);
	} else if (unlikely(!sk_wmem_schedule(sk, skb->truesize))) {
		skb_consume(skb);
		moderate_sndbuf(sk);
		return NULL;
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	memset(skb->cb, 0, sizeof(struct tcp_skb_cb));
	return skb;
}

void tcp_free_skb(struct sock *sk, struct sk_buff *skb)
{
	sk_wmem_queued_add(sk, -(int)skb->truesize);
	sk_mem_uncharge(sk, (int)skb->truesize);
	skb_consume(skb);
}

void tcp_write_queue_purge(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&sk->sk_write_queue)))
		tcp_free_skb(sk, skb);
	while ((skb = tcp_rtx_queue_head(sk))) {
		tcp_rtx_queue_unlink(skb, sk);
		tcp_free_skb(sk, skb);
	}
	tp->packets_out = 0;
	inet_csk(sk)->icsk_backoff = 0;
	sk_mem_reclaim(sk);
}

/* --- waiting ------------------------------------------------------------------------------------------------------- */

static bool connect_settled(struct sock *sk, void *arg)
{
	(void)arg;
	return sk->sk_err || !(TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)));
}

/* 0: connected; -EPIPE: not even connecting; the connection's error; -EAGAIN, -EINTR. */
int tcp_wait_connect(struct sock *sk, uint64_t *timeo_ns)
{
	for (;;) {
		int err = sock_error(sk);
		if (err)
			return err;
		if (TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT)))
			return 0;
		if (connect_settled(sk, NULL))
			return -EPIPE;
		if (!*timeo_ns)
			return -EAGAIN;
		tcp_sk(sk)->write_pending = 1;
		err = sk_wait(sk, timeo_ns, connect_settled, NULL);
		tcp_sk(sk)->write_pending = 0;
		if (err)
			return err;
	}
}

static bool send_is_over(struct sock *sk, void *arg)
{
	(void)arg;
	return sk->sk_err || (sk->sk_shutdown & SEND_SHUTDOWN);
}

/* A writer that waits goes on when it was woken (sk_stream_write_space: a third is free), not at the first byte of room. */
static bool send_may_go_on(struct sock *sk, void *arg)
{
	if (send_is_over(sk, arg))
		return true;
	if (sock_flag(sk, SOCK_F_NOSPACE))
		return false;
	if (sk_stream_memory_free(sk) && tcp_stream_memory_free(sk))
		return true;
	sock_set_flag(sk, SOCK_F_NOSPACE); /* another writer was quicker */
	return false;
}

/* There is room in the buffer, yet no memory: look again a little later.  0 means: try once more. */
static int wait_for_pages(struct sock *sk, uint64_t *timeo_ns)
{
	uint64_t slice = MIN(*timeo_ns, VM_WAIT_US * NSEC_PER_USEC), left = slice;
	int err = sk_wait(sk, &left, send_is_over, NULL);

	if (*timeo_ns != TIME_NEVER)
		*timeo_ns -= slice - left;
	return err == -EAGAIN && left == 0 && *timeo_ns ? 0 : err;
}

int tcp_wait_memory(struct sock *sk, uint64_t *timeo_ns)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	bool no_pages = sk_stream_memory_free(sk) && tcp_stream_memory_free(sk);

	if (send_is_over(sk, NULL))
		return -EPIPE;
	sock_set_flag(sk, SOCK_F_NOSPACE);
	tcp_trace(sk, TP_tcp_stall_sndbuf, tp->write_seq, tp->write_seq, 0);
	if (no_pages && tcp_rtx_and_write_queues_empty(sk) && !inet_csk(sk)->icsk_pending)
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, VM_WAIT_US);
	if (!*timeo_ns)
		return -EAGAIN;
	return no_pages ? wait_for_pages(sk, timeo_ns) : sk_wait(sk, timeo_ns, send_may_go_on, NULL);
}

/* What a send call returns for err: a pending error of the socket is told instead of EPIPE. */
int tcp_stream_error(struct sock *sk, int err)
{
	if (err == -EPIPE) {
		int pending = sock_error(sk);
		if (pending)
			return pending;
	}
	return err;
}

/* --- the send buffer ------------------------------------------------------------------------------------------------- */

static uint32_t notsent_lowat(const struct sock *sk)
{
	uint32_t lowat = sk->sk_ext ? sk->sk_ext->tcp_notsent_lowat : 0;

	return lowat ? lowat : sock_net(sk)->tcp->sysctl_tcp_notsent_lowat;
}

bool tcp_stream_memory_free(const struct sock *sk) { return tcp_sk(sk)->write_seq - tcp_sk(sk)->snd_nxt < notsent_lowat(sk); }

/* Who waits is woken, and poll() says writable, when half of it is free: not for each segment. */
bool tcp_stream_half_free(const struct sock *sk)
{
	return (uint64_t)(tcp_sk(sk)->write_seq - tcp_sk(sk)->snd_nxt) * 2 < notsent_lowat(sk);
}

static uint32_t roundup_pow_of_two(uint32_t n) { return n <= 1 ? 1 : UINT32_C(1) << (32 - __builtin_clz(n - 1)); }

/* The most that one socket's buffer may grow to: while memory is plentiful what tcp_wmem says, else no more than its share. */
static uint64_t sndbuf_most(const struct sock *sk)
{
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	uint64_t most = (uint64_t)ns->sysctl_tcp_wmem[2], share;

	if (ns->mem.allocated <= ns->mem.limit[0] / 2)
		return most;
	share = (uint64_t)(ns->mem.limit[1] / MAX(ns->mem.sockets, 1)) << PAGE_SHIFT;
	share = MAX(share, (uint64_t)ns->sysctl_tcp_wmem[1]);
	return MIN(most, share);
}

/* Room for twice the congestion window, so that the sender never idles while the writer is being woken. */
void tcp_sndbuf_expand(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	uint32_t mss = MAX(tp->rx_opt.mss_clamp, tp->mss_cache);
	uint32_t per_mss = roundup_pow_of_two(mss + MAX_TCP_HEADER + (uint32_t)sizeof(struct skb_shared_info)) + SKB_STRUCT_BYTES;
	uint32_t segs = MAX(tp->snd_cwnd, (uint32_t)TCP_INIT_CWND);
	uint64_t bytes;

	segs = MAX(segs, tp->reordering + 1);
	bytes = (uint64_t)(ca && ca->sndbuf_expand ? ca->sndbuf_expand(sk) : 2) * segs * per_mss;
	bytes = MIN(bytes, sndbuf_most(sk));
	if (sk->sk_sndbuf < (int32_t)bytes)
		sk->sk_sndbuf = (int32_t)bytes;
}

static bool should_expand_sndbuf(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct proto_mem *mem = &sock_net(sk)->tcp->mem;

	if (sk->sk_sndbuf >= sock_net(sk)->tcp->sysctl_tcp_wmem[2])
		return false;
	if (sock_flag(sk, SOCK_F_SNDBUF_LOCK) || sk_under_memory_pressure(sk) || mem->allocated >= mem->limit[0])
		return false;
	return tcp_packets_in_flight(tp) < tp->snd_cwnd; /* else the window, not the buffer, is what holds us */
}

void tcp_check_space(struct sock *sk)
{
	if (likely(!sock_flag(sk, SOCK_F_NOSPACE)))
		return;
	if (should_expand_sndbuf(sk)) {
		tcp_sndbuf_expand(sk);
		tcp_sk(sk)->snd_cwnd_stamp_ns = sock_net(sk)->now_ns;
	}
	if (tcp_stream_half_free(sk))
		sk_stream_write_space(sk);
	if (!sock_flag(sk, SOCK_F_NOSPACE))
		tcp_chrono_stop(sk, TCP_CHRONO_SNDBUF_LIMITED);
}
