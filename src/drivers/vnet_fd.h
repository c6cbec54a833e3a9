/* SPDX-License-Identifier: MIT */
/* vnet_fd.h - a device behind a descriptor that carries one frame a read or write, behind a virtio-net header: TAP, TUN, AF_PACKET. */
#ifndef XMIT_DRIVERS_VNET_FD_H
#define XMIT_DRIVERS_VNET_FD_H

#include "xmit/dev.h"

struct vnet_fd_config {
	int fd;                   /* non-blocking; the device owns it from a successful start on */
	const char *name;         /* in the instance */
	enum xmit_dev_type type;
	unsigned mtu;             /* bytes of IP packet */
	bool vnet_hdr;            /* a virtio-net header stands before each frame */
	uint8_t mac[6];           /* zero: made up */
};

/*
 * The address wanted, or else one that depends on the host interface's name alone: a program started again is the same station to its
 * neighbours, whose ARP entries would otherwise be wrong until they time out.
 */
void vnet_fd_stable_mac(struct vnet_fd_config *c, const uint8_t wanted[6], const char *ifname);

/* NULL with errno; the descriptor is then still the caller's. */
xmit_dev *vnet_fd_new(xmit_net *net, const struct vnet_fd_config *config);

#endif
