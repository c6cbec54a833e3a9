/* SPDX-License-Identifier: MIT */
/*
 * tcp_sack.c - the scoreboard: which of the sent segments have arrived (RFC 2018, 2883).
 *
 * Tags lie in the skbs of the retransmit tree (TCPCB_SACKED_ACKED, _RETRANS, _LOST), their sums in sacked_out, retrans_out, lost_out.
 *
 * Cost.  A peer may send any blocks it likes, so no ACK may cost more than what it tells anew plus a few tree searches:
 *  - recv_sack_cache holds the blocks of the last ACK; what of a block lies in them was tagged then and is cut off first.
 *  - the rest is aligned to skbs by two searches (and at most two splits, at multiples of the segment size: the peer can
 *    shred nothing), then walked.  A SACKed skb knows up to where all behind it is SACKed (cb->ack_seq, free in a sent skb), so
 *    the walk jumps over runs; walked runs are joined afterwards (path compression, as in union-find), so the next walk jumps farther.
 *  - D-SACK blocks are never walked: one search.
 * Tags of an skb vanish with it.
 *
 * What the blocks leave out is not lost by that alone: tcp_rack.c decides.  It is told when what arrives had been sent (tcp_rack_advance), and
 * how far the path reorders: `reordering` (segments, 3 at first) grows when data arrives late that had not been retransmitted.
 *
 * Reneging: the head of the queue stands SACKed after a cumulative ACK that ends below it: tcp_recovery.c waits, then distrusts all tags.
 */
#include "tcp/tcp_input.h"

uint32_t tcp_highest_sack_seq(const struct tcp_sock *tp)
{
	return tp->active && tp->sacked_out && tcp_is_sack(tp) ? tp->active->highest_sack_end : tp->snd_una;
}

void tcp_check_sack_reordering(struct sock *sk, uint32_t low_seq, bool by_timestamp)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t fack = tcp_highest_sack_seq(tp), mss = tp->mss_cache, extent;

	if (!tcp_is_sack(tp) || !seq_before(low_seq, fack))
		return;
	extent = fack - low_seq;
	if (mss && extent > tp->reordering * (uint64_t)mss)
		tp->reordering = MIN(DIV_ROUND_UP(extent, mss), (uint32_t)sk->sk_net->tcp->sysctl_tcp_max_reordering);
	tp->reord_seen++;
	if (by_timestamp)
		NET_INC_STATS(sk->sk_net, TCPTSReorder);
	else
		NET_INC_STATS(sk->sk_net, TCPSACKReorder);
}

/* The skb that holds seq, or the first behind it; NULL: none. */
static struct sk_buff *rtx_find(const struct sock *sk, uint32_t seq)
{
	struct rb_node *n = sk->tcp_rtx_queue.node;
	struct sk_buff *best = NULL;

