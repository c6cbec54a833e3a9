/* SPDX-License-Identifier: MIT */
/*
 * ip_tstamp.c - SO_TIMESTAMPING: when the bytes of a send call passed the stations of their way, told by the error queue.
 *
 *	SCM_TSTAMP_SCHED   the packet was given to the device's queueing discipline   dev/dev_xmit.c:dev_queue_xmit
 *	SCM_TSTAMP_SND     the driver took it                                         dev/dev_xmit.c:xmit_one
 *	SCM_TSTAMP_ACK     TCP: the peer has acknowledged all of the call's bytes      tcp/tcp_ack.c
 *
 * The transport marks the skb that holds the last byte (skb_shared_info.tx_flags, tskey).  A report is a clone of the packet, or, with
 * SOF_TIMESTAMPING_OPT_TSONLY, an empty skb; with OPT_ID it names the byte (TCP: offset in the stream since the option was set) or the datagram.
 * Reports are charged to the receive buffer and are lost where that is full.  dev/ reaches this by net->skb_tstamp_tx.
 *
 * Times are of the instance's clock and become wall-clock time when they are read.
 */
#include "ip/error_queue.h"
#include "ip/ip_internal.h"

#ifndef SO_TIMESTAMP /* these differ by the width of time_t: the C library knows */
#define SO_TIMESTAMP 29
#endif
#ifndef SO_TIMESTAMPNS
#define SO_TIMESTAMPNS 35
#endif
enum { SCM_TIMESTAMP_NEW = 63, SCM_TIMESTAMPNS_NEW = 64, SCM_TIMESTAMPING_NEW = 65 };

/* tsflags of the socket, 0 where none were set. */
static uint32_t tsflags_of(const struct sock *sk) { return sk->sk_ext ? sk->sk_ext->tsflags : 0; }

/* --- sending ------------------------------------------------------------------------------------------------------------- */

int ip_cmsg_timestamping(const uint8_t *data, size_t len, uint32_t *tsflags)
{
	uint32_t v;

	if (len != sizeof(v))
		return -EINVAL;
	memcpy(&v, data, sizeof(v));
	if (v & ~(uint32_t)SOF_TIMESTAMPING_TX_RECORD_MASK_)
		return -EINVAL;
	*tsflags = (*tsflags & ~(uint32_t)SOF_TIMESTAMPING_TX_RECORD_MASK_) | v;
	return 0;
}

/* A datagram takes a number of its own where its message did not bring one; nobody acknowledges it. */
void ip_setup_tx_timestamp(struct sock *sk, struct sk_buff *skb, const struct ipcm_cookie *ipc)
{
	struct skb_shared_info *si = skb_shinfo(skb);

	if (!(ipc->tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK_ & ~(uint32_t)SOF_TIMESTAMPING_TX_ACK_))
		return;
	if (ipc->tsflags & SOF_TIMESTAMPING_TX_SOFTWARE_)
		si->tx_flags |= SKBTX_SW_TSTAMP;
	if (ipc->tsflags & SOF_TIMESTAMPING_TX_SCHED_)
		si->tx_flags |= SKBTX_SCHED_TSTAMP;
	if (tsflags_of(sk) & SOF_TIMESTAMPING_OPT_ID_)
		si->tskey = ipc->has_ts_opt_id ? ipc->ts_opt_id : sk->sk_ext->tskey++;
}

/* --- reports --------------------------------------------------------------------------------------------------------------- */

static struct sk_buff *report_of(struct sk_buff *orig, const struct sk_buff *ack, struct sock *sk, uint32_t tsflags)
{
	bool stats = (tsflags & SOF_TIMESTAMPING_OPT_STATS_) && sk->sk_prot->tx_stats;
	struct sk_buff *skb;

	if (!(tsflags & SOF_TIMESTAMPING_OPT_TSONLY_))
		return skb_clone(orig, MEM_NORMAL);
	skb = stats ? sk->sk_prot->tx_stats(sk, orig, ack) : alloc_skb(orig->net, 0, 0, 0);
	if (skb) {
		skb_reset_network_header(skb);
		skb_reset_transport_header(skb);
		*SKB_EXT_ERR(skb) = (struct sock_exterr_skb){.opt_stats = stats};
	}
	return skb;
}

