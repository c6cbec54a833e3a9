/* SPDX-License-Identifier: MIT */
/*
 * test_hostile_frames.c - one frame that is not what it should be: each field out of range, each length, each option is a drop that is counted, and a
 * connection that existed before carries data afterwards.
 */
#include "hostile.h"

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

static uint8_t frame_options[40];

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(valid_frames_are_taken),
		T(every_field_out_of_range_is_a_counted_drop),
		T(every_truncation_is_a_counted_drop),
		T(every_shorter_packet_is_survived),
		T(ip_options_of_bad_length_are_counted_drops),
		T(tcp_options_of_bad_length_are_passed_over),
		T(sack_blocks_out_of_range_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