	while (n) {
		struct sk_buff *skb = rb_to_skb(n);
		sk->sk_net->tcp->recovery_work++;
		if (seq_before(seq, TCP_SKB_CB(skb)->end_seq)) {
			best = skb;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static struct sk_buff *rtx_next(const struct sk_buff *skb) { return rb_to_skb(rb_next(&skb->rbnode)); }

/* --- tagging ----------------------------------------------------------------------------------------------------- */

/* skb was never retransmitted and arrives only now, below what came before it: the path reorders. */
static void note_original(struct sock *sk, struct tcp_ack_ctx *ctx, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint64_t sent_us = skb->skb_mstamp_ns / NSEC_PER_USEC;

	if (seq_before(cb->seq, tcp_highest_sack_seq(tp)) && seq_before(cb->seq, ctx->reord))
		ctx->reord = cb->seq;
	if (!seq_after(cb->end_seq, tp->high_seq))
		ctx->flag |= FLAG_ORIG_SACK_ACKED;
	if (!ctx->first_sackt_us)
		ctx->first_sackt_us = sent_us;
	ctx->last_sackt_us = sent_us;
}

static void tag_skb(struct sock *sk, struct tcp_ack_ctx *ctx, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t pcount = tcp_skb_pcount(skb);

	if (cb->sacked & TCPCB_SACKED_RETRANS) {
		/* Original or retransmission: one of them arrived; neither is in flight or lost any more. */
		if (cb->sacked & TCPCB_LOST) {
			cb->sacked &= (uint8_t)~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
			tp->lost_out -= pcount;
			tp->retrans_out -= pcount;
		}
	} else {
		if (!(cb->sacked & TCPCB_RETRANS))
			note_original(sk, ctx, skb);
		if (cb->sacked & TCPCB_LOST) {
			cb->sacked &= (uint8_t)~TCPCB_LOST;
			tp->lost_out -= pcount;
		}
	}
	tcp_rack_advance(sk, skb);
	tcp_tsorted_unlink(sk, skb);
	if (!tp->sacked_out || seq_after(cb->end_seq, act->highest_sack_end))
		act->highest_sack_end = cb->end_seq;
	cb->sacked |= TCPCB_SACKED_ACKED;
	cb->ack_seq = cb->end_seq; /* run: itself */
	ctx->flag |= FLAG_DATA_SACKED;
	tp->sacked_out += pcount;
	tp->delivered += pcount;
	tcp_rate_skb_delivered(sk, skb, &ctx->rs);
}

/* SACKed segments are acknowledged. */
void tcp_sack_forget(struct sock *sk, uint32_t pcount)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->sacked_out -= MIN(tp->sacked_out, pcount);
}

/* What was SACKed is in neither list of tcp_rack.c afterwards: the caller marks it lost. */
void tcp_sack_clear_all(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	for (struct sk_buff *skb = tcp_rtx_queue_head(sk); skb; skb = rtx_next(skb))
		TCP_SKB_CB(skb)->sacked &= (uint8_t)~TCPCB_SACKED_ACKED;
	tp->sacked_out = 0;
	memset(tp->active->recv_sack_cache, 0, sizeof(tp->active->recv_sack_cache));
}

/* --- walking a block ------------------------------------------------------------------------------------------------ */

/* Splits skb at off, a multiple of its segment size; where that is not possible all of it counts as `otherwise`. */
static uint32_t split_at(struct sock *sk, struct sk_buff *skb, uint32_t off, unsigned mss, uint32_t otherwise)
{
	uint32_t seq = TCP_SKB_CB(skb)->seq + off;

	if (!off)
		return TCP_SKB_CB(skb)->seq;
	if (off >= skb->len || tcp_fragment(sk, true, skb, off, mss, MEM_NORMAL))
		return otherwise;
	return seq;
}

static unsigned segment_size(const struct sk_buff *skb)
{
	return tcp_skb_pcount(skb) > 1 && tcp_skb_mss(skb) ? tcp_skb_mss(skb) : MAX(skb->len, 1);
}

/*
 * The skb that seq lies within, its segments' size, and where in it the segment of seq begins.  NULL: seq is a bound already, or the skb is
 * wholly SACKed and stays in one piece.
 */
static struct sk_buff *segment_around(struct sock *sk, uint32_t seq, unsigned *mss, uint32_t *off)
{
	struct sk_buff *skb = rtx_find(sk, seq);

	if (!skb || !seq_after(seq, TCP_SKB_CB(skb)->seq) || (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED))
		return NULL;
	*mss = segment_size(skb);
	*off = (seq - TCP_SKB_CB(skb)->seq) / *mss * *mss;
	return skb;
}

/*
 * The bounds of a piece are moved to bounds of segments: of a segment that the block [lo, hi) covers only in part nothing is taken.
 * A super-segment is split there, unless it is wholly SACKed.
 */
static uint32_t align_start(struct sock *sk, uint32_t seq, uint32_t lo)
{
	unsigned mss;
	uint32_t off;
	struct sk_buff *skb = segment_around(sk, seq, &mss, &off);

	if (!skb)
		return seq;
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	if (seq_before(cb->seq + off, lo) && cb->seq + off != seq)
		off += mss;
	return split_at(sk, skb, off, mss, cb->end_seq);
}

static uint32_t align_end(struct sock *sk, uint32_t seq, uint32_t hi)
{
	unsigned mss;
	uint32_t off;
	struct sk_buff *skb = segment_around(sk, seq, &mss, &off);

	if (!skb)
		return seq;
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	if (cb->seq + off != seq) {
		if (off + mss >= skb->len && !seq_after(cb->end_seq, hi))
			return cb->end_seq;
		if (off + mss < skb->len && !seq_after(cb->seq + off + mss, hi))
			off += mss;
	}
	return split_at(sk, skb, off, mss, cb->seq);
}

/* Tags the piece [start, end) of a block: whole segments only. */
static void walk_piece(struct sock *sk, struct tcp_ack_ctx *ctx, uint32_t start, uint32_t end, const struct tcp_sack_block *block)
{
	struct sk_buff *first, *skb;
	uint32_t run_end;

	start = align_start(sk, start, block->start_seq);
	end = align_end(sk, end, block->end_seq);
	if (!seq_before(start, end))
		return;
	first = skb = rtx_find(sk, start);
	run_end = start;
	while (skb && seq_before(run_end, end) && !seq_after(TCP_SKB_CB(skb)->seq, run_end)) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		sk->sk_net->tcp->recovery_work++;
		if (!(cb->sacked & TCPCB_SACKED_ACKED)) {
			tag_skb(sk, ctx, skb);
			run_end = cb->end_seq;
			skb = rtx_next(skb);
		} else {
			bool jump = cb->ack_seq != cb->end_seq;
			run_end = cb->ack_seq;
			skb = jump ? rtx_find(sk, run_end) : rtx_next(skb);
		}
	}
	/* Join: the same hops again, each now told the end of all. */
	for (skb = first; skb && seq_before(TCP_SKB_CB(skb)->seq, run_end);) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		sk->sk_net->tcp->recovery_work++;
		uint32_t hop = cb->ack_seq;
		cb->ack_seq = run_end;
		skb = hop == cb->end_seq ? rtx_next(skb) : rtx_find(sk, hop);
	}
}