void __skb_tstamp_tx(struct sk_buff *orig, const struct sk_buff *ack, struct sock *sk, int type)
{
	uint32_t tsflags = tsflags_of(sk);
	struct sk_buff *skb = report_of(orig, ack, sk, tsflags);
	struct sock_exterr_skb *err;
	bool stats;

	if (!skb)
		return;
	err = SKB_EXT_ERR(skb);
	stats = (tsflags & SOF_TIMESTAMPING_OPT_TSONLY_) && err->opt_stats;
	*err = (struct sock_exterr_skb){.ee = {.ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING_, .ee_info = (uint32_t)type}, .opt_stats = stats};
	if (tsflags & SOF_TIMESTAMPING_OPT_ID_)
		err->ee.ee_data = skb_shinfo(orig)->tskey - (sk->sk_protocol == IPPROTO_TCP ? sk->sk_ext->tskey : 0);
	/* SOF_TIMESTAMPING_OPT_CMSG tells the device; an acknowledged skb is on none any more. */
	skb->skb_iif = type != SCM_TSTAMP_ACK_ && orig->dev ? orig->dev->ifindex : 0;
	skb->tstamp_ns = sock_net(sk)->now_ns;
	if (sock_queue_err_skb(sk, skb))
		skb_drop(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

void skb_tstamp_tx(struct sk_buff *orig, struct sock *sk, int type) { __skb_tstamp_tx(orig, NULL, sk, type); }

/* --- telling ----------------------------------------------------------------------------------------------------------------- */

/* Wall-clock time of an instant of the instance's clock, ns. */
uint64_t ip_wall_time_ns(struct net *net, uint64_t tstamp_ns)
{
	uint64_t age = tstamp_ns && tstamp_ns < net->now_ns ? net->now_ns - tstamp_ns : 0;

	return net->env.realtime_ns(net->env.ctx) - age;
}

/* One control message of `n` instants, the first of them `when` (0: none), as the socket wants them: of libc's width, or of 64 bits. */
static void put_times(struct msghdr_k *msg, bool new_form, int old_type, int new_type, const uint64_t *when, unsigned n, uint32_t unit_ns)
{
	int64_t wide[6];
	long narrow[6];

	for (unsigned i = 0; i < n; i++) {
		wide[2 * i] = (int64_t)(when[i] / NSEC_PER_SEC);
		wide[2 * i + 1] = (int64_t)(when[i] % NSEC_PER_SEC / unit_ns);
		narrow[2 * i] = (long)wide[2 * i];
		narrow[2 * i + 1] = (long)wide[2 * i + 1];
	}
	if (new_form)
		put_cmsg(msg, SOL_SOCKET, new_type, wide, n * 2 * sizeof(*wide));
	else
		put_cmsg(msg, SOL_SOCKET, old_type, narrow, n * 2 * sizeof(*narrow));
}

/* SOF_TIMESTAMPING_SOFTWARE: a report has its stamp because a send asked for it; of data, the socket asked by one option or the other. */
static bool wants_software_stamp(const struct sock *sk, bool report, bool arrivals)
{
	uint32_t tsflags = tsflags_of(sk);

	if (!(tsflags & SOF_TIMESTAMPING_SOFTWARE_))
		return false;
	return report || (tsflags & SOF_TIMESTAMPING_RX_SOFTWARE_) || (arrivals && !(tsflags & SOF_TIMESTAMPING_OPT_RX_FILTER_));
}

void ip_recv_stamp(struct msghdr_k *msg, struct sock *sk, uint64_t tstamp_ns, bool report)
{
	bool us = sock_flag(sk, SOCK_F_TIMESTAMP), ns = sock_flag(sk, SOCK_F_TIMESTAMPNS), new_form = sk->sk_ext && sk->sk_ext->ts_new;
	uint64_t when[3] = {0}; /* the others are a device's own clock's */

	if (us || ns || tsflags_of(sk))
		when[0] = ip_wall_time_ns(sock_net(sk), tstamp_ns);
	if (us)
		put_times(msg, new_form, SO_TIMESTAMP, SCM_TIMESTAMP_NEW, when, 1, NSEC_PER_USEC);
	if (ns)
		put_times(msg, new_form, SO_TIMESTAMPNS, SCM_TIMESTAMPNS_NEW, when, 1, 1);
	if (tstamp_ns && wants_software_stamp(sk, report, us || ns))
		put_times(msg, new_form, SO_TIMESTAMPING, SCM_TIMESTAMPING_NEW, when, 3, 1);
}
