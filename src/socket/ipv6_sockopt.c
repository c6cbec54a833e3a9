/* SPDX-License-Identifier: MIT */
/*
 * ipv6_sockopt.c - level IPPROTO_IPV6 of sockets whose packets are IPv4 (RFC 3493, RFC 3542).  Options that have an IPv4 counterpart set
 * that one; those about flow labels, which such packets do not have, may be switched off but not on.
 */
#include "socket/ipv6_sockopt.h"
#include "socket/socket_internal.h"

enum { OPT_IP_TOS = 1, OPT_IP_TTL = 2, OPT_IP_MTU_DISCOVER = 10, OPT_IP_MTU = 14, OPT_IP_MULTICAST_TTL = 33 };

/* The flag of a boolean option; -1: not one. */
static int flag_of(int name)
{
	switch (name) {
	case OPT6_V6ONLY: return SOCK_F_V6ONLY;
	case OPT6_RECVERR: return SOCK_F_RECVERR;
	case OPT6_RECVPKTINFO: return SOCK_F_RECVPKTINFO6;
	case OPT6_RECVHOPLIMIT: return SOCK_F_RECVHOPLIMIT6;
	case OPT6_RECVTCLASS: return SOCK_F_RECVTCLASS6;
	case OPT6_TRANSPARENT: return SOCK_F_TRANSPARENT;
	case OPT6_FREEBIND: return SOCK_F_FREEBIND;
	case OPT6_MULTICAST_LOOP: return SOCK_F_MC_LOOP;
	default: return -1;
	}
}

/* The option of IPv4 that does the same; -1: none. */
static int ip_option_of(int name)
{
	switch (name) {
	case OPT6_TCLASS: return OPT_IP_TOS;
	case OPT6_MTU_DISCOVER: return OPT_IP_MTU_DISCOVER;
	case OPT6_MTU: return OPT_IP_MTU;
	case OPT6_UNICAST_HOPS: return OPT_IP_TTL;
	case OPT6_MULTICAST_HOPS: return OPT_IP_MULTICAST_TTL;
	default: return -1;
	}
}

int ipv6_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v;
	int err = sock_opt_int(val, len, &v);

	if (err)
		return err;
	if (name == OPT6_V6ONLY && inet_sk(sk)->inet_num)
		return -EINVAL;
	if (flag_of(name) >= 0) {
		sock_valbool_flag(sk, (enum sock_flag)flag_of(name), v);
		return 0;
	}
	if (name == OPT6_TCLASS && v == -1)
		v = 0; /* the default */
	if (ip_option_of(name) >= 0)
		return ip_setsockopt(sk, IPPROTO_IP, ip_option_of(name), &v, sizeof(v));
	switch (name) {
	case OPT6_MULTICAST_IF:
		inet_sk(sk)->mc_index = v;
		return 0;
	case OPT6_ADD_MEMBERSHIP:
	case OPT6_DROP_MEMBERSHIP:
		return -ENODEV; /* no interface speaks IPv6 */
	case OPT6_FLOWINFO_SEND:
	case OPT6_AUTOFLOWLABEL:
		return v ? -EINVAL : 0;
	default:
		return -ENOPROTOOPT;
	}
}

int ipv6_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	int v = 0;

	if (ip_option_of(name) >= 0)
		return ip_getsockopt(sk, IPPROTO_IP, ip_option_of(name), val, len);
	if (flag_of(name) >= 0)
		v = sock_flag(sk, (enum sock_flag)flag_of(name));
	else if (name == OPT6_MULTICAST_IF)
		v = inet_sk(sk)->mc_index;
	else if (name != OPT6_FLOWINFO_SEND && name != OPT6_AUTOFLOWLABEL)
		return -ENOPROTOOPT;
	return sock_opt_out(val, len, &v, sizeof(v));
}
