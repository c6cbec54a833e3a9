/* SPDX-License-Identifier: MIT */
/*
 * tcp_cong.c - congestion control: the algorithms there are, and what they share (T6; RFC 5681, RFC 3465).
 *
 * An algorithm is a table of functions (struct tcp_congestion_ops); its state is ca_priv in tcp_active.  A sock chooses one at
 * creation (sysctl tcp_congestion_control) or by TCP_CONGESTION; a child of a listener has the listener's, if that one was
 * chosen so.  "Initialised" (icsk_ca_initialized) means: from establishment on; the state itself is there while tcp_active is, and begins anew
 * each time it is attached: tcp_activate() runs init() then, tcp_deactivate() release().  An idle connection keeps cwnd and ssthresh, which live in tcp_sock; one whose algorithm has learnt what it
 * would have to learn again (TCP_CONG_KEEPS_STATE, keeps_state) keeps tcp_active too.
 *
 * Each instance has its own list of algorithms (tcp_register_congestion_control): those of the library, and what its user adds.
 *
 * tcp_slow_start() and tcp_cong_avoid_ai() count segments acknowledged, not ACKs (RFC 3465), so that ACKs of whole super-segments
 * open the window as single ones would.  The window grows only while it is what limits us (tcp_is_cwnd_limited), which tcp_write_xmit()
 * notes after each burst.
 *
 * The pacing rate is 2 (slow start) or 1.2 (later) times cwnd per srtt: tcp_tso_autosize() and the small-queue limit live by it.
 */
#include "tcp/tcp_input.h"
#include "wire/ip.h"
#include <stdio.h>

/* Those of the library, in the order in which tcp_available_congestion_control names them. */
static const struct tcp_congestion_ops *const algorithms[] = {&tcp_reno, &tcp_cubic, &tcp_bbr, &tcp_dctcp};

/* Its place in the instance's list; -1: not there. */
static int find(const struct net *net, const char *name, size_t len)
{
	for (uint32_t i = 0; i < net->tcp->ca_count; i++)
		if (strlen(net->tcp->ca[i]->name) == len && !memcmp(net->tcp->ca[i]->name, name, len))
			return (int)i;
	return -1;
}

const struct tcp_congestion_ops *tcp_ca_find(const struct net *net, const char *name)
{
	int i = find(net, name, strlen(name));

	return i < 0 ? NULL : net->tcp->ca[i];
}

int tcp_register_congestion_control(struct net *net, const struct tcp_congestion_ops *ca)
{
	struct netns_tcp *ns = net->tcp;

	if (!ca->name[0] || !ca->ssthresh || !ca->undo_cwnd || !(ca->cong_avoid || ca->cong_control))
		return -EINVAL;
	if (tcp_ca_find(net, ca->name))
		return -EEXIST;
	if (ns->ca_count == TCP_CA_MAX)
		return -ENOSPC;
	if (ca->flags & TCP_CONG_NON_RESTRICTED)
		ns->ca_allowed |= 1u << ns->ca_count;
	ns->ca[ns->ca_count++] = ca;
	return 0;
}

int tcp_cong_init(struct net *net)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(algorithms) && !err; i++)
		err = tcp_register_congestion_control(net, algorithms[i]);
	return err;
}

int tcp_ca_names(const struct net *net, bool allowed_only, char *buf, size_t n)
{
	const struct netns_tcp *ns = net->tcp;
	int len = 0;

	if (n)
		buf[0] = 0;
	for (uint32_t i = 0; i < ns->ca_count; i++) {
		size_t at = MIN((size_t)len, n);
		if (allowed_only && !(ns->ca_allowed & 1u << i))
			continue;
		len += snprintf(buf + at, n - at, "%s%s", len ? " " : "", ns->ca[i]->name);
	}
	return len;
}

int tcp_set_allowed_congestion_control(struct net *net, const char *names)
{
	uint32_t allowed = 0;

	for (;;) {
		size_t len;
		int i;
		names += strspn(names, " \t\n");
		len = strcspn(names, " \t\n");
		if (!len)
			break;
		i = find(net, names, len);
		if (i < 0)
			return -ENOENT;
		allowed |= 1u << i;
		names += len;
	}
	net->tcp->ca_allowed = allowed;
	return 0;
}

static void set_ect_as_needed(struct sock *sk) { tcp_set_ect(sk, tcp_ca_needs_ecn(sk) ? INET_ECN_ECT_0 : INET_ECN_NOT_ECT); }

void tcp_assign_congestion_control(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct tcp_congestion_ops *ca = tcp_ca_find(sk->sk_net, sk->sk_net->tcp->sysctl_tcp_congestion_control);

	icsk->icsk_ca_ops = ca ? ca : &tcp_reno;
	icsk->icsk_ca_initialized = 0;
	set_ect_as_needed(sk);
}

void tcp_init_congestion_control(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_active *act = tcp_act(sk);

	icsk->icsk_ca_initialized = 1;
	set_ect_as_needed(sk);
	if (!act) {
		/* What would be kept may as well begin now; without memory it begins with the first data. */
		if (icsk->icsk_ca_ops->flags & TCP_CONG_KEEPS_STATE)
			(void)tcp_activate(sk);
		return;
	}
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
	const struct tcp_congestion_ops *ca = tcp_ca_find(sk->sk_net, name);
	bool running = icsk->icsk_ca_initialized;

	if (!ca)
		return -ENOENT;
	icsk->icsk_ca_setsockopt = 1;
	if (ca == icsk->icsk_ca_ops)
		return 0;
	tcp_cleanup_congestion_control(sk);
	icsk->icsk_ca_ops = ca;
	set_ect_as_needed(sk);
	if (running)
		tcp_init_congestion_control(sk);
	return 0;
}

void tcp_ca_event(struct sock *sk, enum tcp_ca_event ev)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;

	if (ca->cwnd_event && tcp_ca_is_running(sk))
		ca->cwnd_event(sk, ev);
}

void tcp_set_ca_state(struct sock *sk, uint8_t state)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ca_ops->set_state && tcp_ca_is_running(sk))
		icsk->icsk_ca_ops->set_state(sk, state);
	if (unlikely(icsk->icsk_ca_state == TCP_CA_Loss) && state != TCP_CA_Loss)
		tcp_rto_ended(sk);
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

/* The algorithm's private state is worth more than the memory it takes while the connection is idle. */
bool tcp_ca_keeps_state(const struct sock *sk)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;

	if (!tcp_ca_is_running(sk))
		return false;
	return ca->keeps_state ? ca->keeps_state(sk) : (ca->flags & TCP_CONG_KEEPS_STATE) != 0;
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
