/* SPDX-License-Identifier: MIT */
/*
 * ip_sockglue.c - the options of level IPPROTO_IP (S2, ip(7)), with Linux's numbers, checks and errnos.
 *
 * Called by the socket layer for every Internet socket.  What is not listed here fails with ENOPROTOOPT, as on a Linux without it.
 */
#include "ip/ip_internal.h"

enum { /* Linux's numbers, whatever the C library knows */
	OPT_TOS = 1, OPT_TTL = 2, OPT_HDRINCL = 3, OPT_OPTIONS = 4, OPT_PKTINFO = 8, OPT_MTU_DISCOVER = 10, OPT_RECVERR = 11,
	OPT_RECVTTL = 12, OPT_RECVTOS = 13, OPT_MTU = 14, OPT_FREEBIND = 15, OPT_TRANSPARENT = 19,
	OPT_RECVORIGDSTADDR = 20, OPT_MINTTL = 21,
	OPT_BIND_ADDRESS_NO_PORT = 24, OPT_MULTICAST_IF = 32, OPT_MULTICAST_TTL = 33, OPT_MULTICAST_LOOP = 34, OPT_ADD_MEMBERSHIP = 35,
	OPT_DROP_MEMBERSHIP = 36, OPT_MULTICAST_ALL = 49, OPT_UNICAST_IF = 50,
};

struct mreqn { /* struct ip_mreqn; its first two members are struct ip_mreq */
	be32 multiaddr, address;
	int32_t ifindex;
};
enum { MREQ_SIZE = 8 };

/* --- setting ------------------------------------------------------------------------------------------------------------ */

/* An int, or a byte. */
static int read_int(const void *val, socklen_t len, int *v)
{
	if (!val)
		return -EFAULT;
	*v = 0;
	if (len >= sizeof(*v))
		memcpy(v, val, sizeof(*v));
	else if (len >= 1)
		*v = *(const uint8_t *)val;
	return 0;
}

static int set_tos(struct sock *sk, int v)
{
	struct inet_sock *inet = inet_sk(sk);

	if (sk->sk_type == SOCK_STREAM) /* the ECN bits are TCP's */
		v = (v & ~INET_ECN_MASK) | (inet->tos & INET_ECN_MASK);
	if (inet->tos != (uint8_t)v) {
		inet->tos = (uint8_t)v;
		sk->sk_priority = ip_tos2priority((uint8_t)v);
		sk_dst_reset(sk);
	}
	return 0;
}

static int set_options(struct sock *sk, const void *val, socklen_t len)
{
	struct ip_options_data *opt;
	struct sock_ext *ext;
	int err = sk_ext_get(sk, &ext);

	if (err)
		return -ENOBUFS;
	if (len && !val)
		return -EFAULT;
	err = ip_options_get(sock_net(sk), val, len, &opt);
	if (err)
		return err == -ENOMEM ? -ENOBUFS : err;
	net_free(sock_net(sk), ext->inet_opt);
	ext->inet_opt = opt;
	return 0;
}

/* Longer structs hold shorter ones. */
static int read_mreqn(const void *val, socklen_t len, struct mreqn *m)
{
	*m = (struct mreqn){0};
	if (!val)
		return -EFAULT;
	if (len >= sizeof(*m))
		memcpy(m, val, sizeof(*m));
	else if (len >= MREQ_SIZE)
		memcpy(m, val, MREQ_SIZE);
	else if (len >= sizeof(m->address))
		memcpy(&m->address, val, sizeof(m->address));
	else
		return -EINVAL;
	return 0;
}

static int set_multicast_if(struct sock *sk, const void *val, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	struct mreqn m;
	int err = sk->sk_type == SOCK_STREAM ? -EINVAL : read_mreqn(val, len, &m);

	if (err)
		return err;
	if (!m.ifindex && !m.address) {
		inet->mc_index = 0;
		inet->mc_addr = 0;
		return 0;
	}
	struct net_device *dev = m.ifindex ? dev_get_by_index(sock_net(sk), m.ifindex) : ip_dev_find(sock_net(sk), m.address);
	if (!dev)
		return -EADDRNOTAVAIL;
	if (sk->sk_bound_dev_if && sk->sk_bound_dev_if != dev->ifindex)
		return -EINVAL;
	inet->mc_index = dev->ifindex;
	inet->mc_addr = m.address;
	return 0;
}

