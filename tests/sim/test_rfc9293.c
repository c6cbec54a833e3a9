/* SPDX-License-Identifier: MIT */
/*
 * test_rfc9293.c - rows of doc/rfc9293.md that packetdrill's language cannot say: initial sequence numbers, checksums, addresses, IP options,
 * options read byte by byte, and what takes a quarter of an hour.  Each test's head names its rows.
 *
 * The peer is made of bare frames (wire_peer.h).
 */
#include "tcp/tcp_conn.h"
#include "test.h"
#include "wire_peer.h"
#include "xmit/trace.h"
#include <netinet/in.h>
#include <poll.h>

static struct wire_peer peer;
static uint8_t frame[2048];

static const uint8_t mss_only[] = {2, 4, 5, 0xb4};
static const uint8_t usual[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};

static int set_up(void **state)
{
	(void)state;
	wire_init(&peer, 9293, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
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

/* n bytes in sequence, acknowledging all that the host sent. */
static size_t data(uint8_t *f, size_t n)
{
	return wire_tcp(&peer, f, &peer.conn, WIRE_ACK | WIRE_PSH, NULL, 0, n);
}

static const uint8_t *l4_of(const struct wire_frame *f) { return f->data + WIRE_ETH + 4u * (f->data[WIRE_AT_IP] & 15); }
static bool is_tcp(const struct wire_frame *f) { return wire_get16(f->data + 12) == 0x0800 && f->data[WIRE_AT_IP + 9] == IPPROTO_TCP; }
static uint32_t source_of(const struct wire_frame *f) { return wire_get32(f->data + WIRE_AT_IP + 12); }

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ip)}};
}

static int connecting(uint32_t ip, uint16_t port)
{
	struct sockaddr_in to = address(ip, port);
	int fd = xmit_socket(peer.net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_connect(peer.net, fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	wire_settle(&peer);
	return fd;
}

/* --- MUST-8, MUST-9, SHLD-1: initial sequence numbers ------------------------------------------------------------------------ */

enum { ISN_TICKS_A_SECOND = 15625000 }; /* Linux: 64 ns each; the RFC wants 4 us at the most */

static uint32_t isn(uint16_t port)
{
	return secure_tcp_seq(peer.net, CPU_TO_BE32(WIRE_HOST_IP), CPU_TO_BE32(WIRE_PEER_IP), CPU_TO_BE16(port), CPU_TO_BE16(80));
}

static void initial_numbers_follow_a_clock(void **state)
{
	(void)state;
	uint32_t first = isn(4000);
	wire_run(&peer, SIM_SEC);
	assert_int_equal(isn(4000) - first, ISN_TICKS_A_SECOND);
	wire_run(&peer, 100 * SIM_SEC);
	assert_int_equal(isn(4000) - first, 101u * ISN_TICKS_A_SECOND);
}

/* The distance between two connections' numbers tells nothing: it is another with another secret, and near with none. */
static void initial_numbers_need_a_secret(void **state)
{
	uint32_t distance[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		distance[i] = isn(4001) - isn(4000);
		assert_true(distance[i] + 1000 > 2000);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(distance[i], distance[k]);
		wire_exit(&peer);
		wire_init(&peer, 9294 + i, 0, 0);
	}
}

/* And that is what goes on the wire, for either role. */
static void initial_numbers_are_sent(void **state)
{
	(void)state;
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	uint32_t expected = secure_tcp_seq(peer.net, CPU_TO_BE32(WIRE_HOST_IP), CPU_TO_BE32(WIRE_PEER_IP), CPU_TO_BE16(80), CPU_TO_BE16(4000));
	assert_int_equal(peer.conn.rcv_nxt, expected + 1);
	int fd = connecting(WIRE_PEER_IP, 4000);
	const uint8_t *syn = l4_of(wire_sent(&peer, peer.frames - 1));
	assert_int_equal(syn[13], WIRE_SYN);
	expected = secure_tcp_seq(peer.net, CPU_TO_BE32(WIRE_HOST_IP), CPU_TO_BE32(WIRE_PEER_IP), CPU_TO_BE16(wire_get16(syn)), CPU_TO_BE16(4000));
	assert_int_equal(wire_get32(syn + 4), expected);
	xmit_close(peer.net, fd);
}

/* --- MUST-2, MUST-3: checksums ------------------------------------------------------------------------------------------------ */

/* Any one bit wrong, header or data: the segment is dropped and counted.  (wire_peer.c aborts at any sum of the host that is wrong: MUST-2.) */
static void a_wrong_checksum_is_dropped(void **state)
{
	static const size_t places[] = {4, 8, 13, 14, 16, 17, 20, 40, 119};
	char buf[256];

	(void)state;
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t n = data(frame, 100);
		uint64_t errors = count("TcpInCsumErrors");
		frame[WIRE_AT_L4 + places[i]] ^= 0x10;
		wire_input(&peer, frame, n);
		assert_int_equal(count("TcpInCsumErrors"), errors + 1);
	}
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
	wire_input(&peer, frame, data(frame, 100));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), 100);
}

