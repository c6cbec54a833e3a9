/* SPDX-License-Identifier: MIT */
/* icmp.h - ICMP for IPv4 (RFC 792, RFC 1122 section 3.2.2, RFC 1191). */
#ifndef XMIT_WIRE_ICMP_H
#define XMIT_WIRE_ICMP_H

#include "lib/compiler.h"
#include "wire/byteorder.h"

enum {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,
	NR_ICMP_TYPES = 18,
};

enum {
	ICMP_NET_UNREACH = 0,
	ICMP_HOST_UNREACH = 1,
	ICMP_PROT_UNREACH = 2,
	ICMP_PORT_UNREACH = 3,
	ICMP_FRAG_NEEDED = 4,
	ICMP_SR_FAILED = 5,
	ICMP_NET_UNKNOWN = 6,
	ICMP_HOST_UNKNOWN = 7,
	ICMP_HOST_ISOLATED = 8,
	ICMP_NET_ANO = 9,
	ICMP_HOST_ANO = 10,
	ICMP_NET_UNR_TOS = 11,
	ICMP_HOST_UNR_TOS = 12,
	ICMP_PKT_FILTERED = 13,
	ICMP_PREC_VIOLATION = 14,
	ICMP_PREC_CUTOFF = 15,
	NR_ICMP_UNREACH = 15,
};
enum { ICMP_EXC_TTL = 0, ICMP_EXC_FRAGTIME = 1 };

struct icmphdr {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	union {
		struct { be16 id; be16 sequence; } echo;
		be32 gateway;
		struct { be16 unused; be16 mtu; } frag;
	} un;
};
static_assert(sizeof(struct icmphdr) == 8, "ICMP header is 8 bytes");

#endif
