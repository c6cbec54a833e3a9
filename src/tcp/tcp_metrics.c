/* SPDX-License-Identifier: MIT */
/*
 * tcp_metrics.c - what a connection leaves to the next one to the same destination: round trip, congestion window, reordering.
 *
 * When a connection ends in order (TIME_WAIT, FIN_WAIT2 without owner, LAST_ACK acknowledged) it folds what it knows into the entry of its two
 * addresses; one that was reset or gave up says nothing.  A new connection takes from there, once it is established:
 *
 *	rtt, rttvar   of the longer way only: a handshake that was faster than what is remembered does not set the first RTO (RFC 6298 2.2 would)
 *	reordering    the degree seen before
 *	ssthresh      if net.ipv4.tcp_no_ssthresh_metrics_save is 0
 *
 * and of a peer with a remembered round trip it is known that its address is its own (tcp_peer_is_proven()).  cwnd is kept and not used, as on Linux
 * where no route locks it.  The rules are those of Linux 6.18 as its `ip tcp_metrics` and TCP_INFO show them; RFC 9040 has the idea.
 *
 * The table has METRICS_SIZE entries, made with the first connection that leaves something; an entry is one of METRICS_WAYS for its hash, keyed with a
 * secret of the instance, and a new destination takes the place of the one not heard of for longest.  What is older than METRICS_LIFE_NS is
 * forgotten.  Owned by the instance (netns_tcp.metrics); without memory nothing is remembered.
 *
 * Called from tcp_state.c, tcp_timewait.c, tcp_listen.c; calls nothing.
 */
#include "tcp/tcp_metrics.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"
#include "xmit/control.h"

enum { METRICS_SIZE = 512, METRICS_WAYS = 4 };
#define METRICS_LIFE_NS (3600 * NSEC_PER_SEC)

struct tcp_metrics {
	be32 saddr, daddr;
	uint64_t stamp_ns;      /* last written; 0: free */
	uint32_t rtt_us;        /* times 8, as srtt; 0: not known */
	uint32_t rttvar_us;     /* times 4 */
	uint32_t ssthresh;      /* segments; 0: not known */
	uint32_t cwnd;          /* segments; 0: not known */
	uint32_t reordering;    /* segments; 0: not known */
};

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static bool is_live(const struct net *net, const struct tcp_metrics *m) { return m->stamp_ns && net->now_ns - m->stamp_ns <= METRICS_LIFE_NS; }

static struct tcp_metrics *find(struct net *net, be32 saddr, be32 daddr, bool make)
{
	const be32 key[2] = {saddr, daddr};
	struct netns_tcp *ns = net->tcp;
	struct tcp_metrics *place, *oldest;

	if (!ns->metrics && make)
		ns->metrics = net_zalloc(net, METRICS_SIZE * sizeof(*ns->metrics), MEM_NORMAL);
	if (!ns->metrics)
		return NULL;
	place = oldest = ns->metrics + hsiphash(key, sizeof(key), &net->hash_key) % (METRICS_SIZE / METRICS_WAYS) * METRICS_WAYS;
	for (unsigned i = 0; i < METRICS_WAYS; i++) {
		if (place[i].saddr == saddr && place[i].daddr == daddr && is_live(net, &place[i]))
			return &place[i];
		if (place[i].stamp_ns < oldest->stamp_ns)
			oldest = &place[i];
	}
	if (!make)
		return NULL;
	*oldest = (struct tcp_metrics){.saddr = saddr, .daddr = daddr};
	return oldest;
}

static struct tcp_metrics *find_of(struct sock *sk, bool make)
{
	return find(sock_net(sk), inet_sk(sk)->inet_saddr.ip, inet_sk(sk)->inet_daddr.ip, make);
}

void tcp_metrics_flush(struct net *net)
{
	net_free(net, net->tcp->metrics);
	net->tcp->metrics = NULL;
}

void xmit_tcp_metrics_flush(xmit_net *net)
{
	tcp_metrics_flush(net);
	tcp_fastopen_cache_flush(net);
}

/* --- a connection ends ---------------------------------------------------------------------------------------------------------- */

/* A longer round trip counts at once, a shorter one by an eighth; the deviation likewise (RFC 6298 2.3's weights). */
static void save_rtt(struct tcp_metrics *m, const struct tcp_sock *tp)
{
	int64_t below = (int64_t)m->rtt_us - tp->srtt_us;
	uint32_t dev = (uint32_t)(below < 0 ? -below : below) >> 1;

	if (below <= 0)
		m->rtt_us = tp->srtt_us;
	else
		m->rtt_us -= (uint32_t)(below >> 3);
	dev = MAX(dev, tp->mdev_us);
	if (dev >= m->rttvar_us)
		m->rttvar_us = dev;
	else
		m->rttvar_us -= (m->rttvar_us - dev) >> 2;
}