/* --- MUST-68, MUST-69, SHLD-5: options, byte by byte --------------------------------------------------------------------------- */

static unsigned options_seen; /* bit n: option kind n */

/* Every option but NOP has its length; behind an end of list there are zeros only; SYNs, and nothing else, tell the MSS. */
static void check_options(const uint8_t *tcp)
{
	size_t end = (tcp[12] >> 4) * 4u, at = 20;
	bool mss = false;

	while (at < end && tcp[at]) {
		options_seen |= 1u << tcp[at];
		mss |= tcp[at] == 2;
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		assert_true(at + 1 < end);
		assert_in_range(tcp[at + 1], 2, end - at);
		at += tcp[at + 1];
	}
	for (; at < end; at++)
		assert_int_equal(tcp[at], 0);
	assert_int_equal(mss, !!(tcp[13] & WIRE_SYN));
}

static void options_on_the_wire(void **state)
{
	struct wire_tcp *t = &peer.conn;
	uint8_t stamp[12];

	(void)state;
	options_seen = 0;
	assert_true(wire_establish(&peer, 4000, usual, sizeof(usual)));
	for (unsigned i = 0; i < 3; i++) { /* ever more holes: SACK blocks beside the timestamps */
		t->snd_nxt += 200;
		wire_timestamp(t, stamp);
		wire_input(&peer, frame, wire_tcp(&peer, frame, t, WIRE_ACK, stamp, sizeof(stamp), 100));
	}
	assert_int_equal(xmit_send(peer.net, peer.conn_fd, "x", 1, 0), 1);
	wire_run(&peer, 2 * SIM_SEC); /* and repeated */
	int fd = connecting(WIRE_PEER_IP, 4000);
	assert_true(peer.frames >= 7 && peer.frames <= WIRE_KEPT);
	for (uint64_t i = 0; i < peer.frames; i++)
		if (is_tcp(wire_sent(&peer, i)))
			check_options(l4_of(wire_sent(&peer, i)));
	assert_int_equal(options_seen, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8);
	xmit_close(peer.net, fd);
}

/* --- MUST-57, MUST-63: addresses of nobody, or of many -------------------------------------------------------------------------- */

static void no_answer_to_a_syn(uint32_t source, uint32_t destination, bool to_all)
{
	struct wire_tcp t = {.host_port = WIRE_TCP_PORT, .peer_port = 4100, .snd_nxt = 1000};
	uint64_t sent = peer.frames;
	size_t n = wire_tcp(&peer, frame, &t, WIRE_SYN, mss_only, sizeof(mss_only), 0);

	if (to_all)
		memset(frame, 0xff, 6);
	wire_put32(frame + WIRE_AT_IP + 12, source);
	wire_put32(frame + WIRE_AT_IP + 16, destination);
	wire_fix_sums(frame, n);
	wire_input(&peer, frame, n);
	wire_run(&peer, 3 * SIM_SEC);
	for (; sent < peer.frames; sent++)
		if (is_tcp(wire_sent(&peer, sent)))
			fail_msg("a SYN from %x to %x was answered", source, destination);
}

static void syns_to_many_are_ignored(void **state)
{
	static const uint32_t many[] = {0xffffffff, 0xc00002ff /* 192.0.2.255 */, 0xe0000001 /* 224.0.0.1 */};

	(void)state;
	for (unsigned i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
		no_answer_to_a_syn(WIRE_PEER_IP, many[i], false);
		no_answer_to_a_syn(WIRE_PEER_IP, many[i], true);
	}
	no_answer_to_a_syn(WIRE_PEER_IP, WIRE_HOST_IP, true); /* ours, but shouted: RFC 1122 3.3.6 */
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
}

