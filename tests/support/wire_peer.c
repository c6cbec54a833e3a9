/* SPDX-License-Identifier: MIT */
/* wire_peer.c - a host and a peer made of bare frames; see wire_peer.h. */
#include "wire_peer.h"
#include "trace/drop_reason.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MOST = 20000, DEFAULT_MEMORY = 4 << 20 };
static const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 2};

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s failed, errno %d (%s)\n", __FILE__, __LINE__, #cond, errno, strerror(errno)); \
			abort(); \
		} \
	} while (0)

uint16_t wire_get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
uint32_t wire_get32(const uint8_t *p) { return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2); }

void wire_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void wire_put32(uint8_t *p, uint32_t v)
{
	wire_put16(p, (uint16_t)(v >> 16));
	wire_put16(p + 2, (uint16_t)v);
}

/* --- sums ------------------------------------------------------------------------------------------------------------ */

static uint32_t sum_bytes(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += wire_get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Where the packet is bound for in the end: with a source route on its way that is the route's last address (RFC 1122 4.2.3.8). */
static const uint8_t *final_destination(const uint8_t *ip)
{
	const uint8_t *o = ip + WIRE_IP, *end = ip + (ip[0] & 15) * 4u;

	while (o + 2 < end && *o && (*o == 1 || (o[1] >= 2 && o + o[1] <= end))) {
		if ((*o == 131 || *o == 137) && o[1] >= 7 && o[2] <= o[1])
			return o + o[1] - 4;
		o += *o == 1 ? 1 : o[1];
	}
	return ip + 16;
}

static uint32_t pseudo_sum(const uint8_t *ip, size_t len)
{
	return sum_bytes(final_destination(ip), 4, sum_bytes(ip + 12, 4, ip[9] + (uint32_t)len));
}

static size_t sum_at(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : protocol == IPPROTO_ICMP ? 2 : 0;
}

/* The transport's bytes of an IP packet of n bytes that is whole; NULL: it is a fragment, or its lengths are not right. */
static uint8_t *transport_of(uint8_t *ip, size_t n, size_t *len)
{
	size_t hlen = (ip[0] & 15) * 4u, total;

	if (n < WIRE_IP || hlen < WIRE_IP || hlen > n)
		return NULL;
	total = wire_get16(ip + 2);
	if (total > n || total < hlen || (wire_get16(ip + 6) & 0x3fff))
		return NULL;
	*len = total - hlen;
	return ip + hlen;
}

static uint16_t transport_sum(const uint8_t *ip, const uint8_t *l4, size_t len)
{
	return sum_fold(sum_bytes(l4, len, ip[9] == IPPROTO_ICMP ? 0 : pseudo_sum(ip, len)));
}

void wire_fix_sums(uint8_t *f, size_t n)
{
	uint8_t *ip = f + WIRE_ETH;
	size_t len = 0, hlen;

	if (n < WIRE_ETH + WIRE_IP)
		return;
	n -= WIRE_ETH;
	hlen = (ip[0] & 15) * 4u;
	if (hlen >= WIRE_IP && hlen <= n) {
		wire_put16(ip + 10, 0);
		wire_put16(ip + 10, sum_fold(sum_bytes(ip, hlen, 0)));
	}
	uint8_t *l4 = transport_of(ip, n, &len);
	size_t at = l4 ? sum_at(ip[9]) : 0;
	if (!at || at + 2 > len)
		return;
	wire_put16(l4 + at, 0);
	wire_put16(l4 + at, transport_sum(ip, l4, len));
}

/* --- what the host sends ----------------------------------------------------------------------------------------------- */

static void check_tcp(const uint8_t *tcp, size_t len)
{
	size_t hlen = (tcp[12] >> 4) * 4u;

	CHECK(len >= WIRE_TCP && hlen >= WIRE_TCP && hlen <= len);
	for (size_t at = WIRE_TCP; at < hlen && tcp[at] != 0;) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		CHECK(at + 2 <= hlen && tcp[at + 1] >= 2 && at + tcp[at + 1] <= hlen);
		at += tcp[at + 1];
	}
	CHECK(!(tcp[13] & WIRE_SYN) || !(tcp[13] & (WIRE_FIN | WIRE_RST)));
}

