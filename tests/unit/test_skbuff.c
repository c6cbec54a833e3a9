/* SPDX-License-Identifier: MIT */
/*
 * skbs: geometry, clones and copies, and every operation on every way bytes can lie (linear, frags, frag_list), checked against
 * a plain copy of the bytes; each allocation failing leaves the packet as it was.
 */
#include "core/iov_iter.h"
#include "test.h"
#include "test_net.h"
#include <errno.h>

enum { HEADROOM = 64, MOST = 20000 };

static uint8_t expected[MOST], scratch[MOST];

static uint64_t live(struct net *net)
{
	struct mem_stats st;

	mem_stats(net, &st);
	return st.allocs - st.frees;
}

static void put_bytes(struct sk_buff *skb, unsigned at, unsigned n)
{
	memcpy(skb_put(skb, n), expected + at, n);
}

static void add_page(struct sk_buff *skb, unsigned at, unsigned n, unsigned offset)
{
	uint8_t *page = page_alloc(skb->net, 1, MEM_NORMAL);

	assert_non_null(page);
	memcpy(page + offset, expected + at, n);
	skb_add_frag(skb, page + offset, n, page_owner(skb->net, page));
	skb->truesize += 2 * PAGE_SIZE;
}

/* A packet whose bytes are those of expected[], in the geometry that `kind` names (0 to 4). */
static struct sk_buff *make(struct net *net, unsigned kind, unsigned *len)
{
	struct sk_buff *skb = alloc_skb(net, HEADROOM, kind == 0 ? 1500 : 200, kind & 1 ? SKB_ALLOC_FCLONE : 0), *listed, *second;
	unsigned at = kind == 0 ? 1500 : 120;

	put_bytes(skb, 0, at);
	for (unsigned i = 0; kind >= 1 && i < (kind == 1 ? 1u : 5u); i++) {
		unsigned n = 333 + 100 * i; /* an odd length, so that sums must shift */
		add_page(skb, at, n, 7 * i);
		at += n;
	}
	if (kind >= 3) {
		listed = alloc_skb(net, 0, 301, 0);
		put_bytes(listed, at, 301);
		at += 301;
		second = alloc_skb(net, 0, 100, 0);
		put_bytes(second, at, 50);
		at += 50;
		add_page(second, at, 777, 0);
		at += 777;
		listed->next = second;
		skb_shinfo(skb)->frag_list = listed;
		skb->len += listed->len + second->len;
		skb->data_len += listed->len + second->len;
	}
	*len = at;
	assert_int_equal(skb->len, at);
	assert_true(skb_is_valid(skb));
	return skb;
}
enum { KINDS = 4 };

static void check_bytes(const struct sk_buff *skb, unsigned from, unsigned len)
{
	assert_true(skb_is_valid(skb));
	assert_int_equal(skb->len, len);
	assert_int_equal(skb_copy_bits(skb, 0, scratch, len), 0);
	assert_memory_equal(scratch, expected + from, len);
	assert_int_equal(skb_copy_bits(skb, 1, scratch, len), -EFAULT);
}

static struct test_net *start(void)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < MOST; i++)
		expected[i] = (uint8_t)test_random(&seed);
	return test_net_new(0, 1);
}

static void geometry(void **state)
{
	struct test_net *tn = start();
	struct sk_buff *skb = alloc_skb(&tn->net, 100, 200, 0);

	(void)state;
	assert_int_equal(skb_headroom(skb), 100);
	assert_true(skb_tailroom(skb) >= 200);
	assert_int_equal(skb->len, 0);
	assert_int_equal(skb->transport_header, 0xffff);
	assert_true(skb->truesize > sizeof(*skb) + 300);
	memset(skb_put(skb, 50), 1, 50);
	memset(skb_push(skb, 20), 2, 20);
	skb_reset_network_header(skb);
	assert_int_equal(skb->len, 70);
	assert_int_equal(skb_network_offset(skb), 0);
	skb_pull(skb, 20);
	assert_int_equal(skb_network_offset(skb), -20);
	assert_int_equal(skb->data[0], 1);
	assert_false(pskb_may_pull(skb, 51));
	assert_true(pskb_may_pull(skb, 50));
	assert_true(skb_is_valid(skb));
	skb_get(skb);
	assert_true(skb_shared(skb));
	skb_consume(skb);
	skb_consume(skb);
	skb_consume(NULL);
	skb = alloc_skb(&tn->net, 0, 100000, 0);
	assert_true(skb_tailroom(skb) >= 100000);
	skb_drop(skb, SKB_DROP_REASON_NOMEM);
	assert_int_equal(tn->net.trace.drops[SKB_DROP_REASON_NOMEM], 1);
	assert_null(alloc_skb(&tn->net, 0, 300000, 0));
	test_net_free(tn);
}

