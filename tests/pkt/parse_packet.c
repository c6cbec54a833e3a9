/* SPDX-License-Identifier: MIT */
/* parse_packet.c - a packet of a script: "> [ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 2 ecr 1>".  The language: README.md. */
#include "pkt.h"
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

/* --- what stands in front ------------------------------------------------------------------------------------------------- */

static void set_tos(struct lexer *l, struct packet *p, enum check_tos check, unsigned tos)
{
	if (p->check_tos != TOS_NONE)
		lex_fail(l, "the packet's TOS is said twice");
	if (p->in && check == TOS_ECT01)
		lex_fail(l, "[ect01] can only be expected, not sent");
	p->check_tos = check;
	p->tos = (uint8_t)tos;
}

static void parse_ip_word(struct lexer *l, struct packet *p)
{
	static const struct { const char *word; enum check_tos check; uint8_t tos; } ecn[] = {
		{"noecn", TOS_ECN, 0}, {"ect1", TOS_ECN, 1}, {"ect0", TOS_ECN, 2}, {"ce", TOS_ECN, 3}, {"ect01", TOS_ECT01, 0}};

	for (size_t i = 0; i < sizeof(ecn) / sizeof(*ecn); i++)
		if (lex_take_word(l, ecn[i].word)) {
			set_tos(l, p, ecn[i].check, ecn[i].tos);
			return;
		}
	if (lex_take_word(l, "tos")) {
		set_tos(l, p, TOS_ALL, lex_u32(l) & 255);
	} else if (lex_take_word(l, "ttl")) {
		uint32_t ttl = lex_u32(l);
		if (!ttl || ttl > 255)
			lex_fail(l, "a TTL is 1 to 255");
		p->ttl = (uint8_t)ttl;
	} else if (lex_take_word(l, "df") || lex_take_word(l, "nodf")) {
		p->df = l->p[-3] != 'o';
		p->said_df = true;
	} else {
		lex_fail(l, "noecn, ect0, ect1, ect01, ce, tos N, ttl N, df or nodf is expected here");
	}
}

static void parse_ip(struct lexer *l, struct packet *p)
{
	const char *end = lex_take(l, "[") ? "]" : lex_take(l, "(") ? ")" : NULL;

	if (!end)
		return;
	do
		parse_ip_word(l, p);
	while (lex_take(l, ","));
	lex_expect(l, end);
}

static uint16_t parse_port(struct lexer *l)
{
	uint32_t port = lex_u32(l);

	if (!port || port > 65535)
		lex_fail(l, "a port is 1 to 65,535");
	return (uint16_t)port;
}

static void parse_ports(struct lexer *l, struct packet *p)
{
	lex_space(l);
	if (!isdigit((unsigned char)*l->p))
		return;
	uint16_t from = parse_port(l);
	lex_expect(l, ">");
	uint16_t to = parse_port(l);
	p->local_port = p->in ? to : from;
	p->remote_port = p->in ? from : to;
}

/* --- TCP ------------------------------------------------------------------------------------------------------------------ */

static void parse_flags(struct lexer *l, struct packet *p)
{
	static const char letters[] = "FSRP.UEWA";

	lex_space(l);
	if (*l->p == '-') {
		l->p++;
		return;
	}
	const char *start = l->p;
	for (; *l->p && !isspace((unsigned char)*l->p); l->p++) {
		const char *at = strchr(letters, *l->p);
		if (at) {
			p->flags |= (uint16_t)(1u << (at - letters));
		} else if (*l->p >= '0' && *l->p <= '7') {
			unsigned ace = (unsigned)(*l->p - '0');
			p->flags |= (uint16_t)((ace & 1 ? F_ECE : 0) | (ace & 2 ? F_CWR : 0) | (ace & 4 ? F_AE : 0));
			p->ace_said = true;
		} else {
			lex_fail(l, "'%c' is no TCP flag; there are F S R P . U E W A, 0 to 7 for ACE, and - for none", *l->p);
		}
	}
	if (l->p == start)
		lex_fail(l, "TCP flags are expected here");
}

/* "1:1001(1000)" */
static void parse_seq(struct lexer *l, struct packet *p)
{
	p->seq = lex_u32(l);
	lex_expect(l, ":");
	uint32_t end = lex_u32(l);
	lex_expect(l, "(");
	p->payload = lex_u32(l);
	lex_expect(l, ")");
	if (p->seq + p->payload != end)
		lex_fail(l, "%u:%u(%u): the numbers do not agree", p->seq, end, p->payload);
	if (p->payload > PACKET_MOST - 120)
		lex_fail(l, "a packet does not hold %u bytes", p->payload);
}

static unsigned hex_digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a' + 10);
}

