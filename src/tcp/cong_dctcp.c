/* SPDX-License-Identifier: MIT */
/*
 * cong_dctcp.c - DCTCP, for networks whose switches mark early and whose hosts all speak it (RFC 8257).
 *
 * Sender: once per window the fraction F of what was delivered under an ECN echo updates the average alpha = (1 - g) alpha + g F, g = 1/16 (3.3).
 * The reduction at an echo, once per window as RFC 3168 has it, is by alpha / 2 instead of a half: a queue that stays just at
 * the switch's threshold costs little.  Loss is answered as by Reno (3.5).
 *
 * Receiver: the echo must tell exactly which segments were marked although ACKs are delayed.  Whenever the mark changes from one data segment to
 * the next, what came before is acknowledged at once, with the old echo (3.2); TCP_ECN_DEMAND_CWR is the state that the echo follows, and
 * CWR from the peer has no say in it (the next segment's mark sets it again).
 *
 * Every segment is ECT, SYN and pure ACKs too (TCP_CONG_NEEDS_ECN; Linux's choice, RFC 8257 5).  If the peer does not do ECN, this is Reno.
 * Growth is Reno's.  alpha is in 1/1024 and begins at 1, so that the first mark halves.  Both halves' state stays attached while idle.
 */
#include "tcp/tcp_input.h"
#include "wire/ip.h"

enum { ALPHA_MAX = 1024, GAIN_SHIFT = 4 };

struct dctcp {
	uint32_t alpha;           /* of ALPHA_MAX */
	uint32_t old_delivered, old_delivered_ce; /* at the beginning of this window, segments */
	uint32_t next_seq;        /* its end */
	uint32_t loss_cwnd;       /* before the last reduction */
	bool ce;                  /* receiver: the last data segment was marked */
};
static_assert(sizeof(struct dctcp) <= sizeof(((struct tcp_active *)0)->ca_priv), "fits ca_priv");

static const struct tcp_congestion_ops dctcp_reno;

static struct dctcp *dctcp_of(const struct sock *sk) { return inet_csk_ca(sk); }

static void begin_window(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);

	d->next_seq = tp->snd_nxt;
	d->old_delivered = tp->delivered;
	d->old_delivered_ce = tp->delivered_ce;
}

static void dctcp_init(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);

	if (!(tp->ecn_flags & TCP_ECN_OK)) {
		inet_csk(sk)->icsk_ca_ops = &dctcp_reno;
		tcp_set_ect(sk, INET_ECN_NOT_ECT);
		return;
	}
	d->alpha = ALPHA_MAX;
	begin_window(sk);
}

/* Once per window, 3.3: the average first decays (a small rest to nothing, which integers would keep for ever), then takes its share of F. */
static void dctcp_in_ack_event(struct sock *sk, uint32_t flags)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);
	uint32_t marked = tp->delivered_ce - d->old_delivered_ce, all = tp->delivered - d->old_delivered, decay = d->alpha >> GAIN_SHIFT;

	(void)flags;
	if (seq_before(tp->snd_una, d->next_seq))
		return;
	d->alpha -= decay ? decay : d->alpha;
	if (marked) {
		uint64_t share = ((uint64_t)marked << (10 - GAIN_SHIFT)) / MAX(all, 1u);
		d->alpha = (uint32_t)MIN(d->alpha + share, (uint64_t)ALPHA_MAX);
	}
	begin_window(sk);
}

static uint32_t dctcp_ssthresh(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);

	d->loss_cwnd = tp->snd_cwnd;
	return MAX(tp->snd_cwnd - (uint32_t)((uint64_t)tp->snd_cwnd * d->alpha / (2 * ALPHA_MAX)), 2u);
}

