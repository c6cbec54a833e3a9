/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - frames from someone who means no good: every one is a drop that is counted, memory stays within its bounds, and a
 * connection that existed before carries data afterwards.
 *
 * The frames are made by tests/support/wire_peer.c, which also checks every frame that the host answers with.
 */
#include "test.h"
#include "wire_peer.h"
#include <netinet/in.h>

static struct wire_peer peer;
static uint8_t frame[2048], frame_options[40];

static const uint8_t usual_options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};

static int with_connection(void **state)
{
	(void)state;
	wire_init(&peer, 11, 0, 0);
	return wire_establish(&peer, 4000, usual_options, sizeof(usual_options)) ? 0 : -1;
}

static int still_carries(void **state)
{
	(void)state;
	if (!wire_carries(&peer)) {
		fprintf(stderr, "the connection no longer carries data\n");
		xmit_print_stats(peer.net, stderr);
		return -1;
	}
	wire_exit(&peer);
	return 0;
}

static uint64_t count(const char *name)
{
	bool known;
	uint64_t n = xmit_counter(peer.net, name, &known);

	assert_true(known);
	return n;
}

static uint64_t used_bytes(void)
{
	struct xmit_memory m;

	xmit_memory(peer.net, &m);
	return m.used_bytes;
}

/* Like wire_drops(), but also what the device refused. */
static uint64_t refused(void)
{
	struct xmit_dev_stats st;

	xmit_dev_stats(peer.dev, &st);
	return wire_drops(&peer) + st.rx_errors + count("TcpExtListenDrops");
}

/* The frame is dropped for `reason` (NULL: any) and for nothing else. */
static void expect_drop(const uint8_t *f, size_t n, const char *reason, const char *what, unsigned value)
{
	uint64_t all = refused(), of_reason = reason ? xmit_drops(peer.net, reason) : 0;

	wire_input(&peer, f, n);
	if (refused() == all || (reason && xmit_drops(peer.net, reason) != of_reason + 1)) {
		fprintf(stderr, "%s = %u: %s, expected a drop for %s\n", what, value, refused() == all ? "no drop" : "a drop for another reason",
			reason ? reason : "any reason");
		xmit_print_stats(peer.net, stderr);
		fail();
	}
}

/* --- one valid frame of each kind ------------------------------------------------------------------------------------- */

enum kind { ARP_REQUEST, ARP_REPLY, ECHO, ECHO_REPLY, UNREACHABLE, UDP, TCP_DATA, TCP_SYN, TCP_RST, KINDS };

static size_t quote_of_connection(uint8_t *q)
{
	static uint8_t f[256];

	wire_tcp(&peer, f, &peer.conn, WIRE_ACK, NULL, 0, 0);
	memcpy(q, f + WIRE_AT_IP, WIRE_IP + 8);
	wire_put32(q + 12, WIRE_HOST_IP);
	wire_put32(q + 16, WIRE_PEER_IP);
	wire_put16(q + WIRE_IP, peer.conn.host_port);
	wire_put16(q + WIRE_IP + 2, peer.conn.peer_port);
	wire_put32(q + WIRE_IP + 4, peer.conn.rcv_nxt);
	return WIRE_IP + 8;
}

static size_t make(enum kind kind, uint8_t *f)
{
	struct wire_tcp other = peer.conn;
	uint8_t body[64] = "what an echo or an error carries";
	uint8_t stamp[12];

	switch (kind) {
	case ARP_REQUEST:
		return wire_arp(&peer, f, 1, WIRE_PEER_IP, WIRE_HOST_IP);
	case ARP_REPLY:
		return wire_arp(&peer, f, 2, WIRE_PEER_IP, WIRE_HOST_IP);
	case ECHO:
		return wire_icmp(&peer, f, 8, 0, 0x10001, body, 32);
	case ECHO_REPLY:
		return wire_icmp(&peer, f, 0, 0, 0x10001, body, 32);
	case UNREACHABLE:
		return wire_icmp(&peer, f, 3, 1, 0, body, quote_of_connection(body));
	case UDP:
		return wire_udp(&peer, f, WIRE_PEER_UDP_PORT, WIRE_UDP_PORT, 24);
	case TCP_DATA:
		wire_timestamp(&peer.conn, stamp);
		return wire_tcp(&peer, f, &peer.conn, WIRE_ACK, stamp, sizeof(stamp), 24);
	case TCP_SYN:
		other.peer_port++;
		return wire_tcp(&peer, f, &other, WIRE_SYN, usual_options, sizeof(usual_options), 0);
	default:
		other.snd_nxt += 1000;
		return wire_tcp(&peer, f, &other, WIRE_RST | WIRE_ACK, NULL, 0, 0);
	}
}

/* --- fields ------------------------------------------------------------------------------------------------------------- */

