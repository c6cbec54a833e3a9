/* SPDX-License-Identifier: MIT */
/*
 * tcp_txstamp.c - SO_TIMESTAMPING on a stream: which skb is marked, and where the mark goes when skbs are cut and merged.
 *
 * A send call's stamps are those of its last byte.  When the call has queued it, the skb at the tail of the write queue is marked: tx_flags for the stations
 * below (dev/dev_xmit.c), txstamp_ack for the acknowledgment, tskey the byte's sequence number.  A later call that fills the same skb moves the mark
 * to its own byte: stamps of the earlier are then not told, as on Linux.  Merging in the retransmit queue is tcp_skb_collapse_tstamp()'s.
 */
#include "ip/error_queue.h"
#include "tcp/tcp_txstamp.h"

/* Of the socket's own messages; those that mean nothing to a stream are accepted, as on Linux, if they are well formed. */
static int parse_socket_message(int type, const uint8_t *data, size_t len, uint32_t *tsflags)
{
	enum { PRIORITY = 12, MARK = 36, CREDENTIALS = 2, TIMESTAMPING_NEW = 65 };

	switch (type) {
	case SO_TIMESTAMPING:
	case TIMESTAMPING_NEW:
		return ip_cmsg_timestamping(data, len, tsflags);
	case MARK:
	case PRIORITY:
		return len == sizeof(uint32_t) ? 0 : -EINVAL;
	case SCM_RIGHTS:
	case CREDENTIALS:
		return 0;
	default:
		return -EINVAL;
	}
}

int tcp_parse_send_cmsg(const struct sock *sk, const struct msghdr_k *msg, uint32_t *tsflags)
{
	const uint8_t *at = msg->control;
	size_t left = msg->control ? msg->controllen : 0, head = ALIGN_UP(sizeof(struct cmsghdr), sizeof(size_t)), n;
	struct cmsghdr h;

	*tsflags = sk->sk_ext ? sk->sk_ext->tsflags : 0;
	for (; left >= sizeof(h); at += n, left -= n) {
		memcpy(&h, at, sizeof(h));
		n = (size_t)h.cmsg_len;
		if (n < head || n > left)
			return -EINVAL;
		int err = h.cmsg_level == SOL_SOCKET ? parse_socket_message(h.cmsg_type, at + head, n - head, tsflags) : 0;
		if (err)
			return err;
		n = MIN(ALIGN_UP(n, sizeof(size_t)), left);
	}
	return 0;
}

void tcp_tx_timestamp(struct sock *sk, uint32_t tsflags)
{
	struct sk_buff *skb = tcp_write_queue_tail(sk);
	struct skb_shared_info *si;

	if (!skb)
		skb = tcp_rtx_queue_tail(sk); /* it has left already: only the acknowledgment is to come */
	if (!skb || !(tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK_))
		return;
	si = skb_shinfo(skb);
	if (tsflags & SOF_TIMESTAMPING_TX_SOFTWARE_)
		si->tx_flags |= SKBTX_SW_TSTAMP;
	if (tsflags & SOF_TIMESTAMPING_TX_SCHED_)
		si->tx_flags |= SKBTX_SCHED_TSTAMP;
	if (tsflags & SOF_TIMESTAMPING_TX_ACK_)
		TCP_SKB_CB(skb)->txstamp_ack = 1;
	si->tskey = TCP_SKB_CB(skb)->seq + skb->len - 1;
}

void tcp_fragment_tstamp(struct sk_buff *skb, struct sk_buff *buff)
{
	const uint8_t marks = SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;
	struct skb_shared_info *si = skb_shinfo(skb), *rest = skb_shinfo(buff);

	if (likely(!(si->tx_flags & marks) && !TCP_SKB_CB(skb)->txstamp_ack))
		return;
	if (seq_before(si->tskey, TCP_SKB_CB(buff)->seq)) {
		TCP_SKB_CB(buff)->txstamp_ack = 0; /* it was copied along */
		return;
	}
	rest->tx_flags |= si->tx_flags & marks;
	si->tx_flags &= (uint8_t)~marks;
	rest->tskey = si->tskey;
	TCP_SKB_CB(buff)->txstamp_ack = TCP_SKB_CB(skb)->txstamp_ack;
	TCP_SKB_CB(skb)->txstamp_ack = 0;
}

void tcp_ack_tstamp(struct sock *sk, struct sk_buff *skb, const struct sk_buff *ack, uint32_t prior_snd_una)
{
	uint32_t key;

	if (likely(!TCP_SKB_CB(skb)->txstamp_ack))
		return;
	key = skb_shinfo(skb)->tskey;
	if (!seq_before(key, prior_snd_una) && seq_before(key, tcp_sk(sk)->snd_una))
		__skb_tstamp_tx(skb, ack, sk, SCM_TSTAMP_ACK_);
}
