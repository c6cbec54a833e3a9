/* SPDX-License-Identifier: MIT */
/*
 * udp_cork.c - one datagram from several calls: MSG_MORE, or UDP_CORK set.  The first call fixes destination, route and options; payload
 * gathers in a buffer, which costs such datagrams a second copy; the call without MSG_MORE, or uncorking, sends.  An error loses what
 * was pending, as in Linux.
 */
#include "udp/udp_internal.h"

enum { CORK_LEAST = 2048 }; /* bytes of a new buffer */

void udp_flush_pending_frames(struct sock *sk)
{
	struct udp_cork *cork = udp_sk(sk)->cork;

	if (!cork)
		return;
	udp_sk(sk)->cork = NULL;
	dst_release(&cork->rt->dst);
	net_free(sk->sk_net, cork->buf);
	net_free(sk->sk_net, cork);
}

int udp_push_pending_frames(struct sock *sk)
{
	struct udp_cork *cork = udp_sk(sk)->cork;
	int err = 0;

	if (!cork)
		return 0;
	udp_sk(sk)->cork = NULL; /* waiting for room runs the instance: nobody shall add meanwhile */
	struct iovec iov = {cork->buf, cork->len};
	struct iov_iter it;
	iov_iter_init(&it, &iov, 1, cork->len);
	struct sk_buff *skb = ip_make_skb(sk, &cork->fl, &it, cork->len + (unsigned)sizeof(struct udphdr), sizeof(struct udphdr), &cork->ipc,
					  cork->rt, MSG_DONTWAIT, &err);
	if (skb)
		err = udp_send_skb(skb, &cork->fl, sk);
	dst_release(&cork->rt->dst);
	net_free(sk->sk_net, cork->buf);
	net_free(sk->sk_net, cork);
	return err;
}

static int cork_room(struct net *net, struct udp_cork *cork, uint32_t more)
{
	uint32_t want = cork->len + more, size = MAX(cork->size, (uint32_t)CORK_LEAST);

	if (want + sizeof(struct udphdr) > UDP_MAX_LEN)
		return -EMSGSIZE;
	if (cork->buf && want <= cork->size)
		return 0;
	while (size < want)
		size *= 2;
	uint8_t *buf = net_alloc(net, size, MEM_NORMAL);
	if (!buf)
		return -ENOBUFS;
	if (cork->len)
		memcpy(buf, cork->buf, cork->len);
	net_free(net, cork->buf);
	cork->buf = buf;
	cork->size = size;
	return 0;
}

ssize_t udp_cork_append(struct sock *sk, struct msghdr_k *msg, bool more)
{
	struct udp_cork *cork = udp_sk(sk)->cork;
	size_t n = msg->iter.count;
	int err = cork_room(sk->sk_net, cork, (uint32_t)n);

	if (err)
		goto flush;
	err = -EFAULT;
	if (copy_from_iter(cork->buf + cork->len, n, &msg->iter) != n)
		goto flush;
	cork->len += (uint32_t)n;
	sk->sk_net->copied.user_to_skb += n;
	if (!more)
		err = udp_push_pending_frames(sk);
	else
		err = 0;
	return err ? err : (ssize_t)n;

flush:
	udp_flush_pending_frames(sk);
	return err;
}

ssize_t udp_cork_start(struct sock *sk, struct msghdr_k *msg, const struct flowi *fl, const struct ipcm_cookie *ipc, struct rtable *rt)
{
	struct udp_cork *cork = net_zalloc(sk->sk_net, sizeof(*cork), MEM_NORMAL);

	if (!cork) {
		dst_release(&rt->dst);
		return -ENOBUFS;
	}
	cork->fl = *fl;
	cork->ipc = *ipc;
	if (ipc->opt) { /* the caller's lives only as long as its call, the socket's until it is set anew */
		cork->opt = *ipc->opt;
		cork->ipc.opt = &cork->opt;
	}
	cork->rt = rt;
	udp_sk(sk)->cork = cork;
	return udp_cork_append(sk, msg, true);
}
