/* SPDX-License-Identifier: MIT */
/* ip.h - IPv4 header (RFC 791), the fixed IPv6 header (RFC 8200), their constants. */
#ifndef XMIT_WIRE_IP_H
#define XMIT_WIRE_IP_H

#include "lib/compiler.h"
#include "wire/byteorder.h"

enum {
	IP_CE = 0x8000, /* frag_off bits, host order */
	IP_DF = 0x4000,
	IP_MF = 0x2000,
	IP_OFFSET = 0x1FFF, /* in units of 8 bytes */
	IP_MIN_MTU = 68, /* RFC 791 section 3.2 */
	IP_MAX_MTU = 65535,
	IPV4_HLEN_MIN = 20,
	IPV4_HLEN_MAX = 60,
};

enum { IPOPT_EOL = 0, IPOPT_NOP = 1, IPOPT_RR = 7, IPOPT_TS = 68, IPOPT_LSRR = 131, IPOPT_SSRR = 137, IPOPT_RTRALERT = 148 };

enum { INET_ECN_NOT_ECT = 0, INET_ECN_ECT_1 = 1, INET_ECN_ECT_0 = 2, INET_ECN_CE = 3, INET_ECN_MASK = 3 };

struct iphdr {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint8_t ihl : 4, version : 4; /* ihl: 32-bit words, 5 to 15 */
#else
	uint8_t version : 4, ihl : 4;
#endif
	uint8_t tos;
	be16 tot_len; /* bytes, header included */
	be16 id;
	be16 frag_off;
	uint8_t ttl;
	uint8_t protocol;
	uint16_t check; /* one's complement sum, as stored */
	be32 saddr;
	be32 daddr;
};
static_assert(sizeof(struct iphdr) == 20, "IPv4 header without options is 20 bytes");

struct ipv6hdr {
	be32 ver_tc_flow; /* version 4, traffic class 8, flow label 20 bits */
	be16 payload_len;
	uint8_t nexthdr;
	uint8_t hop_limit;
	be32 saddr[4];
	be32 daddr[4];
};
static_assert(sizeof(struct ipv6hdr) == 40, "IPv6 header is 40 bytes");

#endif
