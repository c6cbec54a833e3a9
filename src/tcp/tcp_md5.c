/* SPDX-License-Identifier: MIT */
/*
 * tcp_md5.c - TCP-MD5 (RFC 2385): segments of a connection carry a digest over themselves and a key that both sides know.
 *
 *	digest = MD5(addresses, protocol and segment length . header without options, checksum zero . payload . key)
 *
 * Keys are set per peer address or network (TCP_MD5SIG, TCP_MD5SIG_EXT), the longest prefix counts.  A listener signs its SYN-ACKs by the key of
 * the client, and the child keeps that key; a TIME_WAIT entry has a copy.  Whatever comes from a peer with a key must be signed, and from one without
 * must not be: else it is dropped and counted, RSTs as well.  RSTs to such a peer are signed, or, where no socket knows the key, not sent.
 *
 * Signed segments are made one by one: a device or GSO could not sign the pieces of a super-segment.  Their header has 20 bytes less for other
 * options: a SYN of ours offers no timestamps then (as Linux).
 */
#include "tcp/tcp_md5.h"
#include "tcp/tcp_fastopen.h"

enum { SIG_FLAG_PREFIX = 1, SIG_FLAG_IFINDEX = 2 };

struct md5sig { /* struct tcp_md5sig */
	struct sockaddr_storage addr;
	uint8_t flags, prefixlen;
	uint16_t keylen;
	int32_t ifindex;
	uint8_t key[TCP_MD5SIG_MAXKEYLEN];
};

/* --- keys --------------------------------------------------------------------------------------------------------------------- */

static struct tcp_md5_keys *keys_of(const struct sock *sk)
{
	return tcp_sk(sk)->md5 ? tcp_sk(sk)->ext->md5 : NULL;
}

static uint32_t netmask(unsigned prefixlen) { return prefixlen ? ~UINT32_C(0) << (32 - prefixlen) : 0; }

static bool key_covers(const struct tcp_md5_key *k, be32 peer)
{
	return !((be32_to_cpu(k->addr) ^ be32_to_cpu(peer)) & netmask(k->prefixlen));
}

const struct tcp_md5_key *tcp_md5_lookup(const struct sock *sk, be32 peer)
{
	const struct tcp_md5_keys *keys = keys_of(sk);
	const struct tcp_md5_key *best = NULL;

	for (unsigned i = 0; keys && i < keys->n; i++)
		if (key_covers(&keys->key[i], peer) && (!best || keys->key[i].prefixlen > best->prefixlen))
			best = &keys->key[i];
	return best;
}

static struct tcp_md5_key *find_exact(struct sock *sk, be32 addr, uint8_t prefixlen)
{
	struct tcp_md5_keys *keys = keys_of(sk);

	for (unsigned i = 0; keys && i < keys->n; i++)
		if (keys->key[i].addr == addr && keys->key[i].prefixlen == prefixlen)
			return &keys->key[i];
	return NULL;
}

/* Room for one key more; NULL: no memory, or there are too many. */
static struct tcp_md5_key *new_key(struct sock *sk)
{
	struct tcp_md5_keys *keys = keys_of(sk), *more;
	unsigned n = keys ? keys->n : 0, room = n ? 2 * n : 1;
	struct tcp_ext *ext;

	if (keys && n < keys->room)
		return &keys->key[keys->n++];
	if (n >= TCP_MD5_KEYS_MAX || tcp_ext_get(sk, &ext))
		return NULL;
	more = net_zalloc(sock_net(sk), sizeof(*more) + room * sizeof(more->key[0]), MEM_NORMAL);
	if (!more)
		return NULL;
	if (keys)
		memcpy(more->key, keys->key, n * sizeof(more->key[0]));
	net_free(sock_net(sk), keys);
	more->room = room;
	more->n = n + 1;
	ext->md5 = more;
	tcp_sk(sk)->md5 = 1;
	return &more->key[n];
}

static int add_key(struct sock *sk, be32 addr, uint8_t prefixlen, const uint8_t *key, uint8_t len)
{
	struct tcp_md5_key *k = find_exact(sk, addr, prefixlen);

	if (!k)
		k = new_key(sk);
	if (!k)
		return -ENOMEM;
	k->addr = addr;
	k->prefixlen = prefixlen;
	k->len = len;
	memcpy(k->key, key, len);
	tcp_init_xmit_tso(sk); /* from here on segment by segment */
	return 0;
}

static int delete_key(struct sock *sk, be32 addr, uint8_t prefixlen)
{
	struct tcp_md5_key *k = find_exact(sk, addr, prefixlen);
	struct tcp_md5_keys *keys = keys_of(sk);

	if (!k)
		return -ENOENT;
	*k = keys->key[--keys->n];
	return 0;
}

/* The peer's address as IPv4; -EINVAL: another family. */
static int peer_of(const struct sock *sk, const struct md5sig *sig, be32 *peer)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memcpy(&in, &sig->addr, sizeof(in));
	memcpy(&in6, &sig->addr, sizeof(in6));
	if (sk->sk_family == AF_INET && in.sin_family == AF_INET) {
		*peer = in.sin_addr.s_addr;
		return 0;
	}
	if (sk->sk_family != AF_INET6 || in6.sin6_family != AF_INET6 || memcmp(&in6.sin6_addr, mapped, sizeof(mapped)))
		return -EINVAL;
	memcpy(peer, (const uint8_t *)&in6.sin6_addr + 12, sizeof(*peer));
	return 0;
}

