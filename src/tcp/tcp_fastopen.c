/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen.c - TCP Fast Open (RFC 7413): what client and server share, namely the option, the keys and the cookies.
 *
 * A client that has been here before shows the cookie that it was given then, and its SYN may carry data: it has proved that it receives
 * what is sent to its address.  The cookie is a keyed hash of both addresses, so that the server keeps nothing for a client:
 *
 *	cookie = SipHash-2-4(key, client's address . server's address), 8 bytes, low byte first (as Linux makes it)
 *
 * Two keys may be set: cookies are made with the first, those of the second are still good (RFC 7413 4.1.2: keys should be
 * changed now and then).  The instance's keys are net.ipv4.tcp_fastopen_key, random from the first listener that needs one; a listener may
 * have keys of its own (TCP_FASTOPEN_KEY).  The option is kind 34, or kind 254 with magic F989 as the drafts had it; the answer is in kind.
 *
 * Called by tcp_listen.c and tcp_fastopen_server.c (server), tcp_synsent.c and tcp_fastopen_client.c (client), tcp_options.c.
 */
#include "core/sysctl.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_fastopen_state.h"
#include <stdio.h>
#include <stdlib.h>

enum { EXP_MAGIC = 0xf989, EXP_BASE = 4, FASTOPEN_BASE = 2 };

int tcp_ext_get(struct sock *sk, struct tcp_ext **ext)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->ext)
		tp->ext = net_zalloc(sock_net(sk), sizeof(*tp->ext), MEM_NORMAL);
	*ext = tp->ext;
	return tp->ext ? 0 : -ENOMEM;
}

/* The sock ends.  A request that is still the child's was let go of before. */
void tcp_ext_free(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sock_net(sk);

	if (!tp->ext)
		return;
	DEBUG_ASSERT(!tp->tfo_rsk);
	net_free(net, tp->ext->fastopen_req);
	net_free(net, tp->ext->fastopen_keys);
	net_free(net, tp->ext->saved_syn);
	net_free(net, tp->ext->md5);
	tp->md5 = 0;
	net_free(net, tp->ext);
	tp->ext = NULL;
}

/* --- the option -------------------------------------------------------------------------------------------------------------- */

/* n bytes of cookie at p; an odd length is no option at all, one out of bounds is one that cannot be used. */
static void take_cookie(const uint8_t *p, unsigned n, bool exp, struct tcp_fastopen_cookie *foc)
{
	if (n & 1)
		return;
	foc->exp = exp;
	foc->len = n >= TCP_FASTOPEN_COOKIE_MIN && n <= TCP_FASTOPEN_COOKIE_MAX ? (int8_t)n : n ? -1 : 0;
	if (foc->len > 0)
		memcpy(foc->val, p, n);
}

