/* SPDX-License-Identifier: MIT */
/* Socks: life by two counts, clones, memory of the protocol and pressure, queues, waiting. */
#include "core/sock.h"
#include "test.h"
#include "test_net.h"
#include <errno.h>

static struct proto_mem memory;
static unsigned destroyed, woken;

static struct proto_mem *proto_memory(struct net *net)
{
	(void)net;
	return &memory;
}
static void on_destroy(struct sock *sk)
{
	(void)sk;
	destroyed++;
}
static void on_wake(struct sock *sk, unsigned mask)
{
	(void)sk;
	woken |= mask;
}

static struct proto proto = {.name = "test", .type = SOCK_DGRAM, .protocol = 17, .obj_size = sizeof(struct sock) + 40,
			     .destroy = on_destroy, .mem = proto_memory};

static uint64_t live(struct net *net)
{
	struct mem_stats st;

	mem_stats(net, &st);
	return st.allocs - st.frees;
}

static struct sock *start(struct test_net **tn)
{
	destroyed = woken = 0;
	memory = (struct proto_mem){.limit = {100, 200, 300}};
	proto.type = SOCK_DGRAM;
	*tn = test_net_new(0, 1);
	struct sock *sk = sk_alloc(&(*tn)->net, &proto, AF_INET);
	assert_non_null(sk);
	sk->sk_wake = on_wake;
	return sk;
}

static void lives_until_its_last_skb_ends(void **state)
{
	struct test_net *tn;
	struct sock *sk = start(&tn);
	struct net *net = &tn->net;
	uint64_t before = live(net) - 1;
	int err;

	(void)state;
	assert_int_equal(memory.sockets, 1);
	struct sk_buff *skb = sock_alloc_send_skb(sk, 0, 100, true, &err);
	assert_non_null(skb);
	assert_int_equal(sk->sk_wmem_alloc, 1 + skb->truesize);
	sock_hold(sk);
	sock_put(sk);
	sock_put(sk);
	assert_int_equal(destroyed, 0);
	skb_consume(skb);
	assert_int_equal(destroyed, 1);
	assert_int_equal(memory.sockets, 0);
	assert_int_equal(live(net), before);
	test_net_free(tn);
}

static void clone_takes_options_not_state(void **state)
{
	struct test_net *tn;
	struct sock *sk = start(&tn), *child;
	struct net *net = &tn->net;
	struct sock_ext *ext;
	uint64_t before;

	(void)state;
	assert_int_equal(sk_ext_get(sk, &ext), 0);
	ext->tcp_keepalive_time_s = 77;
	sk->sk_priority = 3;
	sk->sk_err = 5;
	before = live(net);
	for (unsigned fail = 1; fail <= 2; fail++) {
		mem_fail_nth(net, fail);
		assert_null(sk_clone(sk, MEM_NORMAL));
		assert_int_equal(live(net), before);
	}
	child = sk_clone(sk, MEM_NORMAL);
	assert_int_equal(child->sk_ext->tcp_keepalive_time_s, 77);
	assert_int_equal(child->sk_priority, 3);
	assert_int_equal(child->sk_err, 0);
	assert_int_equal(child->sk_refcnt, 2);
	assert_true(child->sk_cookie != sk->sk_cookie);
	child->sk_wake(child, POLLIN); /* nobody's yet */
	sock_put(child);
	sock_put(child);
	sock_put(sk);
	assert_int_equal(destroyed, 2);
	test_net_free(tn);
}

static struct sk_buff *packet(struct net *net)
{
	struct sk_buff *skb = alloc_skb(net, 0, 1000, 0);

	skb_put(skb, 1000);
	return skb;
}

