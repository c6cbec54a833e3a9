/* SPDX-License-Identifier: MIT */
/*
 * flow.c - connections, and the script's numbers against those on the wire.
 *
 * A script speaks of one connection at a time: that of the last socket() it called, or of that listener's first SYN.  (Packets with ports reach
 * the others.)  Its ports are chosen here and by the stack, its sequence numbers start at 0:
 *
 * - In a packet with SYN, numbers are the script's own: the SYN's number becomes the wire's initial number.  In all others they count from
 *   the initial number, so 1 is the first byte whatever the SYN said.
 * - Timestamps that the script expects are learned, and put back into the replies (ecr) that it sends.  What the peer sends (val) goes out as it is.
 */
#include "pkt.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { TS_PAIRS_MOST = 65536 };

struct conn *flow_new_socket(struct run *r, int script_fd, int protocol)
{
	if (r->conns == CONNS_MOST) {
		run_fail(r, 0, "more than %d sockets in a script", CONNS_MOST);
		return NULL;
	}
	struct conn *c = &r->conn[r->conns++];
	*c = (struct conn){.protocol = protocol, .script_fd = script_fd};
	r->current = c;
	return c;
}

/* The newest socket of that number. */
static struct conn *of_fd(struct run *r, int script_fd)
{
	for (int i = r->conns; i-- > 0;)
		if (r->conn[i].script_fd == script_fd)
			return &r->conn[i];
	return NULL;
}

void flow_bound(struct run *r, int script_fd, uint16_t port)
{
	struct conn *c = of_fd(r, script_fd);

	if (c)
		c->local_port = port;
}

void flow_listening(struct run *r, int script_fd)
{
	struct conn *c = of_fd(r, script_fd);

	if (c)
		c->listening = true;
}

void flow_connecting(struct run *r, int script_fd, uint16_t port)
{
	struct conn *c = of_fd(r, script_fd);

	if (c && !c->open) {
		c->remote_port = port;
		c->open = true;
	}
}

/* The connection from that port that has no descriptor of its own yet. */
void flow_accepted(struct run *r, int script_fd, uint16_t remote_port)
{
	for (int i = 0; i < r->conns; i++) {
		struct conn *c = &r->conn[i];
		if (c->listening && c->open && !c->accepted && (!remote_port || c->remote_port == remote_port)) {
			c->accepted = true;
			c->script_fd = script_fd;
			return;
		}
	}
}