/* Linux (rp_filter 0, the default) lets the broadcast address of its own network pass for a source; so do we, and it is not among these. */
static void syns_from_invalid_sources_are_ignored(void **state)
{
	static const uint32_t invalid[] = {0, 0x7f000001, 0xe0000001, 0xffffffff, WIRE_HOST_IP};

	(void)state;
	for (unsigned i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		no_answer_to_a_syn(invalid[i], WIRE_HOST_IP, false);
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
}

/* --- MUST-44, MUST-45: the local address ----------------------------------------------------------------------------------------- */

/* IP chooses it before the SYN goes (the route's), and it is the connection's whatever becomes of routes and addresses. */
static void the_local_address_is_chosen_once(void **state)
{
	struct sockaddr_in local;
	socklen_t len = sizeof(local);
	uint64_t sent = peer.frames;

	(void)state;
	int fd = connecting(WIRE_PEER_IP, 4000);
	assert_int_equal(xmit_getsockname(peer.net, fd, (struct sockaddr *)&local, &len), 0);
	assert_int_equal(ntohl(local.sin_addr.s_addr), WIRE_HOST_IP);
	assert_int_equal(source_of(wire_sent(&peer, sent)), WIRE_HOST_IP);
	assert_int_equal(xmit_addr_add_text(peer.dev, "198.51.100.1/24"), 0);
	assert_int_equal(xmit_route_add_text(peer.net, "192.0.2.2/32 dev eth0 src 198.51.100.1"), 0);
	wire_run(&peer, 10 * SIM_SEC);
	len = sizeof(local);
	assert_int_equal(xmit_getsockname(peer.net, fd, (struct sockaddr *)&local, &len), 0);
	assert_int_equal(ntohl(local.sin_addr.s_addr), WIRE_HOST_IP);
	assert_true(peer.frames - sent >= 4);
	for (; sent < peer.frames; sent++)
		if (is_tcp(wire_sent(&peer, sent)))
			assert_int_equal(source_of(wire_sent(&peer, sent)), WIRE_HOST_IP);
	xmit_close(peer.net, fd);
}

/* --- MUST-50 to MUST-53, SHLD-24: IP options ------------------------------------------------------------------------------------- */

/* Puts IP options (a multiple of 4) into a frame of n bytes. */
static size_t add_ip_options(uint8_t *f, size_t n, const uint8_t *options, size_t len)
{
	memmove(f + WIRE_AT_L4 + len, f + WIRE_AT_L4, n - WIRE_AT_L4);
	memcpy(f + WIRE_AT_L4, options, len);
	f[WIRE_AT_IP] = (uint8_t)(f[WIRE_AT_IP] + len / 4);
	wire_put16(f + WIRE_AT_IP + 2, (uint16_t)(wire_get16(f + WIRE_AT_IP + 2) + len));
	wire_fix_sums(f, n + len);
	return n + len;
}

static void ip_options_not_understood_are_ignored(void **state)
{
	static const uint8_t unknown[] = {30, 6, 1, 2, 3, 4, 1, 0}, stream_id[] = {136, 4, 0, 7};
	char buf[256];

	(void)state;
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	wire_input(&peer, frame, add_ip_options(frame, data(frame, 50), unknown, sizeof(unknown)));
	peer.conn.snd_nxt += 50;
	wire_input(&peer, frame, add_ip_options(frame, data(frame, 50), stream_id, sizeof(stream_id)));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), 100);
}

/* MUST-51: a route by way of the peer to 198.51.100.9: the SYN goes to the peer, the way lies in the option; so does what is sent again. */
static void a_source_route_can_be_given(void **state)
{
	static const uint8_t way[] = {1, 131, 7, 4, 192, 0, 2, 2}, on_the_wire[] = {1, 131, 7, 4, 198, 51, 100, 9};
	struct sockaddr_in to = address(0xc6336409, 4000);
	uint64_t sent = peer.frames;
	int fd = xmit_socket(peer.net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)state;
	assert_int_equal(xmit_setsockopt(peer.net, fd, IPPROTO_IP, IP_OPTIONS, way, sizeof(way)), 0);
	assert_int_equal(xmit_connect(peer.net, fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	wire_run(&peer, 4 * SIM_SEC);
	assert_true(peer.frames - sent >= 2);
	for (; sent < peer.frames; sent++) {
		const uint8_t *ip = wire_sent(&peer, sent)->data + WIRE_AT_IP;
		assert_int_equal(ip[0], 0x47);
		assert_int_equal(wire_get32(ip + 16), WIRE_PEER_IP);
		assert_memory_equal(ip + 20, on_the_wire, sizeof(on_the_wire));
	}
	xmit_close(peer.net, fd);
}

/* MUST-53 and SHLD-24 as Linux has it by default (accept_source_route 0): a packet with a source route is dropped. */
static void received_source_routes_are_dropped(void **state)
{
	static const uint8_t came_by[] = {1, 131, 7, 8, 198, 51, 100, 9};
	struct wire_tcp t = {.host_port = WIRE_TCP_PORT, .peer_port = 4100, .snd_nxt = 1000};
	uint64_t sent = peer.frames;
	char buf[256];

	(void)state;
	wire_input(&peer, frame, add_ip_options(frame, wire_tcp(&peer, frame, &t, WIRE_SYN, mss_only, sizeof(mss_only), 0), came_by, sizeof(came_by)));
	wire_run(&peer, 3 * SIM_SEC);
	assert_int_equal(peer.frames, sent);
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	wire_input(&peer, frame, add_ip_options(frame, data(frame, 50), came_by, sizeof(came_by)));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
	wire_input(&peer, frame, data(frame, 50));
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, sizeof(buf), 0), 50);
}

