/* SPDX-License-Identifier: MIT */
/* ip_internal.h - what the files of ip/ share and nobody else sees. */
#ifndef XMIT_IP_IP_INTERNAL_H
#define XMIT_IP_IP_INTERNAL_H

#include "ip/devinet.h"
#include "ip/ip.h"
#include "ip/protocol.h"
#include "neigh/neighbour.h"
#include "netfilter/netfilter.h"

enum {
	IPV4_MAX_PMTU = 65535,
	PMTU_EXCEPTIONS_MAX = 1024, /* destinations with a learnt path MTU */
	IPTOS_PREC_INTERNETCONTROL = 0xc0,
	IPTOS_RT_MASK = 0x1c,       /* bits of the TOS that routing looks at */
};

struct ip_private {
	struct packet_type packet;       /* ip_rcv */
	struct packet_offload offload;   /* inet_offload.c */
	struct netdev_notifier notifier; /* devinet.c */
	const struct net_protocol *protos[256];
	const struct net_offload *offloads[256];
	/* Each is private to the file of its name. */
	struct fib_state *fib;
	struct route_state *route;
	struct pmtu_state *pmtu;
	struct frag_state *frag;
	struct icmp_state *icmp;
	struct peer_state *peers;
	struct ident_state *ident;
};

/* --- route.c, route_input.c, route_pmtu.c -------------------------------------------------------------------- */
int route_init(struct net *net);
void route_exit(struct net *net);
struct rtable *rt_dst_alloc(struct net_device *dev, uint16_t flags, uint8_t type); /* one reference; NULL: no memory */
void rt_flush_dev(struct net_device *dev); /* no route holds dev any more */
/* Cache of recent look-ups: entries are checked like any dst. */
struct rt_key { be32 saddr, daddr; int ifindex; uint8_t tos, flags; };
enum { RT_KEY_INPUT = 1, RT_KEY_ACCEPT_ANY = 2, RT_KEY_ANYSRC = 4 };
struct rtable *rt_cache_find(struct net *net, const struct rt_key *key);           /* with a reference, or NULL */
void rt_cache_store(struct net *net, const struct rt_key *key, struct rtable *rt); /* takes a reference of its own */
int ip_dst_discard(struct sk_buff *skb);
/* The local address that a packet like this one is answered from (RFC 1122 3.2.1.3). */
be32 fib_compute_spec_dst(struct sk_buff *skb);

int pmtu_init(struct net *net);
void pmtu_exit(struct net *net);
void pmtu_apply(struct net *net, struct rtable *rt, be32 daddr);
void ip_rt_update_pmtu(struct dst_entry *dst, struct sock *sk, const struct sk_buff *skb, uint32_t mtu);

/* --- ip_input.c, ip_forward.c, ip_defrag.c ------------------------------------------------------------------- */
int ip_rcv(struct sk_buff *skb, struct net_device *dev);
int ip_local_deliver(struct sk_buff *skb); /* dst.input of local routes */
int ip_forward(struct sk_buff *skb);       /* dst.input of forwarding routes */
int frag_init(struct net *net);
void frag_exit(struct net *net);
/* Takes over a fragment; the whole packet, or NULL while some of it is missing (or it was dropped). */
struct sk_buff *ip_defrag(struct net *net, struct sk_buff *skb, uint32_t user);
enum { IP_DEFRAG_LOCAL_DELIVER = 0, IP_DEFRAG_CONNTRACK_IN = 1, IP_DEFRAG_CONNTRACK_OUT = 2 };
static inline bool ip_is_fragment(const struct iphdr *iph) { return iph->frag_off & CPU_TO_BE16(IP_MF | IP_OFFSET); }

/* --- ip_output.c, ip_fragment.c, ip_ident.c ------------------------------------------------------------------ */
int ip_mc_output(struct net *net, struct sock *sk, struct sk_buff *skb);
typedef int (*ip_output_fn)(struct net *net, struct sock *sk, struct sk_buff *skb);
/* Cuts skb to mtu, or refuses it with ICMP (DF); each piece goes to output.  Consumes. */
int ip_fragment(struct net *net, struct sock *sk, struct sk_buff *skb, unsigned mtu, ip_output_fn output);
/* Version, header length, TOS, fragment field, TTL, protocol, addresses.  Options, ID, length and checksum come later. */
struct iphdr *ip_push_header(struct sk_buff *skb, unsigned optlen, uint8_t tos, bool df, uint8_t ttl, uint8_t protocol, be32 saddr, be32 daddr);
static inline void ip_send_check(struct iphdr *iph)
{
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->ihl);
}
/* DF by the socket's path MTU policy: not where the path MTU is locked below the least we believe. */
static inline bool ip_df_wanted(const struct sock *sk, const struct rtable *rt)
{
	return ip_dont_fragment(sk) && !(rt->rt_mtu_locked && inet_sk(sk)->pmtudisc == IP_PMTUDISC_WANT_);
}
static inline bool ip_sk_ignore_df(const struct sock *sk)
{
	return inet_sk(sk)->pmtudisc < IP_PMTUDISC_DO_ || inet_sk(sk)->pmtudisc == IP_PMTUDISC_OMIT_;
}
static inline bool ip_sk_use_pmtu(const struct sock *sk) { return inet_sk(sk)->pmtudisc < IP_PMTUDISC_PROBE_; }
/* Full socks have the inet_sock members; requests and TIME_WAIT do not. */
static inline bool ip_sk_full(const struct sock *sk) { return !(TCPF(sk->sk_state) & (TCPF(TCP_TIME_WAIT) | TCPF(TCP_NEW_SYN_RECV))); }
/* MTU for a packet on its way out: a forwarded one is held to the device's, not to what we learnt for ourselves. */
unsigned ip_skb_dst_mtu(const struct sock *sk, const struct sk_buff *skb);
bool ip_gso_fits(const struct sk_buff *skb, unsigned mtu);
int ident_init(struct net *net);
void ident_exit(struct net *net);
/* Sets the ID (RFC 6864): from the socket's counter where it is connected, else by destination; atomic datagrams may have 0. */
void ip_select_ident_segs(struct net *net, struct sk_buff *skb, struct sock *sk, unsigned segs);
uint8_t ip_tos2priority(uint8_t tos);