static uint32_t next_random(struct run *r)
{
	uint64_t z = (r->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(z >> 32);
}

static bool ports_fit(const struct conn *c, const struct packet *p)
{
	return c->local_port == p->local_port && c->remote_port == p->remote_port;
}

/* The first packet from the peer: now the connection has addresses. */
static void open_passive(struct run *r, struct conn *c, const struct packet *p)
{
	c->open = true;
	c->remote_port = p->remote_port ? p->remote_port : r->next_port++;
	if (!c->local_port)
		c->local_port = r->config.bind_port;
}

/* A packet with ports that no connection has: a new one of the listener at that port. */
static struct conn *open_by_ports(struct run *r, const struct packet *p)
{
	for (int i = r->conns; i-- > 0;)
		if (r->conn[i].listening && !r->conn[i].open && r->conn[i].local_port == p->local_port)
			return &r->conn[i];
	for (int i = r->conns; i-- > 0;)
		if (r->conn[i].listening && r->conn[i].local_port == p->local_port) {
			struct conn *c = flow_new_socket(r, -1, IPPROTO_TCP);
			if (c) {
				c->listening = true;
				c->local_port = p->local_port;
			}
			return c;
		}
	return NULL;
}

struct conn *flow_of_script(struct run *r, const struct packet *p)
{
	struct conn *c = r->current;

	if (p->local_port) {
		c = NULL;
		for (int i = r->conns; i-- > 0 && !c;)
			if (r->conn[i].open && ports_fit(&r->conn[i], p))
				c = &r->conn[i];
		if (!c && p->in)
			c = open_by_ports(r, p);
	}
	if (c && p->in && !c->open)
		open_passive(r, c, p);
	return c;
}

struct conn *flow_of_wire(struct run *r, const struct packet *p)
{
	for (int i = r->conns; i-- > 0;)
		if (r->conn[i].open && r->conn[i].protocol == p->protocol && ports_fit(&r->conn[i], p))
			return &r->conn[i];
	/* A connection of ours that has not yet shown its port. */
	for (int i = r->conns; i-- > 0;) {
		struct conn *c = &r->conn[i];
		if (c->protocol != p->protocol || c->listening)
			continue;
		if (c->open && !c->local_port && c->remote_port == p->remote_port) {
			c->local_port = p->local_port;
			return c;
		}
		if (!c->open && p->protocol == IPPROTO_UDP && (!c->local_port || c->local_port == p->local_port)) {
			c->open = true;
			c->local_port = p->local_port;
			c->remote_port = p->remote_port;
			return c;
		}
	}
	return NULL;
}

/* --- numbers -------------------------------------------------------------------------------------------------------------- */

/* The peer's initial number: random on the wire, so that every script also runs somewhere else in the number space.  The script's is its SYN's. */
static void choose_remote_isn(struct run *r, struct conn *c, const struct packet *script)
{
	if (!c->remote_known)
		c->remote_isn = next_random(r);
	c->remote_known = true;
	if (script->flags & F_SYN && !c->remote_syn_sent) {
		c->script_remote_isn = script->seq;
		c->remote_syn_sent = true;
	}
}

static uint32_t ecr_to_wire(const struct run *r, const struct conn *c, uint32_t ecr)
{
	for (int i = c->ts_pairs; i-- > 0;)
		if (c->ts[i].script == ecr)
			return c->ts[i].wire;
	if (r->config.ts_ecr_scaled && c->ts_known)
		return c->ts_wire + (ecr - c->ts_script);
	return ecr;
}

static void options_to_wire(const struct run *r, const struct conn *c, struct packet *p)
{
	for (int i = 0; i < p->opts; i++) {
		struct tcp_opt *o = &p->opt[i];
		if (o->kind == O_TS)
			o->ecr = ecr_to_wire(r, c, o->ecr);
		for (unsigned b = 0; o->kind == O_SACK && b < o->n; b++) {
			o->block[b][0] += c->local_isn;
			o->block[b][1] += c->local_isn;
		}
	}
}

/* What the peer sends: its own numbers forward, ours as it acknowledges them. */
void flow_to_wire(struct run *r, struct conn *c, const struct packet *script, struct packet *wire)
{
	bool syn = script->flags & F_SYN;

	*wire = *script;
	wire->local_port = c->local_port;
	wire->remote_port = c->remote_port;
	if (script->protocol != IPPROTO_TCP)
		return;
	choose_remote_isn(r, c, script);
	uint32_t offset = script->seq - (syn ? c->script_remote_isn : 0);
	wire->seq = c->remote_isn + offset;
	wire->stream = syn ? 0 : offset - 1;
	if (script->said_ack)
		wire->ack = c->local_isn + script->ack - (syn ? c->script_local_isn : 0);
	options_to_wire(r, c, wire);
}

void flow_learn(struct conn *c, const struct packet *wire)
{
	if (c->local_known || wire->protocol != IPPROTO_TCP || !(wire->flags & F_SYN))
		return;
	c->local_isn = wire->seq;
	c->local_known = true;
}

void flow_to_script(struct conn *c, struct packet *p)
{
	bool syn = p->flags & F_SYN;

	if (p->protocol != IPPROTO_TCP)
		return;
	p->stream = syn ? p->seq - c->local_isn : p->seq - c->local_isn - 1;
	p->seq = p->seq - c->local_isn + (syn ? c->script_local_isn : 0);
	if (p->said_ack)
		p->ack = p->ack - c->remote_isn + (syn ? c->script_remote_isn : 0);
	for (int i = 0; i < p->opts; i++) {
		struct tcp_opt *o = &p->opt[i];
		for (unsigned b = 0; o->kind == O_SACK && b < o->n; b++) {
			o->block[b][0] -= c->remote_isn;
			o->block[b][1] -= c->remote_isn;
		}
		if (o->kind == O_TS && c->ts_known)
			o->val = c->ts_script + (o->val - c->ts_wire);
	}
}

/* The wire's value was met where the script says another. */
void flow_learn_ts(struct run *r, struct conn *c, const struct packet *script, const struct packet *wire, int64_t us)
{
	const struct tcp_opt *want = packet_opt(script, O_TS), *got = packet_opt(wire, O_TS);

	(void)r;
	if (!want || !got)
		return;
	if (c->ts_pairs == c->ts_room && c->ts_room < TS_PAIRS_MOST) {
		int room = c->ts_room ? c->ts_room * 2 : 16;
		struct ts_pair *more = realloc(c->ts, (size_t)room * sizeof(*more));
		if (!more)
			return;
		c->ts = more;
		c->ts_room = room;
	}
	/* `got` is in the script's numbers where they are known already. */
	uint32_t val = c->ts_known ? c->ts_wire + (got->val - c->ts_script) : got->val;
	if (c->ts_pairs < c->ts_room)
		c->ts[c->ts_pairs++] = (struct ts_pair){want->val, val};
	if (c->ts_known)
		return;
	c->ts_known = true;
	c->ts_script = want->val;
	c->ts_wire = val;
	c->ts_us = us;
}