/* A host's packets are well formed, whatever was said to it. */
static void check_ip(const struct wire_peer *p, uint8_t *ip, size_t n)
{
	size_t len = 0;

	CHECK(n >= WIRE_IP && ip[0] >> 4 == 4 && (ip[0] & 15) >= 5 && wire_get16(ip + 2) == n && (ip[0] & 15) * 4u <= n);
	CHECK(sum_fold(sum_bytes(ip, (ip[0] & 15) * 4u, 0)) == 0);
	CHECK((wire_get32(ip + 12) == WIRE_HOST_IP || p->forwards) && ip[8] > 0);
	if (wire_get32(ip + 12) != WIRE_HOST_IP)
		return; /* what is in it, its sender has to answer for */
	uint8_t *l4 = transport_of(ip, n, &len);
	if (!l4)
		return;
	if (ip[9] == IPPROTO_TCP)
		check_tcp(l4, len);
	if (ip[9] == IPPROTO_UDP)
		CHECK(len >= WIRE_UDP && wire_get16(l4 + 4) == len);
	size_t at = sum_at(ip[9]);
	if (at && !((p->features & XMIT_F_CSUM) && ip[9] != IPPROTO_ICMP) && !(ip[9] == IPPROTO_UDP && !wire_get16(l4 + at)))
		CHECK(transport_sum(ip, l4, len) == 0);
}

static void read_timestamp(struct wire_tcp *t, const uint8_t *tcp, size_t hlen)
{
	for (size_t at = WIRE_TCP; at < hlen && tcp[at];) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		if (tcp[at] == 8) {
			t->timestamps = true;
			t->ts_ecr = wire_get32(tcp + at + 2);
		}
		at += tcp[at + 1];
	}
}

static void follow(struct wire_tcp *t, const uint8_t *tcp, size_t len)
{
	size_t hlen = (tcp[12] >> 4) * 4u;
	uint8_t flags = tcp[13];
	uint32_t end = wire_get32(tcp + 4) + (uint32_t)(len - hlen) + !!(flags & WIRE_SYN) + !!(flags & WIRE_FIN);

	if (!t->host_port && wire_get16(tcp + 2) == t->peer_port && (flags & WIRE_SYN))
		t->host_port = wire_get16(tcp); /* the port that connect() chose */
	if (wire_get16(tcp) != t->host_port || wire_get16(tcp + 2) != t->peer_port)
		return;
	t->flags_seen |= flags;
	if (flags & WIRE_RST)
		return;
	if ((flags & WIRE_SYN) || (int32_t)(end - t->rcv_nxt) > 0)
		t->rcv_nxt = end;
	if (flags & WIRE_ACK)
		t->acked = wire_get32(tcp + 8);
	t->window = wire_get16(tcp + 14);
	read_timestamp(t, tcp, hlen);
}

