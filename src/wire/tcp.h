/* SPDX-License-Identifier: MIT */
/* tcp.h - TCP header (RFC 9293 section 3.1), option kinds, flags. */
#ifndef XMIT_WIRE_TCP_H
#define XMIT_WIRE_TCP_H

#include "lib/compiler.h"
#include "wire/byteorder.h"

struct tcphdr {
	be16 source;
	be16 dest;
	be32 seq;
	be32 ack_seq;
	uint8_t doff_res; /* high nibble: header length in 32-bit words, 5 to 15 */
	uint8_t flags; /* TCPHDR_* */
	be16 window;
	uint16_t check;
	be16 urg_ptr;
};
static_assert(sizeof(struct tcphdr) == 20, "TCP header without options is 20 bytes");

enum {
	TCPHDR_FIN = 0x01,
	TCPHDR_SYN = 0x02,
	TCPHDR_RST = 0x04,
	TCPHDR_PSH = 0x08,
	TCPHDR_ACK = 0x10,
	TCPHDR_URG = 0x20,
	TCPHDR_ECE = 0x40,
	TCPHDR_CWR = 0x80,
	TCPHDR_SYNACK = TCPHDR_SYN | TCPHDR_ACK,
	TCP_RES_AE = 0x01,     /* of doff_res: accurate ECN (RFC 9768) */
};

enum {
	TCPOPT_EOL = 0,
	TCPOPT_NOP = 1,
	TCPOPT_MSS = 2,        /* RFC 9293 3.7.1 */
	TCPOPT_WINDOW = 3,     /* RFC 7323 */
	TCPOPT_SACK_PERM = 4,  /* RFC 2018 */
	TCPOPT_SACK = 5,
	TCPOPT_TIMESTAMP = 8,  /* RFC 7323 */
	TCPOPT_MD5SIG = 19,    /* RFC 2385 */
	TCPOPT_FASTOPEN = 34,  /* RFC 7413 */
	TCPOPT_EXP = 254,      /* experiments, RFC 6994 */
};

enum {
	TCPOLEN_MSS = 4,
	TCPOLEN_WINDOW = 3,
	TCPOLEN_SACK_PERM = 2,
	TCPOLEN_TIMESTAMP = 10,
	TCPOLEN_TSTAMP_ALIGNED = 12,
	TCPOLEN_WSCALE_ALIGNED = 4,
	TCPOLEN_SACKPERM_ALIGNED = 4,
	TCPOLEN_SACK_BASE = 2,
	TCPOLEN_SACK_BASE_ALIGNED = 4,
	TCPOLEN_SACK_PERBLOCK = 8,
	TCPOLEN_MSS_ALIGNED = 4,
	TCP_MAX_OPTION_SPACE = 40,
	TCP_MAX_WSCALE = 14,   /* RFC 7323 2.3 */
	TCP_MIN_MSS = 88,      /* what Linux accepts as least */
	TCP_MSS_DEFAULT = 536, /* RFC 9293 MUST-15 */
	TCP_HLEN_MAX = 60,
};

static inline unsigned tcp_hdrlen_of(const struct tcphdr *th) { return (th->doff_res >> 4) * 4u; }
static inline void tcp_set_hdrlen(struct tcphdr *th, unsigned bytes) { th->doff_res = (uint8_t)((bytes / 4) << 4); }

/* Sequence numbers live on a circle of 2^32 (RFC 9293 section 3.4): compare only through these. */
static inline int seq_before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline int seq_after(uint32_t a, uint32_t b) { return seq_before(b, a); }
static inline int seq_before_eq(uint32_t a, uint32_t b) { return !seq_before(b, a); }
static inline int seq_after_eq(uint32_t a, uint32_t b) { return !seq_before(a, b); }
/* lo <= s <= hi on the circle. */
static inline int seq_between(uint32_t s, uint32_t lo, uint32_t hi) { return hi - lo >= s - lo; }

#endif
