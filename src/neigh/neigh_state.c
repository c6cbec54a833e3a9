/* SPDX-License-Identifier: MIT */
/*
 * neigh_state.c - the state machine of a neighbour (N2), RFC 4861 section 7.3 with Linux's names and constants, for ARP too.
 *
 *	NONE, FAILED --packet--> INCOMPLETE (asks at once, then every retrans_time, mcast_solicit times) --no answer--> FAILED
 *	INCOMPLETE --answer--> REACHABLE --reachable_time without proof--> STALE, or DELAY if it was used lately
 *	STALE --packet--> DELAY --delay_first_probe--> PROBE (asks it alone, ucast_solicit times) --answer--> REACHABLE, none--> FAILED
 *	DELAY, REACHABLE --proof from above (neigh_confirm)--> REACHABLE
 *
 * In VALID states packets go out, in INCOMPLETE they wait in arp_queue, bounded by unres_qlen_bytes: the oldest give way.
 * One timer per entry; it runs only in the states of NUD_IN_TIMER.
 */
#include "neigh/neigh_internal.h"

#define TIMER_LEAST_NS (10 * NSEC_PER_MSEC) /* never two looks at an entry within less */
#define REACHABLE_REDRAW_NS (300 * NSEC_PER_SEC)

static uint64_t delay_ns(const struct neigh_table *t) { return (uint64_t)t->delay_first_probe_s * NSEC_PER_SEC; }
static uint64_t retrans_ns(const struct neigh_table *t) { return (uint64_t)t->retrans_time_ms * NSEC_PER_MSEC; }

/* Uniform in 0.5 to 1.5 times the base, so that hosts do not ask in step (RFC 4861 6.3.2). */
uint64_t neigh_reachable_time(struct neigh_table *tbl)
{
	struct net *net = tbl->net;

	if (!tbl->reachable_time_ns || !neigh_within(tbl->last_rand_ns, REACHABLE_REDRAW_NS, net->now_ns)) {
		uint32_t base = (uint32_t)tbl->base_reachable_time_ms;

		tbl->reachable_time_ns = (base / 2 + (uint64_t)net_random_below(net, base)) * NSEC_PER_MSEC;
		tbl->last_rand_ns = net->now_ns;
	}
	return tbl->reachable_time_ns;
}

void neigh_set_state(struct neighbour *n, uint8_t state)
{
	neigh_count_gc(n, state);
	n->nud_state = state;
}

static void arm(struct neighbour *n, uint64_t when)
{
	struct net *net = n->tbl->net;
	uint64_t least = net->now_ns + TIMER_LEAST_NS;

	timer_mod(net, &n->timer, MAX(when, least));
}

/* --- the waiting packets ----------------------------------------------------------------------------------------------- */

static struct sk_buff *dequeue(struct neighbour *n)
{
	struct sk_buff *skb = skb_dequeue(&n->arp_queue);

	if (skb)
		n->arp_queue_len_bytes -= skb->truesize;
	return skb;
}

void neigh_drop_queue(struct neighbour *n, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = dequeue(n)))
		skb_drop(skb, reason);
}

static void enqueue(struct neighbour *n, struct sk_buff *skb)
{
	uint64_t most = (uint64_t)n->tbl->unres_qlen_bytes;

	while (n->arp_queue_len_bytes + (uint64_t)skb->truesize > most && !skb_queue_empty(&n->arp_queue)) {
		NET_INC_STATS(skb->net, NeighUnresolvedDiscards);
		skb_drop(dequeue(n), SKB_DROP_REASON_NEIGH_QUEUEFULL);
	}
	if (PROVE_BREAKS("N2")) {
		skb_drop(skb, SKB_DROP_REASON_NEIGH_QUEUEFULL);
		return;
	}
	skb_queue_tail(&n->arp_queue, skb);
	n->arp_queue_len_bytes += skb->truesize;
}