static void clone_shares_head_and_ends_in_any_order(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (int original_first = 0; original_first < 2; original_first++) {
			unsigned len;
			uint64_t before = live(net);
			struct sk_buff *skb = make(net, kind, &len);
			assert_false(skb_cloned(skb));
			struct sk_buff *a = skb_clone(skb, MEM_NORMAL), *b = skb_clone(skb, MEM_NORMAL);
			assert_true(skb_cloned(skb) && skb_cloned(a) && skb_cloned(b));
			assert_ptr_equal(a->head, skb->head);
			assert_int_equal(a->fclone, kind & 1 ? SKB_FCLONE_CLONE : SKB_FCLONE_UNAVAILABLE);
			check_bytes(a, 0, len);
			check_bytes(b, 0, len);
			skb_consume(original_first ? skb : a);
			skb_consume(b);
			check_bytes(original_first ? a : skb, 0, len);
			assert_false(skb_cloned(original_first ? a : skb));
			skb_consume(original_first ? a : skb);
			assert_int_equal(live(net), before);
		}
	test_net_free(tn);
}

static void first_clone_of_a_pair_needs_no_memory(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	struct sk_buff *skb = alloc_skb(net, 10, 100, SKB_ALLOC_FCLONE), *n;

	(void)state;
	put_bytes(skb, 0, 100);
	for (int i = 0; i < 3; i++) {
		mem_fail_nth(net, 1);
		n = skb_clone(skb, MEM_NORMAL);
		assert_non_null(n);
		assert_null(skb_clone(skb, MEM_NORMAL)); /* the second one does */
		assert_false(skb_fclone_busy(skb)); /* no owner yet */
		n->sk = (struct sock *)net;
		assert_true(skb_fclone_busy(skb));
		n->sk = NULL;
		assert_int_equal(pskb_expand_head(n, 300, 0, MEM_NORMAL), 0);
		assert_false(skb_cloned(skb));
		assert_true(skb_headroom(n) >= 300);
		check_bytes(n, 0, 100);
		skb_consume(n);
	}
	skb_consume(skb);
	test_net_free(tn);
}

static void copies(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned len;
		struct sk_buff *skb = make(net, kind, &len), *n;
		skb_set_network_header(skb, 10);
		skb_shinfo(skb)->gso_size = 99;
		skb->priority = 5;
		n = pskb_copy(skb, 33, MEM_NORMAL);
		check_bytes(n, 0, len);
		assert_int_equal(skb_headroom(n), 33);
		assert_int_equal(skb_network_offset(n), 10);
		assert_int_equal(skb_shinfo(n)->gso_size, 99);
		assert_int_equal(n->priority, 5);
		assert_false(skb_cloned(n));
		n->data[0] ^= 1;
		check_bytes(skb, 0, len);
		skb_consume(n);
		n = skb_copy(skb, 5, MEM_RESERVE);
		assert_int_equal(n->data_len, 0);
		check_bytes(n, 0, len);
		skb_consume(n);
		check_bytes(skb, 0, len);
		skb_consume(skb);
	}
	test_net_free(tn);
}

