/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ip_fragments.c - fragments in any order, overlapping, missing, contradicting each other.
 *
 * Input:	mode, then records of { what, offset (2 bytes: as on the wire, flags and 8-byte units), length (2 bytes), options }
 * mode		bit 0: 1 MiB of memory; bit 1: one allocation fails, the one named by the next byte
 * what		bits 0 and 1: which of four datagrams (UDP, UDP, ICMP echo, TCP); bits 2 to 4: time; bit 5: the fragment has 8 bytes of IP
 *		options, which follow; bits 6 and 7: ECN
 *
 * The byte at each place of a datagram is a function of that place only, so that overlaps agree; so whatever comes out of the UDP socket must be
 * those bytes from the beginning on: a reassembly that loses, repeats or moves anything is found here.
 */
#include "fuzz.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

const char fuzz_name[] = "ip_fragments";

enum { SMALL = 1, FAIL = 2, PIECE_MOST = 1480, UDP_LENGTH = 3000 };

static uint8_t content(unsigned which, uint32_t at) { return (uint8_t)(at * 7 + (at >> 8) * 13 + which); }

/* The transport header of datagram `which`, byte `at` of it; its payload behind. */
static uint8_t datagram_byte(const struct wire_peer *p, unsigned which, uint32_t at)
{
	uint8_t h[WIRE_TCP] = {0};
	unsigned len = which < 2 ? WIRE_UDP : which == 2 ? WIRE_ICMP : WIRE_TCP;

	if (at >= len)
		return content(which, at - len);
	if (which < 2) {
		wire_put16(h, WIRE_PEER_UDP_PORT);
		wire_put16(h + 2, WIRE_UDP_PORT);
		wire_put16(h + 4, which ? WIRE_UDP + 64 : WIRE_UDP + UDP_LENGTH); /* no checksum */
	} else if (which == 2) {
		h[0] = 8;
	} else {
		wire_put16(h, p->conn.peer_port);
		wire_put16(h + 2, p->conn.host_port);
		wire_put32(h + 4, p->conn.snd_nxt);
		wire_put32(h + 8, p->conn.rcv_nxt);
		h[12] = 5 << 4;
		h[13] = WIRE_ACK;
	}
	return h[at];
}

static void send_fragment(struct wire_peer *p, struct fuzz_input *in)
{
	static const uint8_t protocol[4] = {IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_TCP};
	static uint8_t f[WIRE_AT_L4 + 8 + PIECE_MOST];
	uint8_t what = fuzz_u8(in), options[8] = {0};
	uint16_t field = fuzz_u16(in);
	size_t n = fuzz_u16(in) % (PIECE_MOST + 1), hlen = WIRE_IP;
	unsigned which = what & 3;
	uint8_t *ip = f + WIRE_ETH;

	if (what & 0x20) {
		fuzz_bytes(in, options, sizeof(options));
		memcpy(ip + WIRE_IP, options, sizeof(options));
		hlen += sizeof(options);
	}
	for (size_t i = 0; i < n; i++)
		ip[hlen + i] = datagram_byte(p, which, (field & 0x1fffu) * 8 + (uint32_t)i);
	wire_eth(p, f, 0x0800);
	ip[0] = (uint8_t)(0x40 | hlen / 4);
	ip[1] = what >> 6;
	wire_put16(ip + 2, (uint16_t)(hlen + n));
	wire_put16(ip + 4, (uint16_t)(77 + which));
	wire_put16(ip + 6, field);
	ip[8] = 64;
	ip[9] = protocol[which];
	wire_put32(ip + 12, WIRE_PEER_IP);
	wire_put32(ip + 16, WIRE_HOST_IP);
	wire_fix_sums(f, WIRE_ETH + hlen + n);
	wire_input(p, f, WIRE_ETH + hlen + n);
	if (fuzz_time(what >> 2))
		wire_run(p, fuzz_time(what >> 2));
}

static void check_received(struct wire_peer *p)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = xmit_recv(p->net, p->udp_fd, buf, sizeof(buf), 0)) >= 0) {
		unsigned which = n == UDP_LENGTH ? 0 : 1;
		if (which == 1 && n != 64) {
			fprintf(stderr, "a datagram of %zd bytes came out\n", n);
			abort();
		}
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != content(which, (uint32_t)i)) {
				fprintf(stderr, "byte %zd of datagram %u is not what was sent\n", i, which);
				abort();
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_peer p;
	struct fuzz_input in = {data, size};
	unsigned mode = fuzz_u8(&in), fail = mode & FAIL ? fuzz_u8(&in) : 0;

	wire_init(&p, 3, mode & SMALL ? 1 << 20 : 0, 0);
	wire_establish(&p, 4000, NULL, 0);
	xmit_fail_allocation(p.net, fail);
	while (in.left) {
		send_fragment(&p, &in);
		check_received(&p);
	}
	wire_run(&p, 2 * SIM_SEC);
	check_received(&p);
	wire_exit(&p);
	return 0;
}
