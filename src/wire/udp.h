/* SPDX-License-Identifier: MIT */
/* udp.h - UDP header (RFC 768). */
#ifndef XMIT_WIRE_UDP_H
#define XMIT_WIRE_UDP_H

#include "lib/compiler.h"
#include "wire/byteorder.h"

struct udphdr {
	be16 source;
	be16 dest;
	be16 len; /* bytes, header included */
	uint16_t check; /* 0: none was computed; 0xffff stands for a computed 0 */
};
static_assert(sizeof(struct udphdr) == 8, "UDP header is 8 bytes");

#endif