/* Pulls, trims and makes linear, at many places, alone and with a clone that must not notice; with each allocation failing. */
static void pull_trim_linearize(void **state)
{
	enum { PULL, TRIM, MAY_PULL, LINEARIZE, OPERATIONS };
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned run = 0; run < KINDS * OPERATIONS * 2 * 12 * 4; run++) {
		unsigned kind = run % KINDS, op = run / KINDS % OPERATIONS, cloned = run / KINDS / OPERATIONS % 2, len;
		unsigned fail = run / KINDS / OPERATIONS / 2 % 4, step = run / KINDS / OPERATIONS / 2 / 4;
		uint64_t before = live(net);
		struct sk_buff *skb = make(net, kind, &len), *n = NULL;
		unsigned at = len * step / 11;
		bool ok = true;

		if (cloned) {
			n = skb_clone(skb, MEM_NORMAL);
			/* A clone that got its own head still shares the listed skbs. */
			if (step & 1)
				assert_int_equal(pskb_expand_head(n, 0, 0, MEM_NORMAL), 0);
		}
		mem_fail_nth(net, fail);
		switch (op) {
		case PULL:
			ok = pskb_pull_any(skb, at) == 0;
			break;
		case TRIM:
			ok = pskb_trim(skb, at) == 0;
			break;
		case MAY_PULL:
			ok = pskb_may_pull(skb, at);
			break;
		default:
			ok = skb_linearize(skb) == 0;
			break;
		}
		mem_fail_nth(net, 0);
		assert_true(ok || fail);
		if (!ok || op == MAY_PULL || op == LINEARIZE)
			check_bytes(skb, 0, len);
		else if (op == PULL)
			check_bytes(skb, at, len - at);
		else
			check_bytes(skb, 0, MIN(at, len));
		if (ok && op == MAY_PULL)
			assert_true(skb_headlen(skb) >= at);
		if (ok && op == LINEARIZE)
			assert_int_equal(skb->data_len, 0);
		if (n) {
			check_bytes(n, 0, len);
			skb_consume(n);
		}
		skb_consume(skb);
		assert_int_equal(live(net), before);
	}
	assert_true(net->copied.linearize > 0);
	test_net_free(tn);
}

static void split_anywhere(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned at = 0;; at += 41) {
			unsigned len;
			struct sk_buff *skb = make(net, kind, &len), *rest = alloc_skb(net, HEADROOM, 1600, 0);
			if (at > len) {
				skb_consume(skb);
				skb_consume(rest);
				break;
			}
			skb_split(skb, rest, at);
			check_bytes(skb, 0, at);
			check_bytes(rest, at, len - at);
			skb_consume(skb);
			check_bytes(rest, at, len - at);
			skb_consume(rest);
		}
	test_net_free(tn);
}

static void sums_and_vectors(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	uint64_t seed = 5;

	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct iovec iov[40];
		unsigned len, total = 0;
		struct sk_buff *skb = make(net, kind, &len);
		for (int i = 0; i < 200; i++) {
			unsigned from = (unsigned)(test_random(&seed) % len), n = (unsigned)(test_random(&seed) % (len - from + 1));
			assert_int_equal(csum_fold(skb_checksum(skb, from, n, 1)), csum_fold(csum_partial(expected + from, n, 1)));
			assert_int_equal(skb_copy_bits(skb, from, scratch, n), 0);
			assert_memory_equal(scratch, expected + from, n);
		}
		int used = skb_to_iovec(skb, iov, 40);
		assert_true(used > 0);
		for (int i = 0; i < used; i++) {
			assert_memory_equal(iov[i].iov_base, expected + total, iov[i].iov_len);
			total += (unsigned)iov[i].iov_len;
		}
		assert_int_equal(total, len);
		if (used > 1)
			assert_int_equal(skb_to_iovec(skb, iov, used - 1), -EMSGSIZE);

		struct iovec user = {scratch, len};
		struct iov_iter to;
		uint64_t copied = net->copied.skb_to_user;
		memset(scratch, 0, len);
		iov_iter_init(&to, &user, 1, len);
		assert_int_equal(skb_copy_datagram_iter(skb, 10, &to, len - 10), 0);
		assert_memory_equal(scratch, expected + 10, len - 10);
		assert_int_equal(net->copied.skb_to_user - copied, len - 10);
		skb_consume(skb);
	}
	test_net_free(tn);
}