/* Bytes in hexadecimal, or a word that --define gave them for. */
static void parse_bytes(struct lexer *l, struct tcp_opt *o, unsigned most)
{
	size_t n = 0;

	lex_space(l);
	while (isalnum((unsigned char)l->p[n]) || l->p[n] == '_')
		n++;
	const char *text = l->p;
	for (const struct setting *d = l->define; d; d = d->next)
		if (strlen(d->name) == n && !strncmp(d->name, l->p, n))
			text = d->value;
	l->p += n;
	n = text == l->p - n ? n : strlen(text);
	if (n % 2 || n / 2 > most)
		lex_fail(l, "bytes are two hexadecimal digits each, and at most %u of them", most);
	for (; o->n < n / 2; o->n++) {
		if (!isxdigit((unsigned char)text[2 * o->n]) || !isxdigit((unsigned char)text[2 * o->n + 1]))
			lex_fail(l, "'%.*s' is not hexadecimal", (int)n, text);
		o->bytes[o->n] = (uint8_t)(hex_digit(text[2 * o->n]) << 4 | hex_digit(text[2 * o->n + 1]));
	}
}

static void parse_blocks(struct lexer *l, struct tcp_opt *o)
{
	for (lex_space(l); isdigit((unsigned char)*l->p); lex_space(l)) {
		if (o->n == BLOCKS_MOST)
			lex_fail(l, "at most %d SACK blocks fit", BLOCKS_MOST);
		o->block[o->n][0] = lex_u32(l);
		lex_expect(l, ":");
		o->block[o->n++][1] = lex_u32(l);
	}
	if (!o->n)
		lex_fail(l, "sack needs blocks, from:to");
}