/* Marks say how far to step back; a loss says that it was not enough. */
static void dctcp_set_state(struct sock *sk, uint8_t new_state)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (new_state != TCP_CA_Recovery || new_state == inet_csk(sk)->icsk_ca_state)
		return;
	dctcp_of(sk)->loss_cwnd = tp->snd_cwnd;
	tp->snd_ssthresh = MAX(tp->snd_cwnd >> 1, 2u);
}

/* The mark changed: what came before (rcv_nxt does not count this segment yet) is acknowledged as it was; this one goes at once too. */
static void mark_changed(struct sock *sk, bool ce)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);

	if (inet_csk(sk)->icsk_ack.pending & ICSK_ACK_TIMER) {
		tp->ecn_flags = (uint8_t)((tp->ecn_flags & ~TCP_ECN_DEMAND_CWR) | (d->ce ? TCP_ECN_DEMAND_CWR : 0));
		tcp_send_ack(sk);
	}
	inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_SCHED | ICSK_ACK_NOW;
	d->ce = ce;
}

static void dctcp_cwnd_event(struct sock *sk, enum tcp_ca_event ev)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct dctcp *d = dctcp_of(sk);

	switch (ev) {
	case CA_EVENT_ECN_IS_CE:
	case CA_EVENT_ECN_NO_CE:
		if (d->ce != (ev == CA_EVENT_ECN_IS_CE))
			mark_changed(sk, ev == CA_EVENT_ECN_IS_CE);
		tp->ecn_flags = (uint8_t)((tp->ecn_flags & ~TCP_ECN_DEMAND_CWR) | (d->ce ? TCP_ECN_DEMAND_CWR : 0));
		break;
	case CA_EVENT_LOSS:
		d->loss_cwnd = tp->snd_cwnd;
		tp->snd_ssthresh = MAX(tp->snd_cwnd >> 1, 2u);
		break;
	default:
		break;
	}
}

static uint32_t dctcp_undo_cwnd(struct sock *sk) { return MAX(tcp_sk(sk)->snd_cwnd, dctcp_of(sk)->loss_cwnd); }

/* struct tcp_dctcp_info: enabled, ce_state (16 bits each), alpha, marked and all bytes of this window. */
static size_t dctcp_get_info(struct sock *sk, uint32_t ext, int *attr, void *info)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct { uint16_t enabled, ce_state; uint32_t alpha, ab_ecn, ab_tot; } out = {0};

	if (!(ext & (1u << (INET_DIAG_DCTCPINFO - 1) | 1u << (INET_DIAG_VEGASINFO - 1))))
		return 0;
	if (inet_csk(sk)->icsk_ca_ops == &tcp_dctcp) {
		const struct dctcp *d = dctcp_of(sk);
		out.enabled = 1;
		out.ce_state = d->ce;
		out.alpha = d->alpha;
		out.ab_ecn = tp->mss_cache * (tp->delivered_ce - d->old_delivered_ce);
		out.ab_tot = tp->mss_cache * (tp->delivered - d->old_delivered);
	}
	memcpy(info, &out, sizeof(out));
	*attr = INET_DIAG_DCTCPINFO;
	return sizeof(out);
}

const struct tcp_congestion_ops tcp_dctcp = {
	.name = "dctcp",
	.flags = TCP_CONG_NEEDS_ECN | TCP_CONG_KEEPS_STATE,
	.init = dctcp_init,
	.in_ack_event = dctcp_in_ack_event,
	.ssthresh = dctcp_ssthresh,
	.cong_avoid = tcp_reno_cong_avoid,
	.set_state = dctcp_set_state,
	.cwnd_event = dctcp_cwnd_event,
	.undo_cwnd = dctcp_undo_cwnd,
	.get_info = dctcp_get_info,
};

/* What it is for a peer without ECN. */
static const struct tcp_congestion_ops dctcp_reno = {
	.name = "dctcp-reno",
	.ssthresh = tcp_reno_ssthresh,
	.cong_avoid = tcp_reno_cong_avoid,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.get_info = dctcp_get_info,
};
