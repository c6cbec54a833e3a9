/* SPDX-License-Identifier: MIT */
/*
 * fuzz_conversation.c - whole conversations: a program of system calls of the host, segments of its peer, and time.
 *
 * Input:	mode, fail, then steps of { op, slot and variant, arguments }; how many arguments an op reads, its function says
 * mode		bit 0: device with offloads; bit 1: 1 MiB of memory; bit 2: connections have timestamps; bit 3: SACK; bit 4: window scaling;
 *		bit 5: ECN; bit 6: an MSS of 88; bit 7: device without scatter-gather
 * fail		the allocation that fails after the set-up; 0: none
 *
 * There are four conversations.  The peer remembers of each what a peer knows (sequence numbers, what it acknowledged) and crafts its segments as
 * distances from there: in the window, behind it, before it, with SACK blocks over what is in flight, with odd flags.  Both streams have bytes that
 * depend on their position only, so that everything that the host sends, first or again, split or merged, and everything that it delivers can be
 * compared.  After each step the invariants of every socket are checked: order and accounting of its queues, the counts of segments, windows.
 * At the end of the input all sockets are closed, time passes, and nothing may be left.
 */
#include "core/net.h"
#include "core/sock.h"
#include "fuzz.h"
#include "ip/error_queue.h"
#include "tcp/tcp_internal.h"
#include "vfs/vfs_internal.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

const char fuzz_name[] = "conversation";

enum { MODE_OFFLOADS = 1, MODE_SMALL = 2, MODE_STAMPS = 4, MODE_SACK = 8, MODE_WSCALE = 16, MODE_ECN = 32, MODE_TINY_MSS = 64, MODE_LINEAR = 128 };
enum { SLOTS = 4, STEPS_MOST = 400, PERIOD = 251, WRITE_MOST = 65536, PEER_PORT = 1000 };

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: step %u, slot %d: %s failed\n", __FILE__, __LINE__, steps, current, #cond); \
			abort(); \
		} \
	} while (0)

struct conversation {
	int fd;                /* -1: none, or not accepted yet */
	struct wire_tcp t;     /* ports, and the peer's next sequence number */
	uint32_t peer_isn, host_isn;
	uint32_t acked;        /* what the peer has acknowledged */
	uint32_t edge;         /* right edge of the window that the host has offered */
	bool host_isn_known, edge_known, opened_by_peer;
	bool read_inexact;     /* urgent data, bytes thrown away, a SYN with another number: positions are not known any more */
	uint8_t wscale;        /* of the host's window, if the peer's SYN says that it scales, too */
	bool peer_scales, peer_may_not; /* so said a SYN of the peer's; both: it depends on which one the host believed */
	uint64_t written, read;
	uint64_t refused;      /* segments that found no memory, of all connections, when this one's window was last shut for it */
};
static struct conversation conv[SLOTS];
static struct wire_peer p;
static unsigned mode, steps, generation;
static int current;
static uint8_t pattern[WRITE_MOST + PERIOD];

/* --- what the host sends ---------------------------------------------------------------------------------------------------------- */

static struct conversation *conversation_of(uint16_t host_port, uint16_t peer_port)
{
	for (int i = 0; i < SLOTS; i++)
		if (conv[i].t.peer_port && conv[i].t.peer_port == peer_port && (!conv[i].t.host_port || conv[i].t.host_port == host_port))
			return &conv[i];
	return NULL;
}

static const uint8_t *option_of(const uint8_t *tcp, size_t hlen, uint8_t kind)
{
	for (size_t at = WIRE_TCP; at < hlen && tcp[at];) {
		if (tcp[at] == kind)
			return tcp + at;
		at += tcp[at] == 1 ? 1 : tcp[at + 1];
	}
	return NULL;
}

static void host_syn(struct conversation *c, const uint8_t *tcp, size_t hlen)
{
	const uint8_t *w = option_of(tcp, hlen, 3);

	if (!c->host_isn_known || !c->opened_by_peer)
		c->host_isn = wire_get32(tcp + 4);
	if (!c->host_isn_known)
		c->acked = c->host_isn;
	c->host_isn_known = true;
	c->t.host_port = wire_get16(tcp);
	c->wscale = w ? w[2] : 0;
	CHECK(c->wscale <= 14);
}

/* Whatever is sent, first or again: the byte is the one that the program wrote at this place of the stream. */
static void check_payload(const struct conversation *c, uint32_t seq, const uint8_t *data, size_t n)
{
	uint32_t at = seq - c->host_isn - 1;

	if (!c->host_isn_known || !n)
		return;
	CHECK(at + n <= c->written);
	CHECK(memcmp(data, pattern + at % PERIOD, n) == 0);
}

