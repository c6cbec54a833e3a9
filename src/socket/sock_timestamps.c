/* SPDX-License-Identifier: MIT */
/*
 * sock_timestamps.c - the options of time stamps (S2): SO_TIMESTAMP and SO_TIMESTAMPNS on arrival, SO_TIMESTAMPING both ways, each in the form of old
 * and with 64-bit times ("new").
 *
 * The form that was set last is that of all of the socket's stamps (sock_ext.ts_new).  What the socket tells of its options by the other form is 0, but
 * for SO_TIMESTAMPING's old one.  Stamps are made by ip/ip_tstamp.c and ip/ip_cmsg.c.
 */
#include "socket/socket_internal.h"
#include "tcp/tcp_internal.h"

static bool is_tcp(const struct sock *sk) { return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP; }
static bool is_new(const struct sock *sk) { return sk->sk_ext && sk->sk_ext->ts_new; }

/* The form of old is what a socket without an extension has. */
static int set_form(struct sock *sk, bool new_form)
{
	struct sock_ext *ext = sk->sk_ext;
	int err = new_form ? sk_ext_get(sk, &ext) : 0;

	if (!err && ext)
		ext->ts_new = new_form;
	return err;
}

static int set_arrival(struct sock *sk, bool on, bool ns, bool new_form)
{
	int err = on ? set_form(sk, new_form) : 0;

	if (err)
		return err;
	sock_valbool_flag(sk, SOCK_F_TIMESTAMP, on && !ns);
	sock_valbool_flag(sk, SOCK_F_TIMESTAMPNS, on && ns); /* one form of stamp at a time */
	return 0;
}

/* What identifiers count from: bytes of a stream, which must stand; datagrams. */
static int start_ids(struct sock *sk, struct sock_ext *ext, uint32_t val)
{
	if (is_tcp(sk) && (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return -EINVAL;
	ext->tskey = !is_tcp(sk) ? 0 : val & SOF_TIMESTAMPING_OPT_ID_TCP_ ? tcp_sk(sk)->write_seq : tcp_sk(sk)->snd_una;
	return 0;
}

/* -EINVAL; -EOPNOTSUPP: by a device's own clock, which none has. */
static int set_timestamping(struct sock *sk, uint32_t val, bool new_form)
{
	struct sock_ext *ext;
	int err;

	if ((val & ~(uint32_t)SOF_TIMESTAMPING_MASK_) || ((val & SOF_TIMESTAMPING_OPT_ID_TCP_) && !(val & SOF_TIMESTAMPING_OPT_ID_)))
		return -EINVAL;
	err = sk_ext_get(sk, &ext);
	if (!err && (val & SOF_TIMESTAMPING_OPT_ID_) && !(ext->tsflags & SOF_TIMESTAMPING_OPT_ID_))
		err = start_ids(sk, ext, val);
	if (err)
		return err;
	if ((val & SOF_TIMESTAMPING_OPT_STATS_) && !(val & SOF_TIMESTAMPING_OPT_TSONLY_))
		return -EINVAL; /* they take the packet's place */
	if (val & SOF_TIMESTAMPING_BIND_PHC_)
		return -EOPNOTSUPP;
	ext->tsflags = val;
	ext->ts_new = new_form;
	return 0;
}

int sock_set_timestamps(struct sock *sk, int name, int val)
{
	switch (name) {
	case SO_TIMESTAMP:
	case SO_TIMESTAMP_NEW_:
		return set_arrival(sk, val, false, name == SO_TIMESTAMP_NEW_);
	case SO_TIMESTAMPNS:
	case SO_TIMESTAMPNS_NEW_:
		return set_arrival(sk, val, true, name == SO_TIMESTAMPNS_NEW_);
	case SO_TIMESTAMPING:
	case SO_TIMESTAMPING_NEW_:
		return set_timestamping(sk, (uint32_t)val, name == SO_TIMESTAMPING_NEW_);
	default:
		return -ENOPROTOOPT;
	}
}

bool sock_timestamp_option(const struct sock *sk, int name, int *v)
{
	bool us = sock_flag(sk, SOCK_F_TIMESTAMP), ns = sock_flag(sk, SOCK_F_TIMESTAMPNS);

	switch (name) {
	case SO_TIMESTAMP: *v = us && !is_new(sk); return true;
	case SO_TIMESTAMPNS: *v = ns && !is_new(sk); return true;
	case SO_TIMESTAMP_NEW_: *v = (us || ns) && is_new(sk); return true;
	case SO_TIMESTAMPNS_NEW_: *v = ns && is_new(sk); return true;
	default: return false;
	}
}

int sock_get_timestamping(const struct sock *sk, int name, void *val, socklen_t *len)
{
	struct { uint32_t flags; int32_t bind_phc; } v = {0, 0}; /* struct so_timestamping */

	if (sk->sk_ext && (name == SO_TIMESTAMPING || is_new(sk)))
		v.flags = sk->sk_ext->tsflags;
	return sock_opt_out(val, len, &v, sizeof(v));
}
