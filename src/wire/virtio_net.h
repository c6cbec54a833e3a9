/* SPDX-License-Identifier: MIT */
/* virtio_net.h - the virtio-net header that TAP and AF_PACKET put before a frame (VIRTIO 1.1, section 5.1.6). */
#ifndef XMIT_WIRE_VIRTIO_NET_H
#define XMIT_WIRE_VIRTIO_NET_H

#include "lib/compiler.h"
#include <stdint.h>

enum { VIRTIO_NET_HDR_F_NEEDS_CSUM = 1, VIRTIO_NET_HDR_F_DATA_VALID = 2 };
enum {
	VIRTIO_NET_HDR_GSO_NONE = 0,
	VIRTIO_NET_HDR_GSO_TCPV4 = 1,
	VIRTIO_NET_HDR_GSO_UDP = 3,
	VIRTIO_NET_HDR_GSO_TCPV6 = 4,
	VIRTIO_NET_HDR_GSO_UDP_L4 = 5,
	VIRTIO_NET_HDR_GSO_ECN = 0x80,
};

/* Integers are in host order (the legacy form, as TUNSETVNETHDRSZ 10 gives). */
struct virtio_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};
static_assert(sizeof(struct virtio_net_hdr) == 10, "legacy virtio-net header is 10 bytes");

#endif