struct field {
	enum kind kind;
	const char *name;
	uint8_t at, width;      /* bytes from the start of the frame; 1, 2 or 4 */
	uint32_t mask;          /* bits of it, shifted to the right by the mask's lowest bit */
	bool keep_sums;         /* the field is a sum itself, or ahead of all sums */
	const char *reason;
	uint32_t from, to;      /* values tried: from ... to, by steps that make at most 300 */
	bool relative;          /* the values are added to the one that would be right */
};

enum { IP_AT = WIRE_AT_IP, L4_AT = WIRE_AT_L4 };
static const struct field fields[] = {
	{UDP, "Ethernet destination", 4, 2, 0xffff, true, "OTHERHOST", 2, 0xffff},
	{UDP, "EtherType", 12, 2, 0xffff, true, "UNHANDLED_PROTO", 0x0600, 0x07ff},
	{UDP, "EtherType (a length, IEEE 802.3)", 12, 2, 0xffff, true, NULL, 0, 0x05ff},
	{UDP, "EtherType", 12, 2, 0xffff, true, "UNHANDLED_PROTO", 0x8000, 0xffff},
	{ARP_REQUEST, "ARP hardware type", 14, 2, 0xffff, true, "ARP_MALFORMED", 7, 0xffff},
	{ARP_REQUEST, "ARP protocol type", 16, 2, 0xffff, true, "ARP_MALFORMED", 0x0801, 0xffff},
	{ARP_REQUEST, "ARP hardware length", 18, 1, 0xff, true, "ARP_MALFORMED", 7, 255},
	{ARP_REQUEST, "ARP hardware length", 18, 1, 0xff, true, "ARP_MALFORMED", 0, 5},
	{ARP_REQUEST, "ARP protocol length", 19, 1, 0xff, true, "ARP_MALFORMED", 5, 255},
	{ARP_REQUEST, "ARP protocol length", 19, 1, 0xff, true, "ARP_MALFORMED", 0, 3},
	{ARP_REQUEST, "ARP operation", 20, 2, 0xffff, true, "ARP_MALFORMED", 3, 0xffff},
	{ARP_REPLY, "ARP operation", 20, 2, 0xffff, true, "ARP_MALFORMED", 0, 0},
	{ARP_REPLY, "ARP sender hardware address (multicast)", 22, 1, 0xff, true, "ARP_MALFORMED", 1, 1},
	{ARP_REPLY, "ARP sender address (multicast)", 28, 1, 0xff, true, "IP_INADDRERRORS", 224, 239},
	{ARP_REQUEST, "ARP target address (multicast)", 38, 1, 0xff, true, "IP_INADDRERRORS", 224, 239},
	{ARP_REQUEST, "ARP target address (loopback)", 38, 1, 0xff, true, "IP_INADDRERRORS", 127, 127},
	{UDP, "IP version", IP_AT, 1, 0xf0, false, "IP_INHDR", 0, 3},
	{UDP, "IP version", IP_AT, 1, 0xf0, false, "IP_INHDR", 5, 15},
	{UDP, "IP header length", IP_AT, 1, 0x0f, false, "IP_INHDR", 0, 4},
	{TCP_DATA, "IP header length", IP_AT, 1, 0x0f, false, "IP_INHDR", 0, 4},
	{UDP, "IP header length", IP_AT, 1, 0x0f, false, NULL, 6, 15},
	{ECHO, "IP total length", IP_AT + 2, 2, 0xffff, false, "IP_INHDR", 0, 19},
	{TCP_DATA, "IP total length", IP_AT + 2, 2, 0xffff, false, "PKT_TOO_SMALL", 77, 0xffff},
	{UDP, "IP total length", IP_AT + 2, 2, 0xffff, false, NULL, 20, 27},
	{TCP_DATA, "IP total length", IP_AT + 2, 2, 0xffff, false, NULL, 20, 51},
	{UDP, "IP header checksum", IP_AT + 10, 2, 0xffff, true, "IP_CSUM", 0, 0x7000},
	{UDP, "IP protocol", IP_AT + 9, 1, 0xff, false, "IP_NOPROTO", 200, 250},
	{UDP, "IP source (first byte: multicast)", IP_AT + 12, 1, 0xff, false, "IP_INADDRERRORS", 224, 239},
	{UDP, "IP source (broadcast)", IP_AT + 12, 4, 0xffffffff, false, "IP_INADDRERRORS", 0xffffffff, 0xffffffff},
	{UDP, "IP source (first byte: loopback)", IP_AT + 12, 1, 0xff, false, "IP_INADDRERRORS", 127, 127},
	{UDP, "IP source (the host itself)", IP_AT + 15, 1, 0xff, false, "IP_INADDRERRORS", 1, 1},
	{UDP, "IP destination (loopback)", IP_AT + 16, 1, 0xff, false, "IP_INADDRERRORS", 127, 127},
	{UDP, "IP destination (class E)", IP_AT + 16, 1, 0xff, false, NULL, 240, 255},
	{UDP, "IP destination (zero network)", IP_AT + 16, 1, 0xff, false, "IP_INADDRERRORS", 0, 0},
	{UDP, "IP destination (someone else)", IP_AT + 19, 1, 0xff, false, NULL, 3, 254},
	{UDP, "UDP length", L4_AT + 4, 2, 0xffff, false, "PKT_TOO_SMALL", 0, 7},
	{UDP, "UDP length", L4_AT + 4, 2, 0xffff, false, "PKT_TOO_SMALL", 33, 0xffff},
	{UDP, "UDP checksum", L4_AT + 6, 2, 0xffff, true, "UDP_CSUM", 1, 0x1000},
	{UDP, "UDP destination port", L4_AT + 2, 2, 0xffff, false, "NO_SOCKET", 54, 0xffff},
	{UDP, "UDP destination port", L4_AT + 2, 2, 0xffff, false, "NO_SOCKET", 0, 52},
	{ECHO, "ICMP checksum", L4_AT + 2, 2, 0xffff, true, "ICMP_CSUM", 0, 0x1000},
	{ECHO, "ICMP type", L4_AT, 1, 0xff, false, "UNHANDLED_PROTO", 19, 255},
	{ECHO_REPLY, "ICMP echo identifier", L4_AT + 4, 2, 0xffff, false, "NO_SOCKET", 0, 0xffff},
	{TCP_DATA, "TCP data offset", L4_AT + 12, 1, 0xf0, false, "PKT_TOO_SMALL", 0, 4},
	{TCP_DATA, "TCP data offset", L4_AT + 12, 1, 0xf0, false, "PKT_TOO_SMALL", 15, 15},
	{TCP_DATA, "TCP checksum", L4_AT + 16, 2, 0xffff, true, "TCP_CSUM", 0, 0x1000},
	{TCP_DATA, "TCP flags without ACK, RST or SYN", L4_AT + 13, 1, 0xff, false, "TCP_FLAGS", 0, 1},
	{TCP_DATA, "TCP flags: SYN", L4_AT + 13, 1, 0xff, false, "TCP_INVALID_SYN", 0x12, 0x13},
	{TCP_DATA, "TCP sequence number before the window", L4_AT + 4, 2, 0xffff, false, "TCP_OLD_SEQUENCE", 0x8001, 0xffff},
	{TCP_DATA, "TCP sequence number beyond the window", L4_AT + 4, 2, 0xffff, false, "TCP_INVALID_SEQUENCE", 0x0100, 0x7000},
	{TCP_DATA, "TCP acknowledgment number of the past", L4_AT + 8, 2, 0xffff, false, "TCP_TOO_OLD_ACK", 0x8001, 0xfff0, true},
	{TCP_DATA, "TCP acknowledgment number of what was not sent", L4_AT + 8, 2, 0xffff, false, "TCP_ACK_UNSENT_DATA", 0x0010, 0x7ff0, true},
	{TCP_DATA, "TCP destination port", L4_AT + 2, 2, 0xffff, false, "NO_SOCKET", 81, 0xffff},
	{TCP_DATA, "TCP source port", L4_AT, 2, 0xffff, false, NULL, 4001, 0xffff},
	{TCP_SYN, "TCP destination port", L4_AT + 2, 2, 0xffff, false, "NO_SOCKET", 0, 79},
	{TCP_SYN, "TCP flags with RST", L4_AT + 13, 1, 0xff, false, NULL, 4, 7},
	{TCP_SYN, "TCP flags with SYN and FIN", L4_AT + 13, 1, 0xff, false, "TCP_FLAGS", 3, 3},
	{TCP_RST, "TCP sequence number of a RST", L4_AT + 4, 2, 0xffff, false, NULL, 0x0100, 0xffff},
};

