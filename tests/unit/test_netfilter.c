/* SPDX-License-Identifier: MIT */
/* The hooks: order, every verdict, queueing and going on, and hooks that come and go while a packet passes. */
#include "netfilter/netfilter.h"
#include "test.h"
#include "test_net.h"

static struct test_net *tn;
static char order[64];
static unsigned passed; /* calls of okfn */

static int setup(void **state)
{
	(void)state;
	tn = test_net_new(0, 3);
	assert_int_equal(netfilter_init(&tn->net), 0);
	order[0] = '\0';
	passed = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	netfilter_exit(&tn->net);
	test_net_free(tn);
	return 0;
}

static int okfn(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	(void)net;
	(void)sk;
	passed++;
	skb_consume(skb);
	return 7;
}

static int run(void)
{
	struct sk_buff *skb = alloc_skb(&tn->net, 0, 100, 0);

	order[0] = '\0';
	return NF_HOOK(&tn->net, NFPROTO_IPV4_, NF_INET_LOCAL_OUT, NULL, skb, NULL, NULL, okfn);
}

struct rule {
	char name;
	unsigned verdict;
	unsigned repeats;              /* NF_REPEAT that many times first */
	struct nf_hook_ops *unregister, *and_register;
};

static unsigned hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct rule *r = priv;

	assert_int_equal(state->hook, NF_INET_LOCAL_OUT);
	size_t n = strlen(order);
	order[n] = r->name;
	order[n + 1] = '\0';
	if (r->unregister)
		nf_unregister_hook(state->net, r->unregister);
	if (r->and_register)
		assert_int_equal(nf_register_hook(state->net, r->and_register), 0);
	r->and_register = NULL;
	if (r->repeats) {
		r->repeats--;
		return NF_REPEAT;
	}
	if ((r->verdict & 0xffff) == NF_STOLEN)
		skb_consume(skb);
	return r->verdict;
}

static struct nf_hook_ops ops_of(struct rule *r, int priority)
{
	return (struct nf_hook_ops){.hook = hook, .priv = r, .pf = NFPROTO_IPV4_, .hooknum = NF_INET_LOCAL_OUT, .priority = priority};
}

static void by_priority_then_age(void **state)
{
	struct rule r[4] = {{'a', NF_ACCEPT}, {'b', NF_ACCEPT}, {'c', NF_ACCEPT}, {'d', NF_ACCEPT}};
	struct nf_hook_ops o[4] = {ops_of(&r[0], 0), ops_of(&r[1], -100), ops_of(&r[2], 0), ops_of(&r[3], 50)};

	(void)state;
	assert_true(nf_hook_empty(&tn->net, NFPROTO_IPV4_, NF_INET_LOCAL_OUT));
	assert_int_equal(run(), 7);
	for (int i = 3; i >= 0; i--)
		assert_int_equal(nf_register_hook(&tn->net, &o[i]), 0);
	assert_false(nf_hook_empty(&tn->net, NFPROTO_IPV4_, NF_INET_LOCAL_OUT));
	assert_int_equal(run(), 7);
	assert_string_equal(order, "bcad");
	nf_unregister_hook(&tn->net, &o[2]);
	nf_unregister_hook(&tn->net, &o[2]); /* again: harmless */
	assert_int_equal(run(), 7);
	assert_string_equal(order, "bad");
}

static void verdicts(void **state)
{
	struct rule r[2] = {{'a', NF_DROP}, {'b', NF_ACCEPT}};
	struct nf_hook_ops o[2] = {ops_of(&r[0], 0), ops_of(&r[1], 1)};

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(nf_register_hook(&tn->net, &o[i]), 0);
	assert_int_equal(run(), -EPERM);
	assert_string_equal(order, "a");
	assert_int_equal(tn->net.trace.drops[SKB_DROP_REASON_NETFILTER_DROP], 1);
	r[0].verdict = NF_DROP_ERR(EHOSTUNREACH);
	assert_int_equal(run(), -EHOSTUNREACH);
	r[0].verdict = NF_STOLEN;
	assert_int_equal(run(), 0);
	r[0].verdict = NF_ACCEPT;
	r[0].repeats = 2;
	assert_int_equal(run(), 7);
	assert_string_equal(order, "aaab");
	r[0].repeats = 1000; /* for ever: dropped */
	assert_int_equal(run(), -EPERM);
	r[0].repeats = 0;
	r[0].verdict = NF_QUEUE; /* nobody to take it: dropped, without an error, as Linux */
	assert_int_equal(run(), 0);
	assert_int_equal(passed, 1);
}

