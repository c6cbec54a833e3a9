/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - NETLINK_ROUTE sockets of the program: what getaddrinfo(), getifaddrs() and `ip` ask for.
 *
 * The program holds one end of a datagram pair (dgram.c); what it writes there, or sends by a trapped call, is a list of requests, which are
 * answered into the same pair at once, from port 0 as the kernel's would be.  Told are lo and the stack's device, their addresses and
 * the routes that follow from the options of xmit run; neighbours are none.  Changes are refused with EPERM: the network is set up by the
 * options.  Other netlink protocols either concern the host's network (refused: sock_diag, netfilter, xfrm) or not (left to the kernel).
 */
#include "supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include "xmit/dev.h"

#define REPLY_BYTES 8192
#ifndef ARPHRD_NONE
#define ARPHRD_NONE 0xfffe
#endif

/* One reply being written: messages for one datagram. */
struct reply {
	_Alignas(NLMSG_ALIGNTO) char buf[REPLY_BYTES];
	size_t len;
	const struct nlmsghdr *request;
	uint32_t port;
	bool dump;
};

static struct nlmsghdr *put_message(struct reply *r, uint16_t type)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->buf + r->len);

	h->nlmsg_type = type;
	h->nlmsg_flags = r->dump ? NLM_F_MULTI : 0;
	h->nlmsg_seq = r->request->nlmsg_seq;
	h->nlmsg_pid = r->port;
	return h;
}

static void end_message(struct reply *r, const struct nlmsghdr *h)
{
	r->len += MNL_ALIGN(h->nlmsg_len);
}

static void put_error(struct reply *r, int error)
{
	struct nlmsghdr *h = put_message(r, NLMSG_ERROR);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(h, sizeof(*e));

	h->nlmsg_flags = 0;
	e->error = -error;
	e->msg = *r->request;
	end_message(r, h);
}

static void put_done(struct reply *r)
{
	struct nlmsghdr *h = put_message(r, NLMSG_DONE);
	int *status = mnl_nlmsg_put_extra_header(h, sizeof(*status));

	*status = 0;
	end_message(r, h);
}

/* --- what there is --- */

static xmit_dev *loopback(struct supervisor *sup)
{
	return xmit_dev_by_name(sup->net, "lo");
}

static struct in_addr network(const struct frontend_config *cfg)
{
	uint32_t mask = cfg->prefix_len ? ~UINT32_C(0) << (32 - cfg->prefix_len) : 0;
	struct in_addr a = { cfg->addr.s_addr & htonl(mask) };

	return a;
}

static void put_stats(struct nlmsghdr *h, xmit_dev *dev)
{
	struct xmit_dev_stats st;
	struct rtnl_link_stats64 s = { 0 };

	memset(&st, 0, sizeof(st));
	xmit_dev_stats(dev, &st);
	s.rx_packets = st.rx_packets;
	s.tx_packets = st.tx_packets;
	s.rx_bytes = st.rx_bytes;
	s.tx_bytes = st.tx_bytes;
	s.rx_errors = st.rx_errors;
	s.tx_errors = st.tx_errors;
	s.rx_dropped = st.rx_dropped;
	s.tx_dropped = st.tx_dropped;
	s.multicast = st.multicast;
	mnl_attr_put(h, IFLA_STATS64, sizeof(s), &s);
}