static void put_field(uint8_t *f, const struct field *d, uint32_t value)
{
	uint32_t shift = 0, old = d->width == 1 ? f[d->at] : d->width == 2 ? wire_get16(f + d->at) : wire_get32(f + d->at);

	while (!(d->mask >> shift & 1))
		shift++;
	if (d->relative)
		value += (old & d->mask) >> shift;
	value = (old & ~d->mask) | (value << shift & d->mask);
	if (d->width == 1)
		f[d->at] = (uint8_t)value;
	else if (d->width == 2)
		wire_put16(f + d->at, (uint16_t)value);
	else
		wire_put32(f + d->at, value);
}

static void every_field_out_of_range_is_a_counted_drop(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *d = &fields[i];
		uint32_t step = (d->to - d->from) / 300 + 1;

		for (uint64_t value = d->from; value <= d->to; value += step) {
			uint32_t v = (uint32_t)value;
			size_t n = make(d->kind, frame);
			uint8_t valid[sizeof(frame)];
			memcpy(valid, frame, n);
			put_field(frame, d, v);
			if (!d->keep_sums)
				wire_fix_sums(frame, n);
			if (memcmp(valid, frame, n) != 0) /* the sum that was right anyway */
				expect_drop(frame, n, d->reason, d->name, v);
		}
	}
}

