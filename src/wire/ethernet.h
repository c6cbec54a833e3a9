/* SPDX-License-Identifier: MIT */
/* ethernet.h - Ethernet II frame header (IEEE 802.3-2018 clause 3) and EtherType numbers. */
#ifndef XMIT_WIRE_ETHERNET_H
#define XMIT_WIRE_ETHERNET_H

#include "lib/compiler.h"
#include "wire/byteorder.h"

enum {
	ETH_ALEN = 6,     /* bytes of a hardware address */
	ETH_HLEN = 14,    /* bytes of struct ethhdr */
	ETH_ZLEN = 60,    /* least bytes of a frame, without FCS */
	ETH_DATA_LEN = 1500, /* default MTU, bytes */
	ETH_MIN_MTU = 68, /* RFC 791 */
	ETH_MAX_MTU = 65535,
};

enum {
	ETH_P_ALL = 0x0003, /* a tap on every frame, not a wire value */
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_8021Q = 0x8100,
	ETH_P_IPV6 = 0x86DD,
};

struct ethhdr {
	uint8_t h_dest[ETH_ALEN];
	uint8_t h_source[ETH_ALEN];
	be16 h_proto;
} PACKED;
static_assert(sizeof(struct ethhdr) == ETH_HLEN, "Ethernet header is 14 bytes");

static inline int eth_is_multicast(const uint8_t *a) { return a[0] & 1; } /* broadcast too */
static inline int eth_is_broadcast(const uint8_t *a)
{
	return (a[0] & a[1] & a[2] & a[3] & a[4] & a[5]) == 0xff;
}

#endif