static void put_link(struct supervisor *sup, struct reply *r, xmit_dev *dev)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, none[6];
	bool lo = dev == loopback(sup), ether = !lo && xmit_dev_is_ethernet(dev);
	struct nlmsghdr *h = put_message(r, RTM_NEWLINK);
	struct ifinfomsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
	i->ifi_type = lo ? ARPHRD_LOOPBACK : ether ? ARPHRD_ETHER : ARPHRD_NONE;
	i->ifi_index = xmit_dev_index(dev);
	i->ifi_flags = IFF_UP | IFF_RUNNING | 1U << 16 /* LOWER_UP */ |
		       (unsigned)(lo ? IFF_LOOPBACK : ether ? IFF_BROADCAST | IFF_MULTICAST : IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST);
	mnl_attr_put_strz(h, IFLA_IFNAME, xmit_dev_name(dev));
	mnl_attr_put_u32(h, IFLA_TXQLEN, 1000);
	mnl_attr_put_u8(h, IFLA_OPERSTATE, lo ? 0 : 6);
	mnl_attr_put_u8(h, IFLA_LINKMODE, 0);
	mnl_attr_put_u32(h, IFLA_MTU, xmit_dev_mtu(dev));
	mnl_attr_put_u32(h, IFLA_GROUP, 0);
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 1);
	mnl_attr_put_strz(h, IFLA_QDISC, lo ? "noqueue" : "pfifo_fast");
	if (lo || ether) {
		mnl_attr_put(h, IFLA_ADDRESS, 6, lo ? none : xmit_dev_mac(dev));
		mnl_attr_put(h, IFLA_BROADCAST, 6, lo ? none : broadcast);
	}
	put_stats(h, dev);
	end_message(r, h);
}

static void put_addr(struct reply *r, xmit_dev *dev, struct in_addr addr, unsigned prefix_len, bool lo)
{
	struct nlmsghdr *h = put_message(r, RTM_NEWADDR);
	struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof(*i));
	struct ifa_cacheinfo forever = { .ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX };

	i->ifa_family = AF_INET;
	i->ifa_prefixlen = (uint8_t)prefix_len;
	i->ifa_flags = IFA_F_PERMANENT;
	i->ifa_scope = lo ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	i->ifa_index = (uint32_t)xmit_dev_index(dev);
	mnl_attr_put_u32(h, IFA_ADDRESS, addr.s_addr);
	mnl_attr_put_u32(h, IFA_LOCAL, addr.s_addr);
	if (!lo && prefix_len < 31)
		mnl_attr_put_u32(h, IFA_BROADCAST, addr.s_addr | htonl(prefix_len ? ~UINT32_C(0) >> prefix_len : ~UINT32_C(0)));
	mnl_attr_put_strz(h, IFA_LABEL, xmit_dev_name(dev));
	mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_PERMANENT);
	mnl_attr_put(h, IFA_CACHEINFO, sizeof(forever), &forever);
	end_message(r, h);
}

static void put_route(struct reply *r, xmit_dev *dev, struct in_addr dst, unsigned prefix_len, struct in_addr gateway, struct in_addr src,
		      unsigned char type)
{
	struct nlmsghdr *h = put_message(r, RTM_NEWROUTE);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	bool local = type == RTN_LOCAL;

	m->rtm_family = AF_INET;
	m->rtm_dst_len = (uint8_t)prefix_len;
	m->rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	m->rtm_protocol = gateway.s_addr ? RTPROT_BOOT : RTPROT_KERNEL;
	m->rtm_scope = local ? RT_SCOPE_HOST : gateway.s_addr || r->request->nlmsg_flags == NLM_F_REQUEST ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = type;
	mnl_attr_put_u32(h, RTA_TABLE, m->rtm_table);
	if (prefix_len)
		mnl_attr_put_u32(h, RTA_DST, dst.s_addr);
	if (src.s_addr)
		mnl_attr_put_u32(h, RTA_PREFSRC, src.s_addr);
	if (gateway.s_addr)
		mnl_attr_put_u32(h, RTA_GATEWAY, gateway.s_addr);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)xmit_dev_index(dev));
	end_message(r, h);
}

/* --- requests --- */

static int wanted_index(struct supervisor *sup, const struct nlmsghdr *h)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;

	if (i->ifi_index)
		return i->ifi_index;
	mnl_attr_for_each(attr, h, sizeof(*i)) {
		if (mnl_attr_get_type(attr) != IFLA_IFNAME || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
			continue;
		xmit_dev *dev = xmit_dev_by_name(sup->net, mnl_attr_get_str(attr));
		return dev ? xmit_dev_index(dev) : -1;
	}
	return -1;
}