/* The frames that the tests above and below break do pass when they are whole. */
static void valid_frames_are_taken(void **state)
{
	uint64_t before = refused();
	uint8_t buf[64];

	(void)state;
	wire_input(&peer, frame, make(ARP_REQUEST, frame));
	assert_int_equal(count("ArpOutReplies"), 1);
	wire_input(&peer, frame, make(ECHO, frame));
	assert_int_equal(count("IcmpOutEchoReps"), 1);
	wire_input(&peer, frame, make(UDP, frame));
	assert_int_equal(xmit_recv(peer.net, peer.udp_fd, buf, sizeof(buf), 0), 24);
	wire_input(&peer, frame, make(UNREACHABLE, frame));
	wire_input(&peer, frame, make(TCP_DATA, frame));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), 24);
	peer.conn.snd_nxt += 24;
	assert_int_equal(refused(), before);
}

/* --- lengths ---------------------------------------------------------------------------------------------------------- */

static void every_truncation_is_a_counted_drop(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		size_t whole = make((enum kind)kind, frame);

		assert_false(wire_queue(&peer, frame, 0, NULL));
		for (size_t n = 1; n < whole; n++) {
			size_t is = make((enum kind)kind, frame);
			assert_int_equal(is, whole);
			expect_drop(frame, n, NULL, "length of the frame", (unsigned)n);
		}
	}
}

/* The IP header admits to the cut: the transport is what finds its header short. */
static void every_shorter_packet_is_survived(void **state)
{
	(void)state;
	for (int kind = ECHO; kind < KINDS; kind++) {
		static const uint8_t least[KINDS] = {[ECHO] = 8, [ECHO_REPLY] = 8, [UNREACHABLE] = 36, [UDP] = 8 + 24, [TCP_DATA] = 32, [TCP_SYN] = 40,
						     [TCP_RST] = 20};
		size_t whole = make((enum kind)kind, frame);

		for (size_t n = WIRE_AT_L4; n < whole; n++) {
			if (kind == TCP_DATA && n >= WIRE_AT_L4 + 32u)
				break; /* a shorter segment is a segment */
			make((enum kind)kind, frame);
			wire_put16(frame + WIRE_AT_IP + 2, (uint16_t)(n - WIRE_AT_IP));
			wire_fix_sums(frame, n);
			if (n < WIRE_AT_L4 + (size_t)least[kind])
				expect_drop(frame, n, NULL, "length of the packet", (unsigned)n);
			else
				wire_input(&peer, frame, n);
		}
	}
}

/* --- options ----------------------------------------------------------------------------------------------------------- */

static size_t echo_with_options(uint8_t *f, const uint8_t *options, size_t n)
{
	size_t len = make(ECHO, f);
	uint8_t *ip = f + WIRE_AT_IP;

	memmove(ip + WIRE_IP + n, ip + WIRE_IP, len - WIRE_AT_L4);
	memcpy(ip + WIRE_IP, options, n);
	ip[0] = (uint8_t)(0x40 | (WIRE_IP + n) / 4);
	wire_put16(ip + 2, (uint16_t)(len - WIRE_AT_IP + n));
	wire_fix_sums(f, len + n);
	return len + n;
}

static void ip_options_of_bad_length_are_counted_drops(void **state)
{
	static const uint8_t kinds[] = {7, 68, 131, 137, 148, 130, 134, 183, 2, 255}, lengths[] = {0, 1, 255, 41};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds); k++) {
		for (size_t l = 0; l < sizeof(lengths); l++) {
			for (size_t at = 0; at < 8; at++) {
				uint8_t options[8];
				memset(options, 1, sizeof(options)); /* NOP */
				options[at] = kinds[k];
				if (at + 1 < sizeof(options))
					options[at + 1] = lengths[l];
				expect_drop(frame, echo_with_options(frame, options, sizeof(options)), "IP_INHDR", "IP option", kinds[k]);
				wire_run(&peer, SIM_MS);
			}
		}
	}
	/* Any pointer in an option that has one: refused or obeyed, never followed outside. */
	for (unsigned kind = 0; kind < 2; kind++) {
		for (unsigned pointer = 0; pointer < 256; pointer++) {
			for (unsigned len = 2; len <= 12; len++) {
				uint8_t options[12] = {kind ? 68 : 7, (uint8_t)len, (uint8_t)pointer, (uint8_t)(pointer & 3)};
				wire_input(&peer, frame, echo_with_options(frame, options, sizeof(options)));
			}
		}
	}
}

