/* SPDX-License-Identifier: MIT */
/*
 * sock_mem.c - what sockets may hold: each protocol's memory in pages (tcp_mem, udp_mem), charging skbs to their socket.
 *
 * A sock takes whole pages from its protocol (sk_forward_alloc) and charges truesizes against them.  The protocol enters pressure above
 * limit[1] (or when the instance's own memory runs short) and leaves it at limit[0]; under pressure a sock gets more only if it
 * holds less than its fair share; above limit[2] none does.  A sock with next to nothing always gets some, so that all can go on.
 */
#include "core/sock.h"

enum { LEAST_BUFFER = 4096, LEAST_SNDBUF = 4608 };

static int pages_of(uint32_t bytes) { return (int)((bytes + (uint32_t)PAGE_SIZE - 1) >> PAGE_SHIFT); }

struct proto_mem *sk_proto_mem(const struct sock *sk) { return sk->sk_prot->mem ? sk->sk_prot->mem(sk->sk_net) : NULL; }

static void enter_pressure(struct sock *sk, struct proto_mem *pm)
{
	if (pm->pressure)
		return;
	pm->pressure = true;
	pm->pressure_since_ns = sk->sk_net->now_ns;
	if (sk->sk_protocol == IPPROTO_TCP)
		NET_INC_STATS(sk->sk_net, TCPMemoryPressures);
}

static void leave_pressure(struct sock *sk, struct proto_mem *pm)
{
	if (likely(!pm->pressure))
		return;
	pm->pressure = false;
	if (sk->sk_protocol == IPPROTO_TCP)
		NET_ADD_STATS(sk->sk_net, TCPMemoryPressuresChrono, (sk->sk_net->now_ns - pm->pressure_since_ns) / NSEC_PER_MSEC);
}

bool sk_under_memory_pressure(const struct sock *sk)
{
	const struct proto_mem *pm = sk_proto_mem(sk);

	return (pm && pm->pressure) || net_under_memory_pressure(sk->sk_net);
}

/* Would every sock holding as much as this one stay within the limit? */
static bool holds_fair_share(const struct sock *sk, const struct proto_mem *pm)
{
	uint64_t bytes = (uint64_t)sk->sk_wmem_queued + sk->sk_rmem_alloc + (uint64_t)MAX(sk->sk_forward_alloc, 0);
	uint64_t pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return (uint64_t)pm->sockets * pages < (uint64_t)pm->limit[2];
}

static bool holds_next_to_nothing(const struct sock *sk, bool receive)
{
	if (receive)
		return sk->sk_rmem_alloc < LEAST_BUFFER;
	return (sk->sk_type == SOCK_STREAM ? sk->sk_wmem_queued : sk->sk_wmem_alloc) < LEAST_BUFFER;
}

static void shrink_sndbuf(struct sock *sk)
{
	int32_t to = (int32_t)(sk->sk_wmem_queued >> 1);

	if (!sock_flag(sk, SOCK_F_SNDBUF_LOCK))
		sk->sk_sndbuf = MAX(MIN(sk->sk_sndbuf, to), LEAST_SNDBUF);
}

/* May sk keep the pages just added to pm? */
static bool may_raise(struct sock *sk, struct proto_mem *pm, bool receive)
{
	bool arena_short = net_under_memory_pressure(sk->sk_net);

	if (pm->allocated <= pm->limit[0] && !arena_short) {
		leave_pressure(sk, pm);
		return true;
	}
	if (pm->allocated > pm->limit[1] || arena_short)
		enter_pressure(sk, pm);
	if (holds_next_to_nothing(sk, receive))
		return true;
	if (pm->allocated > pm->limit[2])
		return false;
	return !pm->pressure || holds_fair_share(sk, pm);
}

bool sk_mem_schedule(struct sock *sk, uint32_t size, bool receive)
{
	struct proto_mem *pm = sk_proto_mem(sk);
	int pages;

	if ((int32_t)size <= sk->sk_forward_alloc)
		return true;
	pages = pages_of(size - (uint32_t)sk->sk_forward_alloc);
	sk->sk_forward_alloc += pages << PAGE_SHIFT;
	if (!pm)
		return true;
	pm->allocated += pages;
	if (likely(may_raise(sk, pm, receive)))
		return true;
	if (!receive && sk->sk_type == SOCK_STREAM) {
		/* The sender waits for its own, now smaller, buffer rather than for the protocol's memory. */
		shrink_sndbuf(sk);
		if (sk->sk_wmem_queued + size >= (uint32_t)sk->sk_sndbuf)
			return true;
	}
	pm->allocated -= pages;
	sk->sk_forward_alloc -= pages << PAGE_SHIFT;
	return false;
}

void sk_forced_mem_schedule(struct sock *sk, uint32_t size)
{
	struct proto_mem *pm = sk_proto_mem(sk);
	int pages;

	if ((int32_t)size <= sk->sk_forward_alloc)
		return;
	pages = pages_of(size - (uint32_t)sk->sk_forward_alloc);
	sk->sk_forward_alloc += pages << PAGE_SHIFT;
	if (pm)
		pm->allocated += pages;
}

void sk_mem_reclaim(struct sock *sk)
{
	struct proto_mem *pm = sk_proto_mem(sk);
	int pages = sk->sk_forward_alloc >> PAGE_SHIFT;

	if (sk->sk_forward_alloc < PAGE_SIZE)
		return;
	sk->sk_forward_alloc &= PAGE_SIZE - 1;
	if (!pm)
		return;
	pm->allocated -= pages;
	DEBUG_ASSERT(pm->allocated >= 0);
	if (pm->allocated < pm->limit[0] && !net_under_memory_pressure(sk->sk_net))
		leave_pressure(sk, pm);
}

void sock_wfree(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	trace_skb(skb, TP_skb_destructor);
	DEBUG_ASSERT(sk->sk_wmem_alloc >= skb->truesize);
	/* One byte is kept while the user is told of the room, so that sk lives. */
	sk->sk_wmem_alloc -= skb->truesize - 1;
	sk_write_space(sk);
	sk_free(sk);
}

void sock_rfree(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	DEBUG_ASSERT(sk->sk_rmem_alloc >= skb->truesize);
	sk->sk_rmem_alloc -= skb->truesize;
	sk_mem_uncharge(sk, (int)skb->truesize);
}

void skb_set_owner_w(struct sk_buff *skb, struct sock *sk)
{
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = sock_wfree;
	sk->sk_wmem_alloc += skb->truesize;
}

void skb_set_owner_r(struct sk_buff *skb, struct sock *sk)
{
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = sock_rfree;
	sk->sk_rmem_alloc += skb->truesize;
	sk_mem_charge(sk, (int)skb->truesize);
}
