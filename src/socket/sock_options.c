/* SPDX-License-Identifier: MIT */
/*
 * sock_options.c - setsockopt() and getsockopt() (S2): level SOL_SOCKET and our own XMIT_SOL_XMIT; every other level goes to the socket's
 * operations.  What is not known fails with ENOPROTOOPT.  sock_getopt.c has the reading half.
 */
#include "socket/socket_internal.h"
#include "dev/netdevice.h"
#include "tcp/tcp_internal.h"
#include <limits.h>

int sock_opt_int(const void *val, socklen_t len, int *v)
{
	if (len < sizeof(*v))
		return -EINVAL;
	if (!val)
		return -EFAULT;
	memcpy(v, val, sizeof(*v));
	return 0;
}

static bool is_tcp(const struct sock *sk) { return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP; }

/* --- buffers ------------------------------------------------------------------------------------------------------------ */

/* Twice what was asked, for the overhead of skbs, as Linux counts. */
static int doubled(int val, int least) { return MAX(val > INT_MAX / 2 ? INT_MAX : val * 2, least); }

static int set_sndbuf(struct sock *sk, int val, bool force)
{
	val = force ? MAX(val, 0) : (int)MIN((unsigned)val, (unsigned)sk->sk_net->sock->sysctl_wmem_max);
	sock_set_flag(sk, SOCK_F_SNDBUF_LOCK);
	sk->sk_sndbuf = doubled(val, SOCK_MIN_SNDBUF);
	is_tcp(sk) ? sk_stream_write_space(sk) : sk_write_space(sk); /* a writer may go on now */
	return 0;
}

static int set_rcvbuf(struct sock *sk, int val, bool force)
{
	val = force ? MAX(val, 0) : (int)MIN((unsigned)val, (unsigned)sk->sk_net->sysctl_rmem_max);
	sock_set_flag(sk, SOCK_F_RCVBUF_LOCK);
	sk->sk_rcvbuf = doubled(val, SOCK_MIN_RCVBUF);
	return 0;
}

/* --- options that are not an int ------------------------------------------------------------------------------------------ */

static int set_linger(struct sock *sk, const void *val, socklen_t len)
{
	struct sock_ext *ext;
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	if (l.l_onoff && l.l_linger != (int)sock_lingertime_s(sk)) {
		int err = sk_ext_get(sk, &ext);
		if (err)
			return err;
		ext->lingertime_s = l.l_linger < 0 ? UINT32_MAX : (uint32_t)l.l_linger;
	}
	sock_valbool_flag(sk, SOCK_F_LINGER, l.l_onoff);
	return 0;
}

static int set_timeo(struct sock *sk, int name, const void *val, socklen_t len)
{
	struct sock_ext *ext;
	uint64_t timeo_ns;
	int64_t sec, usec;

	if (sock_timeo_is_new(name)) {
		int64_t tv[2];
		if (len < sizeof(tv))
			return -EINVAL;
		memcpy(tv, val, sizeof(tv));
		sec = tv[0], usec = tv[1];
	} else {
		long tv[2];
		if (len < sizeof(tv))
			return -EINVAL;
		memcpy(tv, val, sizeof(tv));
		sec = tv[0], usec = tv[1];
	}
	if (usec < 0 || usec >= 1000000)
		return -EDOM;
	if (sec < 0)
		timeo_ns = 0;
	else if ((!sec && !usec) || sec > INT64_MAX / (int64_t)NSEC_PER_SEC - 1)
		timeo_ns = TIME_NEVER;
	else
		timeo_ns = (uint64_t)sec * NSEC_PER_SEC + (uint64_t)usec * NSEC_PER_USEC;
	int err = sk_ext_get(sk, &ext);
	if (err)
		return err;
	*(sock_timeo_is_rcv(name) ? &ext->rcvtimeo_ns : &ext->sndtimeo_ns) = timeo_ns;
	return 0;
}

/* An empty name frees the socket of its device. */
static int bind_to_device(struct sock *sk, const void *val, socklen_t len)
{
	char name[IFNAMSIZ_] = "";
	int index = 0;

	if (len)
		memcpy(name, val, MIN(len, (socklen_t)sizeof(name) - 1));
	if (name[0]) {
		const struct net_device *dev = dev_get_by_name(sk->sk_net, name);
		if (!dev)
			return -ENODEV;
		index = dev->ifindex;
	}
	sk->sk_bound_dev_if = index;
	sk_dst_reset(sk);
	return 0;
}

static int set_max_pacing_rate(struct sock *sk, const void *val, socklen_t len)
{
	struct sock_ext *ext;
	unsigned v;
	unsigned long lv;
	uint64_t rate;

	if (len == sizeof(lv)) {
		memcpy(&lv, val, sizeof(lv));
		rate = lv == ULONG_MAX ? UINT64_MAX : lv;
	} else {
		if (len < sizeof(v))
			return -EINVAL;
		memcpy(&v, val, sizeof(v));
		rate = v == UINT_MAX ? UINT64_MAX : v;
	}
	int err = sk_ext_get(sk, &ext);
	if (err)
		return err;
	ext->max_pacing_rate = rate;
	sk->sk_pacing_rate = MIN(sk->sk_pacing_rate, rate);
	if (rate != UINT64_MAX && sk->sk_pacing_status == SK_PACING_NONE)
		sk->sk_pacing_status = SK_PACING_NEEDED; /* until a qdisc does it (fq) */
	return 0;
}