static void check_window(struct conversation *c, const uint8_t *tcp)
{
	unsigned shift = tcp[13] & WIRE_SYN || !c->peer_scales ? 0 : c->wscale;
	uint32_t edge = wire_get32(tcp + 8) + ((uint32_t)wire_get16(tcp + 14) << shift);
	const uint64_t *mib = ((struct net *)p.net)->mib.counter;

	if (!(tcp[13] & WIRE_ACK) || (tcp[13] & WIRE_RST) || (c->peer_scales && c->peer_may_not))
		return;
	if (mib[MIB_SyncookiesSent]) /* a cookie's connection scales if the echo that comes back says so, whatever the SYN said */
		return;
	/* A window is never taken back (RFC 9293 3.8.6), but by what the scale rounds off, or all of it, where bytes found no memory (as Linux). */
	if (!wire_get16(tcp + 14) && mib[MIB_TCPRcvQDrop] != c->refused) {
		c->refused = mib[MIB_TCPRcvQDrop];
		c->edge = edge;
	}
	if (c->edge_known && !(tcp[13] & WIRE_SYN)) /* a SYN may be the next connection's, between the same ports */
		CHECK((int32_t)(edge - c->edge) > -(1 << c->wscale));
	if (!c->edge_known || (tcp[13] & WIRE_SYN) || (int32_t)(edge - c->edge) > 0)
		c->edge = edge;
	c->edge_known = !(tcp[13] & WIRE_SYN);
}

static void on_segment(void *ctx, const uint8_t *tcp, size_t len)
{
	size_t hlen = (tcp[12] >> 4) * 4u;
	struct conversation *c = conversation_of(wire_get16(tcp), wire_get16(tcp + 2));
	const uint8_t *stamp = option_of(tcp, hlen, 8);
	uint32_t seq = wire_get32(tcp + 4);

	(void)ctx;
	if (!c)
		return;
	if (tcp[13] & WIRE_SYN)
		host_syn(c, tcp, hlen);
	if (tcp[13] & WIRE_RST)
		return;
	if (!c->host_isn_known)
		return;
	check_payload(c, seq + !!(tcp[13] & WIRE_SYN), tcp + hlen, len - hlen);
	check_window(c, tcp);
	seq += (uint32_t)(len - hlen) + !!(tcp[13] & WIRE_SYN) + !!(tcp[13] & WIRE_FIN);
	if ((tcp[13] & WIRE_SYN) || (int32_t)(seq - c->t.rcv_nxt) > 0)
		c->t.rcv_nxt = seq;
	if (tcp[13] & WIRE_ACK)
		c->t.acked = wire_get32(tcp + 8);
	c->t.timestamps = stamp != NULL;
	if (stamp)
		c->t.ts_ecr = wire_get32(stamp + 2);
}

/* --- invariants -------------------------------------------------------------------------------------------------------------------- */

static struct sock *sk_of(int fd)
{
	struct file *f;
	int err;
	struct socket *sock = fd < 0 ? NULL : sockfd_lookup_light(p.net, fd, &f, &err);

	if (!sock)
		return NULL;
	fput(f);
	return sock->sk;
}

static uint64_t check_write_queue(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t next = tp->snd_nxt;
	uint64_t bytes = 0;
	struct sk_buff *skb;

	skb_queue_walk(&sk->sk_write_queue, skb) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		CHECK(skb_is_valid(skb));
		CHECK(cb->seq == next && cb->end_seq - cb->seq == skb->len + !!(cb->tcp_flags & (TCPHDR_SYN | TCPHDR_FIN)));
		CHECK(!(cb->sacked & TCPCB_TAGBITS));
		next = cb->end_seq;
		bytes += skb->truesize;
	}
	CHECK(next == tp->write_seq);
	return bytes;
}

/* Segments of a flight, by what is known of each. */
struct counts {
	unsigned packets, sacked, lost, retrans;
};

static void count_segments(struct counts *n, const struct sk_buff *skb)
{
	unsigned segs = tcp_skb_pcount(skb), sacked = TCP_SKB_CB(skb)->sacked;

	CHECK(segs > 0);
	n->packets += segs;
	n->sacked += sacked & TCPCB_SACKED_ACKED ? segs : 0;
	n->lost += sacked & TCPCB_LOST ? segs : 0;
	n->retrans += sacked & TCPCB_SACKED_RETRANS ? segs : 0;
	CHECK((sacked & (TCPCB_SACKED_ACKED | TCPCB_LOST)) != (TCPCB_SACKED_ACKED | TCPCB_LOST));
}