static int take_frame(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	static uint8_t whole[WIRE_FRAME_MAX + 64];
	struct wire_peer *p = ctx;
	struct wire_frame *kept = &p->kept[p->frames++ % WIRE_KEPT];
	size_t len = 0, l4_len = 0;

	(void)o;
	for (int i = 0; i < n; i++) {
		CHECK(len + iov[i].iov_len <= sizeof(whole));
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	CHECK(len >= WIRE_ETH && ((p->features & XMIT_F_TSO) || len <= WIRE_ETH + 1500));
	kept->len = (uint16_t)len;
	memcpy(kept->data, whole, len < WIRE_KEPT_BYTES ? len : WIRE_KEPT_BYTES);
	CHECK(memcmp(whole + 6, xmit_dev_mac(p->dev), 6) == 0);
	if (wire_get16(whole + 12) != 0x0800)
		return 0;
	uint8_t *ip = whole + WIRE_ETH;
	check_ip(p, ip, len - WIRE_ETH);
	uint8_t *l4 = transport_of(ip, len - WIRE_ETH, &l4_len);
	if (l4 && ip[9] == IPPROTO_TCP && wire_get32(ip + 16) == WIRE_PEER_IP) {
		follow(&p->conn, l4, l4_len);
		follow(&p->opening, l4, l4_len);
		if (p->on_segment)
			p->on_segment(p->ctx, l4, l4_len);
	}
	return 0;
}

const struct wire_frame *wire_sent(const struct wire_peer *p, uint64_t n)
{
	CHECK(n < p->frames && p->frames - n <= WIRE_KEPT);
	return &p->kept[n % WIRE_KEPT];
}

/* --- making frames -------------------------------------------------------------------------------------------------------- */

size_t wire_eth(const struct wire_peer *p, uint8_t *f, uint16_t type)
{
	memcpy(f, xmit_dev_mac(p->dev), 6);
	memcpy(f + 6, peer_mac, 6);
	wire_put16(f + 12, type);
	return WIRE_ETH;
}

size_t wire_ip(const struct wire_peer *p, uint8_t *f, uint8_t protocol, size_t n)
{
	uint8_t *ip = f + WIRE_ETH;

	wire_eth(p, f, 0x0800);
	memset(ip, 0, WIRE_IP);
	ip[0] = 0x45;
	wire_put16(ip + 2, (uint16_t)(WIRE_IP + n));
	wire_put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	wire_put32(ip + 12, WIRE_PEER_IP);
	wire_put32(ip + 16, WIRE_HOST_IP);
	wire_fix_sums(f, WIRE_AT_L4 + n);
	return WIRE_AT_L4 + n;
}

size_t wire_arp(const struct wire_peer *p, uint8_t *f, uint16_t op, uint32_t sender_ip, uint32_t target_ip)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4};
	uint8_t *arp = f + WIRE_ETH;

	wire_eth(p, f, 0x0806);
	memcpy(arp, head, sizeof(head));
	wire_put16(arp + 6, op);
	memcpy(arp + 8, peer_mac, 6);
	wire_put32(arp + 14, sender_ip);
	memcpy(arp + 18, xmit_dev_mac(p->dev), 6);
	wire_put32(arp + 24, target_ip);
	return WIRE_ETH + 28;
}

size_t wire_udp(const struct wire_peer *p, uint8_t *f, uint16_t from, uint16_t to, size_t n)
{
	uint8_t *udp = f + WIRE_AT_L4;

	wire_put16(udp, from);
	wire_put16(udp + 2, to);
	wire_put16(udp + 4, (uint16_t)(WIRE_UDP + n));
	wire_put16(udp + 6, 0);
	for (size_t i = 0; i < n; i++)
		udp[WIRE_UDP + i] = (uint8_t)i;
	return wire_ip(p, f, IPPROTO_UDP, WIRE_UDP + n);
}

size_t wire_icmp(const struct wire_peer *p, uint8_t *f, uint8_t type, uint8_t code, uint32_t rest, const void *body, size_t n)
{
	uint8_t *icmp = f + WIRE_AT_L4;

	memmove(icmp + WIRE_ICMP, body, n);
	icmp[0] = type;
	icmp[1] = code;
	wire_put16(icmp + 2, 0);
	wire_put32(icmp + 4, rest);
	return wire_ip(p, f, IPPROTO_ICMP, WIRE_ICMP + n);
}

void wire_timestamp(const struct wire_tcp *t, uint8_t *options)
{
	static const uint8_t head[] = {1, 1, 8, 10};

	memcpy(options, head, sizeof(head));
	wire_put32(options + 4, t->ts_val);
	wire_put32(options + 8, t->ts_ecr);
}

