/* SPDX-License-Identifier: MIT */
/*
 * zerocopy.c - MSG_ZEROCOPY: the bytes stay in the user's memory, and the error queue tells when that may be used again.
 *
 * A send call on a socket with SO_ZEROCOPY makes one ubuf_info: the owner of all frags of this call (core/mem.h, struct frag_owner).  Retransmit
 * queue, clones below, and segments cut from them each hold references of it; when the last is gone, all of the call's bytes are acknowledged and
 * nobody below looks at them any more.  The owner's release hook then puts a notification into the error queue:
 *
 *	ee_origin SO_EE_ORIGIN_ZEROCOPY, ee_info .. ee_data the range of calls, counted from 0 for each socket; ee_code SO_EE_CODE_ZEROCOPY_COPIED
 *	where the bytes were copied after all (no scatter-gather, a fill iterator, a device that copies)
 *
 * A notification that continues the last one in the queue extends it, so an application that reads seldom finds one range.
 *
 * Bound: the notification's memory is taken when the call begins and charged to the socket, at most ZC_CHARGE_MAX bytes; beyond it
 * the call fails with ENOBUFS, as Linux's does at optmem_max.
 */
#include "ip/error_queue.h"
#include "ip/zerocopy.h"

enum { ZC_CHARGE_MAX = 131072 }; /* Linux's net.core.optmem_max */

struct ubuf_info {
	struct frag_owner owner;
	struct sock *sk;         /* counted */
	struct sk_buff *notice;  /* what will go to the error queue */
	uint32_t id;
	bool aborted;            /* the call failed: it was none */
};

static void uncharge(struct sk_buff *skb) { skb->sk->sk_ext->zc_charged -= skb->truesize; }

/* Extends the queue's last notification by call id, if it says the same of the calls right before. */
static bool extend_last(struct sk_buff_head *q, uint32_t id, uint8_t code)
{
	struct sk_buff *last = skb_peek_tail(q);
	struct sock_extended_err_ *ee = last ? &SKB_EXT_ERR(last)->ee : NULL;

	if (!ee || ee->ee_origin != SO_EE_ORIGIN_ZEROCOPY_ || ee->ee_code != code || ee->ee_data + 1 != id || ee->ee_data - ee->ee_info == UINT32_MAX - 1)
		return false;
	ee->ee_data = id;
	return true;
}

static void notify(struct ubuf_info *u)
{
	struct sk_buff_head *q = &u->sk->sk_ext->error_queue;
	uint8_t code = u->owner.copied ? SO_EE_CODE_ZEROCOPY_COPIED_ : 0;

	if (!extend_last(q, u->id, code)) {
		*SKB_EXT_ERR(u->notice) = (struct sock_exterr_skb){
			.ee = {.ee_origin = SO_EE_ORIGIN_ZEROCOPY_, .ee_code = code, .ee_info = u->id, .ee_data = u->id},
		};
		skb_queue_tail(q, u->notice);
		u->notice = NULL;
	}
	sk_error_report(u->sk);
}

/* Nobody holds any of the call's bytes. */
static void release(struct frag_owner *owner)
{
	struct ubuf_info *u = container_of(owner, struct ubuf_info, owner);
	struct sock *sk = u->sk;
	struct net *net = sock_net(sk);

	net->zerocopy_live--;
	if (!u->aborted && !sock_flag(sk, SOCK_F_DEAD))
		notify(u);
	skb_consume(u->notice);
	net_free(net, u);
	sock_put(sk);
}

struct frag_owner *msg_zerocopy_start(struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct sock_ext *ext;
	struct ubuf_info *u;

	if (sk_ext_get(sk, &ext) || ext->zc_charged >= ZC_CHARGE_MAX)
		return NULL;
	u = net_zalloc(net, sizeof(*u), MEM_NORMAL);
	if (!u)
		return NULL;
	u->notice = alloc_skb(net, 0, 0, 0);
	if (!u->notice) {
		net_free(net, u);
		return NULL;
	}
	u->notice->sk = sk;
	u->notice->destructor = uncharge;
	ext->zc_charged += u->notice->truesize;
	sock_hold(sk);
	u->sk = sk;
	u->id = ext->zckey++;
	u->owner = (struct frag_owner){.refs = 1, .lent = true, .release = release};
	net->zerocopy_live++;
	return &u->owner;
}

void msg_zerocopy_end(struct frag_owner *owner, bool sent)
{
	struct ubuf_info *u = container_of(owner, struct ubuf_info, owner);

	if (!sent) {
		u->aborted = true;
		u->sk->sk_ext->zckey--;
	}
	frag_owner_put(owner);
}

void msg_zerocopy_all_copied(struct sock *sk)
{
	struct frag_owner *owner = msg_zerocopy_start(sk);

	if (!owner)
		return;
	owner->copied = true;
	msg_zerocopy_end(owner, true);
}
