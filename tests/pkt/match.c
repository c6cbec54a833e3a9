/* SPDX-License-Identifier: MIT */
/* match.c - is a packet the one that the script expects?  And packets in print, as the script would write them. */
#include "pkt.h"
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct tcp_opt *packet_opt(const struct packet *p, unsigned kind)
{
	for (int i = 0; i < p->opts; i++)
		if (p->opt[i].kind == kind)
			return &p->opt[i];
	return NULL;
}

/* --- in print --------------------------------------------------------------------------------------------------------------- */

struct printer {
	char *buf;
	size_t room, n;
};

static void put(struct printer *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct printer *o, const char *format, ...)
{
	va_list ap;

	if (o->n >= o->room)
		return;
	va_start(ap, format);
	int n = vsnprintf(o->buf + o->n, o->room - o->n, format, ap);
	va_end(ap);
	o->n += n > 0 ? (size_t)n : 0;
}

static void put_flags(struct printer *o, unsigned flags)
{
	static const char letters[] = "FSRP.UEWA", order[] = "SFRPEWAU.";
	bool any = false;

	for (const char *c = order; *c; c++)
		if (flags & (1u << (strchr(letters, *c) - letters))) {
			put(o, "%c", *c);
			any = true;
		}
	if (!any)
		put(o, "-");
}

static void put_bytes(struct printer *o, const char *name, const struct tcp_opt *t)
{
	put(o, "%s%s", name, t->n ? " " : "");
	for (unsigned i = 0; i < t->n; i++)
		put(o, "%02x", t->bytes[i]);
}

static void put_option(struct printer *o, const struct tcp_opt *t)
{
	static const char *const counters[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};

	switch (t->kind) {
	case O_EOL: put(o, "eol"); return;
	case O_NOP: put(o, "nop"); return;
	case O_MSS: put(o, "mss %u", t->val); return;
	case O_WSCALE: put(o, "wscale %u", t->val); return;
	case O_SACKOK: put(o, "sackOK"); return;
	case O_TS: put(o, "TS val %u ecr %u", t->val, t->ecr); return;
	case O_SACK:
		put(o, "sack");
		for (unsigned i = 0; i < t->n; i++)
			put(o, " %u:%u", t->block[i][0], t->block[i][1]);
		return;
	case O_ACCECN0:
	case O_ACCECN1:
		put(o, "ECN");
		for (unsigned i = 0; i < t->n && i < 3; i++)
			put(o, " %s %u", counters[t->kind == O_ACCECN1][i], t->block[i][0]);
		return;
	case O_FO: put_bytes(o, "FO", t); return;
	case O_EXP: put_bytes(o, "FOEXP", t); return;
	case O_MD5: put_bytes(o, "md5", t); return;
	default: put(o, "[option %u]", t->kind); put_bytes(o, "", t);
	}
}

static void put_tcp(struct printer *o, const struct packet *p)
{
	put_flags(o, p->flags);
	put(o, " %u:%u(%u)", p->seq, p->seq + p->payload, p->payload);
	if (p->said_ack)
		put(o, " ack %u", p->ack);
	if (p->said_win)
		put(o, " win %u", p->win);
	if (p->said_urg)
		put(o, " urg %u", p->urg);
	if (p->any_options)
		put(o, " <...>");
	if (!p->opts)
		return;
	for (int i = 0; i < p->opts; i++) {
		put(o, i ? "," : " <");
		put_option(o, &p->opt[i]);
	}
	put(o, ">");
}

static void put_ip(struct printer *o, const struct packet *p)
{
	static const char *const ecn[] = {"noecn", "ect1", "ect0", "ce"};

	if (p->check_tos == TOS_ECN)
		put(o, "[%s] ", ecn[p->tos & 3]);
	else if (p->check_tos == TOS_ECT01)
		put(o, "[ect01] ");
	else if (p->check_tos == TOS_ALL)
		put(o, "[tos 0x%x] ", p->tos);
	if (p->ttl)
		put(o, "[ttl %u] ", p->ttl);
	if (p->said_df)
		put(o, "[%s] ", p->df ? "df" : "nodf");
}

void packet_print(const struct packet *p, int64_t us, char *buf, size_t n)
{
	struct printer o = {buf, n, 0};

	put(&o, "%9.6f %c ", (double)us / 1e6, p->in ? '<' : '>');
	put_ip(&o, p);
	if (p->protocol == IPPROTO_TCP)
		put_tcp(&o, p);
	else if (p->protocol == IPPROTO_UDP)
		put(&o, "udp (%u)", p->payload);
	else if (p->protocol == IPPROTO_ICMP)
		put(&o, "icmp type %u code %u mtu %u", p->icmp_type, p->icmp_code, p->icmp_mtu);
	else
		put(&o, "IP protocol %u", p->protocol);
}