static int set_membership(struct sock *sk, int name, const void *val, socklen_t len)
{
	struct mreqn m;

	if (sk->sk_type == SOCK_STREAM)
		return -EPROTO;
	if (len < MREQ_SIZE)
		return -EINVAL;
	int err = read_mreqn(val, len, &m);
	if (err)
		return err;
	if (name == OPT_ADD_MEMBERSHIP)
		return ip_mc_join_group(sk, m.multiaddr, m.address, m.ifindex);
	return ip_mc_leave_group(sk, m.multiaddr, m.address, m.ifindex);
}

static int set_unicast_if(struct sock *sk, const void *val, socklen_t len)
{
	if (len != sizeof(be32) || !val)
		return -EINVAL;
	int ifindex = (int)get_be32(val);
	if (ifindex && !dev_get_by_index(sock_net(sk), ifindex))
		return -EADDRNOTAVAIL;
	if (ifindex && sk->sk_bound_dev_if && sk->sk_bound_dev_if != ifindex)
		return -EINVAL;
	inet_sk(sk)->uc_index = ifindex;
	return 0;
}

/* Flags that need a value; the others take none for 0. */
static bool needs_value(int name) { return name == OPT_FREEBIND || name == OPT_TRANSPARENT || name == OPT_MULTICAST_LOOP; }

/* The flag of an option that is nothing but one; -1: it is not. */
static int flag_of(int name)
{
	switch (name) {
	case OPT_PKTINFO:
		return SOCK_F_PKTINFO;
	case OPT_RECVTTL:
		return SOCK_F_RECVTTL;
	case OPT_RECVTOS:
		return SOCK_F_RECVTOS;
	case OPT_RECVERR:
		return SOCK_F_RECVERR;
	case OPT_RECVORIGDSTADDR:
		return SOCK_F_RECVORIGDSTADDR;
	case OPT_FREEBIND:
		return SOCK_F_FREEBIND;
	case OPT_TRANSPARENT:
		return SOCK_F_TRANSPARENT;
	case OPT_MULTICAST_LOOP:
		return SOCK_F_MC_LOOP;
	default:
		return -1;
	}
}

