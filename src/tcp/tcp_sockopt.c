/* SPDX-License-Identifier: MIT */
/*
 * tcp_sockopt.c - the options of level IPPROTO_TCP: what they accept and what they answer is Linux's, errno for errno.
 *
 * Options that few sockets set live in sk_ext.  What this TCP does not have (repair, upper-layer protocols) answers as a Linux without
 * it does.  Other levels are handed to the address family (icsk_af_ops).
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_user.h"
#include <string.h>

enum { /* Linux's numbers that need no public name here */
	OPT_REPAIR = 19, OPT_REPAIR_QUEUE = 20, OPT_QUEUE_SEQ = 21, OPT_REPAIR_OPTIONS = 22, OPT_REPAIR_WINDOW = 29, OPT_ULP = 31,
	FIN_TIMEOUT_MAX_S = 120, SOCK_MIN_RCVBUF_BYTES = 2304,
};

/* --- setting ------------------------------------------------------------------------------------------------------------------- */

static int set_nodelay(struct sock *sk, int val)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (val) {
		/* What waits under Nagle's rule goes now, though not what a cork holds. */
		tp->nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
		tcp_push_pending_frames(sk);
	} else {
		tp->nonagle &= (uint8_t)~TCP_NAGLE_OFF;
	}
	return 0;
}

static int set_cork(struct sock *sk, int val)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (val) {
		tp->nonagle |= TCP_NAGLE_CORK;
		return 0;
	}
	tp->nonagle &= (uint8_t)~TCP_NAGLE_CORK;
	if (tp->nonagle & TCP_NAGLE_OFF)
		tp->nonagle |= TCP_NAGLE_PUSH;
	tcp_push_pending_frames(sk);
	return 0;
}

static int set_maxseg(struct sock *sk, int val)
{
	if (val && (val < TCP_MIN_MSS || val > MAX_TCP_WINDOW))
		return -EINVAL;
	tcp_sk(sk)->rx_opt.user_mss = (uint16_t)val;
	return 0;
}

/* The keepalive timer of a running connection follows the new time. */
static void restart_keepalive(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint64_t last = MAX(inet_csk(sk)->icsk_lrcvtime_ns, tp->rcv_tstamp_ns);
	uint64_t silent = sock_net(sk)->now_ns - last, after = keepalive_time_when_ns(tp);

	if (!sock_flag(sk, SOCK_F_KEEPOPEN) || (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return;
	inet_csk_reset_keepalive_timer(sk, after > silent ? after - silent : 0);
}

static int set_keepidle(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err;

	if (val < 1 || val > MAX_TCP_KEEPIDLE)
		return -EINVAL;
	err = sk_ext_get(sk, &ext);
	if (err)
		return err;
	ext->tcp_keepalive_time_s = (uint32_t)val;
	restart_keepalive(sk);
	return 0;
}

static int set_keepintvl(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err;

	if (val < 1 || val > MAX_TCP_KEEPINTVL)
		return -EINVAL;
	err = sk_ext_get(sk, &ext);
	if (!err)
		ext->tcp_keepalive_intvl_s = (uint32_t)val;
	return err;
}

static int set_linger2(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err = sk_ext_get(sk, &ext);

	if (!err)
		ext->tcp_linger2_s = val < 0 ? -1 : MIN(val, FIN_TIMEOUT_MAX_S);
	return err;
}

/* Seconds that a listener waits for data become retransmissions of the SYN-ACK, which is when it looks. */
static uint8_t secs_to_retrans(int seconds)
{
	int timeout = 1, period = 1;
	uint8_t res = 0;

	if (seconds <= 0)
		return 0;
	for (res = 1; seconds > period && res < 255; res++) {
		timeout = MIN(timeout << 1, TCP_RTO_MAX_US / 1000000);
		period += timeout;
	}
	return res;
}

static int retrans_to_secs(uint8_t retrans)
{
	int timeout = 1, period = 0;

	if (!retrans)
		return 0;
	for (period = 1; --retrans; period += timeout)
		timeout = MIN(timeout << 1, TCP_RTO_MAX_US / 1000000);
	return period;
}

static int set_window_clamp(struct sock *sk, int val)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t clamp = (uint32_t)MAX(val, SOCK_MIN_RCVBUF_BYTES / 2);

	if (!val) {
		if (sk->sk_state != TCP_CLOSE)
			return -EINVAL;
		tp->window_clamp = 0;
		return 0;
	}
	tcp_set_window_clamp(sk, clamp);
	return 0;
}

static int set_quickack(struct sock *sk, int val)
{
	if (!val) {
		inet_csk_enter_pingpong_mode(sk);
		return 0;
	}
	inet_csk_exit_pingpong_mode(sk);
	if ((TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))) && inet_csk_ack_scheduled(sk)) {
		inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_PUSHED;
		tcp_cleanup_rbuf(sk, 1);
		if (!(val & 1))
			inet_csk_enter_pingpong_mode(sk);
	}
	return 0;
}