static void answer_links(struct supervisor *sup, struct reply *r)
{
	int want = r->dump ? 0 : wanted_index(sup, r->request);
	xmit_dev *devs[] = { loopback(sup), sup->config->dev };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(devs); i++) {
		if (!devs[i] || (want && xmit_dev_index(devs[i]) != want))
			continue;
		put_link(sup, r, devs[i]);
		any = true;
	}
	if (!any && !r->dump)
		put_error(r, ENODEV);
}

static void answer_addrs(struct supervisor *sup, struct reply *r, int family)
{
	const struct frontend_config *cfg = sup->config;
	struct in_addr lo = { htonl(INADDR_LOOPBACK) };

	if (family != AF_UNSPEC && family != AF_INET)
		return;
	put_addr(r, loopback(sup), lo, 8, true);
	if (cfg->dev && cfg->addr.s_addr)
		put_addr(r, cfg->dev, cfg->addr, cfg->prefix_len, false);
}

static void dump_routes(struct supervisor *sup, struct reply *r, int family)
{
	const struct frontend_config *cfg = sup->config;
	struct in_addr none = { 0 };

	if ((family != AF_UNSPEC && family != AF_INET) || !cfg->dev)
		return;
	if (cfg->gateway.s_addr)
		put_route(r, cfg->dev, none, 0, cfg->gateway, none, RTN_UNICAST);
	if (cfg->addr.s_addr && cfg->prefix_len < 32)
		put_route(r, cfg->dev, network(cfg), cfg->prefix_len, none, cfg->addr, RTN_UNICAST);
}

static void find_route(struct supervisor *sup, struct reply *r)
{
	const struct frontend_config *cfg = sup->config;
	struct in_addr dst = { 0 }, none = { 0 }, lo = { htonl(INADDR_LOOPBACK) };
	const struct nlattr *attr;

	mnl_attr_for_each(attr, r->request, sizeof(struct rtmsg))
		if (mnl_attr_get_type(attr) == RTA_DST && mnl_attr_get_payload_len(attr) == sizeof(dst))
			memcpy(&dst, mnl_attr_get_payload(attr), sizeof(dst));
	bool mine = cfg->addr.s_addr && dst.s_addr == cfg->addr.s_addr;
	if (mine || (ntohl(dst.s_addr) >> 24) == 127) {
		put_route(r, loopback(sup), dst, 32, none, mine ? cfg->addr : lo, RTN_LOCAL);
		return;
	}
	struct frontend_config there = *cfg;
	there.addr = dst;
	bool on_link = cfg->addr.s_addr && network(&there).s_addr == network(cfg).s_addr;
	if (!cfg->dev || (!on_link && !cfg->gateway.s_addr))
		put_error(r, ENETUNREACH);
	else
		put_route(r, cfg->dev, dst, 32, on_link ? none : cfg->gateway, cfg->addr, RTN_UNICAST);
}

static bool too_short(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_GETLINK: case RTM_GETADDR: case RTM_GETROUTE: case RTM_GETNEIGH:
		return mnl_nlmsg_get_payload_len(h) < sizeof(struct rtgenmsg) ||
		       (!(h->nlmsg_flags & NLM_F_DUMP) && mnl_nlmsg_get_payload_len(h) < sizeof(struct rtmsg));
	default:
		return false;
	}
}

