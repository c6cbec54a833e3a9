/* SPDX-License-Identifier: MIT */
/* arp.h - ARP for IPv4 over Ethernet (RFC 826). */
#ifndef XMIT_WIRE_ARP_H
#define XMIT_WIRE_ARP_H

#include "wire/ethernet.h"

enum { ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772, ARPHRD_NONE = 0xFFFE };
enum { ARPOP_REQUEST = 1, ARPOP_REPLY = 2 };

struct arphdr {
	be16 ar_hrd; /* ARPHRD_ETHER */
	be16 ar_pro; /* ETH_P_IP */
	uint8_t ar_hln; /* 6 */
	uint8_t ar_pln; /* 4 */
	be16 ar_op;
	uint8_t ar_sha[ETH_ALEN];
	be32 ar_sip;
	uint8_t ar_tha[ETH_ALEN];
	be32 ar_tip;
} PACKED;
static_assert(sizeof(struct arphdr) == 28, "ARP over Ethernet is 28 bytes");

#endif