static void tcp_options_of_bad_length_are_passed_over(void **state)
{
	static const uint8_t kinds[] = {2, 3, 4, 5, 8, 19, 34, 99, 255}, lengths[] = {0, 1, 255, 41};
	uint8_t buf[64];

	(void)state;
	for (size_t k = 0; k < sizeof(kinds); k++) {
		for (size_t l = 0; l < sizeof(lengths); l++) {
			for (unsigned n = 4; n <= 40; n += 4) {
				uint8_t *o = frame_options;
				struct wire_tcp other = peer.conn;

				memset(o, 1, n);
				o[n - 3] = kinds[k];
				o[n - 2] = lengths[l];
				/* In a SYN: the host answers as if there were no option. */
				uint64_t out = count("TcpOutSegs");
				other.peer_port = (uint16_t)(5000 + k * 400 + l * 100 + n);
				wire_input(&peer, frame, wire_tcp(&peer, frame, &other, WIRE_SYN, o, n, 0));
				assert_true(count("TcpOutSegs") > out);
				wire_input(&peer, frame, wire_tcp(&peer, frame, &other, WIRE_RST, NULL, 0, 0));
				other.snd_nxt++;
				wire_input(&peer, frame, wire_tcp(&peer, frame, &other, WIRE_RST, NULL, 0, 0));
				/* In the connection: the data counts, the option does not. */
				wire_input(&peer, frame, wire_tcp(&peer, frame, &peer.conn, WIRE_ACK, o, n, 10));
				assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), 10);
				peer.conn.snd_nxt += 10;
			}
		}
	}
}

