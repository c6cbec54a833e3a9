/* SPDX-License-Identifier: MIT */
/* ip.h - IPv4 as its neighbours call it: output, receive state, ICMP, per-instance settings. */
#ifndef XMIT_IP_IP_H
#define XMIT_IP_IP_H

#include "ip/inet_sock.h"
#include "ip/route.h"
#include "wire/ip.h"

/* Received options and flags of a packet while IP and the transports have it (skb->cb of IP). */
struct inet_skb_parm {
	int iif;
	uint16_t flags;          /* IPSKB_* */
	uint16_t frag_max_size;
	uint8_t optlen;          /* bytes of IP options */
	uint8_t ttl, tos;
};
enum { IPSKB_FORWARDED = 1, IPSKB_FRAG_COMPLETE = 2, IPSKB_REROUTED_ = 4, IPSKB_FRAG_PMTU = 8 };
static inline struct inet_skb_parm *IPCB(const struct sk_buff *skb) { return (struct inet_skb_parm *)(void *)skb->cb; }
static inline struct iphdr *ip_hdr(const struct sk_buff *skb) { return (struct iphdr *)(void *)skb_network_header(skb); }
static inline unsigned ip_hdrlen(const struct sk_buff *skb) { return ip_hdr(skb)->ihl * 4u; }

/* IP options to send, network order, compiled. */
struct ip_options_data {
	uint8_t optlen;          /* bytes, multiple of 4, at most 40 */
	be32 faddr;              /* first hop of a source route, 0: none */
	uint8_t data[40];
};

/* Per-instance IPv4 state that others read; the rest is private to ip/. */
struct netns_ipv4 {
	uint32_t rt_genid;
	int32_t sysctl_ip_default_ttl;          /* 64 */
	int32_t sysctl_ip_no_pmtu_disc;         /* 0 */
	int32_t sysctl_ip_forward;              /* 0 */
	int32_t sysctl_ip_nonlocal_bind;        /* 0 */
	int32_t sysctl_ip_local_port_range[2];  /* 32768 60999 */
	int32_t sysctl_ip_unprivileged_port_start; /* 1024; not enforced: an embedder has no users */
	int32_t sysctl_min_pmtu;                /* 552 */
	int32_t sysctl_min_adv_mss;             /* 256 */
	int32_t sysctl_mtu_expires_s;           /* 600 */
	int32_t sysctl_icmp_echo_ignore_all, sysctl_icmp_echo_ignore_broadcasts, sysctl_icmp_ratelimit_ms, sysctl_icmp_ratemask;
	int32_t sysctl_icmp_msgs_per_sec, sysctl_icmp_msgs_burst, sysctl_icmp_ignore_bogus_error_responses;
	int32_t sysctl_ipfrag_high_thresh, sysctl_ipfrag_low_thresh, sysctl_ipfrag_time_s, sysctl_ipfrag_max_dist;
	int32_t sysctl_rp_filter;
	int32_t sysctl_ping_group_range[2];
	int accept_any;                         /* XMIT_SO_ACCEPT_ANY: sockets, their connections until they are over; every destination is local while > 0 */
	struct ip_private *priv;
	struct raw_hashinfo *raw;                /* raw.c */
	struct ping_table *ping;                 /* ping.c */
};

/* I1. Sends a transport segment of a connected socket: route from the socket's cache, header, out.  Consumes skb. */
int ip_queue_xmit(struct sock *sk, struct sk_buff *skb, struct flowi *fl);
/* Options for the answer to skb, a packet that was delivered here (RFC 1122 3.2.1.8); optlen 0: none. */
void ip_options_echo(struct ip_options_data *dopt, const struct sk_buff *skb);
/* For segments without a full socket (SYN-ACK, and replies): addresses given, route in skb->dst (taken). */
int ip_build_and_send_pkt(struct sk_buff *skb, const struct sock *sk, be32 saddr, be32 daddr, const struct ip_options_data *opt, uint8_t tos);
/* RST and TIME_WAIT ACKs: th (len bytes, checksum over pseudo-header filled in here) back to the sender of skb. */
struct ip_reply_arg { const void *data; unsigned len; int csum_offset; int bound_dev_if; uint8_t tos, ttl; uint32_t mark, priority; uint64_t transmit_time; be32 saddr, daddr; };
void ip_send_unicast_reply(struct net *net, struct sk_buff *skb, const struct ip_reply_arg *arg, uint8_t proto);
/* I2. From the LOCAL_OUT hook on; header present but for total length and checksum.  Consumes. */
int ip_local_out(struct net *net, struct sock *sk, struct sk_buff *skb);
int ip_output(struct net *net, struct sock *sk, struct sk_buff *skb);

