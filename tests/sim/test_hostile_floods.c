/* SPDX-License-Identifier: MIT */
/*
 * test_hostile_floods.c - many frames from someone who means no good: memory, answers and time stay within their bounds, and a connection that
 * existed before carries data afterwards.
 */
#include "hostile.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(overlapping_fragments_drop_their_packet),
		T(unfinished_fragments_are_bounded_in_memory_and_time),
		T(arp_flood_meets_the_tables_bound),
		T(datagrams_to_silent_neighbours_meet_the_tables_bound),
		T(syn_flood_is_answered_by_cookies),
		T(port_scans_are_answered_within_limits),
		T(blind_resets_and_syns_meet_the_challenge_limit),
		T(icmp_errors_with_wrong_quotes_do_nothing),
		T(tiny_segments_out_of_order_stay_within_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
