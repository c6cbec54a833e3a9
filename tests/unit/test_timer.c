/* SPDX-License-Identifier: MIT */
/* Timers: never early, at most one slot late, in order; the deadline; cancelling and re-arming from handlers; the budget. */
#include "test.h"
#include "test_net.h"

#define SLOT_NS (UINT64_C(1) << 20)
enum { TIMERS = 500 };

struct event {
	struct timer_list t;
	struct hrtimer h;
	uint64_t armed_for;
	unsigned serial;
};

static struct event events[TIMERS];
static unsigned fired[TIMERS * 4], nr_fired;
static uint64_t latest_ns, latest_tie;

static void on_timer(struct net *net, struct timer_list *t)
{
	struct event *e = container_of(t, struct event, t);

	assert_false(timer_pending(t));
	assert_true(net->now_ns >= e->armed_for);
	fired[nr_fired++] = e->serial;
}

static void on_hrtimer(struct net *net, struct hrtimer *h)
{
	struct event *e = container_of(h, struct event, h);

	assert_false(hrtimer_active(h));
	assert_true(net->now_ns >= e->armed_for);
	assert_true(e->armed_for > latest_ns || (e->armed_for == latest_ns && h->seq > latest_tie));
	latest_ns = e->armed_for;
	latest_tie = h->seq;
	fired[nr_fired++] = e->serial;
}

static struct test_net *start(void)
{
	nr_fired = 0;
	latest_ns = latest_tie = 0;
	for (unsigned i = 0; i < TIMERS; i++) {
		events[i] = (struct event){.serial = i};
		timer_init(&events[i].t, on_timer);
		hrtimer_init(&events[i].h, on_hrtimer);
	}
	return test_net_new(0, 1);
}

static void arm(struct net *net, struct event *e, uint64_t ns)
{
	e->armed_for = ns;
	timer_mod(net, &e->t, ns);
}

/* Goes from deadline to deadline until nothing is armed; returns how many wake-ups that took. */
static unsigned run_all(struct test_net *tn)
{
	unsigned wakeups = 0;

	for (uint64_t next; (next = timers_next_deadline(&tn->net)) != TIME_NEVER; wakeups++) {
		unsigned before = nr_fired;
		if (next > tn->clock_ns)
			test_net_set_time(tn, next);
		while (timers_run(&tn->net, 1000))
			;
		for (unsigned i = before; i < nr_fired; i++)
			assert_true(tn->clock_ns < events[fired[i]].armed_for + SLOT_NS || tn->clock_ns == next);
	}
	return wakeups;
}

static void wheel_is_never_early_and_at_most_a_slot_late(void **state)
{
	struct test_net *tn = start();
	uint64_t seed = 1, base = tn->clock_ns;

	(void)state;
	for (unsigned i = 0; i < TIMERS; i++)
		arm(&tn->net, &events[i], base + test_random(&seed) % (UINT64_C(1) << (1 + i % 58)));
	for (uint64_t next; (next = timers_next_deadline(&tn->net)) != TIME_NEVER;) {
		unsigned before = nr_fired;
		assert_true(next >= tn->clock_ns);
		test_net_set_time(tn, next);
		timers_run(&tn->net, 10000);
		for (unsigned i = before; i < nr_fired; i++)
			assert_true(tn->clock_ns - events[fired[i]].armed_for < SLOT_NS || tn->clock_ns == base);
	}
	assert_int_equal(nr_fired, TIMERS);
	test_net_free(tn);
}

static void far_future_and_never(void **state)
{
	struct test_net *tn = start();
	uint64_t year = UINT64_C(365) * 86400 * NSEC_PER_SEC;

	(void)state;
	arm(&tn->net, &events[0], 3 * year);
	arm(&tn->net, &events[1], 500 * year);
	arm(&tn->net, &events[2], TIME_NEVER - 2 * SLOT_NS);
	arm(&tn->net, &events[3], 10 * NSEC_PER_SEC);
	timer_mod(&tn->net, &events[3].t, TIME_NEVER); /* the same as not armed */
	assert_false(timer_pending(&events[3].t));
	test_net_set_time(tn, 2 * year);
	assert_int_equal(timers_run(&tn->net, 100), 0);
	assert_true(run_all(tn) < 40);
	assert_int_equal(nr_fired, 3);
	assert_int_equal(fired[0], 0);
	assert_int_equal(fired[1], 1);
	test_net_free(tn);
}

