/* SPDX-License-Identifier: MIT */
/* wire.c - IPv4, TCP, UDP and ICMP as bytes.  Nothing here uses the stack's own header structures, so that an error in those does not hide itself. */
#include "pkt.h"
#include <netinet/in.h>
#include <string.h>

enum { IP_BYTES = 20, TCP_BYTES = 20, UDP_BYTES = 8, ICMP_BYTES = 8, TTL_DEFAULT = 255 };

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static void put24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	put16(p + 1, v & 0xffff);
}

static uint32_t sum_bytes(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		sum += get16(p + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t transport_sum(const uint8_t *ip, const uint8_t *l4, size_t n)
{
	uint32_t pseudo = ip[9] == IPPROTO_ICMP ? 0 : sum_bytes(ip + 12, 8, ip[9] + (uint32_t)n);

	return folded(sum_bytes(l4, n, pseudo));
}

uint8_t wire_pattern(uint32_t offset)
{
	return (uint8_t)((offset * UINT32_C(0x9e3779b1)) >> 24);
}

/* --- to bytes ------------------------------------------------------------------------------------------------------------- */

static size_t build_option(const struct tcp_opt *o, uint8_t *p)
{
	unsigned len = tcp_opt_len(o);

	p[0] = o->kind;
	if (len == 1)
		return 1;
	p[1] = (uint8_t)len;
	switch (o->kind) {
	case O_MSS: put16(p + 2, o->val); break;
	case O_WSCALE: p[2] = (uint8_t)o->val; break;
	case O_SACKOK: break;
	case O_TS:
		put32(p + 2, o->val);
		put32(p + 6, o->ecr);
		break;
	case O_SACK:
		for (unsigned i = 0; i < o->n; i++) {
			put32(p + 2 + 8 * i, o->block[i][0]);
			put32(p + 6 + 8 * i, o->block[i][1]);
		}
		break;
	case O_ACCECN0:
	case O_ACCECN1:
		for (unsigned i = 0; i < o->n; i++)
			put24(p + 2 + 3 * i, o->block[i][0]);
		break;
	case O_EXP:
		put16(p + 2, 0xf989); /* RFC 7413, 4.1.1: Fast Open's number among experiments */
		memcpy(p + 4, o->bytes, o->n);
		break;
	default: memcpy(p + 2, o->bytes, o->n);
	}
	return len;
}

static size_t build_tcp(const struct packet *p, uint8_t *l4)
{
	size_t n = TCP_BYTES;

	for (int i = 0; i < p->opts; i++)
		n += build_option(&p->opt[i], l4 + n);
	put16(l4, p->in ? p->remote_port : p->local_port);
	put16(l4 + 2, p->in ? p->local_port : p->remote_port);
	put32(l4 + 4, p->seq);
	put32(l4 + 8, p->ack);
	l4[12] = (uint8_t)(n / 4 << 4 | (p->flags & F_AE ? 1 : 0));
	l4[13] = (uint8_t)p->flags;
	put16(l4 + 14, p->win);
	put16(l4 + 16, 0);
	put16(l4 + 18, p->urg);
	return n;
}

static size_t build_udp(const struct packet *p, uint8_t *l4)
{
	put16(l4, p->in ? p->remote_port : p->local_port);
	put16(l4 + 2, p->in ? p->local_port : p->remote_port);
	put16(l4 + 4, UDP_BYTES + p->payload);
	put16(l4 + 6, 0);
	return UDP_BYTES;
}

/* The error with the start of the packet that it answers: header and 8 bytes of transport, as RFC 792 has it. */
static size_t build_icmp(const struct run *r, const struct packet *p, const struct packet *echoed, uint8_t *l4)
{
	uint8_t inner[PACKET_MOST];
	size_t n = 0;

	l4[0] = p->icmp_type;
	l4[1] = p->icmp_code;
	put16(l4 + 2, 0);
	put32(l4 + 4, p->icmp_id << 16 | p->icmp_mtu);
	if (echoed) {
		wire_build(r, echoed, inner, NULL);
		n = IP_BYTES + 8;
		memcpy(l4 + ICMP_BYTES, inner, n);
	}
	return ICMP_BYTES + n;
}

static void build_ip(const struct run *r, const struct packet *p, uint8_t *ip, size_t total)
{
	uint32_t local = r->config.local_ip, remote = r->config.remote_ip;

	memset(ip, 0, IP_BYTES);
	ip[0] = 0x45;
	ip[1] = p->tos;
	put16(ip + 2, (uint32_t)total);
	put16(ip + 6, p->df ? 0x4000 : 0);
	ip[8] = p->ttl ? p->ttl : TTL_DEFAULT;
	ip[9] = p->protocol;
	put32(ip + 12, p->in ? remote : local);
	put32(ip + 16, p->in ? local : remote);
	put16(ip + 10, folded(sum_bytes(ip, IP_BYTES, 0)));
}

static size_t sum_at(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
}

size_t wire_build(const struct run *r, const struct packet *p, uint8_t *out, const struct packet *echoed)
{
	uint8_t *l4 = out + IP_BYTES;
	size_t n = p->protocol == IPPROTO_TCP ? build_tcp(p, l4) : p->protocol == IPPROTO_UDP ? build_udp(p, l4) : build_icmp(r, p, echoed, l4);
	uint32_t payload = p->protocol == IPPROTO_ICMP ? 0 : p->payload;

	for (uint32_t i = 0; i < payload; i++)
		l4[n + i] = wire_pattern(p->stream + i);
	n += payload;
	build_ip(r, p, out, IP_BYTES + n);
	uint16_t sum = transport_sum(out, l4, n);
	put16(l4 + sum_at(p->protocol), p->protocol == IPPROTO_UDP && !sum ? 0xffff : sum);
	return IP_BYTES + n;
}

/* --- from bytes ----------------------------------------------------------------------------------------------------------- */

static const char *parse_option_bytes(const uint8_t *b, unsigned len, struct tcp_opt *o)
{
	o->kind = b[0];
	switch (b[0]) {
	case O_MSS: o->val = len == 4 ? get16(b + 2) : 0; return len == 4 ? NULL : "bad MSS option";
	case O_WSCALE: o->val = b[2]; return len == 3 ? NULL : "bad window scale option";
	case O_SACKOK: return len == 2 ? NULL : "bad SACK-permitted option";
	case O_TS:
		if (len != 10)
			return "bad timestamp option";
		o->val = get32(b + 2);
		o->ecr = get32(b + 6);
		return NULL;
	case O_SACK:
		if (len < 10 || len > 34 || (len - 2) % 8)
			return "bad SACK option";
		for (o->n = 0; o->n < (len - 2) / 8; o->n++) {
			o->block[o->n][0] = get32(b + 2 + 8 * o->n);
			o->block[o->n][1] = get32(b + 6 + 8 * o->n);
		}
		return NULL;
	case O_ACCECN0:
	case O_ACCECN1:
		if (len > 11 || (len - 2) % 3)
			return "bad AccECN option";
		for (o->n = 0; o->n < (len - 2) / 3; o->n++)
			o->block[o->n][0] = (uint32_t)b[2 + 3 * o->n] << 16 | get16(b + 3 + 3 * o->n);
		return NULL;
	case O_EXP:
		if (len < 4)
			return "bad experimental option";
		o->n = (uint8_t)(len - 4);
		memcpy(o->bytes, b + 4, o->n);
		return NULL;
	default:
		o->n = (uint8_t)(len - 2);
		memcpy(o->bytes, b + 2, o->n);
		return NULL;
	}
}

static const char *parse_options_bytes(const uint8_t *b, size_t n, struct packet *p)
{
	for (size_t at = 0; at < n;) {
		struct tcp_opt *o = &p->opt[p->opts++];

		if (b[at] <= O_NOP) {
			o->kind = b[at++];
			continue;
		}
		if (at + 2 > n || b[at + 1] < 2 || at + b[at + 1] > n)
			return "an option does not fit into the header";
		const char *wrong = parse_option_bytes(b + at, b[at + 1], o);
		if (wrong)
			return wrong;
		at += b[at + 1];
	}
	return NULL;
}

static const char *parse_tcp_bytes(const uint8_t *l4, size_t n, struct packet *p)
{
	size_t hlen = n < TCP_BYTES ? 0 : (l4[12] >> 4) * 4u;

	if (hlen < TCP_BYTES || hlen > n)
		return "the TCP header does not fit";
	p->local_port = get16(l4);
	p->remote_port = get16(l4 + 2);
	p->seq = get32(l4 + 4);
	p->ack = get32(l4 + 8);
	p->flags = (uint16_t)(l4[13] | (l4[12] & 1 ? F_AE : 0));
	p->win = get16(l4 + 14);
	p->urg = get16(l4 + 18);
	p->said_ack = p->flags & F_ACK;
	p->said_win = true;
	p->said_urg = p->flags & F_URG;
	p->payload = (uint32_t)(n - hlen);
	p->data = l4 + hlen;
	return parse_options_bytes(l4 + TCP_BYTES, hlen - TCP_BYTES, p);
}

static const char *parse_l4(const uint8_t *l4, size_t n, struct packet *p)
{
	if (p->protocol == IPPROTO_TCP)
		return parse_tcp_bytes(l4, n, p);
	if (n < UDP_BYTES)
		return "the packet is too short";
	if (p->protocol == IPPROTO_UDP) {
		p->local_port = get16(l4);
		p->remote_port = get16(l4 + 2);
		p->payload = (uint32_t)n - UDP_BYTES;
		p->data = l4 + UDP_BYTES;
	} else if (p->protocol == IPPROTO_ICMP) {
		p->icmp_type = l4[0];
		p->icmp_code = l4[1];
		p->icmp_mtu = get16(l4 + 6);
	}
	return NULL;
}

const char *wire_parse(const struct captured *c, struct packet *p)
{
	const uint8_t *ip = c->data;
	size_t hlen = (ip[0] & 15) * 4u;

	memset(p, 0, sizeof(*p));
	if (c->n < IP_BYTES || ip[0] >> 4 != 4 || hlen < IP_BYTES || hlen > c->n || get16(ip + 2) != c->n)
		return "the IP header is wrong";
	if (folded(sum_bytes(ip, hlen, 0)))
		return "the IP checksum is wrong";
	p->protocol = ip[9];
	p->tos = ip[1];
	p->ttl = ip[8];
	p->df = ip[6] & 0x40;
	if (get16(ip + 6) & 0x3fff)
		return "the packet is a fragment";
	const uint8_t *l4 = ip + hlen;
	size_t n = c->n - hlen;
	if (!c->partial_sum && !(p->protocol == IPPROTO_UDP && n >= UDP_BYTES && !get16(l4 + 6)) && transport_sum(ip, l4, n))
		return "the transport's checksum is wrong";
	return parse_l4(l4, n, p);
}