static void sack_blocks_out_of_range_are_ignored(void **state)
{
	static const uint32_t offsets[] = {0, 1, 100, 0x7fffffff, 0x80000000, 0x80000001, 0xffffff00, 0xffffffff};
	static const uint8_t bytes[8000];
	uint32_t una = peer.conn.rcv_nxt;
	struct wire_tcp *t = &peer.conn;
	uint8_t o[24] = {1, 1, 5, 10};

	(void)state;
	assert_int_equal(xmit_send(peer.net, peer.conn_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	struct wire_tcp said = *t;
	said.rcv_nxt = una;
	for (size_t a = 0; a < sizeof(offsets) / sizeof(offsets[0]); a++) {
		for (size_t b = 0; b < sizeof(offsets) / sizeof(offsets[0]); b++) {
			wire_put32(o + 4, una + offsets[a]);
			wire_put32(o + 8, una + offsets[b]);
			o[12] = o[13] = 1;
			o[14] = 8;
			o[15] = 10;
			wire_put32(o + 16, t->ts_val);
			wire_put32(o + 20, t->ts_ecr);
			wire_input(&peer, frame, wire_tcp(&peer, frame, &said, WIRE_ACK, o, sizeof(o), 0));
		}
	}
	for (int i = 0; i < 20; i++) { /* all of it comes out, whatever was claimed */
		wire_run(&peer, SIM_SEC);
		t->ts_val++;
		wire_timestamp(t, o);
		wire_input(&peer, frame, wire_tcp(&peer, frame, t, WIRE_ACK, o, 12, 0));
	}
	assert_int_equal(t->rcv_nxt - una, sizeof(bytes));
}

/* --- fragments -------------------------------------------------------------------------------------------------------------- */

static size_t make_fragment(uint8_t *f, uint16_t id, uint32_t offset, size_t n, bool more)
{
	size_t len;

	memset(f + WIRE_AT_L4, 0x66, n);
	len = wire_ip(&peer, f, IPPROTO_UDP, n);
	wire_put16(f + WIRE_AT_IP + 4, id);
	wire_put16(f + WIRE_AT_IP + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
	wire_fix_sums(f, len);
	return len;
}

static void overlapping_fragments_drop_their_packet(void **state)
{
	static const struct { uint32_t at; size_t n; } second[] = {{400, 408}, {792, 16}, {1592, 16}, {1200, 800}, {0, 1480}, {792, 816}};
	uint64_t overlaps = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		uint16_t id = (uint16_t)(100 + i);
		wire_input(&peer, frame, make_fragment(frame, id, 800, 800, true));
		expect_drop(frame, make_fragment(frame, id, second[i].at, second[i].n, true), NULL, "overlap", (unsigned)i);
		assert_int_equal(count("IpExtReasmOverlaps"), ++overlaps);
	}
	/* Exact repetition is harmless, and dropped alone. */
	wire_input(&peer, frame, make_fragment(frame, 200, 800, 800, true));
	expect_drop(frame, make_fragment(frame, 200, 800, 800, true), "DUP_FRAG", "repeated", 0);
	expect_drop(frame, make_fragment(frame, 200, 808, 8, true), "DUP_FRAG", "inside", 0);
	assert_int_equal(count("IpExtReasmOverlaps"), overlaps);
	/* Ends that contradict each other, and one beyond what a packet can be. */
	expect_drop(frame, make_fragment(frame, 200, 80, 80, false), NULL, "end before what is held", 0);
	wire_input(&peer, frame, make_fragment(frame, 201, 800, 80, false));
	expect_drop(frame, make_fragment(frame, 201, 1600, 80, true), NULL, "behind the end", 0);
	expect_drop(frame, make_fragment(frame, 202, 65528, 1000, false), NULL, "beyond 65,535", 0);
	expect_drop(frame, make_fragment(frame, 203, 8, 0, false), NULL, "empty", 0);
	wire_run(&peer, 40 * SIM_SEC);
	assert_int_equal(count("UdpInDatagrams"), 0);
}

/* 4,000 packets of which one of two fragments never comes, and the time after which they are given up; the most memory used meanwhile. */
static uint64_t unfinished_fragments(void)
{
	uint64_t most = 0;

	for (unsigned id = 0; id < 4000; id++) {
		wire_input(&peer, frame, make_fragment(frame, (uint16_t)id, id & 1 ? 1480 : 0, 1480, true));
		most = used_bytes() > most ? used_bytes() : most;
	}
	wire_run(&peer, 31 * SIM_SEC);
	return most;
}

static void unfinished_fragments_are_bounded_in_memory_and_time(void **state)
{
	uint64_t before = used_bytes(), most = unfinished_fragments(), left = used_bytes();
	uint8_t buf[2048];

	(void)state;
	assert_true(most - before < (4u << 20) / 4);
	assert_true(xmit_drops(peer.net, "FRAG_MEM") > 1000);
	assert_true(count("IpReasmTimeout") > 10);
	assert_true(count("IcmpOutTimeExcds") <= 10); /* the answers are limited too */
	/* All is given back, but for what the layers below keep at hand; and that does not grow. */
	assert_true(left < before + (256 << 10));
	unfinished_fragments();
	assert_true(used_bytes() <= left);
	/* There is room again: a packet in two pieces arrives. */
	size_t n = wire_udp(&peer, frame, WIRE_PEER_UDP_PORT, WIRE_UDP_PORT, 1400) - WIRE_AT_L4;
	memcpy(buf, frame + WIRE_AT_L4, n);
	for (unsigned piece = 0; piece < 2; piece++) {
		size_t at = piece * 704u, len = piece ? n - at : 704, whole = wire_ip(&peer, frame, IPPROTO_UDP, len);
		memcpy(frame + WIRE_AT_L4, buf + at, len); /* with the sum over all of it */
		wire_put16(frame + WIRE_AT_IP + 6, (uint16_t)(at / 8 | (piece ? 0 : 0x2000)));
		wire_fix_sums(frame, whole);
		wire_input(&peer, frame, whole);
	}
	assert_int_equal(xmit_recv(peer.net, peer.udp_fd, frame, sizeof(frame), 0), 1400);
	assert_memory_equal(frame, buf + WIRE_UDP, 1400);
}

/* --- floods -------------------------------------------------------------------------------------------------------------------- */

static void arp_flood_meets_the_tables_bound(void **state)
{
	uint64_t before = used_bytes();

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		size_t n = wire_arp(&peer, frame, 1, UINT32_C(0xc6120000) + i, WIRE_HOST_IP); /* 198.18.0.0/15 */
		frame[22 + 4] = (uint8_t)(i >> 8);
		frame[22 + 5] = (uint8_t)i;
		wire_input(&peer, frame, n);
		if (i % 100 == 0)
			wire_run(&peer, 10 * SIM_MS);
	}
	assert_true(count("NeighTableOverflows") > 1000);
	assert_true(used_bytes() < before + (1 << 20));
	wire_run(&peer, 120 * SIM_SEC);
	/* Answers that nobody asked for make no entries. */
	before = used_bytes();
	for (uint32_t i = 0; i < 2000; i++)
		wire_input(&peer, frame, wire_arp(&peer, frame, 2, UINT32_C(0xc6130000) + i, WIRE_HOST_IP));
	assert_true(used_bytes() <= before + (16 << 10));
}

static void datagrams_to_silent_neighbours_meet_the_tables_bound(void **state)
{
	uint64_t before = used_bytes();

	(void)state;
	/* A host that answers strangers' packets needs a neighbour for each: spoofed sources on its own network are the worst. */
	assert_int_equal(xmit_addr_add_text(peer.dev, "198.18.0.1/15"), 0);
	for (uint32_t i = 0; i < 4000; i++) {
		size_t n = make(ECHO, frame);
		wire_put32(frame + WIRE_AT_IP + 12, UINT32_C(0xc6120100) + i);
		wire_fix_sums(frame, n);
		wire_input(&peer, frame, n);
		if (i % 100 == 0)
			wire_run(&peer, SIM_MS);
	}
	wire_run(&peer, SIM_SEC);
	assert_true(used_bytes() < before + (3 << 20));
	wire_run(&peer, 200 * SIM_SEC);
	assert_true(xmit_drops(peer.net, "NEIGH_FAILED") + xmit_drops(peer.net, "NEIGH_CREATEFAIL") + xmit_drops(peer.net, "NEIGH_QUEUEFULL") > 3000);
	assert_true(used_bytes() < before + (512 << 10));
}

static void syn_flood_is_answered_by_cookies(void **state)
{
	uint64_t before = used_bytes();
	struct wire_tcp t = {.host_port = WIRE_TCP_PORT, .snd_nxt = 500};
	char buf[16];

	(void)state;
	for (unsigned port = 10000; port < 15000; port++) {
		t.peer_port = (uint16_t)port;
		wire_input(&peer, frame, wire_tcp(&peer, frame, &t, WIRE_SYN, usual_options, 4, 0));
	}
	assert_true(count("TcpExtSyncookiesSent") > 4900);
	assert_true(used_bytes() < before + (256 << 10));
	/* A guest who is no flood gets in through a cookie: the last one. */
	const struct wire_frame *answer = wire_sent(&peer, peer.frames - 1);
	assert_int_equal(wire_get16(answer->data + WIRE_AT_L4 + 2), 14999);
	assert_int_equal(answer->data[WIRE_AT_L4 + 13], WIRE_SYN | WIRE_ACK);
	t.snd_nxt++;
	t.rcv_nxt = wire_get32(answer->data + WIRE_AT_L4 + 4) + 1;
	wire_input(&peer, frame, wire_tcp(&peer, frame, &t, WIRE_ACK, NULL, 0, 10));
	assert_int_equal(count("TcpExtSyncookiesRecv"), 1);
	int fd = xmit_accept4(peer.net, peer.listen_fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(xmit_recv(peer.net, fd, buf, sizeof(buf), 0), 10);
	xmit_close(peer.net, fd);
	/* A cookie that was never given out. */
	t.peer_port = 15001;
	t.rcv_nxt += 12345;
	expect_drop(frame, wire_tcp(&peer, frame, &t, WIRE_ACK, NULL, 0, 10), NULL, "forged cookie", 0);
	assert_int_equal(count("TcpExtSyncookiesFailed"), 1);
	wire_run(&peer, 200 * SIM_SEC); /* the requests that were kept give up */
	assert_true(used_bytes() < before + (64 << 10));
}

static void port_scans_are_answered_within_limits(void **state)
{
	struct wire_tcp t = {.peer_port = 6000, .snd_nxt = 500, .rcv_nxt = 900};
	uint64_t resets = count("TcpOutRsts"), errors;

	(void)state;
	/* A closed TCP port answers each SYN or ACK by one RST, as Linux does; a RST by nothing. */
	for (unsigned port = 1000; port < 3000; port++) {
		t.host_port = (uint16_t)port;
		expect_drop(frame, wire_tcp(&peer, frame, &t, port & 1 ? WIRE_SYN : WIRE_ACK, NULL, 0, 0), "NO_SOCKET", "scan", port);
	}
	assert_int_equal(count("TcpOutRsts") - resets, 2000);
	uint64_t sent = peer.frames;
	for (unsigned port = 1000; port < 3000; port++) {
		t.host_port = (uint16_t)port;
		expect_drop(frame, wire_tcp(&peer, frame, &t, port & 1 ? WIRE_RST : WIRE_RST | WIRE_ACK, NULL, 0, 0), "NO_SOCKET", "scan by RST", port);
	}
	assert_int_equal(peer.frames, sent);
	/* Closed UDP ports: ICMP errors, a handful at once and one a second. */
	errors = count("IcmpOutDestUnreachs");
	for (unsigned port = 1000; port < 3000; port++) {
		wire_udp(&peer, frame, 7000, (uint16_t)port, 8);
		expect_drop(frame, WIRE_AT_L4 + WIRE_UDP + 8, "NO_SOCKET", "UDP scan", port);
		wire_run(&peer, SIM_MS);
	}
	assert_in_range(count("IcmpOutDestUnreachs") - errors, 1, 10);
	assert_true(count("IcmpOutRateLimitHost") + count("IcmpOutRateLimitGlobal") > 1900);
}

static void blind_resets_and_syns_meet_the_challenge_limit(void **state)
{
	struct wire_tcp t = peer.conn;
	uint64_t sent = peer.frames;

	(void)state;
	for (unsigned i = 1; i <= 3000; i++) { /* RFC 5961 3.2: in the window, but not at its edge */
		t.snd_nxt = peer.conn.snd_nxt + i * 4;
		wire_input(&peer, frame, wire_tcp(&peer, frame, &t, i & 1 ? WIRE_RST : WIRE_SYN, NULL, 0, 0));
	}
	assert_in_range(count("TcpExtTCPChallengeACK"), 1, 2000);
	assert_true(peer.frames - sent <= 2000);
	assert_true(refused() > 2900);
}

static void icmp_errors_with_wrong_quotes_do_nothing(void **state)
{
	uint8_t quote[64] = {0}, broken[64];
	static const struct { uint8_t at; uint8_t change; } changes[] = {
		{0, 0x40}, {0, 0x01}, {0, 0x0f}, {9, 0xff}, {12, 0x20}, {15, 0x40}, {19, 0x40}, {20, 0x10}, {22, 0x10}, {24, 0x40}, {25, 0x40}, {26, 0x80}};
	static const uint8_t codes[][2] = {{3, 0}, {3, 1}, {3, 2}, {3, 3}, {3, 4}, {3, 13}, {3, 200}, {11, 0}, {12, 0}, {4, 0}};
	struct xmit_tcp_info before, after;
	socklen_t len = sizeof(before);

	(void)state;
	assert_int_equal(xmit_getsockopt(peer.net, peer.conn_fd, IPPROTO_TCP, XMIT_TCP_INFO, &before, &len), 0);
	size_t n = quote_of_connection(quote);
	for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
		for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
			memcpy(broken, quote, sizeof(broken));
			broken[changes[i].at] ^= changes[i].change;
			wire_input(&peer, frame, wire_icmp(&peer, frame, codes[c][0], codes[c][1], 600, broken, n));
		}
		for (size_t cut = 0; cut < n; cut++)
			expect_drop(frame, wire_icmp(&peer, frame, codes[c][0], codes[c][1] > 15 ? 1 : codes[c][1], 600, quote, cut), NULL, "quote of length",
				    (unsigned)cut);
	}
	assert_true(count("TcpExtOutOfWindowIcmps") > 0 && count("IcmpInErrors") > 0);
	len = sizeof(after);
	assert_int_equal(xmit_getsockopt(peer.net, peer.conn_fd, IPPROTO_TCP, XMIT_TCP_INFO, &after, &len), 0);
	assert_int_equal(before.tcpi_snd_mss, after.tcpi_snd_mss);
	assert_int_equal(before.tcpi_pmtu, after.tcpi_pmtu);
	/* Right quotes that ask for a path narrower than any: bounded below (min_pmtu), the connection goes on. */
	quote_of_connection(quote);
	for (uint32_t mtu = 0; mtu < 600; mtu += 7)
		wire_input(&peer, frame, wire_icmp(&peer, frame, 3, 4, mtu, quote, n));
}