static void receive_queue_is_bounded_and_accounted(void **state)
{
	struct test_net *tn;
	struct sock *sk = start(&tn);
	enum skb_drop_reason reason;
	unsigned queued = 0;

	(void)state;
	sk->sk_rcvbuf = 20000;
	for (;;) {
		struct sk_buff *skb = packet(&tn->net);
		int err = sock_queue_rcv_skb(sk, skb, &reason);
		if (!err) {
			queued += skb->truesize;
			continue;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(reason, SKB_DROP_REASON_SOCKET_RCVBUFF);
		skb_drop(skb, reason);
		break;
	}
	assert_true(woken & POLLIN);
	assert_int_equal(sk->sk_rmem_alloc, queued);
	assert_int_equal(memory.allocated, (queued + PAGE_SIZE - 1) / PAGE_SIZE);
	skb_consume(skb_dequeue(&sk->sk_receive_queue));
	sk->sk_rcvbuf = 1 << 20;
	memory.limit[2] = memory.limit[1] = memory.limit[0] = 1;
	struct sk_buff *skb = alloc_skb(&tn->net, 0, 9000, 0);
	assert_int_equal(sock_queue_rcv_skb(sk, skb, &reason), -ENOBUFS);
	assert_int_equal(reason, SKB_DROP_REASON_PROTO_MEM);
	assert_true(memory.pressure);
	assert_int_equal(sock_queue_err_skb(sk, skb), 0);
	assert_true(woken & POLLERR);
	sock_put(sk); /* what is queued ends with it */
	assert_int_equal(destroyed, 1);
	assert_int_equal(memory.allocated, 0);
	test_net_free(tn);
}

static void pressure_comes_and_goes(void **state)
{
	struct test_net *tn;
	struct sock *sk = start(&tn), *other = sk_alloc(&tn->net, &proto, AF_INET);
	struct net *net = &tn->net;

	(void)state;
	sk->sk_protocol = IPPROTO_TCP;
	sk->sk_type = SOCK_STREAM;
	assert_true(sk_wmem_schedule(sk, 200 * PAGE_SIZE));
	assert_false(memory.pressure);
	assert_int_equal(memory.allocated, 200);
	sk_mem_charge(sk, 200 * PAGE_SIZE);
	sk->sk_wmem_queued = 200 * PAGE_SIZE;
	assert_true(sk_wmem_schedule(sk, PAGE_SIZE)); /* over its buffer anyway: the sender will wait for that */
	sk_mem_reclaim(sk);
	sk->sk_sndbuf = 1 << 21;
	sock_set_flag(sk, SOCK_F_SNDBUF_LOCK);
	assert_false(sk_wmem_schedule(sk, PAGE_SIZE)); /* more than its share of two socks */
	assert_true(sk_under_memory_pressure(sk));
	assert_true(net->mib.counter[MIB_TCPMemoryPressures] == 1);
	assert_true(sk_rmem_schedule(other, 5000)); /* has nothing yet */
	sk_forced_mem_schedule(sk, 3 * PAGE_SIZE);
	assert_int_equal(memory.allocated, 205);
	test_net_set_time(tn, tn->clock_ns + 50 * NSEC_PER_MSEC);
	sk_mem_uncharge(sk, 200 * PAGE_SIZE);
	sk_mem_reclaim(sk);
	assert_false(memory.pressure);
	assert_int_equal(net->mib.counter[MIB_TCPMemoryPressuresChrono], 50);
	sk_mem_reclaim(other);
	assert_int_equal(memory.allocated, 0);
	sk->sk_wmem_queued = 0;
	sock_put(sk);
	sock_put(other);
	test_net_free(tn);
}

static unsigned rounds;
static bool no_softirqs(struct net *net, int budget)
{
	(void)budget;
	net_clock_update(net);
	rounds++;
	return false;
}
static uint64_t no_deadline(struct net *net)
{
	(void)net;
	return TIME_NEVER;
}
static int wait_for_deadline(void *ctx, struct net *net, uint64_t until)
{
	struct test_net *tn = ctx;

	(void)net;
	tn->clock_ns = until == TIME_NEVER ? tn->clock_ns + NSEC_PER_SEC : until;
	return 0;
}
static int interrupted(void *ctx, struct net *net, uint64_t until)
{
	(void)ctx;
	(void)net;
	(void)until;
	return -EINTR;
}
static bool after_three_rounds(struct sock *sk, void *arg)
{
	(void)sk;
	(void)arg;
	return rounds >= 3;
}
static bool never(struct sock *sk, void *arg)
{
	(void)sk;
	(void)arg;
	return false;
}

static void waiting(void **state)
{
	struct test_net *tn;
	struct sock *sk = start(&tn);
	struct net *net = &tn->net;
	uint64_t timeo = 5 * NSEC_PER_SEC, forever = TIME_NEVER;

	(void)state;
	rounds = 0;
	net->run_softirqs = no_softirqs;
	net->next_deadline = no_deadline;
	assert_int_equal(sk_wait(sk, &timeo, never, NULL), -EAGAIN); /* no way to wait */
	net->env.wait = wait_for_deadline;
	net->in_poll = true;
	assert_int_equal(sk_wait(sk, &timeo, never, NULL), -EAGAIN);
	net->in_poll = false;
	assert_int_equal(rounds, 0);
	assert_int_equal(sk_wait(sk, &timeo, never, NULL), -EAGAIN);
	assert_int_equal(timeo, 0);
	rounds = 0;
	assert_int_equal(sk_wait(sk, &forever, after_three_rounds, NULL), 0);
	assert_true(forever == TIME_NEVER);
	timeo = NSEC_PER_SEC;
	net->env.wait = interrupted;
	assert_int_equal(sk_wait(sk, &timeo, never, NULL), -EINTR);

	int err; /* a datagram sender waits for room, not for ever */
	net->env.wait = wait_for_deadline;
	sk->sk_sndbuf = 1000;
	struct sock_ext *ext;
	assert_int_equal(sk_ext_get(sk, &ext), 0);
	ext->sndtimeo_ns = 2 * NSEC_PER_SEC;
	struct sk_buff *skb = sock_alloc_send_skb(sk, 0, 2000, false, &err);
	assert_non_null(skb);
	assert_null(sock_alloc_send_skb(sk, 0, 10, true, &err));
	assert_int_equal(err, -EAGAIN);
	assert_null(sock_alloc_send_skb(sk, 0, 10, false, &err));
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(woken & POLLOUT, 0);
	skb_consume(skb);
	assert_true(woken & POLLOUT);
	sk->sk_err = ECONNREFUSED;
	assert_null(sock_alloc_send_skb(sk, 0, 10, true, &err));
	assert_int_equal(err, -ECONNREFUSED);
	sk->sk_shutdown = SEND_SHUTDOWN;
	assert_null(sock_alloc_send_skb(sk, 0, 10, true, &err));
	assert_int_equal(err, -EPIPE);
	sock_put(sk);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives_until_its_last_skb_ends),
		cmocka_unit_test(clone_takes_options_not_state),
		cmocka_unit_test(receive_queue_is_bounded_and_accounted),
		cmocka_unit_test(pressure_comes_and_goes),
		cmocka_unit_test(waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
