/* SPDX-License-Identifier: MIT */
/*
 * run.c - plays a script against a fresh instance of the stack, on a virtual clock.
 *
 * The stack has one device without Ethernet, as packetdrill's tun: what it sends is captured with the time, what the script sends is put in.  Between
 * events the clock moves to the stack's next deadline or the next event, whichever is first; so a minute of script takes as long as its packets.
 *
 * A call that blocks ("+0...0.1 read(...)") runs the rest of the script from inside env.wait(), one step a time, until it returns: packets come in
 * and are expected while it waits, as with packetdrill's second thread.
 */
#include "pkt.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_NS (UINT64_C(1000) * 1000000000)       /* the clock at a script's start */
#define REALTIME_NS UINT64_C(1700000000000000000)
#define ANY_TIME_US (INT64_C(3600) * 1000000)        /* "*": within an hour */
enum { STEPS_MOST = 20 * 1000 * 1000, SETTLE_MOST = 100000, MEMORY_BYTES = 64 << 20 };

void run_fail(struct run *r, int line, const char *format, ...)
{
	va_list ap;

	if (r->failed)
		return;
	r->failed = true;
	int n = snprintf(r->message, sizeof(r->message), "%s:%d: ", r->script->path, line);
	va_start(ap, format);
	vsnprintf(r->message + n, sizeof(r->message) - (size_t)n, format, ap);
	va_end(ap);
}

int64_t run_now_us(const struct run *r)
{
	return (int64_t)((r->now_ns - r->start_ns) / 1000);
}

static int64_t tolerance_us(const struct run *r, int64_t expected_us)
{
	int64_t percent = (int64_t)((double)(expected_us - r->base_us) * r->config.tolerance_percent / 100);

	return percent > r->config.tolerance_us ? percent : r->config.tolerance_us;
}

bool run_in_time(const struct run *r, int64_t expected_us, int64_t actual_us)
{
	return llabs(actual_us - expected_us) <= tolerance_us(r, expected_us);
}

static int line_of(const struct run *r)
{
	return r->next < r->script->events ? r->script->event[r->next].line : r->script->event[r->script->events - 1].line;
}

/* --- what the instance needs ------------------------------------------------------------------------------------------------ */

static uint64_t env_now(void *ctx)
{
	return ((struct run *)ctx)->now_ns;
}

static uint64_t env_realtime(void *ctx)
{
	return REALTIME_NS + env_now(ctx) - EPOCH_NS;
}