static int set_int(struct sock *sk, int name, int v, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);

	switch (name) {
	case OPT_TOS:
		return set_tos(sk, v);
	case OPT_TTL:
		if (len < 1 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		inet->uc_ttl = (int16_t)v;
		return 0;
	case OPT_HDRINCL:
		if (sk->sk_type != SOCK_RAW)
			return -ENOPROTOOPT;
		inet->hdrincl = !!v;
		return 0;
	case OPT_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT_ || v > IP_PMTUDISC_OMIT_)
			return -EINVAL;
		inet->pmtudisc = (uint8_t)v;
		return 0;
	case OPT_MINTTL:
		if (len < 1 || v < 0 || v > 255)
			return -EINVAL;
		inet->min_ttl = (uint8_t)v;
		return 0;
	case OPT_BIND_ADDRESS_NO_PORT:
		inet->bind_address_no_port = !!v;
		return 0;
	case OPT_MULTICAST_TTL:
		if (sk->sk_type == SOCK_STREAM || len < 1 || v < -1 || v > 255)
			return -EINVAL;
		inet->mc_ttl = v == -1 ? 1 : (uint8_t)v;
		return 0;
	case OPT_MULTICAST_ALL:
		if (len < 1 || (v != 0 && v != 1))
			return -EINVAL;
		inet->mc_all_off = !v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int ip_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int v, err, flag = flag_of(name);

	if (level != IPPROTO_IP)
		return -ENOPROTOOPT;
	switch (name) {
	case OPT_MTU: /* known, but not to be set: not even looked at */
		return -ENOPROTOOPT;
	case OPT_OPTIONS:
		return set_options(sk, val, len);
	case OPT_MULTICAST_IF:
		return set_multicast_if(sk, val, len);
	case OPT_ADD_MEMBERSHIP:
	case OPT_DROP_MEMBERSHIP:
		return set_membership(sk, name, val, len);
	case OPT_UNICAST_IF:
		return set_unicast_if(sk, val, len);
	}
	err = read_int(val, len, &v);
	if (err)
		return err;
	if (flag < 0)
		return set_int(sk, name, v, len);
	if (len < 1 && needs_value(name))
		return -EINVAL;
	sock_valbool_flag(sk, (enum sock_flag)flag, v);
	if (name == OPT_RECVERR && !v && sk->sk_ext)
		skb_queue_purge(&sk->sk_ext->error_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	return 0;
}

/* --- getting ------------------------------------------------------------------------------------------------------------ */

static int get_options(struct sock *sk, void *val, socklen_t *len)
{
	uint8_t opts[IP_OPTIONS_MAX];
	socklen_t n = 0;

	if (sk->sk_ext && sk->sk_ext->inet_opt)
		n = ip_options_undo(sk->sk_ext->inet_opt, opts);
	*len = MIN(*len, n);
	if (*len)
		memcpy(val, opts, *len);
	return 0;
}

static int get_int(struct sock *sk, int name, int *v)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct dst_entry *dst;

	switch (name) {
	case OPT_TOS:
		*v = inet->tos;
		return 0;
	case OPT_TTL:
		*v = inet->uc_ttl < 0 ? sock_net(sk)->ipv4->sysctl_ip_default_ttl : inet->uc_ttl;
		return 0;
	case OPT_HDRINCL:
		*v = inet->hdrincl;
		return 0;
	case OPT_MTU_DISCOVER:
		*v = inet->pmtudisc;
		return 0;
	case OPT_MTU:
		dst = __sk_dst_get(sk);
		if (!dst)
			return -ENOTCONN;
		*v = (int)dst_mtu(dst);
		return 0;
	case OPT_MINTTL:
		*v = inet->min_ttl;
		return 0;
	case OPT_BIND_ADDRESS_NO_PORT:
		*v = inet->bind_address_no_port;
		return 0;
	case OPT_MULTICAST_TTL:
		*v = inet->mc_ttl;
		return 0;
	case OPT_MULTICAST_ALL:
		*v = !inet->mc_all_off;
		return 0;
	case OPT_UNICAST_IF:
		*v = (int)cpu_to_be32((uint32_t)inet->uc_index);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int ip_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	int v, err, flag = flag_of(name);

	if (level != IPPROTO_IP)
		return -EOPNOTSUPP;
	if (!val || !len)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (name == OPT_OPTIONS)
		return get_options(sk, val, len);
	if (name == OPT_MULTICAST_IF) {
		*len = MIN(*len, (socklen_t)sizeof(be32));
		memcpy(val, &inet_sk(sk)->mc_addr, *len);
		return 0;
	}
	if (flag >= 0) {
		v = sock_flag(sk, (enum sock_flag)flag);
	} else {
		err = get_int(sk, name, &v);
		if (err)
			return err;
	}
	if (*len < sizeof(v) && *len > 0 && v >= 0 && v <= 255) { /* who gives a byte gets one */
		*(uint8_t *)val = (uint8_t)v;
		*len = 1;
		return 0;
	}
	*len = MIN(*len, (socklen_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

void ip_sock_release(struct sock *sk) { ip_mc_drop_socket(sk); }

/* --- every destination ---------------------------------------------------------------------------------------------------- */

void ip_accept_any(struct net *net, bool on)
{
	net->ipv4->accept_any += on ? 1 : -1;
	if (net->ipv4->accept_any == on) /* routes made until now said otherwise */
		rt_cache_flush(net);
}

void sk_accept_any_end(struct sock *sk)
{
	if (likely(!sock_flag(sk, SOCK_F_ACCEPT_ANY)))
		return;
	sock_reset_flag(sk, SOCK_F_ACCEPT_ANY);
	ip_accept_any(sock_net(sk), false);
}