/* --- MUST-66: RST and URG at a closed window --------------------------------------------------------------------------------------- */

static void fill_the_window(void)
{
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	for (unsigned i = 0; i < 1000 && peer.conn.window; i++) {
		size_t n = peer.conn.window < 1000 ? peer.conn.window : 1000;
		wire_input(&peer, frame, data(frame, n));
		wire_run(&peer, SIM_SEC); /* a delayed ACK comes, too */
		peer.conn.snd_nxt = peer.conn.acked;
	}
	assert_int_equal(peer.conn.window, 0);
}

static void a_closed_window_takes_urg_and_rst(void **state)
{
	char buf[8];

	(void)state;
	fill_the_window();
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, 1, MSG_OOB), -1);
	assert_int_equal(errno, EINVAL); /* no urgent data is known of */
	size_t n = wire_tcp(&peer, frame, &peer.conn, WIRE_ACK | WIRE_URG, NULL, 0, 0);
	wire_put16(frame + WIRE_AT_L4 + 18, 5);
	wire_fix_sums(frame, n);
	wire_input(&peer, frame, n);
	assert_int_equal(xmit_recv(peer.net, peer.conn_fd, buf, 1, MSG_OOB), -1);
	assert_int_equal(errno, EAGAIN); /* it is announced and has not come */
	wire_input(&peer, frame, wire_tcp(&peer, frame, &peer.conn, WIRE_RST, NULL, 0, 0));
	struct xmit_tcp_info info;
	socklen_t len = sizeof(info);
	assert_int_equal(xmit_getsockopt(peer.net, peer.conn_fd, IPPROTO_TCP, XMIT_TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_state, TCP_CLOSE);
}

/* --- MUST-20, SHLD-9, SHLD-10, SHLD-11: excessive retransmissions, with the defaults ------------------------------------------------- */

static short events_now(void)
{
	struct pollfd pfd = {.fd = peer.conn_fd, .events = POLLOUT};

	xmit_poll_sockets(peer.net, &pfd, 1, 0);
	return pfd.revents;
}

/*
 * R1 (tcp_retries1) of 3 repetitions: from then on IP is asked for the route anew at each.  R2 (tcp_retries2): the connection ends after as long
 * as 15 repetitions take, some 924 s.  Between the two nothing is reported (Linux has no such report).
 */
static void excessive_retransmissions(void **state)
{
	const uint64_t *asked = &peer.net->trace.hits[TP_ip_route_output_flow];
	uint64_t start, sent;
	int err;
	socklen_t len = sizeof(err);

	(void)state;
	assert_true(wire_establish(&peer, 4000, mss_only, sizeof(mss_only)));
	assert_int_equal(xmit_send(peer.net, peer.conn_fd, "x", 1, 0), 1);
	wire_run(&peer, 20 * SIM_MS); /* a round trip to measure: the timeout is 220 ms */
	wire_input(&peer, frame, data(frame, 0));
	assert_int_equal(xmit_trace_start(peer.net, 10), 0);
	start = peer.sim.now_ns;
	sent = peer.frames;
	assert_int_equal(xmit_send(peer.net, peer.conn_fd, "x", 1, 0), 1);
	wire_run(&peer, SIM_SEC);
	assert_in_range(peer.frames - sent, 3, 4); /* the segment and its first repetitions: below R1 */
	assert_int_equal(*asked, 0);
	wire_run(&peer, 100 * SIM_SEC);
	assert_true(*asked >= 3);
	while (!(events_now() & POLLERR) && peer.sim.now_ns - start < 2000 * SIM_SEC)
		wire_run(&peer, SIM_SEC);
	assert_in_range((peer.sim.now_ns - start) / SIM_SEC, 900, 950);
	assert_in_range(peer.frames - sent, 15, 18);
	assert_int_equal(xmit_getsockopt(peer.net, peer.conn_fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, ETIMEDOUT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(initial_numbers_follow_a_clock), T(initial_numbers_need_a_secret), T(initial_numbers_are_sent), T(a_wrong_checksum_is_dropped),
		T(options_on_the_wire), T(syns_to_many_are_ignored), T(syns_from_invalid_sources_are_ignored), T(the_local_address_is_chosen_once),
		T(ip_options_not_understood_are_ignored), T(a_source_route_can_be_given), T(received_source_routes_are_dropped),
		T(a_closed_window_takes_urg_and_rst), T(excessive_retransmissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