/* --- the comparison --------------------------------------------------------------------------------------------------------- */

static const char *differs(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *differs(struct run *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->difference, sizeof(r->difference), format, ap);
	va_end(ap);
	return r->difference;
}

static const char *match_ip(struct run *r, const struct packet *want, const struct packet *got)
{
	if (want->protocol != got->protocol)
		return differs(r, "IP protocol: expected %u, is %u", want->protocol, got->protocol);
	if (want->check_tos == TOS_ALL && want->tos != got->tos)
		return differs(r, "tos: expected 0x%x, is 0x%x", want->tos, got->tos);
	if (want->check_tos == TOS_ECN && want->tos != (got->tos & 3))
		return differs(r, "ECN bits: expected %u, are %u", want->tos, got->tos & 3);
	if (want->check_tos == TOS_ECT01 && (got->tos & 3) != 1 && (got->tos & 3) != 2)
		return differs(r, "ECN bits: expected ECT(0) or ECT(1), are %u", got->tos & 3);
	if (want->ttl && want->ttl != got->ttl)
		return differs(r, "ttl: expected %u, is %u", want->ttl, got->ttl);
	if (want->said_df && want->df != got->df)
		return differs(r, "don't-fragment bit: expected %d, is %d", want->df, got->df);
	return NULL;
}

/* Ticks of --tcp_ts_tick_usecs since the first timestamp, against time. */
static const char *match_ts_val(struct run *r, const struct conn *c, uint32_t want, uint32_t got)
{
	if (!r->config.ts_tick_us || !c->ts_known)
		return NULL;
	int64_t off_us = (int64_t)(int32_t)(got - want) * r->config.ts_tick_us;
	if (off_us < 0)
		off_us = -off_us;
	return off_us > r->config.tolerance_us ? differs(r, "TS val: expected %u, is %u (of %lld us each)", want, got, (long long)r->config.ts_tick_us) : NULL;
}

static const char *match_option(struct run *r, const struct conn *c, const struct tcp_opt *want, const struct tcp_opt *got)
{
	if (want->kind != got->kind)
		return "options";
	if (want->kind == O_TS) {
		if (want->ecr != got->ecr)
			return differs(r, "TS ecr: expected %u, is %u", want->ecr, got->ecr);
		return match_ts_val(r, c, want->val, got->val);
	}
	if (want->val != got->val || want->n != got->n)
		return "options";
	for (unsigned i = 0; want->kind != O_FO && want->kind != O_EXP && want->kind != O_MD5 && i < want->n; i++)
		if (want->block[i][0] != got->block[i][0] || want->block[i][1] != got->block[i][1])
			return "options";
	return memcmp(want->bytes, got->bytes, sizeof(want->bytes)) ? "options" : NULL;
}

static const char *match_options(struct run *r, const struct conn *c, const struct packet *want, const struct packet *got)
{
	if (want->any_options)
		return NULL;
	if (want->opts != got->opts)
		return "options";
	for (int i = 0; i < want->opts; i++) {
		const char *wrong = match_option(r, c, &want->opt[i], &got->opt[i]);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* The bytes are those that the script's writes put at that place of the stream. */
static const char *match_data(struct run *r, const struct packet *got)
{
	if (r->own_bytes)
		return NULL;
	for (uint32_t i = 0; i < got->payload; i++)
		if (got->data[i] != wire_pattern(got->stream + i))
			return differs(r, "payload: byte %u of the packet is 0x%02x, the one written was 0x%02x", i, got->data[i], wire_pattern(got->stream + i));
	return NULL;
}

const char *match_packet(struct run *r, struct conn *c, const struct packet *want, const struct packet *got, bool last)
{
	/* Of several packets that make up one of the script, the last has the PSH and the FIN. */
	unsigned ignored = last ? 0 : F_PSH | F_FIN;
	const char *wrong = match_ip(r, want, got);

	if (wrong || want->protocol == IPPROTO_ICMP)
		return wrong ? wrong : want->icmp_type != got->icmp_type || want->icmp_code != got->icmp_code ? "ICMP type or code" : NULL;
	if (want->protocol == IPPROTO_UDP)
		return want->payload != got->payload ? "payload length" : NULL;
	if ((want->flags | ignored) != (got->flags | ignored))
		return "flags";
	if (want->seq != got->seq)
		return "sequence number";
	if (last && want->payload != got->payload)
		return "payload length";
	if (want->said_ack && want->ack != got->ack)
		return "acknowledgment number";
	if (want->said_win && want->win != got->win)
		return "window";
	if (want->said_urg && want->urg != got->urg)
		return "urgent pointer";
	wrong = match_options(r, c, want, got);
	return wrong ? wrong : match_data(r, got);
}