int tcp_md5_setsockopt(struct sock *sk, const void *val, socklen_t len, bool ext)
{
	struct md5sig sig;
	uint8_t prefixlen = 32;
	be32 peer;
	int err;

	if (len < sizeof(sig))
		return -EINVAL;
	memcpy(&sig, val, sizeof(sig));
	err = peer_of(sk, &sig, &peer);
	if (err)
		return err;
	if (ext && (sig.flags & SIG_FLAG_PREFIX)) {
		unsigned most = sk->sk_family == AF_INET6 ? 128 : 32;
		if (sig.prefixlen > most || (most == 128 && sig.prefixlen < 96))
			return -EINVAL;
		prefixlen = (uint8_t)(most == 128 ? sig.prefixlen - 96 : sig.prefixlen);
	}
	if (ext && (sig.flags & SIG_FLAG_IFINDEX) && sig.ifindex)
		return -EINVAL; /* there are no layer-3 master devices */
	if (!sig.keylen)
		return delete_key(sk, peer, prefixlen);
	if (sig.keylen > TCP_MD5SIG_MAXKEYLEN)
		return -EINVAL;
	return add_key(sk, peer, prefixlen, sig.key, (uint8_t)sig.keylen);
}

int tcp_md5_inherit(const struct sock *listener, struct sock *child, be32 peer)
{
	const struct tcp_md5_key *k = tcp_md5_lookup(listener, peer);

	tcp_sk(child)->md5 = 0;
	return k ? add_key(child, peer, 32, k->key, k->len) : 0;
}

/* --- the option ------------------------------------------------------------------------------------------------------------------ */

const uint8_t *tcp_md5_option(const struct tcphdr *th)
{
	const uint8_t *p = (const uint8_t *)(th + 1), *end = (const uint8_t *)th + tcp_hdrlen_of(th);

	while (p < end && *p != TCPOPT_EOL) {
		if (*p == TCPOPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return NULL;
		if (*p == TCPOPT_MD5SIG)
			return p[1] == TCPOLEN_MD5SIG ? p + 2 : NULL;
		p += p[1];
	}
	return NULL;
}

uint8_t *tcp_md5_option_write(uint8_t *p)
{
	p[0] = p[1] = TCPOPT_NOP;
	p[2] = TCPOPT_MD5SIG;
	p[3] = TCPOLEN_MD5SIG;
	memset(p + 4, 0, MD5_DIGEST_BYTES);
	return p + TCPOLEN_MD5SIG_ALIGNED;
}

static void hash_payload(struct md5 *m, const struct sk_buff *skb, unsigned from)
{
	uint8_t part[256];

	while (from < skb->len) {
		unsigned n = MIN(skb->len - from, (unsigned)sizeof(part));
		skb_copy_bits(skb, from, part, n);
		md5_update(m, part, n);
		from += n;
	}
}

void tcp_md5_hash(uint8_t digest[MD5_DIGEST_BYTES], const struct tcp_md5_key *key, be32 saddr, be32 daddr, const struct tcphdr *th, const struct sk_buff *skb)
{
	unsigned header = tcp_hdrlen_of(th), len = skb ? skb->len : header;
	struct { be32 saddr, daddr; uint8_t zero, protocol; be16 len; } pseudo = {saddr, daddr, 0, IPPROTO_TCP, cpu_to_be16((uint16_t)len)};
	struct tcphdr bare = *th;
	struct md5 m;

	bare.check = 0;
	md5_init(&m);
	md5_update(&m, &pseudo, sizeof(pseudo));
	md5_update(&m, &bare, sizeof(bare));
	if (skb)
		hash_payload(&m, skb, header);
	md5_update(&m, key->key, key->len);
	md5_final(&m, digest);
}

/* --- receiving --------------------------------------------------------------------------------------------------------------------- */

enum skb_drop_reason tcp_inbound_md5(const struct sock *sk, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	const uint8_t *sent = tcp_md5_option(th);
	const struct tcp_md5_key *key = tcp_md5_lookup(sk, iph->saddr);
	uint8_t digest[MD5_DIGEST_BYTES];

	if (!key && !sent)
		return SKB_CONSUMED;
	if (!sent) {
		NET_INC_STATS(skb->net, TCPMD5NotFound);
		return SKB_DROP_REASON_TCP_AUTH;
	}
	if (!key) {
		NET_INC_STATS(skb->net, TCPMD5Unexpected);
		return SKB_DROP_REASON_TCP_AUTH;
	}
	tcp_md5_hash(digest, key, iph->saddr, iph->daddr, th, skb);
	if (!memcmp(digest, sent, sizeof(digest)))
		return SKB_CONSUMED;
	NET_INC_STATS(skb->net, TCPMD5Failure);
	return SKB_DROP_REASON_TCP_AUTH;
}
