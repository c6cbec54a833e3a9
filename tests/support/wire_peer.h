/* SPDX-License-Identifier: MIT */
/*
 * wire_peer.h - one host and, on the other end of its wire, a peer that is not a stack: it says whatever frame a test makes up.
 *
 * The host (192.0.2.1) has a packet device, a listening TCP socket on port 80, a UDP socket on port 53 and, once asked for, an established
 * connection and one that is still opening.  The peer (192.0.2.2) keeps of each only what it needs to speak in its name: ports, sequence
 * numbers, timestamps.  Everything that the host sends is checked to be a packet that a host may send; a malformed one aborts.
 *
 * Frames are bytes: nothing here uses the stack's own header structures, so that an error in those does not hide itself.
 */
#ifndef XMIT_TESTS_WIRE_PEER_H
#define XMIT_TESTS_WIRE_PEER_H

#include "sim.h"

enum {
	WIRE_ETH = 14, WIRE_IP = 20, WIRE_TCP = 20, WIRE_UDP = 8, WIRE_ICMP = 8, /* header bytes */
	WIRE_AT_IP = WIRE_ETH, WIRE_AT_L4 = WIRE_ETH + WIRE_IP,                  /* where they start when IP has no options */
	WIRE_FRAME_MAX = 65536,
	WIRE_KEPT = 64, WIRE_KEPT_BYTES = 1600,
	WIRE_TCP_PORT = 80, WIRE_UDP_PORT = 53,                                  /* of the host's sockets */
	WIRE_PEER_UDP_PORT = 5353,
};
enum { WIRE_FIN = 1, WIRE_SYN = 2, WIRE_RST = 4, WIRE_PSH = 8, WIRE_ACK = 16, WIRE_URG = 32, WIRE_ECE = 64, WIRE_CWR = 128 };
#define WIRE_HOST_IP UINT32_C(0xc0000201) /* 192.0.2.1 */
#define WIRE_PEER_IP UINT32_C(0xc0000202) /* 192.0.2.2 */

/* One connection, as the peer sees it. */
struct wire_tcp {
	uint16_t host_port, peer_port;
	uint32_t snd_nxt;   /* the next byte that the peer would send */
	uint32_t rcv_nxt;   /* behind the last byte that the host was seen to send */
	uint32_t acked;     /* what the host has acknowledged */
	uint32_t ts_val, ts_ecr; /* the peer's next TSval; the host's last */
	bool timestamps;
	uint8_t flags_seen; /* of all segments that came, together */
	uint32_t window;    /* as the host last said, not scaled */
};

struct wire_frame {
	uint16_t len;
	uint8_t data[WIRE_KEPT_BYTES]; /* the first bytes of it */
};

struct wire_peer {
	struct sim sim;
	xmit_net *net;
	xmit_dev *dev;
	uint32_t features;  /* of the device: with CSUM frames out come without their transport's sum, with TSO they may be long */
	bool forwards;      /* other hosts' packets may come out */
	int listen_fd, udp_fd, conn_fd, opening_fd; /* -1: there is none */
	struct wire_tcp conn, opening;
	/* Optional: each TCP segment to the peer, len bytes of header and payload, its sums checked. */
	void (*on_segment)(void *ctx, const uint8_t *tcp, size_t len);
	void *ctx;
	uint64_t frames;    /* that the host sent */
	struct wire_frame kept[WIRE_KEPT]; /* the last of them: frame n in kept[n % WIRE_KEPT] */
};

/* The host, its device (features: XMIT_F_*) up, neighbour 192.0.2.2 known, the two sockets.  memory 0: 4 MiB. */
void wire_init(struct wire_peer *p, uint64_t seed, size_t memory, uint32_t features);
/* Frees the host; a leak aborts. */
void wire_exit(struct wire_peer *p);
/* p->conn: the peer's SYN from `port`, with these options (bytes, a multiple of 4), to ESTABLISHED and accepted.  False: it did not come to that. */
bool wire_establish(struct wire_peer *p, uint16_t port, const uint8_t *options, unsigned n);
/* p->opening: the host's connect() to the peer's `port`; its SYN is unanswered. */
bool wire_open(struct wire_peer *p, uint16_t port);
/* p->conn still works: data to the host arrives, data from the host comes out, with the right bytes. */
bool wire_carries(struct wire_peer *p);

/* Gives the host a frame and runs it until nothing is left to do at this moment. */
void wire_input(struct wire_peer *p, const uint8_t *frame, size_t n);
/* The same without running it; false: not taken. */
bool wire_queue(struct wire_peer *p, const uint8_t *frame, size_t n, const struct xmit_offload *o);
void wire_settle(struct wire_peer *p);
/* Virtual time passes. */
void wire_run(struct wire_peer *p, uint64_t ns);
/* Frame n of those that the host sent (the last WIRE_KEPT). */
const struct wire_frame *wire_sent(const struct wire_peer *p, uint64_t n);
/* All drops, whatever their reason; and the errors that are counted without a drop. */
uint64_t wire_drops(struct wire_peer *p);

/* --- making frames: each writes into f and returns its length; sums are right --------------------------------------------- */

size_t wire_eth(const struct wire_peer *p, uint8_t *f, uint16_t type);
/* Ethernet and IP headers in front of n bytes that the caller has put at f + WIRE_AT_L4. */
size_t wire_ip(const struct wire_peer *p, uint8_t *f, uint8_t protocol, size_t n);
size_t wire_arp(const struct wire_peer *p, uint8_t *f, uint16_t op, uint32_t sender_ip, uint32_t target_ip);
size_t wire_udp(const struct wire_peer *p, uint8_t *f, uint16_t from, uint16_t to, size_t n);
size_t wire_icmp(const struct wire_peer *p, uint8_t *f, uint8_t type, uint8_t code, uint32_t rest, const void *body, size_t n);
/* A segment of t at its present sequence numbers; options n bytes, a multiple of 4. */
size_t wire_tcp(const struct wire_peer *p, uint8_t *f, const struct wire_tcp *t, uint8_t flags, const uint8_t *options, unsigned n, size_t payload);
/* The timestamp option of t, padded to 12 bytes. */
void wire_timestamp(const struct wire_tcp *t, uint8_t *options);
/* Makes whatever sums lie within the frame right: IP, and TCP, UDP or ICMP of a packet that is no fragment.  Any bytes may be given. */
void wire_fix_sums(uint8_t *f, size_t n);

uint16_t wire_get16(const uint8_t *p);
uint32_t wire_get32(const uint8_t *p);
void wire_put16(uint8_t *p, uint16_t v);
void wire_put32(uint8_t *p, uint32_t v);

#endif