static uint64_t check_rtx_queue(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct counts n = {0};
	uint32_t next = 0;
	uint64_t bytes = 0;

	CHECK(rb_is_valid(&sk->tcp_rtx_queue));
	for (struct rb_node *r = rb_first(&sk->tcp_rtx_queue); r; r = rb_next(r)) {
		const struct sk_buff *skb = rb_to_skb(r);
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		CHECK(skb_is_valid(skb));
		CHECK((bytes ? cb->seq == next : !seq_after(cb->seq, tp->snd_una)) && seq_after(cb->end_seq, cb->seq) && seq_after(cb->end_seq, tp->snd_una));
		count_segments(&n, skb);
		next = cb->end_seq;
		bytes += skb->truesize;
	}
	CHECK(!bytes || next == tp->snd_nxt);
	CHECK(bytes || tp->snd_una == tp->snd_nxt);
	CHECK(tp->packets_out == n.packets && tp->lost_out == n.lost && tp->retrans_out == n.retrans);
	CHECK(!tcp_is_sack(tp) || tp->sacked_out == n.sacked);
	CHECK(tcp_left_out(tp) <= tp->packets_out);
	return bytes;
}

static uint64_t check_receive_queue(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t next = 0;
	uint64_t bytes = 0;
	struct sk_buff *skb;

	skb_queue_walk(&sk->sk_receive_queue, skb) {
		const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		CHECK(skb_is_valid(skb));
		CHECK(!bytes || (!seq_after(cb->seq, next) && !seq_before(cb->end_seq, next)));
		CHECK(!seq_after(cb->end_seq, tp->rcv_nxt));
		next = cb->end_seq;
		bytes += skb->truesize;
	}
	CHECK(!bytes || next == tp->rcv_nxt);
	return bytes;
}

static uint64_t check_ofo_queue(const struct sock *sk)
{
	const struct tcp_active *act = tcp_act(sk);
	uint32_t start = tcp_sk(sk)->rcv_nxt, next = start;
	const struct sk_buff *last = NULL;
	uint64_t bytes = 0;

	if (!act)
		return 0;
	CHECK(rb_is_valid(&act->out_of_order_queue));
	for (struct rb_node *r = rb_first(&act->out_of_order_queue); r; r = rb_next(r)) {
		last = rb_to_skb(r);
		CHECK(skb_is_valid(last));
		/* They may overlap, but each begins behind the one before and brings something new. */
		CHECK(seq_after(TCP_SKB_CB(last)->seq, start) && seq_after(TCP_SKB_CB(last)->end_seq, next));
		start = TCP_SKB_CB(last)->seq;
		next = TCP_SKB_CB(last)->end_seq;
		bytes += last->truesize;
	}
	CHECK(!last || act->ooo_last_skb == last);
	return bytes;
}

static uint64_t error_queue_bytes(const struct sock *sk)
{
	uint64_t bytes = 0;
	struct sk_buff *skb;

	if (!sk->sk_ext)
		return 0;
	skb_queue_walk(&sk->sk_ext->error_queue, skb) {
		CHECK(skb_is_valid(skb));
		bytes += SKB_EXT_ERR(skb)->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY_ ? 0 : skb->truesize; /* those count for themselves */
	}
	return bytes;
}

static void check_sock(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (TCPF(sk->sk_state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE) | TCPF(TCP_TIME_WAIT)))
		return;
	CHECK(sk->sk_wmem_queued == check_write_queue(sk) + check_rtx_queue(sk));
	CHECK(sk->sk_rmem_alloc == check_receive_queue(sk) + check_ofo_queue(sk) + error_queue_bytes(sk));
	CHECK(!seq_after(tp->snd_una, tp->snd_nxt) && !seq_after(tp->snd_nxt, tp->write_seq));
	CHECK(!seq_after(tp->copied_seq, tp->rcv_nxt) && sk->sk_forward_alloc >= 0);
	CHECK(tp->snd_cwnd >= 1 && tp->snd_cwnd < 1u << 24 && (int32_t)tp->rcv_wnd >= 0);
}

static void check_all(void)
{
	const struct proto_mem *pm = NULL;
	uint64_t charged = 0;

	for (current = 0; current < SLOTS; current++) {
		const struct sock *sk = sk_of(conv[current].fd);
		if (!sk)
			continue;
		check_sock(sk);
		pm = sk_proto_mem(sk);
		charged += sk->sk_wmem_queued + sk->sk_rmem_alloc - error_queue_bytes(sk) + (uint64_t)sk->sk_forward_alloc;
	}
	CHECK(!pm || (pm->allocated >= 0 && (uint64_t)pm->allocated << 12 >= charged));
}