static void tiny_segments_out_of_order_stay_within_the_buffer(void **state)
{
	uint64_t before = used_bytes(), most = 0;
	struct wire_tcp t = peer.conn;
	uint8_t o[12], buf[4096];
	size_t got = 0;
	ssize_t r;

	(void)state;
	wire_timestamp(&t, o);
	for (unsigned i = 0; i < 20000; i++) { /* a byte here, a byte there, never the first */
		t.snd_nxt = peer.conn.snd_nxt + 1 + (i * 7919u % 30000) * 2;
		wire_input(&peer, frame, wire_tcp(&peer, frame, &t, WIRE_ACK, o, sizeof(o), 1));
		most = used_bytes() > most ? used_bytes() : most;
	}
	assert_true(most - before < (3 << 20));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), -1);
	/* The hole is filled: the stream is what it should be. */
	uint32_t start = peer.conn.snd_nxt;
	for (unsigned tries = 0; tries < 400 && got < 60000; tries++) {
		t.snd_nxt = start + (uint32_t)got;
		wire_input(&peer, frame, wire_tcp(&peer, frame, &t, WIRE_ACK, o, sizeof(o), 1000));
		while ((r = xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0)) > 0) {
			for (ssize_t i = 0; i < r; i++)
				assert_int_equal(buf[i], (uint8_t)(start + got + (size_t)i));
			got += (size_t)r;
		}
	}
	assert_true(got >= 60000);
	peer.conn.snd_nxt = start + (uint32_t)got;
}

