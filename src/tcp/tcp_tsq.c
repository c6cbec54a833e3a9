/* SPDX-License-Identifier: MIT */
/*
 * tcp_tsq.c - TCP small queues: no socket has more than about a millisecond of its rate (at least two skbs) in qdisc and driver, so that
 * queues stay short and data waits where it can still be merged, in the socket.
 *
 * sk_wmem_alloc counts the true size of this socket's skbs below it.  Over the limit, tcp_small_queue_check() sets TSQ_THROTTLED and
 * the sender stops.  (A paced sender comes back this way too: tcp_pacing.c.)  Each transmit completion ends an skb and runs its destructor tcp_wfree(), which, when the socket was throttled,
 * puts it on netns_tcp.tsq_list and raises NET_TX; tcp_tsq_run() (registered there by softirq_add_tx_done) sends on.  So no completion calls up
 * into TCP's send loop from inside a driver.  A socket leaves the list with its tcp_active (tcp_deactivate).
 */
#include "tcp/tcp_output.h"

enum { TSQ_STATES = 1u << TCP_ESTABLISHED | 1u << TCP_FIN_WAIT1 | 1u << TCP_CLOSING | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK };

static bool rtx_queue_holds_at_most_one(const struct sock *sk)
{
	const struct rb_node *root = sk->tcp_rtx_queue.node;

	return !root || (!root->left && !root->right);
}

bool tcp_small_queue_check(struct sock *sk, const struct sk_buff *skb, unsigned factor)
{
	uint64_t limit = sk->sk_pacing_rate >> sk->sk_pacing_shift, cap = (uint64_t)(int64_t)sock_net(sk)->tcp->sysctl_tcp_limit_output_bytes;

	limit = MAX(limit, 2 * (uint64_t)skb->truesize);
	if (sk->sk_pacing_status == SK_PACING_NONE) /* what paces keeps the queue short by itself */
		limit = MIN(limit, cap);
	limit <<= factor;
	if (likely(sk->sk_wmem_alloc <= limit) || PROVE_BREAKS("T4.tsq"))
		return false;
	/* The first two skbs always pass: a device that completes late must not stop the flow altogether. */
	if (rtx_queue_holds_at_most_one(sk) || !tcp_sk(sk)->active)
		return false;
	sk->sk_tsq_flags |= TSQ_THROTTLED;
	return true;
}

/* sk sends on at the end of NET_TX: a completion gave it budget, or its pacing time has come.  It has its active part. */
void tcp_tsq_queue(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);

	if (sk->sk_tsq_flags & TSQ_QUEUED)
		return;
	sk->sk_tsq_flags |= TSQ_QUEUED;
	list_add_tail(&act->tsq_node, &sk->sk_net->tcp->tsq_list);
	raise_softirq(sk->sk_net, NET_TX_SOFTIRQ);
}

/* Destructor of a segment on its way down: the budget comes back. */
void tcp_wfree(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	trace_skb(skb, TP_skb_destructor);
	if (unlikely(sk->sk_tsq_flags & TSQ_THROTTLED) && tcp_sk(sk)->active)
		tcp_tsq_queue(sk);
	sk->sk_wmem_alloc -= skb->truesize - 1;
	sk_free(sk); /* takes the last one, and the sock with it if that was all */
}

static void tsq_write(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!(TCPF(sk->sk_state) & TSQ_STATES))
		return;
	if (tp->lost_out > tp->retrans_out && tp->snd_cwnd > tcp_packets_in_flight(tp)) {
		tcp_mstamp_refresh(tp);
		tcp_xmit_retransmit_queue(sk);
	}
	tcp_write_xmit(sk, tcp_current_mss(sk), tp->nonagle, 0, MEM_NORMAL);
}

/* Sends on for at most budget sockets, in the order in which their budget came back; returns how many. */
int tcp_tsq_run(struct net *net, int budget)
{
	struct list_head *list = &net->tcp->tsq_list;
	int done = 0;

	while (!list_empty(list) && done < budget) {
		struct tcp_active *act = list_first_entry(list, struct tcp_active, tsq_node);
		struct sock *sk = act->sk;

		list_del_init(&act->tsq_node);
		sk->sk_tsq_flags &= (uint8_t)~(TSQ_THROTTLED | TSQ_QUEUED);
		sock_hold(sk);
		tsq_write(sk);
		sock_put(sk);
		done++;
	}
	if (!list_empty(list))
		raise_softirq(net, NET_TX_SOFTIRQ);
	return done;
}
