/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - for the tests with frames from someone who means no good (sim/test_hostile_*.c): a host with a connection that must still carry data
 * when the case is over, one valid frame of each kind to break, and what a drop counts.
 *
 * The frames are made by wire_peer.c, which also checks every frame that the host answers with.
 */
#ifndef XMIT_TESTS_HOSTILE_H
#define XMIT_TESTS_HOSTILE_H

#include "test.h"
#include "wire_peer.h"
#include <netinet/in.h>

static struct wire_peer peer;
static uint8_t frame[2048];

static const uint8_t usual_options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};

static inline int with_connection(void **state)
{
	(void)state;
	wire_init(&peer, 11, 0, 0);
	return wire_establish(&peer, 4000, usual_options, sizeof(usual_options)) ? 0 : -1;
}

static inline int still_carries(void **state)
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

static inline uint64_t count(const char *name)
{
	bool known;
	uint64_t n = xmit_counter(peer.net, name, &known);

	assert_true(known);
	return n;
}

static inline uint64_t used_bytes(void)
{
	struct xmit_memory m;

	xmit_memory(peer.net, &m);
	return m.used_bytes;
}

/* Like wire_drops(), but also what the device refused. */
static inline uint64_t refused(void)
{
	struct xmit_dev_stats st;

	xmit_dev_stats(peer.dev, &st);
	return wire_drops(&peer) + st.rx_errors + count("TcpExtListenDrops");
}

/* The frame is dropped for `reason` (NULL: any) and for nothing else. */
static inline void expect_drop(const uint8_t *f, size_t n, const char *reason, const char *what, unsigned value)
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

static inline size_t quote_of_connection(uint8_t *q)
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

static inline size_t make(enum kind kind, uint8_t *f)
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

#define T(f) cmocka_unit_test_setup_teardown(f, with_connection, still_carries)

#endif