static void env_random(void *ctx, void *buf, size_t n)
{
	struct run *r = ctx;

	for (size_t i = 0; i < n; i++) {
		r->random += UINT64_C(0x9e3779b97f4a7c15);
		uint64_t z = (r->random ^ (r->random >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		((uint8_t *)buf)[i] = (uint8_t)((z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb) >> 56);
	}
}

static void env_log(void *ctx, const char *line)
{
	struct run *r = ctx;

	if (strstr(line, "leaked"))
		run_fail(r, line_of(r), "at the end: %s", line);
	else if (r->config.verbose)
		printf("#           %s\n", line);
}

/* --- packets out ------------------------------------------------------------------------------------------------------------ */

static void show(struct run *r, const struct packet *p, int64_t us, const char *note)
{
	char text[512];

	if (!r->config.verbose)
		return;
	packet_print(p, us, text, sizeof(text));
	printf("# %s%s\n", text, note);
}

static int capture(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	struct run *r = ctx;
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	struct captured *c = calloc(1, sizeof(*c) + len);
	if (!c)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		memcpy(c->data + c->n, iov[i].iov_base, iov[i].iov_len);
		c->n += iov[i].iov_len;
	}
	c->us = run_now_us(r);
	c->partial_sum = o->needs_csum;
	const char *wrong = wire_parse(c, &c->packet);
	c->conn = wrong ? NULL : c->packet.protocol == IPPROTO_ICMP ? r->current : flow_of_wire(r, &c->packet);
	if (wrong)
		run_fail(r, line_of(r), "the stack sent a packet that is malformed: %s", wrong);
	if (c->conn) {
		flow_learn(c->conn, &c->packet);
		flow_to_script(c->conn, &c->packet);
	}
	show(r, &c->packet, c->us, c->conn ? "" : "   (of no connection of the script)");
	*r->last = c;
	r->last = &c->next;
	return 0;
}

static void release(struct run *r, struct captured **at)
{
	struct captured *c = *at;

	*at = c->next;
	if (!c->next)
		r->last = at;
	free(c);
}

/* --- time ------------------------------------------------------------------------------------------------------------------- */

/* Everything that is due now. */
static void settle(struct run *r)
{
	for (int i = 0; i < SETTLE_MOST && !r->failed; i++)
		if (xmit_poll(r->net, 0) <= 0 && xmit_next_deadline(r->net) > r->now_ns)
			return;
	run_fail(r, line_of(r), "the stack finds no rest: %d rounds at the same moment", SETTLE_MOST);
}

static uint64_t ns_of(const struct run *r, int64_t us)
{
	return r->start_ns + (uint64_t)us * 1000;
}

/* Moves the clock, not past the stack's next deadline. */
static void advance(struct run *r, uint64_t until_ns)
{
	uint64_t next = xmit_next_deadline(r->net);

	if (next <= r->now_ns)
		return; /* the caller polls */
	if (next < until_ns)
		until_ns = next;
	if (until_ns > r->now_ns)
		r->now_ns = until_ns;
}

static int64_t due_us(const struct run *r, const struct when *w, int64_t us)
{
	return w->kind == AT_ANY ? r->base_us : w->relative ? r->base_us + us : us;
}

/* --- expecting a packet ------------------------------------------------------------------------------------------------------- */

static void fail_packet(struct run *r, const struct event *e, const struct packet *got, int64_t us, const char *why)
{
	char want[512], have[512] = "none";
	int64_t due = due_us(r, &e->when, e->when.us);

	packet_print(e->packet, due, want, sizeof(want));
	if (got)
		packet_print(got, us, have, sizeof(have));
	if (got)
		run_fail(r, e->line, "%s\n#   expected %s\n#   actual   %s\n#   time     %+.6f s off", why, want, have, (double)(us - due) / 1e6);
	else
		run_fail(r, e->line, "%s\n#   expected %s\n#   actual   none until %.6f", why, want, (double)us / 1e6);
}

static void check_time(struct run *r, const struct event *e, const struct captured *c)
{
	int64_t from = due_us(r, &e->when, e->when.us), to = due_us(r, &e->when, e->when.end_us);

	if (e->when.kind == AT_ANY || (c->us >= from && c->us <= to))
		return;
	if (!run_in_time(r, c->us < from ? from : to, c->us))
		fail_packet(r, e, &c->packet, c->us, "timing error");
}

/* The packet is here: compares it, or the part of the script's packet that it is. */
static void match(struct run *r, const struct event *e, struct captured **at)
{
	struct captured *c = *at;
	struct packet want = *e->packet;

	want.seq += r->part;
	want.payload -= r->part;
	bool last = r->config.strict || want.protocol != IPPROTO_TCP || !c->packet.payload || c->packet.payload >= want.payload;
	if (want.flags & F_SYN && !c->conn->script_isn_said) {
		c->conn->script_isn_said = true; /* our SYN's number is the script's to choose */
		c->conn->script_local_isn = want.seq;
		c->packet.seq += want.seq;
	}
	const char *wrong = match_packet(r, c->conn, &want, &c->packet, last);
	if (wrong) {
		fail_packet(r, e, &c->packet, c->us, wrong);
		return;
	}
	check_time(r, e, c);
	flow_learn_ts(r, c->conn, &want, &c->packet, c->us);
	r->part = last ? 0 : r->part + c->packet.payload;
	if (last) {
		r->base_us = c->us;
		r->next++;
	}
	release(r, at);
}

/* An expected packet: it has come, or time passes. */
static void expect(struct run *r, const struct event *e, uint64_t limit_ns)
{
	struct conn *conn = flow_of_script(r, e->packet);
	struct captured **at = &r->first;

	if (!conn) {
		run_fail(r, e->line, "there is no connection that this packet could belong to");
		return;
	}
	while (*at && (*at)->conn != conn)
		at = &(*at)->next;
	if (*at) {
		match(r, e, at);
		return;
	}
	int64_t end = due_us(r, &e->when, e->when.end_us);
	int64_t deadline = e->when.kind == AT_ANY ? end + ANY_TIME_US : end + tolerance_us(r, end);
	if (run_now_us(r) >= deadline) {
		fail_packet(r, e, NULL, run_now_us(r), "no such packet came");
		return;
	}
	uint64_t until = ns_of(r, deadline);
	advance(r, until < limit_ns ? until : limit_ns);
}

/* --- sending a packet --------------------------------------------------------------------------------------------------------- */

/* The packet that an ICMP error answers: one that the stack sent. */
static void echoed_packet(const struct conn *c, const struct packet *icmp, struct packet *p)
{
	*p = (struct packet){.protocol = (uint8_t)c->protocol, .local_port = c->local_port, .remote_port = c->remote_port, .flags = F_ACK,
			     .payload = icmp->payload, .ttl = 64, .df = true};
	p->seq = c->local_isn + icmp->seq;
	p->ack = c->remote_isn + 1;
}

/* With --mss a long packet comes as one that the device has put together (LRO). */
static void describe(const struct run *r, const struct packet *p, size_t n, struct xmit_offload *o)
{
	memset(o, 0, sizeof(*o));
	o->csum_valid = true;
	if (p->protocol != IPPROTO_TCP || !r->config.mss || p->payload <= r->config.mss)
		return;
	o->gso = XMIT_GSO_TCPV4;
	o->gso_size = (uint16_t)r->config.mss;
	o->hdr_len = (uint16_t)(n - p->payload);
}

static void inject(struct run *r, const struct event *e)
{
	struct conn *c = flow_of_script(r, e->packet);
	struct packet wire, echoed;
	struct xmit_offload o;
	uint8_t *bytes = malloc(PACKET_MOST + 256);

	if (!c || !bytes) {
		run_fail(r, e->line, bytes ? "there is no connection to send this packet on" : "no memory");
		goto out;
	}
	flow_to_wire(r, c, e->packet, &wire);
	if (wire.flags & F_URG)
		r->urgent = true;
	if (wire.protocol == IPPROTO_ICMP)
		echoed_packet(c, e->packet, &echoed);
	size_t n = wire_build(r, &wire, bytes, wire.protocol == IPPROTO_ICMP ? &echoed : NULL);
	struct iovec iov = {bytes, n};
	describe(r, &wire, n, &o);
	show(r, e->packet, run_now_us(r), "");
	if (xmit_packet_input(r->dev, &iov, 1, &o))
		run_fail(r, e->line, "the device did not take the packet: %s", strerror(errno));
out:
	free(bytes);
}

/* --- events ------------------------------------------------------------------------------------------------------------------- */

static void perform_call(struct run *r, const struct event *e)
{
	if (r->blocked && e->blocks) {
		run_fail(r, e->line, "a blocking call while another one (line %d) has not returned", r->blocked->line);
		return;
	}
	const struct event *outer = r->blocked;
	if (!outer) {
		r->blocked = e;
		r->blocked_from_us = run_now_us(r);
	}
	call_make(r, e);
	r->blocked = outer;
}

static void perform(struct run *r, const struct event *e)
{
	r->next++;
	r->base_us = run_now_us(r);
	switch (e->kind) {
	case E_PACKET: inject(r, e); break;
	case E_CALL: perform_call(r, e); break;
	case E_SHELL: shell_run(r, e); break;
	case E_CODE: check_run(r, e); break;
	}
}

/* One event, or one move of the clock towards it. */
static void step(struct run *r, uint64_t limit_ns)
{
	const struct event *e = &r->script->event[r->next];

	if (r->steps++ > STEPS_MOST) {
		run_fail(r, e->line, "the script does not come to an end");
		return;
	}
	if (e->kind == E_PACKET && !e->packet->in) {
		expect(r, e, limit_ns);
		return;
	}
	int64_t due = due_us(r, &e->when, e->when.us), now = run_now_us(r);
	if (!e->when.relative && now > due + r->config.tolerance_us) {
		run_fail(r, e->line, "time goes backward: it is %.6f already", (double)now / 1e6);
		return;
	}
	uint64_t until = ns_of(r, due);
	if (now < due)
		advance(r, until < limit_ns ? until : limit_ns);
	else
		perform(r, e);
}

/* A call waits: the script goes on until it may have what it waits for. */
static int env_wait(void *ctx, xmit_net *net, uint64_t until_ns)
{
	struct run *r = ctx;
	const struct event *e = r->blocked;

	(void)net;
	if (!r->failed && (!e || !e->blocks))
		run_fail(r, e ? e->line : line_of(r), "the call %s() blocks, and the script does not say until when (+0...0.1)", e ? e->name : "?");
	if (r->failed)
		return -EINTR;
	int64_t end = r->blocked_from_us + e->end_us - e->when.us;
	int64_t deadline = end + r->config.tolerance_us + (int64_t)((double)(end - r->blocked_from_us) * r->config.tolerance_percent / 100);
	if (run_now_us(r) > deadline) {
		run_fail(r, e->line, "%s() has not returned at %.6f", e->name, (double)deadline / 1e6);
		return -EINTR;
	}
	uint64_t limit = ns_of(r, deadline + 1);
	if (until_ns < limit)
		limit = until_ns;
	if (r->next < r->script->events)
		step(r, limit);
	else
		advance(r, limit);
	return r->failed ? -EINTR : 0;
}

/* --- a run -------------------------------------------------------------------------------------------------------------------- */

static bool make_device(struct run *r)
{
	struct xmit_packet_config c = {.size = sizeof(c), .name = "tun0", .type = XMIT_DEV_NONE, .mtu = r->config.mtu,
				       .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_COPIES, .out = capture, .ctx = r, .orphan = true};
	struct in_addr local = {htonl(r->config.local_ip)};

	r->dev = xmit_packet_new(r->net, &c);
	if (!r->dev || xmit_dev_up(r->dev) || xmit_addr_add(r->dev, local, r->config.prefix_len))
		return false;
	/* A tun device of Linux does not merge (GRO) what is written to it. */
	xmit_dev_set_features(r->dev, xmit_dev_features(r->dev) & ~(uint32_t)XMIT_F_GRO);
	struct xmit_route to_peer = {.size = sizeof(to_peer), .dst = {htonl(r->config.remote_ip)}, .prefix_len = 32, .dev = r->dev};
	to_peer.gateway.s_addr = htonl(r->config.gateway_ip);
	return xmit_route_add(r->net, &to_peer) == 0;
}

static bool make_stack(struct run *r)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = MEMORY_BYTES,
				.env = {.size = sizeof(c.env), .ctx = r, .now_ns = env_now, .realtime_ns = env_realtime, .random = env_random,
					.wait = env_wait, .log = env_log}};

	r->net = xmit_net_new(&c);
	if (!r->net || !make_device(r)) {
		run_fail(r, 1, "the stack could not be made: %s", strerror(errno));
		return false;
	}
	return true;
}