/* --- the peer ------------------------------------------------------------------------------------------------------------------------ */

static unsigned syn_options(uint8_t *o)
{
	static const uint8_t mss[] = {2, 4, 5, 0xb4}, tiny[] = {2, 4, 0, 88}, sack[] = {1, 1, 4, 2}, wscale[] = {1, 3, 3, 7};
	unsigned n = 4;

	memcpy(o, mode & MODE_TINY_MSS ? tiny : mss, 4);
	if (mode & MODE_SACK) {
		memcpy(o + n, sack, 4);
		n += 4;
	}
	if (mode & MODE_WSCALE) {
		memcpy(o + n, wscale, 4);
		n += 4;
	}
	if (mode & MODE_STAMPS) {
		const uint8_t head[] = {1, 1, 8, 10};
		memcpy(o + n, head, 4);
		memset(o + n + 4, 0, 8);
		n += 12;
	}
	return n;
}

/* The peer's clock. */
static uint32_t stamp_now(void) { return 5000 + (uint32_t)(p.sim.now_ns / SIM_MS); }

static unsigned put_stamp(struct conversation *c, uint8_t *o, int off)
{
	static const uint8_t head[] = {1, 1, 8, 10};

	if (!c->t.timestamps)
		return 0;
	memcpy(o, head, 4);
	wire_put32(o + 4, stamp_now() + (uint32_t)off);
	wire_put32(o + 8, c->t.ts_ecr);
	return 12;
}

/* What a SYN of the peer's says of scaling.  Options that are not well formed may be read either way. */
static void note_scaling(struct conversation *c, const uint8_t *o, unsigned n)
{
	bool scales = false;

	for (unsigned at = 0; at < n && o[at];) {
		unsigned len = o[at] == 1 ? 1 : at + 1 < n ? o[at + 1] : 0;

		if (!len || (o[at] != 1 && len < 2) || at + len > n || (o[at] == 3 && (len != 3 || scales))) {
			c->peer_scales = c->peer_may_not = true;
			return;
		}
		scales |= o[at] == 3;
		at += len;
	}
	*(scales ? &c->peer_scales : &c->peer_may_not) = true;
}

struct segment {
	uint32_t seq, ack;
	uint8_t flags, options[40];
	unsigned options_len;
	uint16_t window, urgent;
	size_t payload;
};

static void say(struct conversation *c, const struct segment *s)
{
	static uint8_t f[4096];
	struct wire_tcp t = c->t;

	t.snd_nxt = s->seq;
	t.rcv_nxt = s->ack;
	size_t n = wire_tcp(&p, f, &t, s->flags, s->options, s->options_len, s->payload);
	uint8_t *tcp = f + WIRE_AT_L4, *data = tcp + WIRE_TCP + s->options_len;
	int32_t at = (int32_t)(s->seq + !!(s->flags & WIRE_SYN) - c->peer_isn - 1) % PERIOD;
	memcpy(data, pattern + (at < 0 ? at + PERIOD : at), s->payload);
	wire_put16(tcp + 14, s->window);
	wire_put16(tcp + 18, s->urgent);
	wire_fix_sums(f, n);
	if (s->flags & WIRE_SYN)
		note_scaling(c, s->options, s->options_len);
	wire_input(&p, f, n);
	if ((s->flags & WIRE_URG) || ((s->flags & WIRE_SYN) && s->seq != c->peer_isn)) /* a crafted SYN may be the one that counts */
		c->read_inexact = true;
}

static void conversation_forget(struct conversation *c, bool by_peer)
{
	if (c->fd >= 0)
		xmit_close(p.net, c->fd);
	*c = (struct conversation){.fd = -1, .opened_by_peer = by_peer};
	c->t.peer_port = (uint16_t)(PEER_PORT + generation++);
	c->t.host_port = by_peer ? WIRE_TCP_PORT : 0;
	c->peer_isn = generation % 3 ? 1000 * generation : 0xffffff00u - generation; /* some wrap */
	c->t.snd_nxt = c->peer_isn;
}

/* { data }: a SYN from the peer, with data bytes * 8 on it */
static void peer_syn(struct conversation *c, struct fuzz_input *in)
{
	struct segment s = {.flags = WIRE_SYN, .window = 0xffff};

	conversation_forget(c, true);
	if (mode & MODE_ECN)
		s.flags |= WIRE_ECE | WIRE_CWR;
	s.seq = c->t.snd_nxt;
	s.options_len = syn_options(s.options);
	s.payload = fuzz_u8(in) / 4 * 8u;
	say(c, &s);
	c->t.snd_nxt++;
}

