/* SPDX-License-Identifier: MIT */
/*
 * tcp_cong.c - congestion control: the algorithms there are, and what they share (T6; RFC 5681, RFC 3465).
 *
 * An algorithm is a table of functions (struct tcp_congestion_ops); its state is ca_priv in tcp_active.  A sock chooses one at
 * creation (sysctl tcp_congestion_control) or by TCP_CONGESTION.  "Initialised" (icsk_ca_initialized) means: from establishment
 * on; the state itself is there while tcp_active is, and begins anew each time it is attached: tcp_activate() runs init() then,
 * tcp_deactivate() release().  An idle connection keeps cwnd and ssthresh, which live in tcp_sock.
 *
 * tcp_slow_start() and tcp_cong_avoid_ai() count segments acknowledged, not ACKs (RFC 3465), so that ACKs of whole super-segments
 * open the window as single ones would.  The window grows only while it is what limits us (tcp_is_cwnd_limited), which tcp_write_xmit()
 * notes after each burst.
 *
 * The pacing rate is 2 (slow start) or 1.2 (later) times cwnd per srtt: tcp_tso_autosize() and the small-queue limit live by it.
 */
#include "tcp/tcp_input.h"

static const struct tcp_congestion_ops *const algorithms[] = {&tcp_cubic, &tcp_reno};

const struct tcp_congestion_ops *tcp_ca_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (!strcmp(algorithms[i]->name, name))
			return algorithms[i];
	return NULL;
}

void tcp_assign_congestion_control(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_congestion_ops *ca = tcp_ca_find(sk->sk_net->tcp->sysctl_tcp_congestion_control);

	icsk->icsk_ca_ops = ca ? ca : &tcp_reno;
	icsk->icsk_ca_initialized = 0;
}

void tcp_init_congestion_control(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_active *act = tcp_act(sk);

	icsk->icsk_ca_initialized = 1;
	if (!act)
		return;
	act->prior_ssthresh = 0;
	memset(act->ca_priv, 0, sizeof(act->ca_priv));
	if (icsk->icsk_ca_ops->init)
		icsk->icsk_ca_ops->init(sk);
}

void tcp_cleanup_congestion_control(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ca_initialized && tcp_act(sk) && icsk->icsk_ca_ops->release)
		icsk->icsk_ca_ops->release(sk);
	icsk->icsk_ca_initialized = 0;
}

int tcp_set_congestion_control(struct sock *sk, const char *name)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_congestion_ops *ca = tcp_ca_find(name);
	bool running = icsk->icsk_ca_initialized;

	if (!ca)
		return -ENOENT;
	icsk->icsk_ca_setsockopt = 1;
	if (ca == icsk->icsk_ca_ops)
		return 0;
	tcp_cleanup_congestion_control(sk);
	icsk->icsk_ca_ops = ca;
	if (running)
		tcp_init_congestion_control(sk);
	return 0;
}

static bool ca_is_running(const struct sock *sk) { return tcp_act(sk) && inet_csk(sk)->icsk_ca_initialized; }

void tcp_ca_event(struct sock *sk, enum tcp_ca_event ev)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;

	if (ca->cwnd_event && ca_is_running(sk))
		ca->cwnd_event(sk, ev);
}

void tcp_set_ca_state(struct sock *sk, uint8_t state)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ca_ops->set_state && ca_is_running(sk))
		icsk->icsk_ca_ops->set_state(sk, state);
	icsk->icsk_ca_state = state & 0xf;
}

/* --- growth ------------------------------------------------------------------------------------------------------------ */

/* RFC 5681 3.1.  Returns the segments left over after ssthresh was reached. */
static uint32_t tcp_slow_start(struct tcp_sock *tp, uint32_t acked)
{
	uint32_t cwnd = MIN(tp->snd_cwnd + acked, tp->snd_ssthresh);

	if (PROVE_BREAKS("T6"))
		return 0;
	acked -= cwnd - tp->snd_cwnd;
	tp->snd_cwnd = MIN(cwnd, tp->snd_cwnd_clamp);
	return acked;
}

/* One segment more for each w acknowledged. */
void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t w, uint32_t acked)
{
	/* Credit gathered under a larger w pays for one segment only. */
	if (tp->snd_cwnd_cnt >= w) {
		tp->snd_cwnd_cnt = 0;
		tp->snd_cwnd++;
	}
	tp->snd_cwnd_cnt += acked;
	if (tp->snd_cwnd_cnt >= w) {
		uint32_t delta = tp->snd_cwnd_cnt / w;
		tp->snd_cwnd_cnt -= delta * w;
		tp->snd_cwnd += delta;
	}
	tp->snd_cwnd = MIN(tp->snd_cwnd, tp->snd_cwnd_clamp);
}

/* In slow start half a window in flight is reason enough to grow: bursts and deferral hide the limit. */
bool tcp_is_cwnd_limited(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tp->is_cwnd_limited)
		return true;
	return tcp_in_slow_start(tp) && tp->snd_cwnd < 2 * tp->active->max_packets_out;
}

uint32_t tcp_slow_start_left(const struct sock *sk, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_is_cwnd_limited(sk))
		return 0;
	return tcp_in_slow_start(tp) ? tcp_slow_start(tp, acked) : acked;
}

uint32_t tcp_init_cwnd(const struct tcp_sock *tp, const struct dst_entry *dst)
{
	uint32_t cwnd = dst ? dst_metric(dst, RTAX_INITCWND) : 0;

	if (!cwnd)
		cwnd = TCP_INIT_CWND;
	return MIN(cwnd, tp->snd_cwnd_clamp);
}

/* --- pacing -------------------------------------------------------------------------------------------------------------- */

void tcp_update_pacing_rate(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *nt = sk->sk_net->tcp;
	uint64_t rate, max = sk->sk_ext && sk->sk_ext->max_pacing_rate ? sk->sk_ext->max_pacing_rate : UINT64_MAX;
	uint32_t ratio = (uint32_t)(tp->snd_cwnd < tp->snd_ssthresh / 2 ? nt->sysctl_tcp_pacing_ss_ratio : nt->sysctl_tcp_pacing_ca_ratio);

	/* bytes a second = mss * cwnd / srtt, srtt being kept times 8, ratio in percent */
	rate = (uint64_t)tp->mss_cache * (1000000 / 100 * 8) * ratio;
	rate *= MAX(tp->snd_cwnd, tp->packets_out);
	if (likely(tp->srtt_us))
		rate /= tp->srtt_us;
	sk->sk_pacing_rate = MIN(rate, max);
}