static void equal_times_run_in_order_of_arming(void **state)
{
	struct test_net *tn = start();
	uint64_t when = tn->clock_ns + 300 * SLOT_NS + 5;

	(void)state;
	for (unsigned i = 0; i < 40; i++) { /* the first ones are armed from afar, the others from near: other levels of the wheel */
		if (i == 20) {
			test_net_set_time(tn, when - 10 * SLOT_NS);
			timers_run(&tn->net, 100);
		}
		arm(&tn->net, &events[i], when);
	}
	arm(&tn->net, &events[3], when); /* armed again: now the last */
	run_all(tn);
	assert_int_equal(nr_fired, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(fired[i], i == 39 ? 3 : i < 3 ? i : i + 1);
	test_net_free(tn);
}

static void cancel_and_rearm(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	uint64_t base = tn->clock_ns;

	(void)state;
	arm(net, &events[0], base + NSEC_PER_SEC);
	arm(net, &events[1], base + 2 * NSEC_PER_SEC);
	timer_del(net, &events[0].t);
	timer_del(net, &events[0].t);
	assert_false(timer_pending(&events[0].t));
	arm(net, &events[1], base + 50 * NSEC_PER_MSEC);
	assert_true(timers_next_deadline(net) < base + 52 * NSEC_PER_MSEC);
	arm(net, &events[1], base + 50 * NSEC_PER_MSEC + 1000); /* the same slot */
	run_all(tn);
	assert_int_equal(nr_fired, 1);
	assert_int_equal(fired[0], 1);
	arm(net, &events[2], base); /* in the past: due at once */
	assert_true(timers_next_deadline(net) <= net->now_ns);
	assert_int_equal(timers_run(net, 10), 1);
	assert_true(timers_next_deadline(net) == TIME_NEVER);
	test_net_free(tn);
}

static struct event *victim;
static void kills_another(struct net *net, struct timer_list *t)
{
	(void)t;
	timer_del(net, &victim->t);
	hrtimer_cancel(net, &victim->h);
}

static void frees_itself(struct net *net, struct timer_list *t)
{
	net_free(net, container_of(t, struct event, t));
	nr_fired++;
}

static void rearms_itself_for_the_past(struct net *net, struct timer_list *t)
{
	nr_fired++;
	timer_mod(net, t, net->now_ns - 2 * SLOT_NS);
}

static void handlers_may_do_anything(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	uint64_t when = tn->clock_ns + 5 * SLOT_NS;
	struct event *own = net_zalloc(net, sizeof(*own), MEM_NORMAL);

	(void)state;
	victim = &events[1];
	timer_init(&events[0].t, kills_another);
	arm(net, &events[0], when);
	arm(net, victim, when);
	victim->armed_for = when + 10;
	assert_int_equal(hrtimer_start(net, &victim->h, when + 10), 0);
	timer_init(&own->t, frees_itself);
	timer_mod(net, &own->t, when);
	test_net_set_time(tn, when + SLOT_NS);
	assert_int_equal(timers_run(net, 100), 2);
	assert_int_equal(nr_fired, 1);

	timer_init(&events[2].t, rearms_itself_for_the_past);
	timer_mod(net, &events[2].t, net->now_ns - 2 * SLOT_NS);
	assert_int_equal(timers_run(net, 7), 7); /* bounded by the budget */
	assert_true(timers_next_deadline(net) <= net->now_ns);
	timer_del(net, &events[2].t);
	test_net_free(tn);
}

static void heap_is_exact_and_in_order(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;
	uint64_t seed = 3, base = tn->clock_ns, least = TIME_NEVER;

	(void)state;
	for (unsigned i = 0; i < TIMERS; i++) {
		events[i].armed_for = base + test_random(&seed) % 1000;
		assert_int_equal(hrtimer_start(net, &events[i].h, events[i].armed_for), 0);
	}
	for (unsigned i = 0; i < TIMERS; i += 3)
		hrtimer_cancel(net, &events[i].h);
	for (unsigned i = 0; i < TIMERS; i += 6) {
		events[i].armed_for = base + test_random(&seed) % 1000;
		assert_int_equal(hrtimer_start(net, &events[i].h, events[i].armed_for), 0);
	}
	unsigned armed = 0;
	for (unsigned i = 0; i < TIMERS; i++)
		if (hrtimer_active(&events[i].h)) {
			armed++;
			least = MIN(least, events[i].armed_for);
		}
	assert_true(timers_next_deadline(net) == least);
	while (timers_next_deadline(net) != TIME_NEVER) {
		test_net_set_time(tn, timers_next_deadline(net));
		assert_true(timers_run(net, 3) > 0);
	}
	assert_int_equal(nr_fired, armed);
	test_net_free(tn);
}

static void heap_that_cannot_grow_says_so(void **state)
{
	struct test_net *tn = start();
	struct net *net = &tn->net;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(hrtimer_start(net, &events[i].h, 5 * NSEC_PER_SEC), 0);
	mem_fail_nth(net, 1);
	assert_true(hrtimer_start(net, &events[64].h, 5 * NSEC_PER_SEC) < 0);
	assert_false(hrtimer_active(&events[64].h));
	hrtimer_cancel(net, &events[7].h);
	mem_fail_nth(net, 1);
	assert_int_equal(hrtimer_start(net, &events[64].h, 5 * NSEC_PER_SEC), 0); /* needs no memory */
	mem_fail_nth(net, 0);
	for (unsigned i = 0; i < 65; i++)
		hrtimer_cancel(net, &events[i].h);
	test_net_free(tn);
}

static void idle_timers_cost_no_wakeups(void **state)
{
	struct test_net *tn = start();

	(void)state;
	for (unsigned i = 0; i < TIMERS; i++)
		arm(&tn->net, &events[i], tn->clock_ns + 7200 * NSEC_PER_SEC);
	assert_true(run_all(tn) <= 5); /* one a level at most */
	assert_int_equal(nr_fired, TIMERS);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_is_never_early_and_at_most_a_slot_late),
		cmocka_unit_test(far_future_and_never),
		cmocka_unit_test(equal_times_run_in_order_of_arming),
		cmocka_unit_test(cancel_and_rearm),
		cmocka_unit_test(handlers_may_do_anything),
		cmocka_unit_test(heap_is_exact_and_in_order),
		cmocka_unit_test(heap_that_cannot_grow_says_so),
		cmocka_unit_test(idle_timers_cost_no_wakeups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