void tcp_parse_fastopen(const struct sk_buff *skb, struct tcp_fastopen_cookie *foc)
{
	const struct tcphdr *th = tcp_hdr(skb);
	const uint8_t *p = (const uint8_t *)(th + 1), *end = (const uint8_t *)th + tcp_hdrlen_of(th);

	*foc = (struct tcp_fastopen_cookie){.len = -1};
	while (p < end && *p != TCPOPT_EOL) {
		if (*p == TCPOPT_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		if (*p == TCPOPT_FASTOPEN)
			take_cookie(p + FASTOPEN_BASE, p[1] - (unsigned)FASTOPEN_BASE, false, foc);
		else if (*p == TCPOPT_EXP && p[1] >= EXP_BASE && get_be16(p + 2) == EXP_MAGIC)
			take_cookie(p + EXP_BASE, p[1] - (unsigned)EXP_BASE, true, foc);
		p += p[1];
	}
}

unsigned tcp_fastopen_option_len(const struct tcp_fastopen_cookie *foc)
{
	if (foc->len < 0)
		return 0;
	return ((unsigned)foc->len + (foc->exp ? EXP_BASE : FASTOPEN_BASE) + 3) & ~3u;
}

uint8_t *tcp_fastopen_option_write(uint8_t *p, const struct tcp_fastopen_cookie *foc)
{
	unsigned base = foc->exp ? EXP_BASE : FASTOPEN_BASE, len = base + (unsigned)foc->len, padded = tcp_fastopen_option_len(foc);

	p[0] = foc->exp ? TCPOPT_EXP : TCPOPT_FASTOPEN;
	p[1] = (uint8_t)len;
	if (foc->exp)
		put_be16(p + 2, EXP_MAGIC);
	memcpy(p + base, foc->val, (unsigned)foc->len);
	memset(p + len, TCPOPT_NOP, padded - len);
	return p + padded;
}

/* --- keys ---------------------------------------------------------------------------------------------------------------------- */

void tcp_fastopen_init_key_once(struct net *net)
{
	struct tcp_fastopen_keys *keys = &net->tcp->fastopen->keys;

	if (keys->n)
		return;
	keys->n = 1;
	for (unsigned i = 0; i < TCP_FASTOPEN_KEY_LENGTH; i += 4) {
		uint32_t r = net_random_u32(net);
		memcpy(keys->key[0] + i, &r, 4);
	}
}

static const struct tcp_fastopen_keys *keys_of(const struct sock *listener)
{
	const struct tcp_ext *ext = tcp_sk(listener)->ext;

	return ext && ext->fastopen_keys ? ext->fastopen_keys : &sock_net(listener)->tcp->fastopen->keys;
}

unsigned tcp_fastopen_key_count(const struct sock *listener) { return keys_of(listener)->n; }

int tcp_fastopen_set_key(struct sock *sk, const void *val, socklen_t len)
{
	struct tcp_ext *ext;
	int err;

	if (len != TCP_FASTOPEN_KEY_LENGTH && len != TCP_FASTOPEN_KEYS_MAX * TCP_FASTOPEN_KEY_LENGTH)
		return -EINVAL;
	err = tcp_ext_get(sk, &ext);
	if (err)
		return err;
	if (!ext->fastopen_keys)
		ext->fastopen_keys = net_zalloc(sock_net(sk), sizeof(*ext->fastopen_keys), MEM_NORMAL);
	if (!ext->fastopen_keys)
		return -ENOMEM;
	ext->fastopen_keys->n = len / TCP_FASTOPEN_KEY_LENGTH;
	memcpy(ext->fastopen_keys->key, val, len);
	return 0;
}

int tcp_fastopen_get_key(struct sock *sk, void *val, socklen_t *len)
{
	const struct tcp_fastopen_keys *keys = keys_of(sk);

	*len = MIN(*len, (socklen_t)(keys->n * TCP_FASTOPEN_KEY_LENGTH));
	memcpy(val, keys->key, *len);
	return 0;
}

/* --- cookies --------------------------------------------------------------------------------------------------------------------- */

static uint64_t le64_at(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

void tcp_fastopen_cookie_gen(const struct sock *listener, be32 saddr, be32 daddr, unsigned which, struct tcp_fastopen_cookie *foc)
{
	const uint8_t *k = keys_of(listener)->key[which];
	const struct siphash_key key = {{le64_at(k), le64_at(k + 8)}};
	const be32 addrs[2] = {saddr, daddr};
	uint64_t v = siphash(addrs, sizeof(addrs), &key);

	foc->len = TCP_FASTOPEN_COOKIE_SIZE;
	for (unsigned i = 0; i < TCP_FASTOPEN_COOKIE_SIZE; i++)
		foc->val[i] = (uint8_t)(v >> 8 * i);
}

int tcp_fastopen_cookie_check(const struct sock *listener, be32 saddr, be32 daddr, const struct tcp_fastopen_cookie *foc,
			      struct tcp_fastopen_cookie *valid)
{
	struct tcp_fastopen_cookie ours;
	unsigned n = tcp_fastopen_key_count(listener);

	valid->len = -1;
	for (unsigned i = 0; i < n; i++) {
		tcp_fastopen_cookie_gen(listener, saddr, daddr, i, &ours);
		if (!i)
			*valid = ours;
		if (foc->len == ours.len && !memcmp(foc->val, ours.val, (size_t)ours.len))
			return (int)i + 1;
	}
	return 0;
}

/* --- net.ipv4.tcp_fastopen_key -------------------------------------------------------------------------------------------------- */

/* "xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx": four words of up to eight hexadecimal digits, low byte first.  Returns what follows; NULL: no key. */
static const char *parse_key(const char *s, uint8_t *key)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned digits = 0;
		uint32_t word = 0;
		for (; digits < 8; digits++, s++) {
			unsigned c = (unsigned char)*s, low = c | 0x20;
			if (c >= '0' && c <= '9')
				word = word << 4 | (c - '0');
			else if (low >= 'a' && low <= 'f')
				word = word << 4 | (low - 'a' + 10);
			else
				break;
		}
		if (!digits || (i < 3 && *s++ != '-'))
			return NULL;
		for (unsigned b = 0; b < 4; b++)
			key[4 * i + b] = (uint8_t)(word >> 8 * b);
	}
	return s;
}

int tcp_fastopen_sysctl_key_set(struct net *net, const struct sysctl_entry *e, const char *text)
{
	struct tcp_fastopen_keys keys = {.n = 1};
	const char *end;

	(void)e;
	while (*text == ' ')
		text++;
	end = parse_key(text, keys.key[0]);
	if (end && *end == ',') {
		keys.n = 2;
		end = parse_key(end + 1, keys.key[1]);
	}
	if (!end || (*end && *end != '\n' && *end != ' '))
		return -EINVAL;
	net->tcp->fastopen->keys = keys;
	return 0;
}

/* A word of a key as the text has it. */
static uint32_t key_word(const uint8_t *p) { return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]; }

int tcp_fastopen_sysctl_key_show(struct net *net, const struct sysctl_entry *e, char *buf, size_t n)
{
	const struct tcp_fastopen_keys *keys = &net->tcp->fastopen->keys;
	char text[2 * 36 + 1] = "";
	unsigned at = 0;

	(void)e;
	for (unsigned k = 0; k < MAX(keys->n, 1u); k++) {
		const uint8_t *p = keys->key[k];
		at += (unsigned)snprintf(text + at, sizeof(text) - at, "%s%08x-%08x-%08x-%08x", k ? "," : "", key_word(p), key_word(p + 4),
					 key_word(p + 8), key_word(p + 12));
	}
	return snprintf(buf, n, "%s", text);
}

/* --- per instance -------------------------------------------------------------------------------------------------------------------- */

int tcp_fastopen_init(struct net *net)
{
	net->tcp->fastopen = net_zalloc(net, sizeof(*net->tcp->fastopen), MEM_NORMAL);
	return net->tcp->fastopen ? 0 : -ENOMEM;
}

void tcp_fastopen_exit(struct net *net)
{
	if (!net->tcp->fastopen)
		return;
	tcp_fastopen_cache_flush(net);
	net_free(net, net->tcp->fastopen);
	net->tcp->fastopen = NULL;
}