static int set_user_timeout(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err;

	if (val < 0)
		return -EINVAL;
	err = sk_ext_get(sk, &ext);
	if (!err)
		ext->tcp_user_timeout_ms = (uint32_t)val;
	return err;
}

static int set_rto_max(struct sock *sk, int ms)
{
	if (ms < 1000 || ms > TCP_RTO_MAX_US / 1000)
		return -EINVAL;
	inet_csk(sk)->icsk_rto_max_us = (uint32_t)ms * 1000;
	return 0;
}

/* Linux rounds up to ticks and wants two of them. */
static int set_rto_min(struct sock *sk, int us)
{
	if (us <= TCP_TICK_US || us > TCP_RTO_MIN_US)
		return -EINVAL;
	inet_csk(sk)->icsk_rto_min_us = (uint32_t)us;
	tcp_bound_delack(sk);
	return 0;
}

/* The same bounds; longer than the standard delay is not for one socket to say. */
static int set_delack_max(struct sock *sk, int us)
{
	struct sock_ext *ext;
	int err;

	if (us <= TCP_TICK_US || us > TCP_DELACK_MAX_US)
		return -EINVAL;
	err = sk_ext_get(sk, &ext);
	if (err)
		return err;
	ext->tcp_delack_max_us = (uint32_t)us;
	tcp_bound_delack(sk);
	return 0;
}

static int set_notsent_lowat(struct sock *sk, int val)
{
	struct sock_ext *ext;
	int err = sk_ext_get(sk, &ext);

	if (err)
		return err;
	ext->tcp_notsent_lowat = (uint32_t)val;
	if (tcp_stream_half_free(sk))
		sk_stream_write_space(sk);
	return 0;
}

static int set_congestion(struct sock *sk, const void *val, socklen_t len)
{
	char name[16];
	size_t n = MIN((size_t)len, sizeof(name) - 1);

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, n);
	name[n] = 0;
	return tcp_set_congestion_control(sk, name);
}

static int set_flag_0_1(int val) { return val < 0 || val > 1 ? -EINVAL : 0; }

static int set_fastopen_connect(struct sock *sk, int val)
{
	if (set_flag_0_1(val))
		return -EINVAL;
	if (!(sock_net(sk)->tcp->sysctl_tcp_fastopen & TFO_CLIENT_ENABLE))
		return -EOPNOTSUPP;
	if (sk->sk_state != TCP_CLOSE)
		return -EINVAL;
	tcp_sk(sk)->fastopen_connect = val & 1;
	return 0;
}