static struct sk_buff *queued;
static struct nf_hook_state queued_state;
static unsigned queued_num;

static int queue_handler(struct sk_buff *skb, const struct nf_hook_state *state, unsigned queue_num)
{
	queued = skb;
	queued_state = *state;
	queued_num = queue_num;
	return 0;
}

static void queue_and_go_on(void **state)
{
	struct rule r[4] = {{'a', NF_ACCEPT}, {'b', NF_QUEUE | 5 << 16}, {'c', NF_ACCEPT}, {'d', NF_ACCEPT}};
	struct nf_hook_ops o[4] = {ops_of(&r[0], 0), ops_of(&r[1], 0), ops_of(&r[2], 0), ops_of(&r[3], 0)};

	(void)state;
	nf_set_queue_handler(&tn->net, queue_handler);
	for (int i = 0; i < 3; i++)
		assert_int_equal(nf_register_hook(&tn->net, &o[i]), 0);
	assert_int_equal(run(), 0);
	assert_string_equal(order, "ab");
	assert_int_equal(queued_num, 5);
	nf_reinject(queued, &queued_state, NF_ACCEPT);
	assert_string_equal(order, "abc");
	assert_int_equal(passed, 1);
	/* The hook that queued is gone, another came: the packet goes on where it was. */
	assert_int_equal(run(), 0);
	nf_unregister_hook(&tn->net, &o[1]);
	assert_int_equal(nf_register_hook(&tn->net, &o[3]), 0);
	nf_reinject(queued, &queued_state, NF_ACCEPT);
	assert_string_equal(order, "abcd");
	assert_int_equal(passed, 2);
	assert_int_equal(nf_register_hook(&tn->net, &o[1]), 0);
	assert_int_equal(run(), 0);
	nf_reinject(queued, &queued_state, NF_REPEAT); /* queued once more */
	assert_string_equal(order, "acdbb");
	nf_reinject(queued, &queued_state, NF_DROP);
	assert_int_equal(passed, 2);
}

static void changed_while_walking(void **state)
{
	struct rule r[4] = {{'a', NF_ACCEPT}, {'b', NF_ACCEPT}, {'c', NF_ACCEPT}, {'d', NF_ACCEPT}};
	struct nf_hook_ops o[4] = {ops_of(&r[0], 0), ops_of(&r[1], 1), ops_of(&r[2], 2), ops_of(&r[3], 3)};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(nf_register_hook(&tn->net, &o[i]), 0);
	r[0].unregister = &o[1]; /* the next one */
	r[0].and_register = &o[3];
	assert_int_equal(run(), 7);
	assert_string_equal(order, "acd");
	r[0].unregister = &o[0]; /* itself */
	assert_int_equal(run(), 7);
	assert_string_equal(order, "acd");
	assert_int_equal(run(), 7);
	assert_string_equal(order, "cd");
}

static void bounds(void **state)
{
	struct rule r = {'a', NF_ACCEPT};
	struct nf_hook_ops o[17], bad = ops_of(&r, 0);

	(void)state;
	bad.hook = NULL;
	assert_int_equal(nf_register_hook(&tn->net, &bad), -EINVAL);
	for (unsigned i = 0; i < 17; i++) {
		o[i] = ops_of(&r, (int)i);
		mem_fail_nth(&tn->net, i == 3);
		if (i == 3)
			assert_int_equal(nf_register_hook(&tn->net, &o[i]), -ENOMEM);
		assert_int_equal(nf_register_hook(&tn->net, &o[i]), i < 16 ? 0 : -EBUSY);
	}
	assert_int_equal(run(), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_priority_then_age, setup, teardown),
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_and_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_while_walking, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