/* How far the windows can be believed depends on how far the connection came.  Reordering is told where it may have been what cut the window. */
static void save_windows(struct tcp_metrics *m, const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	bool keep_ssthresh = !ns->sysctl_tcp_no_ssthresh_metrics_save;

	if (tp->snd_ssthresh >= TCP_INFINITE_SSTHRESH) {
		/* Never lost anything: at least this much fits. */
		if (keep_ssthresh && m->ssthresh)
			m->ssthresh = MAX(m->ssthresh, tp->snd_cwnd >> 1);
		m->cwnd = MAX(m->cwnd, tp->snd_cwnd);
	} else if (!tcp_in_slow_start(tp) && inet_csk(sk)->icsk_ca_state == TCP_CA_Open) {
		if (keep_ssthresh)
			m->ssthresh = MAX(tp->snd_cwnd >> 1, tp->snd_ssthresh);
		m->cwnd = (m->cwnd + tp->snd_cwnd) >> 1;
	} else {
		/* The window was just cut, and is not back. */
		m->cwnd = (m->cwnd + tp->snd_ssthresh) >> 1;
		if (keep_ssthresh && m->ssthresh)
			m->ssthresh = MAX(m->ssthresh, tp->snd_ssthresh);
		if (tp->reordering > m->reordering && tp->reordering != (uint32_t)ns->sysctl_tcp_reordering)
			m->reordering = tp->reordering;
	}
}

void tcp_update_metrics(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_metrics *m;

	if (sock_net(sk)->tcp->sysctl_tcp_no_metrics_save || !__sk_dst_get(sk))
		return;
	if (inet_csk(sk)->icsk_backoff || !tp->srtt_us) {
		/* Nothing came back in time: what was remembered is not true any more. */
		m = find_of(sk, false);
		if (m)
			m->rtt_us = 0;
		return;
	}
	m = find_of(sk, true);
	if (!m)
		return;
	m->stamp_ns = MAX(sock_net(sk)->now_ns, UINT64_C(1));
	save_rtt(m, tp);
	save_windows(m, sk);
}

/* --- a connection begins ---------------------------------------------------------------------------------------------------------- */

/* No round trip could be measured: RFC 6298 5.7. */
static void fall_back(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->rttvar_us = tp->mdev_us = tp->mdev_max_us = TCP_TIMEOUT_FALLBACK_US;
	inet_csk(sk)->icsk_rto_us = TCP_TIMEOUT_FALLBACK_US;
}

static void first_rto(struct sock *sk, uint32_t remembered_us)
{
	/* A handshake's segments are short: longer ones have taken longer. */
	if (remembered_us > tcp_sk(sk)->srtt_us >> 3)
		inet_csk(sk)->icsk_rto_us = MIN(remembered_us + MAX(2 * remembered_us, tcp_rto_min_us(sk)), tcp_rto_max_us(sk));
	else if (!tcp_sk(sk)->srtt_us)
		fall_back(sk);
}

void tcp_init_metrics(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct dst_entry *dst = __sk_dst_get(sk);
	const struct tcp_metrics *m = dst ? find_of(sk, false) : NULL;
	uint32_t ssthresh = dst ? dst_metric(dst, RTAX_SSTHRESH) : 0, reordering = dst ? dst_metric(dst, RTAX_REORDERING) : 0;

	if (m && m->ssthresh && !sock_net(sk)->tcp->sysctl_tcp_no_ssthresh_metrics_save)
		ssthresh = m->ssthresh;
	if (m && m->reordering)
		reordering = m->reordering;
	/* What timeouts of the SYN made of it says nothing. */
	tp->snd_ssthresh = ssthresh ? MIN(ssthresh, tp->snd_cwnd_clamp) : (uint32_t)TCP_INFINITE_SSTHRESH;
	if (reordering)
		tp->reordering = reordering;
	first_rto(sk, m ? m->rtt_us >> 3 : 0);
}

bool tcp_peer_is_proven(struct net *net, be32 saddr, be32 daddr)
{
	const struct tcp_metrics *m = find(net, saddr, daddr, false);

	return m && m->rtt_us;
}