/*
 * Datagrams (UDP, raw, ICMP): builds one skb (or, above the MTU, lets ip_fragment cut it) with transport_hdrlen bytes of room for the
 * transport header at its data, payload from iter behind it; sends with ip_send_skb.  NULL and *err: -EMSGSIZE (DF or > 65,535), -ENOBUFS ...
 * length counts the transport header and the payload, as in Linux.  The IP header stands complete in front of data (ip_send_skb pushes it),
 * transport_header is data.  ip_summed is PARTIAL where the device can complete the checksum (the caller stores the pseudo-header's and sets
 * csum_start and csum_offset), else NONE with the payload's sum in skb->csum.  rt is not consumed.
 */
struct ipcm_cookie { be32 saddr, daddr; int oif; struct ip_options_data *opt, *room /* for options of the message's own, the caller's; NULL: it may have none */; int16_t ttl; int16_t tos; uint32_t mark, priority; uint16_t gso_size; uint8_t protocol;
			bool has_ts_opt_id; uint32_t tsflags, ts_opt_id; /* SOF_TIMESTAMPING_TX_* of this message; its identifier */ };
struct sk_buff *ip_make_skb(struct sock *sk, struct flowi *fl, struct iov_iter *from, unsigned length, unsigned transport_hdrlen,
			    const struct ipcm_cookie *ipc, struct rtable *rt, unsigned flags, int *err);
int ip_send_skb(struct net *net, struct sk_buff *skb);
int ip_cmsg_send(struct sock *sk, const void *control, size_t len, struct ipcm_cookie *ipc);  /* IP_PKTINFO, IP_TTL, IP_TOS, IP_RETOPTS, IP_PROTOCOL */
void ip_cmsg_recv(struct msghdr_k *msg, struct sock *sk, struct sk_buff *skb);                 /* arrival stamps, IP_PKTINFO, IP_TTL, IP_TOS */
/* Appends at control_used; sets MSG_CTRUNC where the room ends.  0, or -EMSGSIZE when not a byte fitted. */
int put_cmsg(struct msghdr_k *msg, int level, int type, const void *data, size_t len);

/* ICMP error for skb (I5): rate-limited; does not consume skb.  info: the header's second word, host order (MTU; pointer << 24). */
void icmp_send(struct sk_buff *skb_in, uint8_t type, uint8_t code, uint32_t info);
/* errno and fatality of a destination-unreachable code. */
extern const struct icmp_err { int errno_; bool fatal; } icmp_err_convert[16];

/* The socket layer's IP level (IP_TTL, IP_TOS, IP_RECVERR, IP_PKTINFO, IP_MTU_DISCOVER ...). */
/* One more, or one less, for whom every destination is local (XMIT_SO_ACCEPT_ANY); sk_accept_any_end() if sk is one of them: it is no longer. */
void ip_accept_any(struct net *net, bool on);
void sk_accept_any_end(struct sock *sk);
/* The last that is asked: a level that is not IPPROTO_IP nobody has, -ENOPROTOOPT to set and -EOPNOTSUPP to get. */
int ip_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len);
int ip_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len);
/* Error queue (IP_RECVERR, MSG_ERRQUEUE), RFC 1122 4.1.3.3. */
void ip_icmp_error(struct sock *sk, struct sk_buff *skb, int err, be16 port, uint32_t info, const uint8_t *payload);
void ip_local_error(struct sock *sk, int err, be32 daddr, be16 port, uint32_t info);
ssize_t ip_recv_error(struct sock *sk, struct msghdr_k *msg);
/* Is a packet to loc_addr (multicast; true for others) that came in by interface dif for this socket? (IP_ADD_MEMBERSHIP) */
bool ip_mc_sf_allow(const struct sock *sk, be32 loc_addr, be32 rmt_addr, int dif);
/* Groups left, IP_OPTIONS freed: from inet_release(), before the last reference of a socket goes. */
void ip_sock_release(struct sock *sk);

extern const struct proto raw_prot, ping_prot;

static inline int ip_select_ttl(const struct inet_sock *inet, const struct dst_entry *dst, const struct net *net)
{
	if (inet->uc_ttl >= 0)
		return inet->uc_ttl;
	uint32_t hop = dst_metric(dst, RTAX_HOPLIMIT);
	return hop ? (int)hop : net->ipv4->sysctl_ip_default_ttl;
}
static inline bool ip_dont_fragment(const struct sock *sk)
{
	uint8_t d = inet_sk(sk)->pmtudisc;
	return d == IP_PMTUDISC_DO_ || d == IP_PMTUDISC_WANT_ || d == IP_PMTUDISC_PROBE_;
}

int ipv4_init(struct net *net);
void ipv4_exit(struct net *net);

#endif
