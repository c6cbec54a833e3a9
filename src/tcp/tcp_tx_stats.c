/* SPDX-License-Identifier: MIT */
/*
 * tcp_tx_stats.c - SOF_TIMESTAMPING_OPT_STATS: with each time stamp of a sent byte, the connection as it is then.
 *
 * The data are netlink attributes (struct nlattr, TCP_NLA_* of <linux/tcp.h>), in the order in which Linux has them; units are theirs: times in
 * microseconds, rates in bytes a second.  Called by ip/ip_tstamp.c when a stamp is taken; read by recvmsg(MSG_ERRQUEUE).
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_txstamp.h"

enum {
	TCP_NLA_BUSY = 1, TCP_NLA_RWND_LIMITED, TCP_NLA_SNDBUF_LIMITED, TCP_NLA_DATA_SEGS_OUT, TCP_NLA_TOTAL_RETRANS, TCP_NLA_PACING_RATE, TCP_NLA_DELIVERY_RATE,
	TCP_NLA_SND_CWND, TCP_NLA_REORDERING, TCP_NLA_MIN_RTT, TCP_NLA_RECUR_RETRANS, TCP_NLA_DELIVERY_RATE_APP_LMT, TCP_NLA_SNDQ_SIZE, TCP_NLA_CA_STATE,
	TCP_NLA_SND_SSTHRESH, TCP_NLA_DELIVERED, TCP_NLA_DELIVERED_CE, TCP_NLA_BYTES_SENT, TCP_NLA_BYTES_RETRANS, TCP_NLA_DSACK_DUPS, TCP_NLA_REORD_SEEN,
	TCP_NLA_SRTT, TCP_NLA_TIMEOUT_REHASH, TCP_NLA_BYTES_NOTSENT, TCP_NLA_EDT, TCP_NLA_TTL, TCP_NLA_REHASH,
};
enum { NLA_HEADER = 4, STATS_ROOM = 27 * (NLA_HEADER + 8) };

static void put_attribute(struct sk_buff *skb, uint16_t type, const void *v, uint16_t n)
{
	uint16_t head[2] = {(uint16_t)(NLA_HEADER + n), type};
	uint8_t *at = skb_put(skb, NLA_HEADER + ALIGN_UP((unsigned)n, 4u));

	memset(at, 0, NLA_HEADER + ALIGN_UP((unsigned)n, 4u));
	memcpy(at, head, sizeof(head));
	memcpy(at + NLA_HEADER, v, n);
}

static void put_u64(struct sk_buff *skb, uint16_t type, uint64_t v) { put_attribute(skb, type, &v, sizeof(v)); }
static void put_u32(struct sk_buff *skb, uint16_t type, uint32_t v) { put_attribute(skb, type, &v, sizeof(v)); }
static void put_u16(struct sk_buff *skb, uint16_t type, uint16_t v) { put_attribute(skb, type, &v, sizeof(v)); }
static void put_u8(struct sk_buff *skb, uint16_t type, uint8_t v) { put_attribute(skb, type, &v, sizeof(v)); }

static void put_times(struct sk_buff *skb, const struct sock *sk)
{
	uint64_t us[4];

	tcp_chrono_read(sk, us);
	put_u64(skb, TCP_NLA_BUSY, us[TCP_CHRONO_BUSY] + us[TCP_CHRONO_RWND_LIMITED] + us[TCP_CHRONO_SNDBUF_LIMITED]);
	put_u64(skb, TCP_NLA_RWND_LIMITED, us[TCP_CHRONO_RWND_LIMITED]);
	put_u64(skb, TCP_NLA_SNDBUF_LIMITED, us[TCP_CHRONO_SNDBUF_LIMITED]);
}

static void put_congestion(struct sk_buff *skb, const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	put_u64(skb, TCP_NLA_PACING_RATE, sk->sk_pacing_rate);
	put_u64(skb, TCP_NLA_DELIVERY_RATE, tcp_delivery_rate(tp));
	put_u32(skb, TCP_NLA_SND_CWND, tp->snd_cwnd);
	put_u32(skb, TCP_NLA_REORDERING, tp->reordering);
	put_u32(skb, TCP_NLA_MIN_RTT, tp->rtt_min_us);
	put_u8(skb, TCP_NLA_RECUR_RETRANS, inet_csk(sk)->icsk_retransmits);
	put_u8(skb, TCP_NLA_DELIVERY_RATE_APP_LMT, tp->rate_app_limited);
	put_u32(skb, TCP_NLA_SND_SSTHRESH, tp->snd_ssthresh);
	put_u32(skb, TCP_NLA_DELIVERED, tp->delivered);
	put_u32(skb, TCP_NLA_DELIVERED_CE, tp->delivered_ce);
}

struct sk_buff *tcp_tx_stats(struct sock *sk, const struct sk_buff *orig, const struct sk_buff *ack)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint32_t rehash = tp->ext ? tp->ext->timeout_rehash : 0;
	struct sk_buff *skb = alloc_skb(sock_net(sk), 0, STATS_ROOM, 0);

	if (!skb)
		return NULL;
	put_times(skb, sk);
	put_u64(skb, TCP_NLA_DATA_SEGS_OUT, tp->data_segs_out);
	put_u64(skb, TCP_NLA_TOTAL_RETRANS, tp->total_retrans);
	put_congestion(skb, sk);
	put_u32(skb, TCP_NLA_SNDQ_SIZE, tp->write_seq - tp->snd_una);
	put_u8(skb, TCP_NLA_CA_STATE, inet_csk(sk)->icsk_ca_state);
	put_u64(skb, TCP_NLA_BYTES_SENT, tp->bytes_sent);
	put_u64(skb, TCP_NLA_BYTES_RETRANS, tp->bytes_retrans);
	put_u32(skb, TCP_NLA_DSACK_DUPS, tp->dsack_dups);
	put_u32(skb, TCP_NLA_REORD_SEEN, tp->reord_seen);
	put_u32(skb, TCP_NLA_SRTT, tp->srtt_us >> 3);
	put_u16(skb, TCP_NLA_TIMEOUT_REHASH, (uint16_t)rehash);
	put_u32(skb, TCP_NLA_BYTES_NOTSENT, seq_after(tp->write_seq, tp->snd_nxt) ? tp->write_seq - tp->snd_nxt : 0);
	put_u64(skb, TCP_NLA_EDT, orig->skb_mstamp_ns);
	if (ack)
		put_u8(skb, TCP_NLA_TTL, ip_hdr(ack)->ttl);
	put_u32(skb, TCP_NLA_REHASH, rehash);
	return skb;
}
