/* SPDX-License-Identifier: MIT */
/*
 * test_handshake.c - what a SYN, its answer and the answer's answer carry besides flags: timestamp echoes (RFC 7323) and IP options (RFC 1122 4.2.3.8),
 * frame by frame.  The expectations were taken from a Linux 6.18 by a peer of raw frames like this one.
 */
#include "test.h"
#include "wire_peer.h"
#include <netinet/in.h>

static struct wire_peer peer;
static uint8_t frame[2048];

static int setup(void **state)
{
	(void)state;
	wire_init(&peer, 11, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wire_exit(&peer);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static uint64_t count(const char *name)
{
	bool known;
	uint64_t n = xmit_counter(peer.net, name, &known);

	assert_true(known);
	return n;
}

static const struct wire_frame *last_sent(void) { return wire_sent(&peer, peer.frames - 1); }
static const uint8_t *tcp_of(const struct wire_frame *f) { return f->data + WIRE_ETH + (f->data[WIRE_ETH] & 15) * 4; }
static uint8_t flags_of(const struct wire_frame *f) { return tcp_of(f)[13]; }

static const uint8_t mss_and_stamp[] = {2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0};

/* peer.conn: a SYN from port has gone in and its answer come out. */
static void syn_from(uint16_t port)
{
	peer.conn = (struct wire_tcp){.host_port = WIRE_TCP_PORT, .peer_port = port, .snd_nxt = 1000, .ts_val = 5000};
	wire_input(&peer, frame, wire_tcp(&peer, frame, &peer.conn, WIRE_SYN, mss_and_stamp, sizeof(mss_and_stamp), 0));
	assert_int_equal(flags_of(last_sent()), WIRE_SYN | WIRE_ACK);
	peer.conn.snd_nxt++;
	peer.conn.ts_val++;
}

static void ack_with_echo(uint32_t echo)
{
	uint8_t stamp[12];

	peer.conn.ts_ecr = echo;
	wire_timestamp(&peer.conn, stamp);
	wire_input(&peer, frame, wire_tcp(&peer, frame, &peer.conn, WIRE_ACK, stamp, sizeof(stamp), 0));
}

static bool accepted(void)
{
	int fd = xmit_accept4(peer.net, peer.listen_fd, NULL, NULL, SOCK_NONBLOCK);

	const struct linger none = {1, 0}; /* ends by RST: nothing of it is heard again */

	if (fd >= 0) {
		assert_int_equal(xmit_setsockopt(peer.net, fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
		xmit_close(peer.net, fd);
	}
	return fd >= 0;
}

/* The last ACK of a handshake echoes a SYN-ACK that was sent, or nothing; else it is answered by an ACK and the request goes on waiting. */
static void a_listener_refuses_echoes_of_what_it_did_not_send(void **state)
{
	static const struct { int32_t off; bool taken; } rows[] = {{0, true}, {-1, false}, {1, false}, {-5000, false}, {5000, false}, {INT32_MIN + 648, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		syn_from((uint16_t)(3000 + i));
		uint32_t said = peer.conn.ts_ecr;
		uint64_t sent = peer.frames, rejected = count("TcpExtTSEcrRejected"), dropped = xmit_drops(peer.net, "TCP_RFC7323_TSECR");
		ack_with_echo(said + (uint32_t)rows[i].off);
		assert_int_equal(accepted(), rows[i].taken);
		assert_int_equal(count("TcpExtTSEcrRejected") - rejected, !rows[i].taken);
		assert_int_equal(xmit_drops(peer.net, "TCP_RFC7323_TSECR") - dropped, !rows[i].taken);
		if (rows[i].taken)
			continue;
		assert_int_equal(peer.frames, sent + 1);
		assert_int_equal(flags_of(last_sent()), WIRE_ACK);
		wire_run(&peer, SIM_SEC / 2); /* beyond the limit on such answers; before the SYN-ACK is sent again */
		ack_with_echo(said); /* the request is still there */
		assert_true(accepted());
	}
	syn_from(3100);
	ack_with_echo(0); /* says nothing */
	assert_true(accepted());
}

static void any_syn_ack_that_was_sent_may_be_echoed(void **state)
{
	static const struct { uint32_t off_first, off_last; bool from_last, taken; } rows[] = {
		{0, 0, false, true}, {500, 0, false, true}, {UINT32_MAX, 0, false, false}, {0, 0, true, true}, {0, 1, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		syn_from((uint16_t)(3200 + i));
		uint32_t first = peer.conn.ts_ecr;
		uint64_t sent = peer.frames;
		wire_run(&peer, 1100 * SIM_MS);
		assert_int_equal(peer.frames, sent + 1); /* the SYN-ACK again */
		uint32_t last = peer.conn.ts_ecr;
		assert_in_range(last - first, 990, 1100);
		ack_with_echo(rows[i].from_last ? last + rows[i].off_last : first + rows[i].off_first);
		assert_int_equal(accepted(), rows[i].taken);
		if (!rows[i].taken) { /* not to be heard of again */
			ack_with_echo(last);
			assert_true(accepted());
		}
	}
}

/* The answer to a connect() echoes a SYN of ours; else it is answered by RST, and the SYN goes again. */
static void connect_refuses_echoes_of_what_it_did_not_send(void **state)
{
	static const struct { int32_t off; bool taken; } rows[] = {{0, true}, {-1, false}, {1, false}, {-5000, false}, {5000, false}};
	const struct linger none = {1, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t refused = count("TcpExtPAWSActive");
		uint8_t options[sizeof(mss_and_stamp)];
		assert_true(wire_open(&peer, (uint16_t)(4000 + i)));
		struct wire_tcp *t = &peer.opening;
		memcpy(options, mss_and_stamp, sizeof(options));
		wire_put32(options + 12, t->ts_ecr + (uint32_t)rows[i].off);
		wire_input(&peer, frame, wire_tcp(&peer, frame, t, WIRE_SYN | WIRE_ACK, options, sizeof(options), 0));
		assert_int_equal(flags_of(last_sent()), rows[i].taken ? WIRE_ACK : WIRE_RST);
		assert_int_equal(count("TcpExtPAWSActive") - refused, !rows[i].taken);
		uint64_t sent = peer.frames;
		wire_run(&peer, 1100 * SIM_MS);
		assert_int_equal(peer.frames - sent, !rows[i].taken);
		assert_int_equal(xmit_setsockopt(peer.net, peer.opening_fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
		xmit_close(peer.net, peer.opening_fd);
	}
}

/* --- IP options ---------------------------------------------------------------------------------------------------------------- */

static size_t with_ip_options(uint8_t *f, size_t len, const uint8_t *options, size_t n)
{
	uint8_t *ip = f + WIRE_AT_IP;

	memmove(ip + WIRE_IP + n, ip + WIRE_IP, len - WIRE_AT_L4);
	memcpy(ip + WIRE_IP, options, n);
	ip[0] = (uint8_t)(0x40 | (WIRE_IP + n) / 4);
	wire_put16(ip + 2, (uint16_t)(len - WIRE_AT_IP + n));
	wire_fix_sums(f, len + n);
	return len + n;
}

#define HOST 192, 0, 2, 1
struct echo_row { uint8_t n, in[12], n_out, out[12]; };
static const struct echo_row echoes[] = {
	/* record route: what was recorded when the SYN came in, and then our own address as of any host on the way */
	{12, {7, 11, 4}, 12, {7, 11, 12, HOST, HOST, 0}},
	{8, {7, 7, 4}, 8, {7, 7, 8, HOST, 0}},
	{8, {7, 7, 8, 1, 2, 3, 4, 0}, 8, {7, 7, 8, 1, 2, 3, 4, 0}}, /* full */
	{4, {148, 4, 0, 0}, 0, {0}},             /* router alert, no operation, security, unknown: not for the answer */
	{4, {1, 1, 1, 1}, 0, {0}},
	{12, {130, 11}, 0, {0}},
	{4, {99, 4, 0, 0}, 0, {0}},
};

static void ip_options_of_a_syn_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(echoes) / sizeof(*echoes); i++) {
		const struct echo_row *r = &echoes[i];
		uint16_t port = (uint16_t)(5000 + i);
		peer.conn = (struct wire_tcp){.host_port = WIRE_TCP_PORT, .peer_port = port, .snd_nxt = 1000, .ts_val = 5000};
		size_t n = wire_tcp(&peer, frame, &peer.conn, WIRE_SYN, mss_and_stamp, sizeof(mss_and_stamp), 0);
		wire_input(&peer, frame, with_ip_options(frame, n, r->in, r->n));
		const struct wire_frame *f = last_sent();
		assert_int_equal(flags_of(f), WIRE_SYN | WIRE_ACK);
		assert_int_equal((f->data[WIRE_AT_IP] & 15) * 4, WIRE_IP + r->n_out);
		assert_memory_equal(f->data + WIRE_AT_IP + WIRE_IP, r->out, r->n_out);
	}
	/* A timestamp too: the time it came in and the time it goes out, milliseconds of the day. */
	static const uint8_t stamps[12] = {68, 12, 5, 0};
	peer.conn.peer_port = 5100;
	wire_input(&peer, frame, with_ip_options(frame, wire_tcp(&peer, frame, &peer.conn, WIRE_SYN, NULL, 0, 0), stamps, 12));
	const uint8_t *o = last_sent()->data + WIRE_AT_IP + WIRE_IP;
	assert_int_equal(o[2], 13);
	uint32_t day_ms = (uint32_t)(xmit_realtime(peer.net) / 1000000 % 86400000);
	assert_int_equal(wire_get32(o + 4), day_ms);
	assert_int_equal(wire_get32(o + 8), day_ms);
}

static unsigned maxseg(int fd)
{
	int v = 0;
	socklen_t len = sizeof(v);

	assert_int_equal(xmit_getsockopt(peer.net, fd, IPPROTO_TCP, XMIT_TCP_MAXSEG, &v, &len), 0);
	return (unsigned)v;
}

/* The connection keeps them, as the socket's own: its segments are the shorter for it. */
static void the_connection_keeps_the_ip_options_of_its_syn(void **state)
{
	static const uint8_t rr[12] = {7, 11, 4}, kept[12] = {7, 11, 8, HOST};
	static const char bytes[5000];
	uint8_t stamp[12], out[40];
	socklen_t len = sizeof(out);

	(void)state;
	peer.conn = (struct wire_tcp){.host_port = WIRE_TCP_PORT, .peer_port = 5200, .snd_nxt = 1000, .ts_val = 5000};
	size_t n = wire_tcp(&peer, frame, &peer.conn, WIRE_SYN, mss_and_stamp, sizeof(mss_and_stamp), 0);
	wire_input(&peer, frame, with_ip_options(frame, n, rr, sizeof(rr)));
	peer.conn.snd_nxt++;
	wire_timestamp(&peer.conn, stamp);
	wire_input(&peer, frame, wire_tcp(&peer, frame, &peer.conn, WIRE_ACK, stamp, sizeof(stamp), 0));
	int fd = peer.conn_fd = xmit_accept4(peer.net, peer.listen_fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(xmit_getsockopt(peer.net, fd, IPPROTO_IP, 4 /* IP_OPTIONS */, out, &len), 0);
	assert_int_equal(len, sizeof(kept));
	assert_memory_equal(out, kept, sizeof(kept));
	assert_int_equal(maxseg(fd), 1448 - 12);
	assert_int_equal(xmit_send(peer.net, fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	wire_settle(&peer);
	assert_int_equal(wire_sent(&peer, peer.frames - 4)->len, WIRE_ETH + 1500);
	assert_int_equal(wire_sent(&peer, peer.frames - 4)->data[WIRE_AT_IP], 0x48);
}

/* Set while the connection stands, they count at once; taken away, the room is there again. */
static void ip_options_set_on_a_connection_count(void **state)
{
	static const uint8_t rr[16] = {7, 15, 4}, nop[4] = {1, 1, 1, 1};
	static const char bytes[1448 * 2];

	(void)state;
	assert_true(wire_establish(&peer, 5300, mss_and_stamp, sizeof(mss_and_stamp)));
	int fd = peer.conn_fd;
	struct xmit_tcp_info info;
	socklen_t len = sizeof(info);
	assert_int_equal(maxseg(fd), 1448);
	assert_int_equal(xmit_getsockopt(peer.net, fd, IPPROTO_TCP, XMIT_TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_pmtu, 1500);
	assert_int_equal(xmit_setsockopt(peer.net, fd, IPPROTO_IP, 4, rr, sizeof(rr)), 0);
	assert_int_equal(maxseg(fd), 1448 - 16);
	assert_int_equal(xmit_setsockopt(peer.net, fd, IPPROTO_IP, 4, nop, sizeof(nop)), 0);
	assert_int_equal(maxseg(fd), 1448 - 4);
	assert_int_equal(xmit_send(peer.net, fd, bytes, sizeof(bytes), 0), sizeof(bytes)); /* frames beyond the MTU would abort the test */
	wire_settle(&peer);
	assert_int_equal(xmit_setsockopt(peer.net, fd, IPPROTO_IP, 4, NULL, 0), 0);
	assert_int_equal(maxseg(fd), 1448);
	assert_true(wire_carries(&peer));
	/* On a listener they are its own: a connection has those of its SYN, here none. */
	assert_int_equal(xmit_setsockopt(peer.net, peer.listen_fd, IPPROTO_IP, 4, rr, sizeof(rr)), 0);
	xmit_close(peer.net, fd);
	assert_true(wire_establish(&peer, 5301, mss_and_stamp, sizeof(mss_and_stamp)));
	assert_int_equal(maxseg(peer.conn_fd), 1448);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_listener_refuses_echoes_of_what_it_did_not_send), T(any_syn_ack_that_was_sent_may_be_echoed),
		T(connect_refuses_echoes_of_what_it_did_not_send), T(ip_options_of_a_syn_come_back), T(the_connection_keeps_the_ip_options_of_its_syn),
		T(ip_options_set_on_a_connection_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
