/* SPDX-License-Identifier: MIT */
/*
 * tap.c - opens a TAP or TUN interface of the host (Linux) and runs it as a device; the ring is vnet_fd.c.
 *
 * With offloads the interface is told that we take checksums undone and whole TCP super-segments (TUNSETOFFLOAD), and gives us
 * the same in its virtio-net header; so a transfer costs one system call per 64 KB in each direction.
 */
#define _GNU_SOURCE
#include "drivers/vnet_fd.h"
#include "wire/virtio_net.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Attaches to (or creates) the interface.  Descriptor, or -errno. */
static int tap_open(const struct xmit_tap_config *c)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	strncpy(ifr.ifr_name, c->ifname, sizeof(ifr.ifr_name) - 1);
	ifr.ifr_flags = (short)((c->tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | (c->no_offload ? 0 : IFF_VNET_HDR));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/*
 * What the host may hand us: everything the virtio-net header can say about TCP over IPv4, or nothing; an interface that persists still
 * has what its last user said.
 */
static int tap_set_offload(int fd, bool none)
{
	int hdr_size = sizeof(struct virtio_net_hdr);

	if (none)
		return ioctl(fd, TUNSETOFFLOAD, 0) < 0 ? -errno : 0;
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_size) < 0)
		return -errno;
	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN) < 0)
		return -errno;
	return 0;
}

/*
 * Attaching gives the interface its carrier, but the host starts its transmit queue a moment later, in a work item, and drops what it is
 * to send before: our first ARP reply, for one.  Waits for it, 100 ms at most; an interface that is down has nothing to wait for.
 */
static void wait_until_running(int s, struct ifreq *ifr)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	for (int i = 0; i < 100; i++) {
		if (ioctl(s, SIOCGIFFLAGS, ifr) < 0 || !(ifr->ifr_flags & IFF_UP) || (ifr->ifr_flags & IFF_RUNNING))
			return;
		nanosleep(&ms, NULL);
	}
}

/* The host interface's MTU, 0 if it cannot be had. */
static unsigned ask_host(const char *ifname)
{
	struct ifreq ifr;
	unsigned mtu = 0;
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return 0;
	memset(&ifr, 0, sizeof(ifr));
	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	wait_until_running(s, &ifr);
	if (ioctl(s, SIOCGIFMTU, &ifr) == 0)
		mtu = (unsigned)ifr.ifr_mtu;
	close(s);
	return mtu;
}

xmit_dev *xmit_tap_new(xmit_net *net, const struct xmit_tap_config *config)
{
	struct xmit_tap_config c = {0};
	int fd, err;

	if (!config || config->size < sizeof(size_t) || config->size > sizeof(c)) {
		errno = EINVAL;
		return NULL;
	}
	memcpy(&c, config, config->size);
	if (c.fd <= 0 && (!c.ifname || !*c.ifname || strlen(c.ifname) >= IFNAMSIZ)) {
		errno = EINVAL;
		return NULL;
	}
	fd = c.fd > 0 ? c.fd : tap_open(&c);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	err = tap_set_offload(fd, c.no_offload);
	if (err)
		goto close_fd;
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		err = -errno;
		goto close_fd;
	}
	unsigned mtu = c.ifname ? ask_host(c.ifname) : 0;
	struct vnet_fd_config v = {
		.fd = fd,
		.name = c.name,
		.type = c.tun ? XMIT_DEV_NONE : XMIT_DEV_ETHER,
		.mtu = c.mtu ? c.mtu : mtu,
		.vnet_hdr = !c.no_offload,
	};
	vnet_fd_stable_mac(&v, c.mac, c.ifname);
	xmit_dev *dev = vnet_fd_new(net, &v);
	if (dev)
		return dev;
	err = -errno;
close_fd:
	if (c.fd <= 0)
		close(fd);
	errno = -err;
	return NULL;
}