/* Sends what waited, in order, as long as the entry is good: sending may change it. */
static void send_queue(struct neighbour *n)
{
	struct sk_buff *skb;

	neigh_hold(n);
	while ((n->nud_state & NUD_VALID) && (skb = dequeue(n)))
		n->output(n, skb);
	neigh_drop_queue(n, SKB_DROP_REASON_NEIGH_DEAD);
	neigh_release(n);
}

/* No answer: who waits is told. */
static void neigh_invalidate(struct neighbour *n)
{
	struct sk_buff *skb;

	n->updated_ns = n->tbl->net->now_ns;
	neigh_hold(n); /* a sender may react at once: send again, which starts anew, or have the entry removed */
	while (n->nud_state == NUD_FAILED && (skb = dequeue(n)))
		n->ops->error_report(n, skb);
	neigh_release(n);
}

/* --- asking --------------------------------------------------------------------------------------------------------------- */

static unsigned max_probes(const struct neighbour *n)
{
	const struct neigh_table *t = n->tbl;

	return (unsigned)(t->ucast_solicit + (n->nud_state & NUD_PROBE ? 0 : t->mcast_solicit));
}

/* Asks, on behalf of the newest waiting packet. */
static void neigh_probe(struct neighbour *n)
{
	n->probes++;
	if (n->ops->solicit)
		n->ops->solicit(n, skb_peek_tail(&n->arp_queue));
}

int neigh_event_send(struct neighbour *n, struct sk_buff *skb)
{
	struct neigh_table *tbl = n->tbl;
	struct net *net = tbl->net;

	n->used_ns = net->now_ns;
	if (likely(n->nud_state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)))
		return 0;
	if (n->dead) {
		skb_drop(skb, SKB_DROP_REASON_NEIGH_DEAD);
		return 1;
	}
	if (n->nud_state & NUD_STALE) {
		neigh_set_state(n, NUD_DELAY);
		n->updated_ns = net->now_ns;
		arm(n, net->now_ns + delay_ns(tbl));
		return 0;
	}
	if (n->nud_state & NUD_INCOMPLETE) {
		enqueue(n, skb);
		return 1;
	}
	n->updated_ns = net->now_ns;
	if (!tbl->mcast_solicit) {
		neigh_set_state(n, NUD_FAILED);
		skb_drop(skb, SKB_DROP_REASON_NEIGH_FAILED);
		return 1;
	}
	n->probes = (uint8_t)tbl->ucast_solicit; /* there is no address to ask alone: the broadcast questions are left */
	neigh_set_state(n, NUD_INCOMPLETE);
	enqueue(n, skb);
	arm(n, net->now_ns + retrans_ns(tbl));
	neigh_probe(n);
	return 1;
}

/* --- time ------------------------------------------------------------------------------------------------------------------ */

static uint64_t reachable_timeout(struct neighbour *n, uint64_t now)
{
	struct neigh_table *tbl = n->tbl;
	uint64_t reachable = neigh_reachable_time(tbl);

	if (neigh_within(n->confirmed_ns, reachable, now))
		return n->confirmed_ns + reachable + 1;
	n->updated_ns = now;
	neigh_suspect(n);
	if (neigh_within(n->used_ns, delay_ns(tbl), now)) {
		neigh_set_state(n, NUD_DELAY);
		return now + delay_ns(tbl);
	}
	neigh_set_state(n, NUD_STALE);
	return 0;
}

static uint64_t delay_timeout(struct neighbour *n, uint64_t now)
{
	struct neigh_table *tbl = n->tbl;

	bool proof = (int64_t)(n->confirmed_ns - n->updated_ns) >= 0; /* since it became DELAY */

	n->updated_ns = now;
	if (proof) {
		neigh_set_state(n, NUD_REACHABLE);
		neigh_connect(n);
		return n->confirmed_ns + neigh_reachable_time(tbl);
	}
	neigh_set_state(n, NUD_PROBE);
	n->probes = 0;
	return now + retrans_ns(tbl);
}

