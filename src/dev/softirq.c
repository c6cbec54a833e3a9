/* SPDX-License-Identifier: MIT */
/*
 * softirq.c - deferred work and the instance's main loop (D4): xmit_poll(), its deadline and its descriptors.
 *
 * Work is raised anywhere (raise_softirq: a bit) and done only here.  One run is a series of rounds; each reads the clock, raises
 * TIMER when a timer is due, takes the pending bits and runs their actions in order TIMER, NET_RX, NET_TX, READY.  What an action
 * raises meanwhile waits for the next round, so that none keeps the others from their turn.  The run ends when nothing is pending or when the
 * budget is spent.  Every action that is pending gets at least a budget of one in its round, and every round costs at least
 * one, so that a run is finite and nothing starves, whatever the budget.
 *
 * Who raises: NET_RX - napi_schedule (drivers, netif_rx); NET_TX - __netif_schedule, finished skbs, TCP's small queues;
 * READY - file_wake (vfs).  Called from xmit_poll() and, for a blocking socket call, from sk_wait() by net->run_softirqs.
 */
#include "dev/softirq.h"
#include "dev/netdev_internal.h"

enum { ACTIONS_MAX = 4, BUDGET_DEFAULT = 300, BUDGET_MAX = 65536 };

typedef int (*softirq_action)(struct net *net, int budget);

struct softirq_state {
	softirq_action action[NR_SOFTIRQS][ACTIONS_MAX];
};

void open_softirq(struct net *net, enum softirq nr, softirq_action action)
{
	softirq_action *a = net->softirq->action[nr];
	unsigned i = 0;

	while (a[i])
		ASSERT(++i < ACTIONS_MAX);
	a[i] = action;
}

void softirq_add_tx_done(struct net *net, softirq_action fn) { open_softirq(net, NET_TX_SOFTIRQ, fn); }

static int run_action(struct net *net, enum softirq nr, int budget)
{
	const softirq_action *a = net->softirq->action[nr];
	int used = 0;

	for (unsigned i = 0; i < ACTIONS_MAX && a[i]; i++)
		used += a[i](net, MAX(budget - used, 1));
	return used;
}

/* One round over the bits that are pending now; returns the budget used. */
static int run_round(struct net *net, int budget)
{
	uint32_t pending = net->softirq_pending;
	int used = 0;

	net->softirq_pending = 0;
	for (unsigned nr = 0; nr < NR_SOFTIRQS; nr++)
		if (pending & (1u << nr))
			used += run_action(net, nr, MAX(budget - used, 1));
	return MAX(used, 1);
}

static void raise_due_timers(struct net *net)
{
	if (timers_next_deadline(net) <= net->now_ns)
		raise_softirq(net, TIMER_SOFTIRQ);
}

bool do_softirq(struct net *net, int budget)
{
	bool outer = net->in_poll;

	net->in_poll = true;
	net_clock_update(net);
	netdev_ask_ready(net);
	raise_due_timers(net);
	while (net->softirq_pending && budget > 0) {
		budget -= run_round(net, budget);
		net_clock_update(net);
		raise_due_timers(net);
	}
	net->in_poll = outer;
	return net->softirq_pending;
}

static uint64_t next_deadline(struct net *net)
{
	uint64_t timers, devices;

	if (net->softirq_pending)
		return net->now_ns;
	timers = timers_next_deadline(net);
	devices = netdev_next_event(net);
	return MIN(timers, devices);
}

int softirq_init(struct net *net)
{
	net->softirq = net_zalloc(net, sizeof(*net->softirq), MEM_NORMAL);
	if (!net->softirq)
		return -ENOMEM;
	open_softirq(net, TIMER_SOFTIRQ, timers_run);
	net->run_softirqs = do_softirq;
	net->next_deadline = next_deadline;
	return 0;
}

void softirq_exit(struct net *net)
{
	net->run_softirqs = NULL;
	net->next_deadline = NULL;
	net_free(net, net->softirq);
	net->softirq = NULL;
}

/* --- the public loop -------------------------------------------------------------------------------------------- */

static bool inside(const struct net *net) { return net->in_poll || net->in_user_callback; }

int xmit_poll(xmit_net *net, int budget)
{
	if (inside(net)) {
		errno = EDEADLK;
		return -1;
	}
	if (budget < 0 || budget > BUDGET_MAX) {
		errno = EINVAL;
		return -1;
	}
	return do_softirq(net, budget ? budget : BUDGET_DEFAULT);
}

uint64_t xmit_next_deadline(xmit_net *net) { return next_deadline(net); }

int xmit_poll_fds(xmit_net *net, struct pollfd *fds, int max) { return netdev_fill_fds(net, fds, max); }

int xmit_run(xmit_net *net, uint64_t timeout_ns)
{
	uint64_t until;

	if (inside(net)) {
		errno = EDEADLK;
		return -1;
	}
	net_clock_update(net);
	until = timeout_ns > TIME_NEVER - net->now_ns ? TIME_NEVER : net->now_ns + timeout_ns;
	for (;;) {
		bool more = do_softirq(net, BUDGET_DEFAULT);
		uint64_t next;
		int err;

		if (net->now_ns >= until)
			return 0;
		if (more)
			continue;
		next = next_deadline(net);
		err = net->env.wait(net->env.ctx, net, MIN(next, until));
		if (err) {
			errno = -err;
			return -1;
		}
	}
}
