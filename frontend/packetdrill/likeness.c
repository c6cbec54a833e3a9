/* SPDX-License-Identifier: MIT */
/*
 * likeness.c - our interface is made like the namespace's tun0, where there is one: MTU, address, queueing discipline, routes.
 *
 * Scripts change them by ip(8) and tc(8); we ask the kernel (rtnetlink) what they are now and do the same to the instance.  Offloads are not
 * taken over: TCP builds super-segments whether the device has them or not, and ours cuts them in any case.  A queueing discipline that the
 * instance has not is left out (the instance keeps its own).
 */
#include "adapter.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

enum { BUF_BYTES = 16384, DUMPS_MOST = 64 };

struct reading {
	unsigned ifindex;
	struct likeness *like;
	struct in_addr *addr;
	unsigned *prefix_len;
};

/* --- asking ---------------------------------------------------------------------------------------------------------- */

static bool dump(struct mnl_socket *nl, uint16_t type, size_t header, uint8_t family, mnl_cb_t cb, void *data)
{
	char buf[BUF_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int r = 1;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = type;
	*(uint8_t *)mnl_nlmsg_put_extra_header(h, header) = family;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return false;
	for (int i = 0; i < DUMPS_MOST && r > MNL_CB_STOP; i++) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return false;
		r = mnl_cb_run(buf, (size_t)n, type, mnl_socket_get_portid(nl), cb, data);
	}
	return r == MNL_CB_STOP;
}

static uint32_t attr_u32(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

static int on_link(const struct nlmsghdr *h, void *data)
{
	struct reading *r = data;
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;

	if ((unsigned)m->ifi_index != r->ifindex)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*m))
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			r->like->mtu = attr_u32(attr);
	return MNL_CB_OK;
}

static int on_addr(const struct nlmsghdr *h, void *data)
{
	struct reading *r = data;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;

	if (m->ifa_index != r->ifindex || r->addr->s_addr)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*m)) {
		if (mnl_attr_get_type(attr) == IFA_LOCAL) {
			r->addr->s_addr = attr_u32(attr);
			*r->prefix_len = m->ifa_prefixlen;
		}
	}
	return MNL_CB_OK;
}

static int on_qdisc(const struct nlmsghdr *h, void *data)
{
	struct reading *r = data;
	const struct tcmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;

	if ((unsigned)m->tcm_ifindex != r->ifindex || m->tcm_parent != TC_H_ROOT)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*m)) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			strncpy(r->like->qdisc, mnl_attr_get_str(attr), sizeof(r->like->qdisc) - 1);
		if (mnl_attr_get_type(attr) == TCA_OPTIONS && mnl_attr_get_payload_len(attr) == sizeof(struct tc_fifo_qopt))
			r->like->qdisc_limit = ((const struct tc_fifo_qopt *)mnl_attr_get_payload(attr))->limit;
	}
	return MNL_CB_OK;
}

static void read_metrics(const struct nlattr *nest, struct xmit_route *route)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		uint32_t v = attr_u32(attr);
		switch (mnl_attr_get_type(attr)) {
		case RTAX_MTU: route->mtu = v; break;
		case RTAX_ADVMSS: route->advmss = v; break;
		case RTAX_WINDOW: route->window = v; break;
		case RTAX_INITCWND: route->initcwnd = v; break;
		case RTAX_INITRWND: route->initrwnd = v; break;
		case RTAX_HOPLIMIT: route->hoplimit = v; break;
		case RTAX_RTO_MIN: route->rto_min_ms = v; break;
		case RTAX_QUICKACK: route->quickack = v; break;
		}
	}
}

static int on_route(const struct nlmsghdr *h, void *data)
{
	struct reading *r = data;
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *attr;
	struct xmit_route route = {.size = sizeof(route), .prefix_len = m->rtm_dst_len, .onlink = true};
	unsigned oif = 0;

	/* Connected routes come with the address. */
	if (m->rtm_type != RTN_UNICAST || m->rtm_table != RT_TABLE_MAIN || m->rtm_protocol == RTPROT_KERNEL)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*m)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF: oif = attr_u32(attr); break;
		case RTA_DST: route.dst.s_addr = attr_u32(attr); break;
		case RTA_GATEWAY: route.gateway.s_addr = attr_u32(attr); break;
		case RTA_PRIORITY: route.priority = attr_u32(attr); break;
		case RTA_METRICS: read_metrics(attr, &route); break;
		}
	}
	if (oif == r->ifindex && r->like->n_routes < ROUTES_MOST)
		r->like->route[r->like->n_routes++] = route;
	return MNL_CB_OK;
}

/* False: there is no such interface. */
bool likeness_read(const char *dev, struct likeness *like, struct in_addr *addr, unsigned *prefix_len)
{
	struct reading r = {.ifindex = if_nametoindex(dev), .like = like, .addr = addr, .prefix_len = prefix_len};

	*like = (struct likeness){0};
	addr->s_addr = 0;
	*prefix_len = 0;
	if (!r.ifindex)
		return false;
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	if (!nl)
		return false;
	bool ok = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 && dump(nl, RTM_GETLINK, sizeof(struct ifinfomsg), AF_UNSPEC, on_link, &r) &&
		  dump(nl, RTM_GETADDR, sizeof(struct ifaddrmsg), AF_INET, on_addr, &r) &&
		  dump(nl, RTM_GETQDISC, sizeof(struct tcmsg), AF_UNSPEC, on_qdisc, &r) &&
		  dump(nl, RTM_GETROUTE, sizeof(struct rtmsg), AF_INET, on_route, &r);
	mnl_socket_close(nl);
	return ok;
}

/* --- doing the same ---------------------------------------------------------------------------------------------------- */

static void apply_qdisc(struct adapter *a, const struct likeness *like)
{
	unsigned limit = like->qdisc_limit ? like->qdisc_limit : XMIT_QDISC_NOTHING;

	if (!strcmp(like->qdisc, a->like.qdisc) && like->qdisc_limit == a->like.qdisc_limit)
		return;
	bool fifo = !strcmp(like->qdisc, "pfifo") || !strcmp(like->qdisc, "bfifo");
	xmit_qdisc_set(a->dev, like->qdisc, fifo ? limit : 0); /* ENOENT: one that we have not */
}

static bool same_routes(const struct likeness *x, const struct likeness *y)
{
	return x->n_routes == y->n_routes && !memcmp(x->route, y->route, x->n_routes * sizeof(x->route[0]));
}

static void apply_routes(struct adapter *a, const struct likeness *like)
{
	if (same_routes(&a->like, like))
		return;
	for (unsigned i = 0; i < a->like.n_routes; i++)
		xmit_route_del(a->net, &a->like.route[i]);
	for (unsigned i = 0; i < like->n_routes; i++) {
		struct xmit_route r = like->route[i];
		r.dev = a->dev;
		xmit_route_add(a->net, &r);
	}
}

void likeness_apply(struct adapter *a, const struct likeness *like)
{
	if (like->mtu && like->mtu != a->like.mtu && !a->flags.mtu)
		xmit_dev_set_mtu(a->dev, like->mtu);
	apply_qdisc(a, like);
	apply_routes(a, like);
	a->like = *like;
}
