/* SPDX-License-Identifier: MIT */
/* run_host.c - the host's end of a TAP or TUN that we made: address, MTU, up.  By the interface ioctls of netdevice(7). */
#include "cmd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void put_addr(struct ifreq *ifr, in_addr_t addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = addr };

	memcpy(&ifr->ifr_addr, &in, sizeof(in));
}

static int configure(int fd, struct ifreq *ifr, const struct cidr *addr, unsigned mtu)
{
	if (mtu) {
		ifr->ifr_mtu = (int)mtu;
		if (ioctl(fd, SIOCSIFMTU, ifr) < 0)
			return complain("cannot set the MTU of %s to %u: %s", ifr->ifr_name, mtu, strerror(errno));
	}
	if (addr->given) {
		put_addr(ifr, addr->addr.s_addr);
		if (ioctl(fd, SIOCSIFADDR, ifr) < 0)
			return complain("cannot give %s its address (--host-addr): %s", ifr->ifr_name, strerror(errno));
		put_addr(ifr, htonl(~UINT32_C(0) << (32 - addr->prefix_len)));
		if (ioctl(fd, SIOCSIFNETMASK, ifr) < 0)
			return complain("cannot set the prefix length of %s: %s", ifr->ifr_name, strerror(errno));
	}
	if (ioctl(fd, SIOCGIFFLAGS, ifr) == 0) {
		ifr->ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, ifr) == 0)
			return 0;
	}
	return complain("cannot bring %s up: %s", ifr->ifr_name, strerror(errno));
}

int host_end_up(const char *ifname, const struct cidr *addr, unsigned mtu)
{
	struct ifreq ifr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return complain("cannot set up %s: %s", ifname, strerror(errno));
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, ifname, strlen(ifname) + 1);
	int rc = configure(fd, &ifr, addr, mtu);
	close(fd);
	return rc;
}
