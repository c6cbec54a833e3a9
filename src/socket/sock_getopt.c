/* SPDX-License-Identifier: MIT */
/* sock_getopt.c - getsockopt() at level SOL_SOCKET and XMIT_SOL_XMIT (S2); sock_options.c writes what is read here. */
#include "socket/socket_internal.h"
#include "dev/netdevice.h"
#include <limits.h>

int sock_opt_out(void *val, socklen_t *len, const void *v, socklen_t n)
{
	*len = MIN(*len, n);
	if (*len)
		memcpy(val, v, *len);
	return 0;
}

static int out_int(void *val, socklen_t *len, int v) { return sock_opt_out(val, len, &v, sizeof(v)); }

static int get_timeo(uint64_t timeo_ns, int name, void *val, socklen_t *len)
{
	uint64_t us = timeo_ns == TIME_NEVER ? 0 : timeo_ns / NSEC_PER_USEC;
	int64_t new[2] = {(int64_t)(us / 1000000), (int64_t)(us % 1000000)};
	long old[2] = {(long)new[0], (long)new[1]};

	return sock_timeo_is_new(name) ? sock_opt_out(val, len, new, sizeof(new)) : sock_opt_out(val, len, old, sizeof(old));
}

static int get_bound_device(const struct sock *sk, void *val, socklen_t *len)
{
	const struct net_device *dev = sk->sk_bound_dev_if ? dev_get_by_index(sk->sk_net, sk->sk_bound_dev_if) : NULL;

	if (!sk->sk_bound_dev_if) {
		*len = 0;
		return 0;
	}
	if (*len < IFNAMSIZ_)
		return -EINVAL;
	if (!dev)
		return -ENODEV;
	return sock_opt_out(val, len, dev->name, (socklen_t)strlen(dev->name) + 1);
}

/* struct sk_meminfo of Linux: nine words. */
static int get_meminfo(const struct sock *sk, void *val, socklen_t *len)
{
	uint32_t m[9] = {
		sk->sk_rmem_alloc, (uint32_t)sk->sk_rcvbuf, sk->sk_wmem_alloc - 1, (uint32_t)sk->sk_sndbuf, (uint32_t)sk->sk_forward_alloc,
		sk->sk_wmem_queued, 0 /* optmem */, 0 /* backlog: there is none */, sk->sk_ext ? sk->sk_ext->rx_dropped : 0,
	};

	return sock_opt_out(val, len, m, sizeof(m));
}

static int get_error(struct sock *sk)
{
	int err = -sock_error(sk);

	if (!err) {
		err = sk->sk_err_soft;
		sk->sk_err_soft = 0;
	}
	return err;
}

static int get_u64(uint64_t v, void *val, socklen_t *len)
{
	return *len < sizeof(v) ? -EINVAL : sock_opt_out(val, len, &v, sizeof(v));
}

static int get_max_pacing_rate(const struct sock *sk, void *val, socklen_t *len)
{
	uint64_t rate = sk->sk_ext && sk->sk_ext->max_pacing_rate ? sk->sk_ext->max_pacing_rate : UINT64_MAX;
	unsigned long lv = rate > ULONG_MAX ? ULONG_MAX : (unsigned long)rate;

	if (*len >= sizeof(lv))
		return sock_opt_out(val, len, &lv, sizeof(lv));
	return out_int(val, len, (int)MIN(rate, (uint64_t)UINT_MAX));
}

/* The value of an int option, or false. */
static bool int_option(struct sock *sk, int name, int *v)
{
	switch (name) {
	case SO_DEBUG: *v = sock_flag(sk, SOCK_F_DBG); return true;
	case SO_REUSEADDR: *v = sk->sk_reuse; return true;
	case SO_REUSEPORT: *v = sk->sk_reuseport; return true;
	case SO_KEEPALIVE: *v = sock_flag(sk, SOCK_F_KEEPOPEN); return true;
	case SO_BROADCAST: *v = sock_flag(sk, SOCK_F_BROADCAST); return true;
	case SO_DONTROUTE: *v = sock_flag(sk, SOCK_F_DONTROUTE); return true;
	case SO_OOBINLINE: *v = sock_flag(sk, SOCK_F_URGINLINE); return true;
	case SO_NO_CHECK: *v = sock_flag(sk, SOCK_F_NO_CHECK_TX); return true;
	case SO_SNDBUF: *v = sk->sk_sndbuf; return true;
	case SO_RCVBUF: *v = sk->sk_rcvbuf; return true;
	case SO_RCVLOWAT: *v = sk->sk_rcvlowat; return true;
	case SO_SNDLOWAT: *v = 1; return true;
	case SO_PRIORITY: *v = (int)sk->sk_priority; return true;
	case SO_MARK: *v = (int)sk->sk_mark; return true;
	case SO_RXQ_OVFL: *v = sock_flag(sk, SOCK_F_RXQ_OVFL); return true;
	case SO_ZEROCOPY: *v = sock_flag(sk, SOCK_F_ZEROCOPY); return true;
	case SO_BUSY_POLL: *v = sk->sk_ext ? (int)sk->sk_ext->busy_poll_us : 0; return true;
	case SO_PEEK_OFF: *v = sk->sk_ext ? sk->sk_ext->peek_off : -1; return true;
	case SO_INCOMING_CPU: *v = 0; return true; /* an instance is one thread */
	case SO_TYPE: *v = sk->sk_type; return true;
	case SO_PROTOCOL: *v = sk->sk_protocol; return true;
	case SO_DOMAIN: *v = sk->sk_family; return true;
	case SO_ACCEPTCONN: *v = sk->sk_state == TCP_LISTEN; return true;
	case SO_ERROR: *v = get_error(sk); return true;
	default: return sock_timestamp_option(sk, name, v);
	}
}

int sol_socket_getsockopt(struct socket *sock, int name, void *val, socklen_t *len)
{
	struct sock *sk = sock->sk;
	int v;

	if (sock_timeo_is_rcv(name))
		return get_timeo(sock_rcvtimeo(sk, false), name, val, len);
	if (sock_timeo_is_snd(name))
		return get_timeo(sock_sndtimeo(sk, false), name, val, len);
	if (int_option(sk, name, &v))
		return out_int(val, len, v);
	switch (name) {
	case SO_LINGER: {
		struct linger l = {.l_onoff = sock_flag(sk, SOCK_F_LINGER), .l_linger = (int)sock_lingertime_s(sk)};
		return sock_opt_out(val, len, &l, sizeof(l));
	}
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW_:
		return sock_get_timestamping(sk, name, val, len);
	case SO_BINDTODEVICE:
		return get_bound_device(sk, val, len);
	case SO_COOKIE:
		return get_u64(sk->sk_cookie, val, len);
	case SO_MAX_PACING_RATE:
		return get_max_pacing_rate(sk, val, len);
	case SO_MEMINFO:
		return get_meminfo(sk, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int sol_xmit_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	switch (name) {
	case XMIT_SO_ACCEPT_ANY:
		return out_int(val, len, sock_flag(sk, SOCK_F_ACCEPT_ANY));
	case XMIT_SO_COOKIE:
		return get_u64(sk->sk_cookie, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int sock_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	if (level == SOL_SOCKET)
		return sol_socket_getsockopt(sock, name, val, len);
	if (level == XMIT_SOL_XMIT)
		return sol_xmit_getsockopt(sock->sk, name, val, len);
	return sock->ops->getsockopt(sock, level, name, val, len);
}
