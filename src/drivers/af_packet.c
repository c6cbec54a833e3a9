/* SPDX-License-Identifier: MIT */
/*
 * af_packet.c - a packet socket on an interface of the host (Linux), run as a device; the ring is vnet_fd.c.
 *
 * The instance has a link address of its own on the host's interface, which is therefore put into promiscuous mode for the life of
 * the socket.  Our own frames are not echoed (PACKET_IGNORE_OUTGOING).  Checksums and super-segments pass by virtio-net header.
 */
#define _GNU_SOURCE
#include "drivers/vnet_fd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER_BYTES = 8 << 20 };

static int enable(int fd, int option)
{
	int one = 1;

	return setsockopt(fd, SOL_PACKET, option, &one, sizeof(one)) < 0 ? -errno : 0;
}

static int set_promiscuous(int fd, unsigned ifindex)
{
	struct packet_mreq m = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};

	return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0 ? -errno : 0;
}

/* A bulk sender must not lose its own frames for want of socket buffer: as much as the host allows. */
static void size_buffers(int fd)
{
	int bytes = SOCKET_BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int packet_socket(const char *ifname, bool no_offload)
{
	unsigned ifindex = if_nametoindex(ifname);
	/* Protocol 0: nothing is received before bind() names interface and protocol. */
	int fd = ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	int err;

	if (fd < 0)
		return -errno;
	err = enable(fd, PACKET_IGNORE_OUTGOING);
	if (!err && !no_offload)
		err = enable(fd, PACKET_VNET_HDR);
	if (!err)
		err = set_promiscuous(fd, ifindex);
	if (err)
		goto close_fd;
	size_buffers(fd);
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)ifindex};
	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)) == 0)
		return fd;
	err = -errno;
close_fd:
	close(fd);
	return err;
}

static unsigned host_mtu(int fd, const char *ifname)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	return ioctl(fd, SIOCGIFMTU, &ifr) == 0 ? (unsigned)ifr.ifr_mtu : 0;
}

xmit_dev *xmit_af_packet_new(xmit_net *net, const char *ifname, const char *name, unsigned mtu, bool no_offload)
{
	if (!ifname || !*ifname || strlen(ifname) >= IFNAMSIZ) {
		errno = EINVAL;
		return NULL;
	}
	int fd = packet_socket(ifname, no_offload);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	struct vnet_fd_config v = {.fd = fd, .name = name, .type = XMIT_DEV_ETHER, .mtu = mtu ? mtu : host_mtu(fd, ifname),
				   .vnet_hdr = !no_offload};
	vnet_fd_stable_mac(&v, NULL, ifname);
	xmit_dev *dev = vnet_fd_new(net, &v);
	if (!dev) {
		int err = errno;
		close(fd);
		errno = err;
	}
	return dev;
}