/* Walks what of block lies in none of the cached blocks, which are sorted and may be empty. */
static void walk_uncached(struct sock *sk, struct tcp_ack_ctx *ctx, const struct tcp_sack_block *block)
{
	uint32_t start = block->start_seq, end = block->end_seq;
	const struct tcp_sack_block *cache = tcp_act(sk)->recv_sack_cache;

	for (unsigned i = 0; i < TCP_NUM_SACKS && seq_before(start, end); i++) {
		const struct tcp_sack_block *c = &cache[i];
		if (c->start_seq == c->end_seq || !seq_after(c->end_seq, start) || !seq_before(c->start_seq, end))
			continue;
		if (seq_before(start, c->start_seq))
			walk_piece(sk, ctx, start, c->start_seq, block);
		start = c->end_seq;
	}
	if (seq_before(start, end))
		walk_piece(sk, ctx, start, end, block);
}

/* --- blocks as they come ------------------------------------------------------------------------------------------- */

/* Could the receiver mean this?  A D-SACK may lie below snd_una, as far back as this recovery began. */
static bool block_is_valid(const struct tcp_sock *tp, bool is_dsack, uint32_t start, uint32_t end)
{
	uint32_t undo = tp->active->undo_marker;

	if (seq_after(end, tp->snd_nxt) || !seq_before(start, end) || !seq_before(start, tp->snd_nxt))
		return false;
	if (seq_after_eq(start, tp->snd_una))
		return true;
	if (!is_dsack || !undo || seq_after(end, tp->snd_una))
		return false;
	if (!seq_before(start, undo))
		return true;
	return seq_after(end, undo) && !seq_before(start, end - tp->max_window);
}

/*
 * Segments that arrived twice; 0: a block that cannot be believed.  One that RACK may have sent for nothing widens its reordering window, if the
 * path is known to reorder; the answer to a loss probe does not: that is sent by the clock.
 */
static uint32_t count_dsacked(struct sock *sk, struct tcp_ack_ctx *ctx, uint32_t start, uint32_t end)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	uint32_t segs = 1;

	if (!seq_before(start, end) || end - start > tp->max_window)
		return 0;
	if (tp->mss_cache && end - start > tp->mss_cache)
		segs = DIV_ROUND_UP(end - start, tp->mss_cache);
	else if (act->tlp_high_seq && act->tlp_high_seq == end)
		ctx->flag |= FLAG_DSACK_TLP;
	tp->dsack_dups += segs;
	if (tp->dsack_dups > tp->total_retrans)
		return 0; /* more duplicates than we ever sent twice: the network, or a liar */
	tp->rx_opt.sack_ok |= TCP_DSACK_SEEN;
	if (tp->reord_seen && !(ctx->flag & FLAG_DSACK_TLP))
		act->rack_dsack_seen = 1;
	return segs;
}

/* What the D-SACK of a segment that is still in the queue tells: a retransmission more that was for nothing; how far the path reorders. */
static void dsacked_in_queue(struct sock *sk, struct tcp_ack_ctx *ctx, const struct tcp_sack_block *block)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	const struct sk_buff *skb = rtx_find(sk, block->start_seq);
	const struct tcp_skb_cb *cb = skb ? TCP_SKB_CB(skb) : NULL;

	if (!cb || !(cb->sacked & TCPCB_RETRANS))
		return;
	if (act->undo_marker && act->undo_retrans > 0 && seq_after(cb->end_seq, act->undo_marker))
		act->undo_retrans = MAX(0, act->undo_retrans - (int32_t)tcp_skb_pcount(skb));
	if ((cb->sacked & TCPCB_SACKED_ACKED) && seq_before(cb->seq, ctx->reord))
		ctx->reord = cb->seq;
}

