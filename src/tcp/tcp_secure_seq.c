/* SPDX-License-Identifier: MIT */
/*
 * tcp_secure_seq.c - numbers that an outsider must not guess: initial sequence numbers (RFC 6528), offsets of timestamps
 * (RFC 7323 7.1), where the search for a local port starts (RFC 6056 3.3.4).  Each is SipHash-2-4 of the endpoints under a key of its own.
 */
#include "tcp/tcp_conn.h"

enum { ISN_TICK_SHIFT = 6 }; /* the ISN clock ticks every 64 ns: round the circle in 274 s, longer than an MSL */

void tcp_secure_seq_init(struct net *net)
{
	struct netns_tcp *ns = net->tcp;

	net->env.random(net->env.ctx, &ns->secret_isn, sizeof(ns->secret_isn));
	net->env.random(net->env.ctx, &ns->secret_ts, sizeof(ns->secret_ts));
	net->env.random(net->env.ctx, &ns->secret_port, sizeof(ns->secret_port));
	net->env.random(net->env.ctx, ns->secret_cookie, sizeof(ns->secret_cookie));
}

uint32_t secure_tcp_seq(struct net *net, be32 saddr, be32 daddr, be16 sport, be16 dport)
{
	const struct { be32 saddr, daddr; be16 sport, dport; } key = {saddr, daddr, sport, dport};

	const struct siphash_key known = {0};
	uint32_t place = (uint32_t)siphash(&key, sizeof(key), PROVE_BREAKS("MUST-9") ? &known : &net->tcp->secret_isn);

	if (PROVE_BREAKS("SHLD-1"))
		place = 0;
	return place + (PROVE_BREAKS("MUST-8") ? 0 : (uint32_t)(net->now_ns >> ISN_TICK_SHIFT));
}

/* Per pair of hosts, not of ports: so that timestamps go on growing over successive connections (PAWS in TIME_WAIT). */
uint32_t secure_tcp_ts_off(struct net *net, be32 saddr, be32 daddr)
{
	const struct { be32 saddr, daddr; } key = {saddr, daddr};

	if (net->tcp->sysctl_tcp_timestamps != 1)
		return 0;
	return (uint32_t)siphash(&key, sizeof(key), &net->tcp->secret_ts);
}

uint64_t secure_ipv4_port_ephemeral(struct net *net, be32 saddr, be32 daddr, be16 dport)
{
	const struct { be32 saddr, daddr; be16 dport, pad; } key = {saddr, daddr, dport, 0};

	return siphash(&key, sizeof(key), &net->tcp->secret_port);
}