/* SYN-ACK to a connect(), or a crossing SYN: { kind } */
static void peer_syn_ack(struct conversation *c, struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);
	struct segment s = {.flags = WIRE_SYN | (kind & 1 ? 0 : WIRE_ACK), .window = 0xffff, .seq = c->peer_isn, .ack = c->t.rcv_nxt};

	if (!c->host_isn_known)
		return;
	if (mode & MODE_ECN)
		s.flags |= WIRE_ECE;
	s.options_len = syn_options(s.options);
	if (mode & MODE_STAMPS)
		wire_put32(s.options + s.options_len - 4, c->t.ts_ecr);
	s.ack -= kind & 2 ? 1u : 0;
	say(c, &s);
	if (c->t.snd_nxt == c->peer_isn)
		c->t.snd_nxt++;
	if ((s.flags & WIRE_ACK) && (int32_t)(s.ack - c->acked) > 0)
		c->acked = s.ack;
}

/* In order and well formed, all acknowledged: { payload / 8, window / 256 } */
static void peer_data(struct conversation *c, struct fuzz_input *in)
{
	struct segment s = {.seq = c->t.snd_nxt, .ack = c->t.rcv_nxt, .flags = WIRE_ACK};

	s.payload = fuzz_u8(in) * 8u % 1449;
	s.window = (uint16_t)(fuzz_u8(in) << 8);
	s.flags |= s.payload ? WIRE_PSH : 0;
	s.options_len = put_stamp(c, s.options, 0);
	say(c, &s);
	c->t.snd_nxt += (uint32_t)s.payload;
	c->acked = s.ack;
}

static unsigned put_sacks(const struct conversation *c, struct fuzz_input *in, unsigned blocks, uint8_t *o)
{
	uint32_t at = c->acked;

	if (!blocks)
		return 0;
	o[0] = o[1] = 1;
	o[2] = 5;
	o[3] = (uint8_t)(2 + 8 * blocks);
	for (unsigned i = 0; i < blocks; i++) {
		uint8_t where = fuzz_u8(in), len = fuzz_u8(in);
		uint32_t from = c->acked + (uint32_t)where * 512u + (where & 1 ? at - c->acked : 0);
		if (where == 255)
			from = c->acked - 1000; /* a D-SACK */
		at = from + (len & 1 ? len * 16u : len / 2u * 1448u);
		wire_put32(o + 4 + 8 * i, from);
		wire_put32(o + 8 + 8 * i, at);
	}
	return 4 + 8 * blocks;
}

static uint32_t crafted_ack(const struct conversation *c, uint8_t how)
{
	uint32_t in_flight = c->t.rcv_nxt - c->acked;

	if (how < 64)
		return c->acked; /* a duplicate */
	if (how < 192)
		return c->acked + (uint32_t)((uint64_t)in_flight * (how - 64u) / 127);
	return how < 224 ? c->acked - (how - 192u) * 700u : c->t.rcv_nxt + (how - 224u) * 3000u;
}

/* Anything: { flags, seq (2, signed), ack, payload / 8, window / 256, bits: blocks (0, 1), stamp (2, 3), keep (4), urgent (5) } and the blocks */
static void peer_crafts(struct conversation *c, struct fuzz_input *in)
{
	struct segment s = {.flags = fuzz_u8(in)};
	int16_t off = (int16_t)fuzz_u16(in);
	static const int stamp_off[] = {0, -100, 3600 * 1000, INT32_MIN};

	s.seq = c->t.snd_nxt + (uint32_t)(int32_t)off;
	s.ack = crafted_ack(c, fuzz_u8(in));
	s.payload = fuzz_u8(in) * 8u % 1449;
	s.window = (uint16_t)(fuzz_u8(in) << 8);
	uint8_t bits = fuzz_u8(in);
	s.options_len = put_stamp(c, s.options, stamp_off[bits >> 2 & 3]);
	s.options_len += put_sacks(c, in, bits & 3, s.options + s.options_len);
	s.urgent = bits & 0x20 ? (uint16_t)(s.payload + 1) : 0;
	if (s.flags & WIRE_RST)
		s.seq = bits & 0x40 ? c->t.acked : s.seq;
	say(c, &s);
	if ((s.flags & WIRE_ACK) && (int32_t)(s.ack - c->acked) > 0 && (int32_t)(s.ack - c->t.rcv_nxt) <= 0)
		c->acked = s.ack;
	if ((bits & 0x10) && off == 0)
		c->t.snd_nxt += (uint32_t)s.payload + !!(s.flags & WIRE_FIN);
}