static void checksum_help(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned len;
		struct sk_buff *skb = make(net, kind, &len), *n;
		uint16_t pseudo = 0x1234, got, want;
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (uint16_t)(skb_headroom(skb) + 20);
		skb->csum_offset = 16;
		memcpy(skb->data + 36, &pseudo, 2);
		want = csum_fold(skb_checksum(skb, 20, len - 20, 0));
		n = skb_clone(skb, MEM_NORMAL); /* not the pair's own clone in kinds 0 and 2: its bytes may not be touched */
		assert_int_equal(skb_checksum_help(skb), 0);
		memcpy(&got, skb->data + 36, 2);
		assert_int_equal(got, want);
		assert_int_equal(skb->ip_summed, CHECKSUM_NONE);
		memcpy(&got, n->data + 36, 2);
		assert_int_equal(got, pseudo);
		n->csum_offset = 5000;
		assert_int_equal(skb_checksum_help(n), -EINVAL);
		skb_consume(n);
		skb_consume(skb);
	}
	test_net_free(tn);
}

static void coalesce(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	uint64_t before = live(net);
	struct sk_buff *to = alloc_skb(net, 0, 300, 0), *from = alloc_skb(net, 0, 100, 0);
	int delta;

	(void)state;
	put_bytes(to, 0, 100);
	put_bytes(from, 100, 100);
	assert_true(skb_try_coalesce(to, from, &delta)); /* small: copied */
	assert_int_equal(delta, 0);
	skb_consume_coalesced(from);
	check_bytes(to, 0, 200);

	from = alloc_skb(net, 0, 100, 0);
	add_page(from, 200, 1000, 0);
	add_page(from, 1200, 1000, 0);
	assert_true(skb_try_coalesce(to, from, &delta));
	assert_int_equal(delta, 4 * PAGE_SIZE);
	skb_consume_coalesced(from);
	check_bytes(to, 0, 2200);

	from = alloc_skb(net, 0, 1500, 0);
	put_bytes(from, 2200, 1000);
	assert_false(skb_try_coalesce(to, from, &delta)); /* a large linear part cannot be had without copying */
	skb_consume(from);

	from = alloc_skb(net, 0, 100, 0);
	add_page(from, 2200, 500, 0);
	struct sk_buff *n = skb_clone(from, MEM_NORMAL); /* shared frags are referenced once more */
	assert_true(skb_try_coalesce(to, from, &delta));
	skb_consume_coalesced(from);
	check_bytes(n, 2200, 500);
	skb_consume(n);
	check_bytes(to, 0, 2700);

	/* What continues the last frag in the same page makes it longer. */
	from = alloc_skb(net, 0, 100, 0);
	struct skb_frag *last = &skb_shinfo(to)->frags[skb_shinfo(to)->nr_frags - 1];
	memcpy(last->addr + last->len, expected + 2700, 300);
	frag_owner_get(last->owner);
	skb_add_frag(from, last->addr + last->len, 300, last->owner);
	unsigned frags = skb_shinfo(to)->nr_frags;
	assert_true(skb_try_coalesce(to, from, &delta));
	assert_int_equal(skb_shinfo(to)->nr_frags, frags);
	skb_consume_coalesced(from);
	check_bytes(to, 0, 3000);
	skb_consume(to);
	assert_int_equal(live(net), before);
	test_net_free(tn);
}

static unsigned destroyed;
static void count_destructor(struct sk_buff *skb)
{
	(void)skb;
	destroyed++;
}

static void destructor_runs_once(void **state)
{
	struct test_net *tn = start();
	struct sk_buff *skb = alloc_skb(&tn->net, 0, 10, 0), *n;

	(void)state;
	destroyed = 0;
	skb->destructor = count_destructor;
	n = skb_clone(skb, MEM_NORMAL);
	assert_null(n->destructor);
	skb_consume(n);
	assert_int_equal(destroyed, 0);
	skb_orphan(skb);
	assert_int_equal(destroyed, 1);
	skb_consume(skb);
	assert_int_equal(destroyed, 1);
	skb = alloc_skb(&tn->net, 0, 10, 0);
	skb->destructor = count_destructor;
	skb_drop(skb, SKB_DROP_REASON_QDISC_DROP);
	assert_int_equal(destroyed, 2);
	test_net_free(tn);
}