#define HOSTILE_TEST(f) cmocka_unit_test_setup_teardown(f, with_connection, still_carries)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOSTILE_TEST(valid_frames_are_taken),
		HOSTILE_TEST(every_field_out_of_range_is_a_counted_drop),
		HOSTILE_TEST(every_truncation_is_a_counted_drop),
		HOSTILE_TEST(every_shorter_packet_is_survived),
		HOSTILE_TEST(ip_options_of_bad_length_are_counted_drops),
		HOSTILE_TEST(tcp_options_of_bad_length_are_passed_over),
		HOSTILE_TEST(sack_blocks_out_of_range_are_ignored),
		HOSTILE_TEST(overlapping_fragments_drop_their_packet),
		HOSTILE_TEST(unfinished_fragments_are_bounded_in_memory_and_time),
		HOSTILE_TEST(arp_flood_meets_the_tables_bound),
		HOSTILE_TEST(datagrams_to_silent_neighbours_meet_the_tables_bound),
		HOSTILE_TEST(syn_flood_is_answered_by_cookies),
		HOSTILE_TEST(port_scans_are_answered_within_limits),
		HOSTILE_TEST(blind_resets_and_syns_meet_the_challenge_limit),
		HOSTILE_TEST(icmp_errors_with_wrong_quotes_do_nothing),
		HOSTILE_TEST(tiny_segments_out_of_order_stay_within_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