/* ECN e0b 1 ceb 2 e1b 3: the first counter decides which of the two orders it is. */
static void parse_accecn(struct lexer *l, struct tcp_opt *o)
{
	static const char *order[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
	int which = lex_is(l, "e1b");

	o->kind = which ? O_ACCECN1 : O_ACCECN0;
	while (o->n < 3 && lex_take_word(l, order[which][o->n]))
		o->block[o->n++][0] = lex_u32(l) & 0xffffff;
}

static void parse_option(struct lexer *l, struct tcp_opt *o)
{
	if (lex_take_word(l, "nop")) {
		o->kind = O_NOP;
	} else if (lex_take_word(l, "eol")) {
		o->kind = O_EOL;
	} else if (lex_take_word(l, "mss")) {
		o->kind = O_MSS;
		o->val = lex_u32(l) & 0xffff;
	} else if (lex_take_word(l, "wscale")) {
		o->kind = O_WSCALE;
		o->val = lex_u32(l) & 255;
	} else if (lex_take_word(l, "sackOK")) {
		o->kind = O_SACKOK;
	} else if (lex_take_word(l, "sack")) {
		o->kind = O_SACK;
		parse_blocks(l, o);
	} else if (lex_take_word(l, "TS")) {
		o->kind = O_TS;
		lex_expect(l, "val");
		o->val = lex_u32(l);
		lex_expect(l, "ecr");
		o->ecr = lex_u32(l);
	} else if (lex_take_word(l, "FOEXP") || lex_take_word(l, "FO")) {
		o->kind = l->p[-1] == 'P' ? O_EXP : O_FO;
		parse_bytes(l, o, o->kind == O_EXP ? COOKIE_MOST - 2 : COOKIE_MOST);
	} else if (lex_take_word(l, "md5")) {
		o->kind = O_MD5;
		parse_bytes(l, o, 16);
		if (o->n != 16)
			lex_fail(l, "an MD5 digest has 16 bytes");
	} else if (lex_take_word(l, "ECN")) {
		parse_accecn(l, o);
	} else {
		lex_fail(l, "nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5 or ECN is expected here");
	}
}

unsigned tcp_opt_len(const struct tcp_opt *o)
{
	switch (o->kind) {
	case O_EOL:
	case O_NOP: return 1;
	case O_MSS: return 4;
	case O_WSCALE: return 3;
	case O_SACKOK: return 2;
	case O_SACK: return 2 + 8u * o->n;
	case O_TS: return 10;
	case O_ACCECN0:
	case O_ACCECN1: return 2 + 3u * o->n;
	case O_EXP: return 4u + o->n;
	default: return 2u + o->n;
	}
}

static void parse_options(struct lexer *l, struct packet *p)
{
	unsigned len = 0;

	if (!lex_take(l, "<")) {
		return;
	}
	if (lex_take(l, "...")) {
		p->any_options = true;
		lex_expect(l, ">");
		if (p->in)
			lex_fail(l, "a packet that is sent needs its options said");
		return;
	}
	do {
		if (p->opts == OPTIONS_MOST)
			lex_fail(l, "more than %d options", OPTIONS_MOST);
		parse_option(l, &p->opt[p->opts]);
		len += tcp_opt_len(&p->opt[p->opts++]);
	} while (lex_take(l, ","));
	lex_expect(l, ">");
	if (len % 4 || len > 40)
		lex_fail(l, "the options have %u bytes; they must be a multiple of 4, at most 40 (pad with nop)", len);
}

static void parse_tcp(struct lexer *l, struct packet *p)
{
	p->protocol = IPPROTO_TCP;
	parse_flags(l, p);
	parse_seq(l, p);
	for (bool more = true; more;) {
		more = false;
		if (!p->said_ack && lex_take_word(l, "ack")) {
			p->ack = lex_u32(l);
			p->said_ack = more = true;
		} else if (!p->said_win && lex_take_word(l, "win")) {
			uint32_t win = lex_u32(l);
			if (win > 65535)
				lex_fail(l, "a window of %u does not fit in the header", win);
			p->win = (uint16_t)win;
			p->said_win = more = true;
		} else if (!p->said_urg && lex_take_word(l, "urg")) {
			p->urg = (uint16_t)lex_u32(l);
			p->said_urg = more = true;
		}
	}
	if (p->in && !p->said_win)
		lex_fail(l, "a packet that is sent needs its window said");
	/* What follows on the same line in '<' is the options; a '<' on the next line would be a packet, but those start with a time. */
	parse_options(l, p);
}

/* --- ICMP, UDP ------------------------------------------------------------------------------------------------------------ */

static const struct { const char *name; uint8_t type; } icmp_types[] = {
	{"echo_reply", 0}, {"unreachable", 3}, {"source_quench", 4}, {"redirect", 5}, {"echo_request", 8}, {"time_exceeded", 11},
	{"parameter_problem", 12}, {"timestamp", 13}, {"timestamp_reply", 14}};

/* Codes of destination unreachable: RFC 792, RFC 1122 (3.2.2.1). */
static const char *const unreachable_codes[] = {
	"net_unreachable", "host_unreachable", "protocol_unreachable", "port_unreachable", "frag_needed", "source_route_failed", "net_unknown",
	"host_unknown", "source_host_isolated", "net_prohibited", "host_prohibited", "net_unreachable_for_tos", "host_unreachable_for_tos",
	"packet_filtered", "precedence_violation", "precedence_cutoff"};

static void parse_icmp_type(struct lexer *l, struct packet *p)
{
	const char *name = lex_word(l);

	for (size_t i = 0; name && i < sizeof(icmp_types) / sizeof(*icmp_types); i++)
		if (!strcmp(name, icmp_types[i].name)) {
			p->icmp_type = icmp_types[i].type;
			return;
		}
	lex_fail(l, "a type of ICMP message is expected here (unreachable, time_exceeded, parameter_problem, source_quench, redirect, echo_request ...)");
}

static void parse_icmp_code(struct lexer *l, struct packet *p)
{
	for (size_t i = 0; i < sizeof(unreachable_codes) / sizeof(*unreachable_codes) && p->icmp_type == 3; i++)
		if (lex_take_word(l, unreachable_codes[i])) {
			p->icmp_code = (uint8_t)i;
			return;
		}
	lex_space(l);
	if (p->icmp_type == 3 && isupper((unsigned char)*l->p)) { /* a --define */
		const char *name = lex_word(l);
		for (size_t i = 0; i < sizeof(unreachable_codes) / sizeof(*unreachable_codes); i++)
			if (!strcmp(name, unreachable_codes[i])) {
				p->icmp_code = (uint8_t)i;
				return;
			}
		lex_fail(l, "no code is called %s", name);
	}
}

static void parse_icmp(struct lexer *l, struct packet *p)
{
	p->protocol = IPPROTO_ICMP;
	parse_icmp_type(l, p);
	parse_icmp_code(l, p);
	if (lex_take_word(l, "mtu"))
		p->icmp_mtu = lex_u32(l) & 0xffff;
	if (lex_take_word(l, "id"))
		p->icmp_id = lex_u32(l) & 0xffff;
	if (!lex_take(l, "["))
		return;
	p->echo_said = true;
	p->echo_protocol = IPPROTO_TCP;
	if (lex_take_word(l, "udp")) {
		p->echo_protocol = IPPROTO_UDP;
		lex_expect(l, "(");
		p->payload = lex_u32(l);
		lex_expect(l, ")");
	} else {
		parse_seq(l, p);
	}
	lex_expect(l, "]");
}

static void parse_udp(struct lexer *l, struct packet *p)
{
	p->protocol = IPPROTO_UDP;
	parse_ports(l, p);
	lex_expect(l, "(");
	p->payload = lex_u32(l);
	lex_expect(l, ")");
	if (p->payload > PACKET_MOST - 120)
		lex_fail(l, "a packet does not hold %u bytes", p->payload);
}

struct packet *parse_packet(struct lexer *l)
{
	struct packet *p = script_alloc(l->script, sizeof(*p));

	p->in = lex_take(l, "<");
	if (!p->in)
		lex_expect(l, ">");
	parse_ip(l, p);
	if (lex_is(l, "ipv4") || lex_is(l, "ipv6") || lex_is(l, "gre") || lex_is(l, "mpls"))
		lex_fail(l, "packets inside packets (ipv4, ipv6, gre, mpls) are not supported");
	if (lex_take_word(l, "icmp")) {
		parse_icmp(l, p);
	} else if (lex_take_word(l, "udp")) {
		parse_udp(l, p);
	} else {
		parse_ports(l, p);
		parse_tcp(l, p);
	}
	return p;
}