static int set_fastopen_no_cookie(struct sock *sk, int val)
{
	if (set_flag_0_1(val) || !(TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return -EINVAL;
	tcp_sk(sk)->fastopen_no_cookie = val & 1;
	return 0;
}

static int set_int_option(struct sock *sk, int name, int val)
{
	struct tcp_sock *tp = tcp_sk(sk);

	switch (name) {
	case XMIT_TCP_NODELAY:
		return set_nodelay(sk, val);
	case XMIT_TCP_CORK:
		return set_cork(sk, val);
	case XMIT_TCP_MAXSEG:
		return set_maxseg(sk, val);
	case XMIT_TCP_KEEPIDLE:
		return set_keepidle(sk, val);
	case XMIT_TCP_KEEPINTVL:
		return set_keepintvl(sk, val);
	case XMIT_TCP_KEEPCNT:
		if (val < 1 || val > MAX_TCP_KEEPCNT)
			return -EINVAL;
		tp->keepalive_probes = (uint8_t)val;
		return 0;
	case XMIT_TCP_SYNCNT:
		if (val < 1 || val > MAX_TCP_SYNCNT)
			return -EINVAL;
		inet_csk(sk)->icsk_syn_retries = (uint8_t)val;
		return 0;
	case XMIT_TCP_LINGER2:
		return set_linger2(sk, val);
	case XMIT_TCP_DEFER_ACCEPT:
		tp->defer_accept = secs_to_retrans(val);
		return 0;
	case XMIT_TCP_WINDOW_CLAMP:
		return set_window_clamp(sk, val);
	case XMIT_TCP_QUICKACK:
		return set_quickack(sk, val);
	case XMIT_TCP_USER_TIMEOUT:
		return set_user_timeout(sk, val);
	case XMIT_TCP_RTO_MAX_MS:
		return set_rto_max(sk, val);
	case XMIT_TCP_RTO_MIN_US:
		return set_rto_min(sk, val);
	case XMIT_TCP_DELACK_MAX_US:
		return set_delack_max(sk, val);
	case XMIT_TCP_NOTSENT_LOWAT:
		return set_notsent_lowat(sk, val);
	case XMIT_TCP_INQ:
		if (set_flag_0_1(val))
			return -EINVAL;
		tp->recvmsg_inq = val & 1;
		return 0;
	case XMIT_TCP_FASTOPEN:
		return tcp_fastopen_set_qlen(sk, val);
	case XMIT_TCP_FASTOPEN_CONNECT:
		return set_fastopen_connect(sk, val);
	case XMIT_TCP_FASTOPEN_NO_COOKIE:
		return set_fastopen_no_cookie(sk, val);
	case XMIT_TCP_SAVE_SYN:
		if (val < 0 || val > 2)
			return -EINVAL;
		tp->save_syn = val & 3;
		return 0;
	case XMIT_TCP_TIMESTAMP: /* only a socket under repair may set its clock */
	case OPT_REPAIR:
	case OPT_REPAIR_QUEUE:
	case OPT_QUEUE_SEQ:
	case OPT_REPAIR_OPTIONS:
	case OPT_REPAIR_WINDOW:
		return -EPERM;
	default:
		return -ENOPROTOOPT;
	}
}

int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int n;

	if (level != IPPROTO_TCP)
		return inet_csk(sk)->icsk_af_ops->setsockopt(sk, level, name, val, len);
	if (name == XMIT_TCP_CONGESTION)
		return set_congestion(sk, val, len);
	if (name == OPT_ULP)
		return len < 1 ? -EINVAL : -ENOENT;
	if (name == XMIT_TCP_FASTOPEN_KEY)
		return tcp_fastopen_set_key(sk, val, len);
	if (name == XMIT_TCP_MD5SIG || name == XMIT_TCP_MD5SIG_EXT)
		return tcp_md5_setsockopt(sk, val, len, name == XMIT_TCP_MD5SIG_EXT);
	if (len < sizeof(n))
		return -EINVAL;
	memcpy(&n, val, sizeof(n));
	return set_int_option(sk, name, n);
}

/* --- getting ------------------------------------------------------------------------------------------------------------------- */

static int get_maxseg(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tp->rx_opt.user_mss && (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return tp->rx_opt.user_mss;
	return tp->mss_cache;
}

static int get_linger2(const struct sock *sk)
{
	int val = sk->sk_ext ? sk->sk_ext->tcp_linger2_s : 0;

	return val < 0 ? -1 : val ? val : sock_net(sk)->tcp->sysctl_tcp_fin_timeout;
}

/* An option's value; -ENOPROTOOPT in *err. */
static int get_int_option(struct sock *sk, int name, int *err)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	const struct sock_ext *ext = sk->sk_ext;

	switch (name) {
	case XMIT_TCP_NODELAY:
		return !!(tp->nonagle & TCP_NAGLE_OFF);
	case XMIT_TCP_CORK:
		return !!(tp->nonagle & TCP_NAGLE_CORK);
	case XMIT_TCP_MAXSEG:
		return get_maxseg(sk);
	case XMIT_TCP_KEEPIDLE:
		return ext && ext->tcp_keepalive_time_s ? (int)ext->tcp_keepalive_time_s : ns->sysctl_tcp_keepalive_time;
	case XMIT_TCP_KEEPINTVL:
		return ext && ext->tcp_keepalive_intvl_s ? (int)ext->tcp_keepalive_intvl_s : ns->sysctl_tcp_keepalive_intvl;
	case XMIT_TCP_KEEPCNT:
		return tp->keepalive_probes ? tp->keepalive_probes : ns->sysctl_tcp_keepalive_probes;
	case XMIT_TCP_SYNCNT:
		return icsk->icsk_syn_retries ? icsk->icsk_syn_retries : ns->sysctl_tcp_syn_retries;
	case XMIT_TCP_LINGER2:
		return get_linger2(sk);
	case XMIT_TCP_DEFER_ACCEPT:
		return retrans_to_secs(tp->defer_accept);
	case XMIT_TCP_WINDOW_CLAMP:
		return (int)tp->window_clamp;
	case XMIT_TCP_QUICKACK:
		return !inet_csk_in_pingpong_mode(sk);
	case XMIT_TCP_USER_TIMEOUT:
		return ext ? (int)ext->tcp_user_timeout_ms : 0;
	case XMIT_TCP_RTO_MAX_MS:
		return (int)(icsk->icsk_rto_max_us / 1000);
	case XMIT_TCP_RTO_MIN_US:
		return (int)icsk->icsk_rto_min_us;
	case XMIT_TCP_DELACK_MAX_US:
		return ext && ext->tcp_delack_max_us ? (int)ext->tcp_delack_max_us : TCP_DELACK_MAX_US;
	case XMIT_TCP_NOTSENT_LOWAT:
		return ext ? (int)ext->tcp_notsent_lowat : 0;
	case XMIT_TCP_INQ:
		return tp->recvmsg_inq;
	case XMIT_TCP_FASTOPEN:
		return tp->ext ? (int)tp->ext->fastopen_max_qlen : 0;
	case XMIT_TCP_FASTOPEN_CONNECT:
		return tp->fastopen_connect;
	case XMIT_TCP_FASTOPEN_NO_COOKIE:
		return tp->fastopen_no_cookie;
	case XMIT_TCP_SAVE_SYN:
		return tp->save_syn;
	case XMIT_TCP_TIMESTAMP:
		return (int)((uint32_t)(sock_net(sk)->now_ns / NSEC_PER_MSEC) + tp->tsoffset);
	case OPT_REPAIR:
		return 0;
	case OPT_REPAIR_QUEUE:
	case OPT_QUEUE_SEQ:
	case OPT_REPAIR_WINDOW:
		*err = name == OPT_REPAIR_WINDOW ? -EPERM : -EINVAL;
		return 0;
	default:
		*err = -ENOPROTOOPT;
		return 0;
	}
}

/* As many bytes of src as *len has room for. */
static int copy_out(void *val, socklen_t *len, const void *src, size_t n)
{
	n = MIN((size_t)*len, n);
	memcpy(val, src, n);
	*len = (socklen_t)n;
	return 0;
}

static int get_info(struct sock *sk, void *val, socklen_t *len)
{
	struct xmit_tcp_info info;

	tcp_get_info(sk, &info);
	return copy_out(val, len, &info, sizeof(info));
}

static int get_cc_info(struct sock *sk, void *val, socklen_t *len)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	uint8_t info[TCP_CC_INFO_MAX] = {0};
	size_t n = 0;
	int attr;

	if (ca->get_info)
		n = ca->get_info(sk, ~UINT32_C(0), &attr, info);
	return copy_out(val, len, info, MIN(n, sizeof(info)));
}

int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	int n, err = 0;

	if (level != IPPROTO_TCP)
		return inet_csk(sk)->icsk_af_ops->getsockopt(sk, level, name, val, len);
	if ((int)*len < 0)
		return -EINVAL;
	switch (name) {
	case XMIT_TCP_INFO:
		return get_info(sk, val, len);
	case XMIT_TCP_CC_INFO:
		return get_cc_info(sk, val, len);
	case XMIT_TCP_CONGESTION:
		return copy_out(val, len, inet_csk(sk)->icsk_ca_ops->name, sizeof(inet_csk(sk)->icsk_ca_ops->name));
	case XMIT_TCP_FASTOPEN_KEY:
		return tcp_fastopen_get_key(sk, val, len);
	case XMIT_TCP_SAVED_SYN:
		return tcp_get_saved_syn(sk, val, len);
	case OPT_ULP:
		*len = 0;
		return 0;
	}
	n = get_int_option(sk, name, &err);
	return err ? err : copy_out(val, len, &n, sizeof(n));
}