size_t wire_tcp(const struct wire_peer *p, uint8_t *f, const struct wire_tcp *t, uint8_t flags, const uint8_t *options, unsigned n, size_t payload)
{
	uint8_t *tcp = f + WIRE_AT_L4;

	wire_put16(tcp, t->peer_port);
	wire_put16(tcp + 2, t->host_port);
	wire_put32(tcp + 4, t->snd_nxt);
	wire_put32(tcp + 8, flags & WIRE_ACK ? t->rcv_nxt : 0);
	tcp[12] = (uint8_t)((WIRE_TCP + n) / 4 << 4);
	tcp[13] = flags;
	wire_put16(tcp + 14, 0xffff);
	wire_put32(tcp + 16, 0);
	if (n)
		memmove(tcp + WIRE_TCP, options, n);
	for (size_t i = 0; i < payload; i++)
		tcp[WIRE_TCP + n + i] = (uint8_t)(t->snd_nxt + i);
	return wire_ip(p, f, IPPROTO_TCP, WIRE_TCP + n + payload);
}

/* --- running -------------------------------------------------------------------------------------------------------------- */

void wire_settle(struct wire_peer *p)
{
	unsigned rounds = 0;

	while (xmit_poll(p->net, 0) > 0 || xmit_next_deadline(p->net) <= p->sim.now_ns)
		CHECK(++rounds < SETTLE_MOST); /* work that never ends at one moment of time: a livelock */
}

void wire_run(struct wire_peer *p, uint64_t ns)
{
	uint64_t limit = p->sim.now_ns + ns;
	unsigned rounds = 0;

	wire_settle(p);
	for (;;) {
		uint64_t next = xmit_next_deadline(p->net);
		if (next > limit)
			break;
		p->sim.now_ns = next > p->sim.now_ns ? next : p->sim.now_ns;
		wire_settle(p);
		CHECK(++rounds < 1000000);
	}
	p->sim.now_ns = limit;
	wire_settle(p);
}

bool wire_queue(struct wire_peer *p, const uint8_t *frame, size_t n, const struct xmit_offload *o)
{
	struct iovec iov = {(void *)(uintptr_t)frame, n};

	return xmit_packet_input(p->dev, &iov, 1, o) == 0;
}

void wire_input(struct wire_peer *p, const uint8_t *frame, size_t n)
{
	wire_queue(p, frame, n, NULL);
	wire_settle(p);
}

uint64_t wire_drops(struct wire_peer *p)
{
	static const char *const errors[] = {"IcmpInErrors", "IpReasmFails", "TcpExtTCPChallengeACK", "TcpExtTCPSACKDiscard", "TcpExtOutOfWindowIcmps",
					     "TcpExtTCPACKSkippedSeq", "TcpExtTCPACKSkippedChallenge", "TcpExtTCPACKSkippedPAWS"};
	static const char *const reasons[] = {
#define X(name, text) #name,
		XMIT_DROP_REASONS(X)
#undef X
	};
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		n += xmit_drops(p->net, reasons[i]);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		n += xmit_counter(p->net, errors[i], NULL);
	return n;
}

/* --- the host and its sockets -------------------------------------------------------------------------------------------------- */

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};

	return a;
}