static int set_busy_poll(struct sock *sk, int val)
{
	struct sock_ext *ext;

	if (val < 0)
		return -EINVAL;
	int err = sk_ext_get(sk, &ext);
	if (!err)
		ext->busy_poll_us = (uint32_t)val;
	return err;
}

/* Drops are counted in the extension. */
static int set_rxq_ovfl(struct sock *sk, bool on)
{
	struct sock_ext *ext;
	int err = on ? sk_ext_get(sk, &ext) : 0;

	if (!err)
		sock_valbool_flag(sk, SOCK_F_RXQ_OVFL, on);
	return err;
}

/* Raw and ping sockets are peeked at from the start. */
static int set_peek_off(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err;

	if (!is_tcp(sk) && sk->sk_protocol != IPPROTO_UDP)
		return -EOPNOTSUPP;
	err = sk_ext_get(sk, &ext);
	if (!err)
		ext->peek_off = val;
	return err;
}

static int set_zerocopy(struct sock *sk, int val)
{
	if (!is_tcp(sk) && sk->sk_protocol != IPPROTO_UDP)
		return -EOPNOTSUPP;
	if (val < 0 || val > 1)
		return -EINVAL;
	sock_valbool_flag(sk, SOCK_F_ZEROCOPY, val);
	return 0;
}

/* --- the table ------------------------------------------------------------------------------------------------------------ */

static int set_int_option(struct sock *sk, int name, int val)
{
	bool on = val;

	switch (name) {
	case SO_DEBUG:
		sock_valbool_flag(sk, SOCK_F_DBG, on);
		return 0;
	case SO_REUSEADDR:
		sk->sk_reuse = on;
		return 0;
	case SO_REUSEPORT:
		sk->sk_reuseport = on;
		return 0;
	case SO_KEEPALIVE:
		if (is_tcp(sk))
			tcp_set_keepalive(sk, on);
		sock_valbool_flag(sk, SOCK_F_KEEPOPEN, on);
		return 0;
	case SO_BROADCAST:
		sock_valbool_flag(sk, SOCK_F_BROADCAST, on);
		return 0;
	case SO_DONTROUTE:
		sock_valbool_flag(sk, SOCK_F_DONTROUTE, on);
		sk_dst_reset(sk);
		return 0;
	case SO_OOBINLINE:
		sock_valbool_flag(sk, SOCK_F_URGINLINE, on);
		return 0;
	case SO_NO_CHECK:
		sock_valbool_flag(sk, SOCK_F_NO_CHECK_TX, on);
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		return set_sndbuf(sk, val, name == SO_SNDBUFFORCE);
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		return set_rcvbuf(sk, val, name == SO_RCVBUFFORCE);
	case SO_RCVLOWAT:
		val = val < 0 ? INT_MAX : val;
		if (is_tcp(sk))
			tcp_set_rcvlowat(sk, val);
		else
			sk->sk_rcvlowat = MAX(val, 1);
		return 0;
	case SO_PRIORITY:
		sk->sk_priority = (uint32_t)val;
		return 0;
	case SO_MARK:
		sk->sk_mark = (uint32_t)val;
		sk_dst_reset(sk);
		return 0;
	case SO_RXQ_OVFL:
		return set_rxq_ovfl(sk, on);
	case SO_BUSY_POLL:
		return set_busy_poll(sk, val);
	case SO_PEEK_OFF:
		return set_peek_off(sk, val);
	case SO_ZEROCOPY:
		return set_zerocopy(sk, val);
	default:
		return sock_set_timestamps(sk, name, val);
	}
}

int sol_socket_setsockopt(struct socket *sock, int name, const void *val, socklen_t len)
{
	struct sock *sk = sock->sk;
	int v;

	if (name == SO_BINDTODEVICE)
		return bind_to_device(sk, val, len);
	int err = sock_opt_int(val, len, &v);
	if (err)
		return err;
	if (sock_timeo_is_rcv(name) || sock_timeo_is_snd(name))
		return set_timeo(sk, name, val, len);
	if (name == SO_LINGER)
		return set_linger(sk, val, len);
	if (name == SO_MAX_PACING_RATE)
		return set_max_pacing_rate(sk, val, len);
	return set_int_option(sk, name, v);
}

/* --- our own -------------------------------------------------------------------------------------------------------------- */

static int sol_xmit_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	int v;

	if (name != XMIT_SO_ACCEPT_ANY)
		return -ENOPROTOOPT;
	int err = sock_opt_int(val, len, &v);
	if (err)
		return err;
	if (!is_tcp(sk) && sk->sk_protocol != IPPROTO_UDP)
		return -ENOPROTOOPT;
	if (sk->sk_state != TCP_CLOSE || (!is_tcp(sk) && inet_sk(sk)->inet_num))
		return -EINVAL;
	if (!v) {
		sk_accept_any_end(sk);
	} else if (!sock_flag(sk, SOCK_F_ACCEPT_ANY)) {
		sock_set_flag(sk, SOCK_F_ACCEPT_ANY);
		ip_accept_any(sk->sk_net, true);
	}
	return 0;
}

int sock_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	if (PROVE_BREAKS("S2"))
		return 0;
	if (level == SOL_SOCKET)
		return sol_socket_setsockopt(sock, name, val, len);
	if (level == XMIT_SOL_XMIT)
		return sol_xmit_setsockopt(sock->sk, name, val, len);
	return sock->ops->setsockopt(sock, level, name, val, len);
}