/* RFC 2883 4: the first block is a D-SACK if it lies below the cumulative ACK, or within the second. */
static bool check_dsack(struct sock *sk, struct tcp_ack_ctx *ctx, const struct tcp_sack_block *sp, unsigned n)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tcp_act(sk);
	uint32_t segs;
	bool old = seq_before(sp[0].start_seq, ctx->ack);

	if (!old && !(n > 1 && !seq_after(sp[0].end_seq, sp[1].end_seq) && !seq_before(sp[0].start_seq, sp[1].start_seq)))
		return false;
	if (old)
		NET_INC_STATS(sk->sk_net, TCPDSACKRecv);
	else
		NET_INC_STATS(sk->sk_net, TCPDSACKOfoRecv);
	segs = count_dsacked(sk, ctx, sp[0].start_seq, sp[0].end_seq);
	if (!segs) {
		NET_INC_STATS(sk->sk_net, TCPDSACKIgnoredDubious);
		return true;
	}
	NET_ADD_STATS(sk->sk_net, TCPDSACKRecvSegs, segs);
	ctx->flag |= FLAG_DSACKING_ACK;
	tp->delivered += segs; /* what went for nothing has arrived, too */
	/* Of what has left the queue only the number is known. */
	if (act->undo_marker && act->undo_retrans > 0 && !seq_after(sp[0].end_seq, ctx->prior_snd_una) && seq_after(sp[0].end_seq, act->undo_marker))
		act->undo_retrans = MAX(0, act->undo_retrans - (int32_t)segs);
	else if (seq_after(sp[0].end_seq, ctx->prior_snd_una))
		dsacked_in_queue(sk, ctx, &sp[0]);
	return true;
}

static void count_invalid(struct sock *sk, const struct tcp_ack_ctx *ctx, bool is_dsack, uint32_t end_seq)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!is_dsack) {
		/* A block overtaken by a later cumulative ACK is no error. */
		if (ctx->ack != tp->snd_una && !seq_after(end_seq, tp->snd_una))
			return;
		NET_INC_STATS(sk->sk_net, TCPSACKDiscard);
	} else if (tp->active->undo_marker) {
		NET_INC_STATS(sk->sk_net, TCPDSACKIgnoredOld);
	} else {
		NET_INC_STATS(sk->sk_net, TCPDSACKIgnoredNoUndo);
	}
}

/* Reads the option: valid blocks above snd_una, sorted; returns how many. D-SACK is handled on the way. */
static unsigned read_blocks(struct sock *sk, struct tcp_ack_ctx *ctx, struct tcp_sack_block out[TCP_NUM_SACKS])
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const uint8_t *opt = skb_transport_header(ctx->skb) + TCP_SKB_CB(ctx->skb)->sacked;
	unsigned n = MIN((opt[1] - (unsigned)TCPOLEN_SACK_BASE) / TCPOLEN_SACK_PERBLOCK, (unsigned)TCP_NUM_SACKS), used = 0;
	struct tcp_sack_block sp[TCP_NUM_SACKS] = {{0, 0}};
	bool dsack;

	for (unsigned i = 0; i < n; i++)
		sp[i] = (struct tcp_sack_block){get_be32(opt + 2 + 8 * i), get_be32(opt + 6 + 8 * i)};
	dsack = n && check_dsack(sk, ctx, sp, n);
	for (unsigned i = 0; i < n; i++) {
		bool is_dsack = dsack && i == 0;
		unsigned at = used;
		if (!block_is_valid(tp, is_dsack, sp[i].start_seq, sp[i].end_seq)) {
			count_invalid(sk, ctx, is_dsack, sp[i].end_seq);
			continue;
		}
		if (is_dsack || !seq_after(sp[i].end_seq, tp->snd_una))
			continue;
		for (; at > 0 && seq_after(out[at - 1].start_seq, sp[i].start_seq); at--)
			out[at] = out[at - 1];
		out[at] = sp[i];
		used++;
	}
	return used;
}

void tcp_sacktag_write_queue(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct tcp_sack_block blocks[TCP_NUM_SACKS];
	unsigned n;

	if (!tcp_is_sack(tp))
		return;
	n = read_blocks(sk, ctx, blocks);
	if (!tp->packets_out)
		return;
	if (!tp->sacked_out)
		memset(act->recv_sack_cache, 0, sizeof(act->recv_sack_cache));
	for (unsigned i = 0; i < n; i++)
		walk_uncached(sk, ctx, &blocks[i]);
	memset(act->recv_sack_cache, 0, sizeof(act->recv_sack_cache));
	memcpy(act->recv_sack_cache, blocks, n * sizeof(blocks[0]));
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_Loss || act->undo_marker)
		tcp_check_sack_reordering(sk, ctx->reord, false);
}