/* What the stack sent of the script's last connection, and nobody expected. */
static void check_leftovers(struct run *r)
{
	char text[512];

	for (struct captured *c = r->first; c && !r->failed && !r->config.leftovers_allowed; c = c->next)
		if (c->conn && c->conn == r->current) {
			packet_print(&c->packet, c->us, text, sizeof(text));
			run_fail(r, r->script->event[r->script->events - 1].line, "a packet was sent that the script does not expect\n#   actual   %s", text);
		}
}

static void forget(struct run *r)
{
	while (r->first)
		release(r, &r->first);
	for (int i = 0; i < r->conns; i++)
		free(r->conn[i].ts);
	for (int i = 0; i < FDS_MOST; i++)
		if (r->fd[i] >= 0 && r->fd_host[i])
			host_close(r->fd[i]);
	while (r->variables) {
		struct setting *v = r->variables;
		r->variables = v->next;
		free(v);
	}
}

bool run_script(struct script *s, const struct config *config, char *message, size_t n)
{
	struct run *r = calloc(1, sizeof(*r));
	bool passed = false;

	if (!r) {
		snprintf(message, n, "%s: no memory", s->path);
		return false;
	}
	*r = (struct run){.script = s, .config = *config, .now_ns = EPOCH_NS, .start_ns = EPOCH_NS, .next_port = 40001};
	r->last = &r->first;
	for (const char *c = strrchr(s->path, '/') ? strrchr(s->path, '/') : s->path; *c; c++)
		r->random = r->random * 31 + (uint8_t)*c; /* of the script's name: the same packets each time */
	for (int i = 0; i < FDS_MOST; i++)
		r->fd[i] = -1;
	if (make_stack(r)) {
		while (!r->failed && r->next < s->events) {
			settle(r);
			if (!r->failed)
				step(r, XMIT_NEVER);
		}
		settle(r);
		check_leftovers(r);
	}
	xmit_net_free(r->net);
	passed = !r->failed;
	snprintf(message, n, "%s", r->message);
	forget(r);
	free(r);
	return passed;
}
