/* SPDX-License-Identifier: MIT */
/*
 * cong_template.c - a congestion control to start from (CONTRIBUTING.md): Reno that steps back when the queue it makes adds half of the least round
 * trip: a segment for each 8 ACKs.  Copy it to src/tcp/cong_NAME.c, say in this place what the algorithm is and which paper or RFC it was written from, and change the rest.
 *
 * sim/test_cong.c runs it: the_template_of_contributing_works.
 */
#include "cong_template.h"

/* Private state: in ca_priv, zeroed, there while the connection is active. */
struct template {
	uint32_t base_us;  /* least round trip; 0: none yet */
	uint32_t last_us;  /* of the last ACK */
	uint32_t acks;     /* since the queue is long */
};
static_assert(sizeof(struct template) <= sizeof(((struct tcp_active *)0)->ca_priv), "fits ca_priv");

static struct template *template_of(const struct sock *sk) { return inet_csk_ca(sk); }

static bool queue_is_long(const struct template *t) { return t->last_us > t->base_us + t->base_us / 2; }

/* Each ACK's measurement; rtt_us is negative when there was none. */
static void template_pkts_acked(struct sock *sk, const struct ack_sample *sample)
{
	struct template *t = template_of(sk);

	if (sample->rtt_us <= 0)
		return;
	t->last_us = (uint32_t)sample->rtt_us;
	if (!t->base_us || t->last_us < t->base_us)
		t->base_us = t->last_us;
}

/* `acked` segments were delivered and nothing is wrong: may the window grow?  Only if it was full. */
static void template_cong_avoid(struct sock *sk, uint32_t ack, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct template *t = template_of(sk);

	if (!queue_is_long(t)) {
		t->acks = 0;
		tcp_reno_cong_avoid(sk, ack, acked);
		return;
	}
	tp->snd_ssthresh = MIN(tp->snd_ssthresh, tp->snd_cwnd); /* slow start is over */
	if (++t->acks % 8 == 0 && tp->snd_cwnd > TCP_INIT_CWND)
		tp->snd_cwnd--;
}

/* Something was lost, or marked: the new threshold, in segments.  The window is led down to it. */
static uint32_t template_ssthresh(struct sock *sk) { return MAX(tcp_sk(sk)->snd_cwnd * 3 / 4, 2u); }

const struct tcp_congestion_ops tcp_template = {
	.name = "template",
	.pkts_acked = template_pkts_acked,
	.cong_avoid = template_cong_avoid,
	.ssthresh = template_ssthresh,
	.undo_cwnd = tcp_reno_undo_cwnd, /* the loss was none: the window from before */
};