void neigh_timer_handler(struct net *net, struct timer_list *t)
{
	struct neighbour *n = container_of(t, struct neighbour, timer);
	uint64_t now = net->now_ns, next = 0;

	if (n->nud_state & NUD_REACHABLE)
		next = reachable_timeout(n, now);
	else if (n->nud_state & NUD_DELAY)
		next = delay_timeout(n, now);
	else if (n->nud_state & (NUD_PROBE | NUD_INCOMPLETE))
		next = now + retrans_ns(n->tbl);
	if ((n->nud_state & (NUD_INCOMPLETE | NUD_PROBE)) && n->probes >= max_probes(n)) {
		neigh_set_state(n, NUD_FAILED);
		neigh_suspect(n);
		neigh_invalidate(n);
		return;
	}
	if (n->nud_state & NUD_IN_TIMER)
		arm(n, next);
	if (n->nud_state & (NUD_INCOMPLETE | NUD_PROBE))
		neigh_probe(n);
}

/* --- learning ----------------------------------------------------------------------------------------------------------------- */

/* An update to a state in which nothing can be sent. */
static int update_invalid(struct neighbour *n, uint8_t new_state)
{
	uint8_t old = n->nud_state;

	timer_del(n->tbl->net, &n->timer);
	neigh_set_state(n, new_state);
	if (old & NUD_CONNECTED)
		neigh_suspect(n);
	if ((old & (NUD_INCOMPLETE | NUD_PROBE)) && (new_state & NUD_FAILED))
		neigh_invalidate(n);
	return 0;
}

static void enter_state(struct neighbour *n, uint8_t new_state)
{
	struct net *net = n->tbl->net;

	timer_del(net, &n->timer);
	if (new_state & NUD_PROBE)
		n->probes = 0;
	neigh_set_state(n, new_state);
	if (new_state & NUD_IN_TIMER)
		arm(n, net->now_ns + (new_state & NUD_REACHABLE ? neigh_reachable_time(n->tbl) : 0));
}

int neigh_update(struct neighbour *n, const uint8_t *lladdr, uint8_t new_state, unsigned flags)
{
	uint64_t now = n->tbl->net->now_ns;
	uint8_t old = n->nud_state;
	bool changed;

	if (!(flags & NEIGH_UPDATE_F_ADMIN) && (old & (NUD_NOARP | NUD_PERMANENT)))
		return -EPERM;
	if (n->dead)
		return -EINVAL;
	if (!(new_state & NUD_VALID))
		return update_invalid(n, new_state);
	if (!lladdr && !(old & NUD_VALID))
		return -EINVAL;
	changed = lladdr && (!(old & NUD_VALID) || memcmp(lladdr, n->ha, ETH_ALEN));
	if (new_state & NUD_CONNECTED)
		n->confirmed_ns = now;
	if (old & NUD_VALID) {
		if (changed && !(flags & NEIGH_UPDATE_F_OVERRIDE))
			return 0;
		/* Hearing of it says nothing about reaching it: a better state is kept. */
		if (!changed && new_state == NUD_STALE && !(flags & NEIGH_UPDATE_F_ADMIN))
			new_state = old;
	}
	if (new_state != old || changed)
		n->updated_ns = now;
	if (new_state != old)
		enter_state(n, new_state);
	if (changed) {
		memcpy(n->ha, lladdr, ETH_ALEN);
		n->hh_len = 0; /* made anew by neigh_connect() */
		if (!(new_state & NUD_CONNECTED))
			n->confirmed_ns = now - 2 * (uint64_t)n->tbl->base_reachable_time_ms * NSEC_PER_MSEC;
	}
	if (new_state == old && !changed)
		return 0;
	if (new_state & NUD_CONNECTED)
		neigh_connect(n);
	else
		neigh_suspect(n);
	if (!(old & NUD_VALID))
		send_queue(n);
	return 0;
}
