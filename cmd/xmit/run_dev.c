/* SPDX-License-Identifier: MIT */
/* run_dev.c - the device of xmit run: made or attached to, with its address and route, or a message that says what to do. */
#include "cmd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "xmit/control.h"
#include "xmit/dev.h"

/* Frames of a size of which some fit into a window (run_passt.c), and three that follow a lost one tell of it. */
#define PASST_MTU 9000

static int explain_tun(const struct run_options *o, bool existed)
{
	const char *kind = o->dev == DEV_TUN ? "tun" : "tap";

	switch (errno) {
	case EPERM: case EACCES:
		return complain("no permission for the %s interface %s.  Either run as root; or let root make it yours once: ip tuntap add dev %s "
				"mode %s user $USER; or, without root, in a namespace of your own: unshare -Urn xmit run ...; or use --dev passt",
				kind, o->ifname, o->ifname, kind);
	case ENOENT: case ENODEV: case ENXIO:
		return complain("/dev/net/tun is not there (%s): load the module tun, or use --dev packet:IFACE with a veth pair, or --dev passt",
				strerror(errno));
	case EBUSY:
		return complain("%s is in use by another process: choose another name", o->ifname);
	case EINVAL:
		if (existed)
			return complain("%s exists but is not a %s interface: choose another name", o->ifname, kind);
		break;
	default:
		break;
	}
	return complain("cannot open the %s interface %s: %s", kind, o->ifname, strerror(errno));
}

static int open_tun(xmit_net *net, const struct run_options *o, struct run_device *d)
{
	bool existed = if_nametoindex(o->ifname) != 0;
	struct xmit_tap_config cfg = { .size = sizeof(cfg), .ifname = o->ifname, .name = "eth0", .tun = o->dev == DEV_TUN, .mtu = o->mtu };

	if (existed && o->host_addr.given)
		return complain("%s exists already, so its address is its owner's affair: leave --host-addr out", o->ifname);
	d->dev = xmit_tap_new(net, &cfg);
	if (!d->dev)
		return explain_tun(o, existed);
	return existed ? 0 : host_end_up(o->ifname, &o->host_addr, o->mtu);
}

static int open_packet(xmit_net *net, const struct run_options *o, struct run_device *d)
{
	if (!if_nametoindex(o->ifname))
		return complain("--dev packet:%s: there is no such interface (see ip link)", o->ifname);
	d->dev = xmit_af_packet_new(net, o->ifname, "eth0", o->mtu, false);
	if (d->dev)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return complain("no permission for packets on %s: run as root, or as root of a user and network namespace (unshare -Urn), or use "
				"--dev passt", o->ifname);
	return complain("cannot open %s for packets: %s", o->ifname, strerror(errno));
}

static int open_passt(xmit_net *net, const struct run_options *o, struct run_device *d)
{
	unsigned mtu = o->mtu ? o->mtu : PASST_MTU;

	if (!o->addr.given) {
		inet_pton(AF_INET, "10.0.2.15", &d->addr.addr);
		d->addr.prefix_len = 24;
		d->addr.given = true;
	}
	if (!o->has_gateway) { /* the first address of the network, or the second where that is ours */
		uint32_t mask = ~UINT32_C(0) << (32 - d->addr.prefix_len), host = ntohl(d->addr.addr.s_addr);
		uint32_t n = o->addr.given ? 1 : 2;
		if (d->addr.prefix_len > 30)
			return complain("--dev passt needs a gateway beside --addr: give --gateway, or a prefix length of at most 30");
		d->gateway.s_addr = htonl((host & mask) + ((host & ~mask) == n ? n + 1 : n));
	}
	int fd = passt_start(&d->addr, d->gateway, mtu, &d->passt);
	if (fd < 0)
		return -1;
	d->window = passt_window(fd);
	d->dev = xmit_stream_new(net, fd, "eth0", mtu);
	if (d->dev)
		return 0;
	complain("cannot make the device for passt: %s", strerror(errno));
	close(fd);
	return -1;
}

/* The route to the network of our address, which came with the address, gets the window too. */
static int limit_window(xmit_net *net, const struct run_device *d)
{
	uint32_t mask = d->addr.prefix_len ? ~UINT32_C(0) << (32 - d->addr.prefix_len) : 0;
	struct xmit_route r = { .size = sizeof(r), .dst = { htonl(ntohl(d->addr.addr.s_addr) & mask) }, .prefix_len = d->addr.prefix_len,
				.dev = d->dev };

	if (xmit_route_del(net, &r) < 0)
		return -1;
	r.prefsrc = d->addr.addr;
	r.window = d->window;
	return xmit_route_add(net, &r);
}

static int set_up(xmit_net *net, struct run_device *d)
{
	struct xmit_route r = { .size = sizeof(r), .gateway = d->gateway, .dev = d->dev, .window = d->window };

	if (xmit_dev_up(d->dev) < 0)
		return complain("cannot bring the device up: %s", strerror(errno));
	if (xmit_addr_add(d->dev, d->addr.addr, d->addr.prefix_len) < 0)
		return complain("cannot give the device its address: %s", strerror(errno));
	if (d->window && limit_window(net, d) < 0)
		return complain("cannot limit the receive window: %s", strerror(errno));
	if (d->gateway.s_addr && xmit_route_add(net, &r) < 0)
		return complain("cannot add the default route: %s", strerror(errno));
	return 0;
}

int run_open_device(xmit_net *net, const struct run_options *o, struct run_device *d)
{
	int rc = 0;

	memset(d, 0, sizeof(*d));
	d->addr = o->addr;
	d->gateway = o->gateway;
	switch (o->dev) {
	case DEV_NONE:
		return 0;
	case DEV_TAP: case DEV_TUN:
		rc = open_tun(net, o, d);
		break;
	case DEV_PACKET:
		rc = open_packet(net, o, d);
		break;
	case DEV_PASST:
		rc = open_passt(net, o, d);
		break;
	}
	return rc < 0 ? rc : set_up(net, d);
}