/* { type, code, what (mtu / 8) }: an ICMP error about the conversation */
static void peer_icmp(struct conversation *c, struct fuzz_input *in)
{
	static uint8_t f[256];
	uint8_t quote[28] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6}, type = fuzz_u8(in), code = fuzz_u8(in);

	wire_put32(quote + 12, WIRE_HOST_IP);
	wire_put32(quote + 16, WIRE_PEER_IP);
	wire_put16(quote + 20, c->t.host_port);
	wire_put16(quote + 22, c->t.peer_port);
	wire_put32(quote + 24, c->acked);
	type = type & 1 ? 3 : type;
	size_t n = wire_icmp(&p, f, type, code % 16, fuzz_u8(in) * 8u, quote, sizeof(quote));
	wire_input(&p, f, n);
}

/* --- the host's program ---------------------------------------------------------------------------------------------------------------- */

static struct sockaddr_in peer_address(const struct conversation *c)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(c->t.peer_port), .sin_addr = {htonl(WIRE_PEER_IP)}};
}

/* { kind }: bit 0: Fast Open with data */
static void host_connect(struct conversation *c, struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);
	ssize_t n = 0;

	conversation_forget(c, false);
	struct sockaddr_in a = peer_address(c);
	c->fd = xmit_socket(p.net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return;
	c->written = kind & 1 ? 1000 : 0; /* before the call: its segment goes out within */
	if (kind & 1)
		n = xmit_sendto(p.net, c->fd, pattern, 1000, 0x20000000 /* MSG_FASTOPEN */, (struct sockaddr *)&a, sizeof(a));
	else
		xmit_connect(p.net, c->fd, (struct sockaddr *)&a, sizeof(a));
	c->written = n > 0 ? (uint64_t)n : 0;
	wire_settle(&p);
}

