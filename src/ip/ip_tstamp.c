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

/* tsflags of the socket, 0 where none were set. */
static uint32_t tsflags_of(const struct sock *sk) { return sk->sk_ext ? sk->sk_ext->tsflags : 0; }

static struct sk_buff *report_of(struct sk_buff *orig, bool empty)
{
	struct sk_buff *skb = empty ? alloc_skb(orig->net, 0, 0, 0) : skb_clone(orig, MEM_NORMAL);

	if (skb && empty) {
		skb_reset_network_header(skb);
		skb_reset_transport_header(skb);
	}
	return skb;
}

void skb_tstamp_tx(struct sk_buff *orig, struct sock *sk, int type)
{
	uint32_t tsflags = tsflags_of(sk);
	struct sk_buff *skb;
	struct sock_exterr_skb *err;

	if (!tsflags)
		return;
	skb = report_of(orig, tsflags & SOF_TIMESTAMPING_OPT_TSONLY_);
	if (!skb)
		return;
	err = SKB_EXT_ERR(skb);
	*err = (struct sock_exterr_skb){.ee = {.ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING_, .ee_info = (uint32_t)type}};
	if (tsflags & SOF_TIMESTAMPING_OPT_ID_)
		err->ee.ee_data = skb_shinfo(orig)->tskey - (sk->sk_protocol == IPPROTO_TCP ? sk->sk_ext->tskey : 0);
	skb->tstamp_ns = sock_net(sk)->now_ns;
	if (sock_queue_err_skb(sk, skb))
		skb_drop(skb, SKB_DROP_REASON_SOCKET_RCVBUFF);
}

/* Wall-clock time of an instant of the instance's clock, ns. */
uint64_t ip_wall_time_ns(struct net *net, uint64_t tstamp_ns)
{
	uint64_t age = tstamp_ns && tstamp_ns < net->now_ns ? net->now_ns - tstamp_ns : 0;

	return net->env.realtime_ns(net->env.ctx) - age;
}

void ip_put_scm_timestamping(struct msghdr_k *msg, struct sock *sk, uint64_t tstamp_ns)
{
	uint64_t when;
	struct timespec ts[3];

	if (!tstamp_ns || !(tsflags_of(sk) & SOF_TIMESTAMPING_SOFTWARE_))
		return;
	when = ip_wall_time_ns(sock_net(sk), tstamp_ns);
	memset(ts, 0, sizeof(ts)); /* the others are a device's own clock's */
	ts[0].tv_sec = (time_t)(when / NSEC_PER_SEC);
	ts[0].tv_nsec = (long)(when % NSEC_PER_SEC);
	put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMPING, ts, sizeof(ts));
}
