/* SPDX-License-Identifier: MIT */
/* tcp_md5.h - segments signed with a shared key (tcp_md5.c; RFC 2385). */
#ifndef XMIT_TCP_TCP_MD5_H
#define XMIT_TCP_TCP_MD5_H

#include "lib/md5.h"
#include "tcp/tcp_internal.h"

enum { TCP_MD5SIG_MAXKEYLEN = 80, TCP_MD5_KEYS_MAX = 64, TCPOLEN_MD5SIG = 18, TCPOLEN_MD5SIG_ALIGNED = 20 };

struct tcp_md5_key {
	be32 addr;              /* of the peer, or of its network */
	uint8_t prefixlen;
	uint8_t len;            /* bytes of key */
	uint8_t key[TCP_MD5SIG_MAXKEYLEN];
};

struct tcp_md5_keys {
	unsigned n, room;
	struct tcp_md5_key key[];
};

/* The key for this peer, of a full sock; NULL: none. */
const struct tcp_md5_key *tcp_md5_lookup(const struct sock *sk, be32 peer);
/* That of the sock's own peer. */
static inline const struct tcp_md5_key *tcp_md5_key_of(const struct sock *sk)
{
	return likely(!tcp_sk(sk)->md5) ? NULL : tcp_md5_lookup(sk, inet_sk(sk)->inet_daddr.ip);
}
int tcp_md5_setsockopt(struct sock *sk, const void *val, socklen_t len, bool ext);
/* A child takes over the key for its peer; -ENOMEM. */
int tcp_md5_inherit(const struct sock *listener, struct sock *child, be32 peer);
/* Where the option's digest is within the header, NULL: there is none. */
const uint8_t *tcp_md5_option(const struct tcphdr *th);
/* Writes the option, its digest zero; returns what follows. */
uint8_t *tcp_md5_option_write(uint8_t *p);
/* The digest of a segment: skb (NULL: there is no payload) with its data at the TCP header th; th's checksum counts as zero. */
void tcp_md5_hash(uint8_t digest[MD5_DIGEST_BYTES], const struct tcp_md5_key *key, be32 saddr, be32 daddr, const struct tcphdr *th, const struct sk_buff *skb);
/* Is this what the peer would send?  0, or why the segment is dropped. */
enum skb_drop_reason tcp_inbound_md5(const struct sock *sk, const struct sk_buff *skb);
/* Worth asking: there are keys, or options that are not just timestamps. */
static inline bool tcp_md5_concerns(const struct sock *sk, const struct tcphdr *th)
{
	unsigned hdrlen = tcp_hdrlen_of(th);

	if (unlikely(tcp_sk(sk)->md5))
		return true;
	return hdrlen >= sizeof(*th) + TCPOLEN_MD5SIG && !(hdrlen == sizeof(*th) + TCPOLEN_TSTAMP_ALIGNED);
}

#endif