static void queues(void **state)
{
	struct test_net *tn = start();
	struct sk_buff_head q;
	struct sk_buff *s[4];

	(void)state;
	skb_queue_head_init(&q);
	for (int i = 0; i < 4; i++)
		s[i] = alloc_skb(&tn->net, 0, 10, 0);
	skb_queue_tail(&q, s[1]);
	skb_queue_tail(&q, s[3]);
	skb_queue_head(&q, s[0]);
	skb_queue_after(&q, s[1], s[2]);
	assert_int_equal(q.qlen, 4);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(skb_peek(&q), s[i]), skb_consume(skb_dequeue(&q));
	assert_true(skb_queue_is_last(&q, s[3]));
	skb_queue_purge(&q, SKB_DROP_REASON_QDISC_RESET);
	assert_int_equal(q.qlen, 0);
	assert_int_equal(tn->net.trace.drops[SKB_DROP_REASON_QDISC_RESET], 2);
	assert_null(skb_dequeue(&q));
	s[0] = alloc_skb(&tn->net, 0, 10, 0);
	s[0]->next = alloc_skb(&tn->net, 0, 10, 0);
	skb_drop_list(s[0], SKB_DROP_REASON_NOMEM);
	assert_int_equal(tn->net.trace.drops[SKB_DROP_REASON_NOMEM], 2);
	test_net_free(tn);
}

static void page_fragments(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	struct page_frag pf = {NULL, 0, 0};
	uint8_t *first;

	(void)state;
	assert_true(page_frag_refill(net, &pf, 32, MEM_NORMAL));
	assert_int_equal(pf.size, 32768);
	first = pf.page;
	pf.offset = 32768 - 10;
	assert_true(page_frag_refill(net, &pf, 100, MEM_NORMAL)); /* nobody else holds it: from the start again */
	assert_ptr_equal(pf.page, first);
	assert_int_equal(pf.offset, 0);
	frag_owner_get(page_owner(net, pf.page));
	pf.offset = 32768 - 10;
	assert_true(page_frag_refill(net, &pf, 10, MEM_NORMAL));
	assert_ptr_equal(pf.page, first);
	assert_true(page_frag_refill(net, &pf, 11, MEM_NORMAL));
	assert_true(pf.page != first);
	page_put(net, first);
	page_frag_release(net, &pf);
	mem_fail_nth(net, 1);
	assert_true(page_frag_refill(net, &pf, 1, MEM_NORMAL)); /* falls back to one page */
	assert_int_equal(pf.size, PAGE_SIZE);
	page_frag_release(net, &pf);
	assert_false(page_frag_refill(net, &pf, 40000, MEM_NORMAL));
	assert_null(pf.page);
	test_net_free(tn);
}

static void allocation_failures_are_clean(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	unsigned len;
	struct sk_buff *skb = make(net, 2, &len);
	uint64_t before = live(net);

	(void)state;
	for (unsigned fail = 1; fail <= 2; fail++) {
		mem_fail_nth(net, fail);
		assert_null(alloc_skb(net, 0, 100, SKB_ALLOC_FCLONE));
		mem_fail_nth(net, fail);
		assert_null(pskb_copy(skb, 0, MEM_NORMAL));
		mem_fail_nth(net, fail);
		assert_null(skb_copy(skb, 0, MEM_NORMAL));
		assert_int_equal(live(net), before);
	}
	mem_fail_nth(net, 1);
	assert_int_equal(pskb_expand_head(skb, 500, 0, MEM_NORMAL), -ENOMEM);
	mem_fail_nth(net, 1);
	assert_int_equal(skb_cow_head(skb, 500), -ENOMEM);
	check_bytes(skb, 0, len);
	mem_fail_nth(net, 0);
	assert_int_equal(skb_cow_head(skb, 500), 0);
	assert_true(skb_headroom(skb) >= 500);
	check_bytes(skb, 0, len);
	skb_consume(skb);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometry),
		cmocka_unit_test(clone_shares_head_and_ends_in_any_order),
		cmocka_unit_test(first_clone_of_a_pair_needs_no_memory),
		cmocka_unit_test(copies),
		cmocka_unit_test(pull_trim_linearize),
		cmocka_unit_test(split_anywhere),
		cmocka_unit_test(sums_and_vectors),
		cmocka_unit_test(checksum_help),
		cmocka_unit_test(coalesce),
		cmocka_unit_test(destructor_runs_once),
		cmocka_unit_test(queues),
		cmocka_unit_test(page_fragments),
		cmocka_unit_test(allocation_failures_are_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