/* Writes the answer; a dump gets its end in a datagram of its own. */
static void answer(struct supervisor *sup, struct reply *r)
{
	const struct nlmsghdr *h = r->request;
	int family = mnl_nlmsg_get_payload_len(h) ? *(const unsigned char *)mnl_nlmsg_get_payload(h) : AF_UNSPEC;

	if (too_short(h)) {
		put_error(r, EINVAL);
	} else if (h->nlmsg_type == RTM_GETLINK) {
		answer_links(sup, r);
	} else if (h->nlmsg_type == RTM_GETADDR) {
		answer_addrs(sup, r, family);
	} else if (h->nlmsg_type == RTM_GETROUTE) {
		if (r->dump)
			dump_routes(sup, r, family);
		else
			find_route(sup, r);
	} else if (h->nlmsg_type == RTM_GETNEIGH && !r->dump) {
		put_error(r, ENOENT);
	} else if (!r->dump) {
		put_error(r, h->nlmsg_type < RTM_BASE || (h->nlmsg_type & 3) == 2 ? EOPNOTSUPP : EPERM);
	}
}

static void send_reply(struct object *o, struct reply *r)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct origin *from = r->len ? calloc(1, sizeof(*from)) : NULL;

	if (!from)
		return;
	from->len = r->len;
	from->addr_len = sizeof(kernel);
	memcpy(&from->addr, &kernel, sizeof(kernel));
	if (!dgram_deliver(o, from, r->buf))
		free(from); /* it does not read; the kernel would lose it too */
	r->len = 0;
}

static uint32_t port_of(struct supervisor *sup, struct object *o)
{
	if (!o->nl_pid)
		o->nl_pid = sup->nl_next_pid++;
	return o->nl_pid;
}

void netlink_request(struct supervisor *sup, struct object *o, const void *data, size_t len)
{
	int left = (int)len;
	const struct nlmsghdr *h = data;
	struct reply r;

	for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (!(h->nlmsg_flags & NLM_F_REQUEST) || h->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		r.len = 0;
		r.request = h;
		r.port = port_of(sup, o);
		r.dump = (h->nlmsg_type & 3) == 2 && (h->nlmsg_flags & NLM_F_DUMP);
		answer(sup, &r);
		bool failed = r.len && ((struct nlmsghdr *)r.buf)->nlmsg_type == NLMSG_ERROR;
		send_reply(o, &r);
		if (r.dump && !failed)
			put_done(&r);
		else if ((h->nlmsg_flags & NLM_F_ACK) && !failed)
			put_error(&r, 0);
		send_reply(o, &r);
	}
}

/* --- calls --- */

long netlink_socket(struct supervisor *sup, struct call *c)
{
	int type = (int)c->req.data.args[1], protocol = (int)c->req.data.args[2];

	if (protocol == NETLINK_SOCK_DIAG || protocol == NETLINK_NETFILTER || protocol == NETLINK_XFRM)
		return -EPROTONOSUPPORT;
	if (protocol != NETLINK_ROUTE)
		return CALL_CONTINUE;
	if ((type & 0xf) != SOCK_RAW && (type & 0xf) != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	return dgram_new(sup, c, OBJ_NETLINK, -1, type & (SOCK_CLOEXEC | SOCK_NONBLOCK));
}

long netlink_bind(struct supervisor *sup, struct call *c)
{
	struct sockaddr_nl nl;
	struct object *o = c->obj, *other;

	if (c->req.data.args[2] < sizeof(nl))
		return -EINVAL;
	int rc = mem_read(sup, c, c->req.data.args[1], &nl, sizeof(nl));
	if (rc)
		return rc;
	if (nl.nl_family != AF_NETLINK || (o->nl_pid && nl.nl_pid && nl.nl_pid != o->nl_pid))
		return -EINVAL;
	list_for_each_entry(other, &sup->all, all_node)
		if (other != o && other->kind == OBJ_NETLINK && nl.nl_pid && other->nl_pid == nl.nl_pid)
			return -EADDRINUSE;
	if (nl.nl_pid)
		o->nl_pid = nl.nl_pid;
	else
		(void)port_of(sup, o);
	o->nl_groups = nl.nl_groups;
	return 0;
}

long netlink_getsockname(struct supervisor *sup, struct call *c)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = c->obj->nl_pid, .nl_groups = c->obj->nl_groups };

	return mem_write_addr(sup, c, c->req.data.args[1], c->req.data.args[2], &nl, sizeof(nl));
}