static void host_accepts(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd = xmit_accept4(p.net, p.listen_fd, (struct sockaddr *)&a, &len, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	struct conversation *c = conversation_of(WIRE_TCP_PORT, ntohs(a.sin_port));
	if (c && c->fd < 0) {
		c->fd = fd;
		c->written = c->read = 0; /* it may be the second between these ports */
		c->host_isn = tcp_sk(sk_of(fd))->isn_snd; /* by a SYN cookie it is what the ACK says: the next lower number may pass as a lower MSS */
	} else {
		xmit_close(p.net, fd); /* of a conversation that is forgotten */
	}
}

static ssize_t fill(void *ctx, void *dst, size_t n)
{
	struct conversation *c = ctx;
	size_t done = 0;

	for (; done < n; done += n - done < 1000 ? n - done : 1000)
		memcpy((uint8_t *)dst + done, pattern + (c->written + done) % PERIOD, n - done < 1000 ? n - done : 1000);
	c->written += n;
	return (ssize_t)n;
}

/* { bytes (2), flags }: write, with MSG_MORE, MSG_EOR, MSG_OOB, MSG_ZEROCOPY, or straight into the stack's memory */
static void host_sends(struct conversation *c, struct fuzz_input *in)
{
	static const int flags[8] = {0, MSG_MORE, MSG_EOR, MSG_OOB, 0x4000000 /* MSG_ZEROCOPY */, MSG_MORE | MSG_EOR, 0, 0};
	size_t n = fuzz_u16(in);
	uint8_t how = fuzz_u8(in);
	uint64_t before = c->written;

	if (c->fd < 0)
		return;
	if ((how & 7) == 7) {
		xmit_send_fill(p.net, c->fd, fill, c, n, 0);
		return;
	}
	c->written += n; /* it may be on the wire before the call returns */
	ssize_t sent = xmit_send(p.net, c->fd, pattern + before % PERIOD, n, MSG_DONTWAIT | flags[how & 7]);
	c->written = before + (sent > 0 ? (uint64_t)sent : 0);
}

static void check_read(struct conversation *c, const uint8_t *b, ssize_t n, bool consumed)
{
	if (n <= 0)
		return;
	if (!c->read_inexact)
		CHECK(memcmp(b, pattern + c->read % PERIOD, (size_t)n) == 0);
	if (consumed)
		c->read += (uint64_t)n;
}

static void receive_in_place(struct conversation *c)
{
	struct iovec iov[4];
	int n = xmit_recv_iov(p.net, c->fd, iov, 4);

	if (n <= 0)
		return;
	size_t take = iov[0].iov_len > 3 ? iov[0].iov_len - iov[0].iov_len / 3 : iov[0].iov_len;
	check_read(c, iov[0].iov_base, (ssize_t)take, true);
	CHECK(xmit_recv_skip(p.net, c->fd, take) == 0);
}

/* { bytes / 256, flags } */
static void host_receives(struct conversation *c, struct fuzz_input *in)
{
	static uint8_t buf[WRITE_MOST];
	size_t n = fuzz_u8(in) * 256u + 1;
	uint8_t how = fuzz_u8(in) & 7;
	static const int flags[8] = {0, MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_WAITALL, 0, 0, 0};

	if (c->fd < 0)
		return;
	if (how == 5) {
		receive_in_place(c);
		return;
	}
	ssize_t got = xmit_recv(p.net, c->fd, buf, n, MSG_DONTWAIT | flags[how]);
	if (flags[how] & MSG_OOB)
		return;
	if (flags[how] & MSG_TRUNC) {
		c->read += got > 0 ? (uint64_t)got : 0;
		return;
	}
	check_read(c, buf, got, !(flags[how] & MSG_PEEK));
}

static void host_reads_errors(struct conversation *c)
{
	union { char b[256]; struct cmsghdr align; } control;
	uint8_t buf[256];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

	xmit_recvmsg(p.net, c->fd, &m, MSG_ERRQUEUE);
}

/* { option, value } */
static void host_sets(struct conversation *c, struct fuzz_input *in)
{
	static const struct { int level, name, times; } option[] = {
		{SOL_SOCKET, SO_SNDBUF, 512}, {SOL_SOCKET, SO_RCVBUF, 512}, {SOL_SOCKET, SO_KEEPALIVE, 1}, {SOL_SOCKET, 60 /* SO_ZEROCOPY */, 1},
		{SOL_SOCKET, SO_OOBINLINE, 0}, {SOL_SOCKET, SO_RCVLOWAT, 100}, {SOL_SOCKET, SO_PRIORITY, 1}, {SOL_SOCKET, 37 /* SO_TIMESTAMPING */, 16},
		{IPPROTO_TCP, XMIT_TCP_NODELAY, 1}, {IPPROTO_TCP, XMIT_TCP_CORK, 1}, {IPPROTO_TCP, XMIT_TCP_MAXSEG, 16}, {IPPROTO_TCP, XMIT_TCP_QUICKACK, 1},
		{IPPROTO_TCP, XMIT_TCP_KEEPIDLE, 1}, {IPPROTO_TCP, XMIT_TCP_KEEPINTVL, 1}, {IPPROTO_TCP, XMIT_TCP_KEEPCNT, 1},
		{IPPROTO_TCP, XMIT_TCP_USER_TIMEOUT, 100}, {IPPROTO_TCP, XMIT_TCP_LINGER2, 1}, {IPPROTO_TCP, XMIT_TCP_WINDOW_CLAMP, 256},
		{IPPROTO_TCP, XMIT_TCP_NOTSENT_LOWAT, 256}, {IPPROTO_TCP, XMIT_TCP_INQ, 1}, {IPPROTO_IP, IP_MTU_DISCOVER, 1}, {IPPROTO_IP, IP_RECVERR, 1},
		{SOL_SOCKET, 47 /* SO_MAX_PACING_RATE */, 4096}, {IPPROTO_IP, IP_TOS, 1},
	};
	static const char *const algorithm[] = {"reno", "cubic", "bbr", "dctcp"};
	uint8_t which = fuzz_u8(in), value = fuzz_u8(in);
	struct linger linger = {value & 1, value >> 1 & 1};

	if (which == 255) {
		xmit_setsockopt(p.net, c->fd, IPPROTO_TCP, XMIT_TCP_CONGESTION, algorithm[value & 3], (socklen_t)strlen(algorithm[value & 3]));
	} else if (which == 254) {
		xmit_setsockopt(p.net, c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	} else {
		int v = value * option[which % ARRAY_SIZE(option)].times;
		xmit_setsockopt(p.net, c->fd, option[which % ARRAY_SIZE(option)].level, option[which % ARRAY_SIZE(option)].name, &v, sizeof(v));
	}
}

/* { which, value }: of the instance */
static void host_sysctl(struct fuzz_input *in)
{
	static const char *const name[] = {"tcp_sack", "tcp_timestamps", "tcp_window_scaling", "tcp_dsack", "tcp_recovery", "tcp_early_retrans", "tcp_frto",
					   "tcp_ecn", "tcp_mtu_probing", "tcp_reordering", "tcp_autocorking", "tcp_slow_start_after_idle", "tcp_fastopen",
					   "tcp_syncookies", "tcp_retries2", "tcp_moderate_rcvbuf", "tcp_comp_sack_nr", "tcp_tso_win_divisor", "tcp_retrans_collapse",
					   "tcp_limit_output_bytes", "tcp_thin_linear_timeouts", "tcp_abort_on_overflow"};
	char full[64], value[16];

	snprintf(full, sizeof(full), "net.ipv4.%s", name[fuzz_u8(in) % ARRAY_SIZE(name)]);
	snprintf(value, sizeof(value), "%u", fuzz_u8(in) & 31u);
	xmit_sysctl_set(p.net, full, value, NULL, 0);
}

static void host_looks(struct conversation *c)
{
	struct xmit_tcp_info info;
	socklen_t len = sizeof(info);
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN | POLLOUT | POLLPRI};
	int n;

	xmit_getsockopt(p.net, c->fd, IPPROTO_TCP, XMIT_TCP_INFO, &info, &len);
	xmit_poll_sockets(p.net, &pfd, 1, 0);
	if (xmit_ioctl(p.net, c->fd, 0x541b /* FIONREAD */, &n) == 0)
		CHECK(n >= 0);
	if (xmit_ioctl(p.net, c->fd, 0x5411 /* SIOCOUTQ */, &n) == 0)
		CHECK(n >= 0);
}

static void host_disconnects(struct conversation *c)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};

	if (xmit_connect(p.net, c->fd, &none, sizeof(none)) == 0)
		conversation_forget(c, true); /* a socket that is closed, and a peer that does not know */
}

