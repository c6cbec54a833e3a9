/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - TCP's sock: making it, its state, its active part, its end; the protocol's table (tcp_prot) and its start in an instance.
 *
 * Life: tcp_init_sock() after sk_alloc(); a child of a listener is a copy.  tcp_set_state() is the one place where sk_state changes of a
 * connection; CLOSE takes it out of the tables.  tcp_done() ends the connection: the user is told, or, when nobody holds the socket any
 * more (SOCK_F_DEAD, tcp_close.c), inet_csk_destroy_sock() ends the sock too.  Its memory lives on while skbs of it are below.
 *
 * tcp_active holds what a connection needs only while something is in flight, out of order or being recovered.  It is attached at the first
 * data (tcp_activate) and detached after an idle RTO (tcp_deactivate, from tcp_timer.c), together with the page that small writes share.
 */
#include "dev/softirq.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_metrics.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_user.h"
#include "tcp/tcp_txstamp.h"

/* --- making ------------------------------------------------------------------------------------------------------------------ */

int tcp_init_sock(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;

	tcp_init_xmit_timers(sk);
	icsk->icsk_timeout_ns = icsk->icsk_ack_timeout_ns = icsk->icsk_keepalive_ns = TIME_NEVER;
	icsk->icsk_rto_us = TCP_TIMEOUT_INIT_US;
	icsk->icsk_rto_min_us = (uint32_t)ns->sysctl_tcp_rto_min_us;
	icsk->icsk_rto_max_us = (uint32_t)ns->sysctl_tcp_rto_max_ms * 1000;
	icsk->icsk_af_ops = &ipv4_specific;
	tp->mdev_us = TCP_TIMEOUT_INIT_US;
	tp->rtt_min_us = UINT32_MAX;
	tp->snd_cwnd = TCP_INIT_CWND;
	tp->rate_app_limited = 1; /* until a sample says otherwise */
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->snd_cwnd_clamp = UINT32_MAX;
	tp->mss_cache = TCP_MSS_DEFAULT;
	tp->tcp_header_len = sizeof(struct tcphdr);
	tp->scaling_ratio = TCP_DEFAULT_SCALING_RATIO;
	tp->reordering = (uint32_t)ns->sysctl_tcp_reordering;
	tcp_assign_congestion_control(sk);
	sk->sk_sndbuf = ns->sysctl_tcp_wmem[1];
	sk->sk_rcvbuf = ns->sysctl_tcp_rmem[1];
	sk->sk_state = TCP_CLOSE;
	return 0;
}

int tcp_activate(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act;

	if (likely(tp->active))
		return 0;
	act = kmem_cache_zalloc(sock_net(sk)->tcp->active_cache, MEM_NORMAL);
	if (!act)
		return -ENOMEM;
	list_init(&act->tsq_node);
	list_init(&act->tsorted);
	list_init(&act->lost_list);
	for (struct sk_buff *skb = tcp_rtx_queue_head(sk); skb; skb = rb_to_skb(rb_next(&skb->rbnode)))
		list_add_tail(&skb->tcp_tsorted, &act->tsorted); /* a SYN or FIN that went without */
	act->sk = sk;
	act->cwnd_usage_seq = tp->snd_una;
	/* Nothing was in flight: whatever comes now, the application kept the path waiting. */
	act->app_limited = tp->delivered ? tp->delivered : 1;
	hrtimer_init(&act->pacing_timer, tcp_pacing_timer);
	hrtimer_init(&act->compressed_ack_timer, tcp_compressed_ack_timer);
	tp->active = act;
	if (inet_csk(sk)->icsk_ca_initialized)
		tcp_init_congestion_control(sk);
	return 0;
}

void tcp_deactivate(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	page_frag_release(sock_net(sk), &sk->sk_frag);
	if (!act)
		return;
	ASSERT(rb_empty(&act->out_of_order_queue));
	if (inet_csk(sk)->icsk_ca_initialized && inet_csk(sk)->icsk_ca_ops->release)
		inet_csk(sk)->icsk_ca_ops->release(sk);
	list_del_init(&act->tsq_node);
	hrtimer_cancel(sock_net(sk), &act->pacing_timer);
	hrtimer_cancel(sock_net(sk), &act->compressed_ack_timer);
	tp->compressed = 0;
	tcp_chrono_stop(sk, act->chrono_type);
	sk->sk_tsq_flags = 0;
	tp->rx_opt.num_sacks = 0;
	tp->rx_opt.dsack = 0;
	tp->active = NULL;
	kmem_cache_free(sock_net(sk)->tcp->active_cache, act);
}

/* --- state ------------------------------------------------------------------------------------------------------------------- */