void wire_init(struct wire_peer *p, uint64_t seed, size_t memory, uint32_t features)
{
	struct xmit_packet_config c = {.size = sizeof(c), .type = XMIT_DEV_ETHER, .mac = {0x02, 0, 0, 0, 0, 1}, .features = features,
				      .out = take_frame, .ctx = p};
	struct sockaddr_in tcp = address(0, WIRE_TCP_PORT), udp = address(0, WIRE_UDP_PORT);
	struct in_addr peer = {htonl(WIRE_PEER_IP)};

	*p = (struct wire_peer){.features = features, .conn_fd = -1, .opening_fd = -1};
	sim_init(&p->sim, seed);
	p->sim.log_lines = 1000; /* what an administrator would read is not of interest here */
	sim_add_host(&p->sim, memory ? memory : DEFAULT_MEMORY);
	p->net = p->sim.host[0];
	p->dev = xmit_packet_new(p->net, &c);
	CHECK(p->dev && xmit_dev_up(p->dev) == 0 && xmit_addr_add_text(p->dev, "192.0.2.1/24") == 0);
	CHECK(xmit_neigh_add(p->dev, peer, peer_mac) == 0);
	p->listen_fd = xmit_socket(p->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(xmit_bind(p->net, p->listen_fd, (struct sockaddr *)&tcp, sizeof(tcp)) == 0 && xmit_listen(p->net, p->listen_fd, 8) == 0);
	p->udp_fd = xmit_socket(p->net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CHECK(xmit_bind(p->net, p->udp_fd, (struct sockaddr *)&udp, sizeof(udp)) == 0);
	wire_settle(p);
}

void wire_exit(struct wire_peer *p) { sim_exit(&p->sim); }

bool wire_establish(struct wire_peer *p, uint16_t port, const uint8_t *options, unsigned n)
{
	struct wire_tcp *t = &p->conn;
	uint8_t f[256], ts[12];

	*t = (struct wire_tcp){.host_port = WIRE_TCP_PORT, .peer_port = port, .snd_nxt = 1000, .ts_val = 5000};
	wire_input(p, f, wire_tcp(p, f, t, WIRE_SYN, options, n, 0));
	if ((t->flags_seen & (WIRE_SYN | WIRE_ACK)) != (WIRE_SYN | WIRE_ACK))
		return false;
	t->snd_nxt++;
	wire_timestamp(t, ts);
	wire_input(p, f, wire_tcp(p, f, t, WIRE_ACK, ts, t->timestamps ? sizeof(ts) : 0, 0));
	p->conn_fd = xmit_accept4(p->net, p->listen_fd, NULL, NULL, SOCK_NONBLOCK);
	return p->conn_fd >= 0;
}

bool wire_open(struct wire_peer *p, uint16_t port)
{
	struct sockaddr_in a = address(WIRE_PEER_IP, port);

	p->opening = (struct wire_tcp){.peer_port = port, .snd_nxt = 70000, .ts_val = 9000};
	p->opening_fd = xmit_socket(p->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (p->opening_fd < 0 || (xmit_connect(p->net, p->opening_fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS))
		return false;
	wire_settle(p);
	return p->opening.host_port != 0;
}

/* What the host has sent of t so far is acknowledged. */
static void acknowledge(struct wire_peer *p, struct wire_tcp *t, size_t payload)
{
	uint8_t f[2048], ts[12];

	t->ts_val++;
	wire_timestamp(t, ts);
	wire_input(p, f, wire_tcp(p, f, t, WIRE_ACK | WIRE_PSH, ts, t->timestamps ? sizeof(ts) : 0, payload));
	t->snd_nxt += (uint32_t)payload;
}

bool wire_carries(struct wire_peer *p)
{
	struct wire_tcp *t = &p->conn;
	uint8_t buf[1024];
	uint32_t at = t->snd_nxt, before;

	while (xmit_recv(p->net, p->conn_fd, buf, sizeof(buf), 0) > 0)
		;
	acknowledge(p, t, 500);
	if (xmit_recv(p->net, p->conn_fd, buf, sizeof(buf), 0) != 500)
		return false;
	for (uint32_t i = 0; i < 500; i++)
		if (buf[i] != (uint8_t)(at + i))
			return false;
	before = t->rcv_nxt;
	memset(buf, 0x5a, 700);
	if (xmit_send(p->net, p->conn_fd, buf, 700, 0) != 700)
		return false;
	for (int tries = 0; tries < 10 && t->rcv_nxt - before < 700; tries++) {
		wire_run(p, SIM_SEC);
		acknowledge(p, t, 0);
	}
	acknowledge(p, t, 0);
	return t->rcv_nxt - before == 700;
}