/* --- ip_options.c -------------------------------------------------------------------------------------------- */
enum { IPOPT_ABSENT = 0xff, IP_OPTIONS_MAX = 40 };
/* Where the options of interest lie, bytes from the start of the options; IPOPT_ABSENT: not there. */
struct ip_options_pos {
	uint8_t srr, rr, ts;
	bool router_alert;
};
/*
 * Checks the len bytes of options at opts and says where they are; what lies behind an end-of-options becomes zero.  for_sending: they come
 * from the user.  0, or the offset of the first fault plus 1.
 */
unsigned ip_options_check(uint8_t *opts, unsigned len, bool for_sending, struct ip_options_pos *pos);
/* Records addr and the time where record-route and timestamp have room.  True: bytes were written. */
bool ip_options_record(struct net *net, uint8_t *opts, const struct ip_options_pos *pos, be32 addr);
/* Options of a received packet, after routing.  False: skb was dropped. */
bool ip_rcv_options(struct sk_buff *skb);
/* A forwarded packet with options records the address it leaves by.  The header is writable. */
void ip_forward_options(struct sk_buff *skb);
/* Options into the header at iph (room is there), ihl set; daddr goes to the end of a source route, saddr is recorded. */
void ip_options_build(struct net *net, struct iphdr *iph, const struct ip_options_data *opt, be32 daddr, be32 saddr);
/* For fragments but the first: options without the copied flag become NOPs. */
void ip_options_fragment(struct iphdr *iph);
/* From the user's bytes (cmsg), at most IP_OPTIONS_MAX.  0, -EINVAL. */
int ip_options_parse(const void *data, size_t len, struct ip_options_data *opt);
/* The same (setsockopt): *res is allocated, NULL for no options.  -EINVAL, -ENOMEM. */
int ip_options_get(struct net *net, const void *data, size_t len, struct ip_options_data **res);
/* As the user gave them; returns the length. */
unsigned ip_options_undo(const struct ip_options_data *opt, uint8_t out[IP_OPTIONS_MAX]);

/* --- icmp.c, icmp_rcv.c, peer.c ------------------------------------------------------------------------------ */
int icmp_init(struct net *net);
void icmp_exit(struct net *net);
struct icmp_reply {
	uint8_t type, code, tos;
	be32 rest;                          /* second word of the header */
	be32 saddr, daddr;                  /* saddr 0: the route's */
	uint32_t mark;
	const struct ip_options_data *opt;
	const void *body;                   /* what follows the header; NULL: of skb_in, from offset (to its data; may be negative) on */
	int offset;
	unsigned body_len;                  /* cut to what an error may quote if `quote` */
	bool quote;
};
/* Routes, limits the rate, sends.  Does not consume skb_in. */
void icmp_reply(struct net *net, struct sk_buff *skb_in, struct icmp_reply *r);
extern const struct net_protocol icmp_protocol, igmp_protocol;

/* What is remembered of a remote host for rate limits: a bounded table, a newcomer takes the place of another of its bucket. */
struct inet_peer {
	be32 addr;
	uint32_t generation;   /* of this entry's use of its place */
	uint32_t rid;          /* fragments received from it, for max_dist */
	uint64_t rate_last_ns; /* ICMP token bucket */
	uint64_t rate_tokens_ns;
};
int peers_init(struct net *net);
void peers_exit(struct net *net);
struct inet_peer *inet_getpeer(struct net *net, be32 addr); /* never NULL; valid until the next call */

/* --- igmp.c -------------------------------------------------------------------------------------------------- */
bool ip_check_mc(const struct in_device *in_dev, be32 group); /* joined on this device? */
int ip_mc_up(struct in_device *in_dev);
void ip_mc_down(struct in_device *in_dev);
void ip_mc_destroy(struct in_device *in_dev);
int ip_mc_join_group(struct sock *sk, be32 group, be32 addr, int ifindex);  /* -EADDRINUSE -ENODEV -EINVAL -ENOBUFS -ENOMEM */
int ip_mc_leave_group(struct sock *sk, be32 group, be32 addr, int ifindex); /* -EADDRNOTAVAIL -ENODEV -EINVAL */
void ip_mc_drop_socket(struct sock *sk);

/* --- inet_offload.c, ip_sysctl.c ----------------------------------------------------------------------------- */
extern const struct packet_offload inet_packet_offload;
int ip_sysctl_init(struct net *net);

#endif
