/* SPDX-License-Identifier: MIT */
/* ifioctl.c - the SIOCGIF* requests, by which programs of old list interfaces and their addresses (netdevice(7)). */
#include "ip/devinet.h"
#include "socket/socket_internal.h"

/* Linux's numbers and layouts; the headers that hold them are not libc's. */
enum {
	IFR_NAME = 0x8910, IFR_CONF = 0x8912, IFR_FLAGS = 0x8913, IFR_ADDR = 0x8915, IFR_DSTADDR = 0x8917, IFR_BRDADDR = 0x8919,
	IFR_NETMASK = 0x891b, IFR_METRIC = 0x891d, IFR_MTU = 0x8921, IFR_HWADDR = 0x8927, IFR_INDEX = 0x8933, IFR_TXQLEN = 0x8942,
};
struct if_request { /* struct ifreq */
	char name[IFNAMSIZ_];
	union {
		struct sockaddr_in addr;
		struct { uint16_t type; uint8_t mac[ETH_ALEN]; } hw;
		int16_t flags;
		int32_t value;
		unsigned long room[sizeof(long) == 8 ? 3 : 4];
	};
};
struct if_conf { /* struct ifconf */
	int len;
	char *buf;
};
static_assert(sizeof(struct if_request) == (sizeof(long) == 8 ? 40 : 32), "as Linux's struct ifreq");

static int put_addr(struct if_request *r, be32 addr)
{
	memset(&r->addr, 0, sizeof(r->addr));
	r->addr.sin_family = AF_INET;
	r->addr.sin_addr.s_addr = addr;
	return 0;
}

static int list_addresses(struct net *net, struct if_conf *c)
{
	struct net_device *dev;
	struct in_ifaddr *ifa;
	int n = 0;

	if (c->buf && c->len < 0)
		return -EINVAL;
	for_each_netdev(net, dev) {
		if (!in_dev_get(dev))
			continue;
		list_for_each_entry(ifa, &in_dev_get(dev)->addrs, list) {
			struct if_request r = {0};

			if (c->buf && c->len - n < (int)sizeof(r))
				goto out; /* full: what fits is what he gets */
			memcpy(r.name, dev->name, sizeof(r.name));
			put_addr(&r, ifa->local);
			if (c->buf)
				memcpy(c->buf + n, &r, sizeof(r));
			n += (int)sizeof(r);
		}
	}
out:
	c->len = n;
	return 0;
}

/* Requests about an address: the device's first one. */
static int get_address(const struct net_device *dev, unsigned long cmd, struct if_request *r)
{
	const struct in_device *in = in_dev_get(dev);

	if (!in || list_empty(&in->addrs))
		return -EADDRNOTAVAIL;
	const struct in_ifaddr *ifa = list_first_entry(&in->addrs, struct in_ifaddr, list);
	switch (cmd) {
	case IFR_BRDADDR:
		return put_addr(r, ifa->broadcast);
	case IFR_NETMASK:
		return put_addr(r, ifa->mask);
	default:
		return put_addr(r, ifa->local);
	}
}

static int get_property(const struct net_device *dev, unsigned long cmd, struct if_request *r)
{
	switch (cmd) {
	case IFR_FLAGS:
		r->flags = (int16_t)(dev->flags | (netif_oper_up(dev) ? IFF_RUNNING_ : 0));
		return 0;
	case IFR_METRIC:
		r->value = 0;
		return 0;
	case IFR_MTU:
		r->value = (int32_t)dev->mtu;
		return 0;
	case IFR_TXQLEN:
		r->value = (int32_t)dev->tx_queue_len;
		return 0;
	case IFR_INDEX:
		r->value = dev->ifindex;
		return 0;
	case IFR_HWADDR:
		memset(r->room, 0, sizeof(r->room));
		r->hw.type = dev->type;
		memcpy(r->hw.mac, dev->dev_addr, ETH_ALEN);
		return 0;
	default:
		return get_address(dev, cmd, r);
	}
}

static int get_name(struct net *net, struct if_request *r)
{
	const struct net_device *dev = dev_get_by_index(net, r->value);

	if (!dev)
		return -ENODEV;
	memcpy(r->name, dev->name, sizeof(r->name));
	return 0;
}

int inet_ifioctl(struct net *net, unsigned long cmd, void *arg)
{
	struct if_request *r = arg;

	switch (cmd) {
	case IFR_CONF:
		return arg ? list_addresses(net, arg) : -EFAULT;
	case IFR_NAME:
		return arg ? get_name(net, arg) : -EFAULT;
	case IFR_FLAGS: case IFR_ADDR: case IFR_DSTADDR: case IFR_BRDADDR: case IFR_NETMASK: case IFR_METRIC: case IFR_MTU: case IFR_HWADDR:
	case IFR_INDEX: case IFR_TXQLEN:
		break;
	default:
		return -ENOTTY;
	}
	if (!r)
		return -EFAULT;
	r->name[IFNAMSIZ_ - 1] = 0;
	const struct net_device *dev = dev_get_by_name(net, r->name);
	return dev ? get_property(dev, cmd, r) : -ENODEV;
}