static void host_closes(struct conversation *c)
{
	if (c->fd >= 0)
		xmit_close(p.net, c->fd);
	c->fd = -1;
}

/* --- the program ----------------------------------------------------------------------------------------------------------------------- */

enum op {
	OP_SYN, OP_SYN_ACK, OP_DATA, OP_CRAFT, OP_CRAFT_AGAIN, OP_ICMP, OP_CONNECT, OP_ACCEPT, OP_SEND, OP_SEND_AGAIN, OP_RECEIVE, OP_ERRORS, OP_SET, OP_SYSCTL,
	OP_LOOK, OP_SHUTDOWN, OP_CLOSE, OP_DISCONNECT, OP_TIME, OP_FAIL, OPS
};

/* { op, slot (0, 1) and variant }: and what the op reads */
static void step(struct fuzz_input *in)
{
	enum op op = fuzz_u8(in) % OPS;
	uint8_t variant = fuzz_u8(in);
	struct conversation *c = &conv[variant % SLOTS];

	current = variant % SLOTS;
	variant /= SLOTS;
	if (c->t.peer_port == 0)
		conversation_forget(c, true);
	switch (op) {
	case OP_SYN: peer_syn(c, in); break;
	case OP_SYN_ACK: peer_syn_ack(c, in); break;
	case OP_DATA: peer_data(c, in); break;
	case OP_CRAFT:
	case OP_CRAFT_AGAIN: peer_crafts(c, in); break;
	case OP_ICMP: peer_icmp(c, in); break;
	case OP_CONNECT: host_connect(c, in); break;
	case OP_ACCEPT: host_accepts(); break;
	case OP_SEND:
	case OP_SEND_AGAIN: host_sends(c, in); break;
	case OP_RECEIVE: host_receives(c, in); break;
	case OP_ERRORS: host_reads_errors(c); break;
	case OP_SET: host_sets(c, in); break;
	case OP_SYSCTL: host_sysctl(in); break;
	case OP_LOOK: host_looks(c); break;
	case OP_SHUTDOWN: xmit_shutdown(p.net, c->fd, variant % 3); break;
	case OP_CLOSE: host_closes(c); break;
	case OP_DISCONNECT: host_disconnects(c); break;
	case OP_TIME: wire_run(&p, variant & 8 ? (uint64_t)fuzz_u8(in) * SIM_MS : fuzz_time(variant)); break;
	case OP_FAIL: xmit_fail_allocation(p.net, variant); break;
	case OPS: break;
	}
	wire_settle(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};

	mode = fuzz_u8(&in);
	unsigned fail = fuzz_u8(&in);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i % PERIOD + 1);
	wire_init(&p, 3, mode & MODE_SMALL ? 1 << 20 : 0, mode & MODE_OFFLOADS ? XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_GRO : mode & MODE_LINEAR ? 0 : XMIT_F_SG | XMIT_F_GRO);
	p.on_segment = on_segment;
	generation = steps = 0;
	for (int i = 0; i < SLOTS; i++)
		conv[i] = (struct conversation){.fd = -1};
	if (mode & MODE_ECN)
		xmit_sysctl_set(p.net, "net.ipv4.tcp_ecn", "1", NULL, 0);
	xmit_fail_allocation(p.net, fail);
	while (in.left && steps++ < STEPS_MOST) {
		step(&in);
		check_all();
	}
	for (int i = 0; i < SLOTS; i++)
		host_closes(&conv[i]);
	wire_run(&p, 200 * SIM_SEC);
	wire_exit(&p);
	return 0;
}