void tcp_set_state(struct sock *sk, int state)
{
	struct net *net = sock_net(sk);
	int old = sk->sk_state;

	if (state == TCP_ESTABLISHED) {
		if (old != TCP_ESTABLISHED)
			NET_INC_STATS(net, TcpCurrEstab);
	} else {
		if (state == TCP_CLOSE) {
			if (old == TCP_CLOSE_WAIT || old == TCP_ESTABLISHED)
				NET_INC_STATS(net, TcpEstabResets);
			sk->sk_prot->unhash(sk);
			if (inet_csk(sk)->icsk_bind_hash && !sock_flag(sk, SOCK_F_BINDPORT_LOCK))
				inet_put_port(sk);
		}
		if (old == TCP_ESTABLISHED)
			NET_DEC_STATS(net, TcpCurrEstab);
	}
	/* Last: unhashing finds the table by the old state. */
	sk->sk_state = (uint8_t)state;
}

/* The connection is over, in order or not (sk_err says). */
void tcp_done(struct sock *sk)
{
	struct request_sock *req = tcp_fastopen_rsk(sk);

	if (sk->sk_state == TCP_SYN_SENT || sk->sk_state == TCP_SYN_RECV)
		NET_INC_STATS(sock_net(sk), TcpAttemptFails);
	tcp_set_state(sk, TCP_CLOSE);
	tcp_clear_xmit_timers(sk);
	if (req)
		reqsk_fastopen_remove(sk, req, false);
	sk->sk_shutdown = SHUTDOWN_MASK;
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_state_change(sk);
	else
		inet_csk_destroy_sock(sk);
}

/* --- the end ------------------------------------------------------------------------------------------------------------------- */

/* Whatever a sock holds besides its own memory.  May be called again. */
void tcp_destroy_sock(struct sock *sk)
{
	struct request_sock *req = tcp_fastopen_rsk(sk);

	tcp_clear_xmit_timers(sk);
	tcp_fastopen_active_disable_ofo_check(sk);
	sk_accept_any_end(sk); /* only now: a connection that closes still hears its peer */
	tcp_cleanup_congestion_control(sk);
	tcp_write_queue_purge(sk);
	skb_queue_purge(&sk->sk_receive_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	tcp_ofo_queue_purge(sk);
	tcp_deactivate(sk);
	if (inet_csk(sk)->icsk_bind_hash)
		inet_put_port(sk);
	if (req)
		reqsk_fastopen_remove(sk, req, false);
	tcp_ext_free(sk);
	sk_dst_reset(sk);
	sk_mem_reclaim(sk);
}

/* An orphan in state CLOSE: out of every table, its user's reference goes. */
void inet_csk_destroy_sock(struct sock *sk)
{
	DEBUG_ASSERT(sk->sk_state == TCP_CLOSE && sock_flag(sk, SOCK_F_DEAD));
	DEBUG_ASSERT(hlist_unhashed(&sk->sk_node));
	sk->sk_prot->destroy(sk);
	sock_net(sk)->tcp->orphan_count--;
	sock_put(sk);
}

/* --- the protocol ---------------------------------------------------------------------------------------------------------------- */

static struct proto_mem *tcp_proto_mem(struct net *net) { return net->tcp ? &net->tcp->mem : NULL; }

const struct proto tcp_prot = {
	.name = "TCP",
	.type = SOCK_STREAM,
	.protocol = IPPROTO_TCP,
	.obj_size = sizeof(struct tcp_sock),
	.init = tcp_init_sock,
	.destroy = tcp_destroy_sock,
	.close = tcp_close,
	.connect = tcp_v4_connect,
	.disconnect = tcp_disconnect,
	.accept = inet_csk_accept,
	.ioctl = tcp_ioctl,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.get_port = inet_csk_get_port,
	.hash = inet_hash,
	.unhash = inet_unhash,
	.poll = tcp_poll,
	.listen = inet_csk_listen_start,
	.recv_iov = tcp_recv_iov,
	.recv_skip = tcp_recv_skip,
	.mem = tcp_proto_mem,
	.tx_stats = tcp_tx_stats,
};

int tcp_init(struct net *net)
{
	struct netns_tcp *ns = net_zalloc(net, sizeof(*ns), MEM_NORMAL);
	int err = -ENOMEM;

	if (!ns)
		return -ENOMEM;
	net->tcp = ns;
	list_init(&ns->tsq_list);
	ns->active_cache = kmem_cache_create(net, "tcp_active", sizeof(struct tcp_active), 8);
	if (!ns->active_cache)
		goto free_state;
	err = tcp_cong_init(net);
	if (err)
		goto destroy_cache;
	err = tcp_fastopen_init(net);
	if (err)
		goto destroy_cache;
	err = tcp_sysctl_init(net);
	if (err)
		goto destroy_cache;
	err = tcp_ipv4_init(net);
	if (err)
		goto destroy_cache;
	softirq_add_tx_done(net, tcp_tsq_run);
	return 0;

destroy_cache:
	tcp_fastopen_exit(net);
	kmem_cache_destroy(ns->active_cache);
free_state:
	net->tcp = NULL;
	net_free(net, ns);
	return err;
}

void tcp_exit(struct net *net)
{
	struct netns_tcp *ns = net->tcp;

	if (!ns)
		return;
	tcp_ipv4_exit(net);
	tcp_metrics_flush(net);
	tcp_fastopen_exit(net);
	kmem_cache_destroy(ns->active_cache);
	net->tcp = NULL;
	net_free(net, ns);
}
