/* SPDX-License-Identifier: MIT */
/*
 * inet_connection_sock.c - listeners: their SYN queue and accept queue, accept() itself (T12).
 *
 * A listener's struct listen_sock has two queues of request_sock.  A SYN puts a request into the SYN queue and into the
 * established table (tcp_listen.c); it has a timer of its own by which the SYN-ACK is sent again, backed off, until tcp_synack_retries
 * (RFC 9293 3.8.1).  The handshake's last ACK makes the child (tcp_minisocks.c), which takes the request's place in the table;
 * the request moves to the accept queue and goes when accept() takes the child.
 *
 * A request in the SYN queue holds a reference of its listener; one in the accept queue owns the child.  Bounds: the SYN
 * queue by backlog and tcp_max_syn_backlog (cookies beyond it), the accept queue by backlog + 1.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"

/* --- requests ---------------------------------------------------------------------------------------------------------- */

void reqsk_free(struct request_sock *req)
{
	struct net *net = req->net;

	if (req->listener)
		sock_put(req->listener);
	net_free(net, req->opt);
	net_free(net, req->saved_syn);
	kmem_cache_free(net->tcp->request_cache, req);
}

void inet_csk_reqsk_unlink(struct request_sock *req)
{
	struct listen_sock *ls;

	timer_del(req->net, &req->timer);
	inet_ehash_remove(req->net, &req->hash);
	if (list_empty(&req->queue_node))
		return;
	ls = inet_csk(req->listener)->icsk_listen;
	list_del_init(&req->queue_node);
	ls->qlen--;
	if (!req->num_timeout)
		ls->young--;
}

void reqsk_put_unlink(struct request_sock *req)
{
	inet_csk_reqsk_unlink(req);
	reqsk_free(req);
}

int inet_csk_reqsk_queue_len(const struct sock *sk)
{
	const struct listen_sock *ls = inet_csk(sk)->icsk_listen;
	return ls ? (int)ls->qlen : 0;
}

bool inet_csk_reqsk_queue_is_full(const struct sock *sk) { return inet_csk_reqsk_queue_len(sk) > sk->sk_max_ack_backlog; }

int inet_rtx_syn_ack(const struct sock *sk, struct request_sock *req)
{
	int err = tcp_v4_send_synack(sk, NULL, req, NULL);

	if (err)
		return err;
	req->num_retrans++;
	NET_INC_STATS(req->net, TcpRetransSegs);
	NET_INC_STATS(req->net, TCPSynRetrans);
	return 0;
}

static uint64_t reqsk_timeout_ns(const struct request_sock *req)
{
	uint64_t us = (uint64_t)req->timeout_us << MIN(req->num_timeout, 10);
	return MIN(us, (uint64_t)tcp_rto_max_us(req->listener)) * NSEC_PER_USEC;
}

/* SYN-ACKs that a request may still have: fewer when the queue is more than half full of old ones, to make room for young. */
static unsigned synack_retries(const struct sock *sk, const struct listen_sock *ls)
{
	unsigned most = inet_csk(sk)->icsk_syn_retries;

	if (!most)
		most = (unsigned)sk->sk_net->tcp->sysctl_tcp_synack_retries;
	if (ls->qlen * 2 > MAX(8u, (unsigned)sk->sk_max_ack_backlog))
		for (uint64_t young = (uint64_t)ls->young * 2; most > 2 && ls->qlen >= young; young *= 2)
			most--;
	return most;
}

static void reqsk_timer_handler(struct net *net, struct timer_list *t)
{
	struct request_sock *req = container_of(t, struct request_sock, timer);
	const struct sock *sk = req->listener;
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;
	unsigned most = synack_retries(sk, ls), defer = tcp_sk(sk)->defer_accept;
	bool waits_for_data = req->acked && defer;
	bool expired = req->num_timeout >= most && (!waits_for_data || req->num_timeout >= defer);
	/* A client that has acknowledged waits only for its data: it is asked again at the end of the time, as its last chance. */
	bool resend = !waits_for_data || req->num_timeout + 1u >= defer;

	NET_INC_STATS(net, TCPTimeouts);
	if (!expired && (!resend || !inet_rtx_syn_ack(sk, req) || req->acked)) {
		if (!req->num_timeout++)
			ls->young--;
		req->expires_ns = net->now_ns + reqsk_timeout_ns(req);
		timer_mod(net, &req->timer, req->expires_ns);
		return;
	}
	reqsk_put_unlink(req);
}

void inet_csk_reqsk_queue_hash_add(struct sock *sk, struct request_sock *req)
{
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;
	struct net *net = sk->sk_net;

	req->hashval = inet_ehashfn(net, req->loc_addr, req->num, req->rmt_addr, req->rmt_port);
	inet_ehash_insert(net, &req->hash, req->hashval);
	list_add_tail(&req->queue_node, &ls->requests);
	ls->qlen++;
	ls->young++;
	timer_init(&req->timer, reqsk_timer_handler);
	req->expires_ns = net->now_ns + reqsk_timeout_ns(req);
	timer_mod(net, &req->timer, req->expires_ns);
}

struct dst_entry *inet_csk_route_req(const struct sock *sk, struct request_sock *req)
{
	struct flowi fl = {
		.family = AF_INET, .proto = IPPROTO_TCP, .tos = inet_sk(sk)->tos & 0x1c, .oif = sk->sk_bound_dev_if, .mark = req->mark,
		.saddr = inet_addr_v4(req->loc_addr), .daddr = inet_addr_v4(req->rmt_addr), .sport = req->loc_port, .dport = req->rmt_port,
	};
	struct rtable *rt;
	int err;

	if (sock_flag(sk, SOCK_F_ACCEPT_ANY) || sock_flag(sk, SOCK_F_TRANSPARENT))
		fl.flags |= FLOWI_FLAG_ANYSRC;
	if (req->opt && req->opt->faddr)
		fl.daddr = inet_addr_v4(req->opt->faddr);
	rt = ip_route_output_flow(sk->sk_net, &fl, sk, &err);
	if (!rt) {
		NET_INC_STATS(sk->sk_net, IpOutNoRoutes);
		return NULL;
	}
	return &rt->dst;
}

/* --- accept ------------------------------------------------------------------------------------------------------------ */

bool inet_csk_reqsk_queue_add(struct sock *sk, struct request_sock *req, struct sock *child)
{
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;

	if (unlikely(sk->sk_state != TCP_LISTEN || !ls))
		return false;
	req->sk = child;
	list_add_tail(&req->queue_node, &ls->accept);
	sk->sk_ack_backlog++;
	sk_data_ready(sk);
	return true;
}

static struct sock *dequeue_child(struct sock *sk, struct listen_sock *ls)
{
	struct request_sock *req = list_first_entry(&ls->accept, struct request_sock, queue_node);
	struct sock *child = req->sk;

	list_del_init(&req->queue_node);
	sk->sk_ack_backlog--;
	if (req->tfo_listener)
		req->sk = NULL; /* its SYN-ACK is not acknowledged yet: the child has the request now */
	else
		reqsk_free(req);
	return child;
}

static bool can_accept(struct sock *sk, void *arg)
{
	(void)arg;
	return sk->sk_state != TCP_LISTEN || !list_empty(&inet_csk(sk)->icsk_listen->accept);
}

struct sock *inet_csk_accept(struct sock *sk, int flags, int *err)
{
	uint64_t timeo = sock_rcvtimeo(sk, flags & O_NONBLOCK);

	*err = -EINVAL;
	if (sk->sk_state != TCP_LISTEN)
		return NULL;
	if (!can_accept(sk, NULL)) {
		*err = timeo ? sk_wait(sk, &timeo, can_accept, NULL) : -EAGAIN;
		if (*err)
			return NULL;
		*err = -EINVAL;
		if (sk->sk_state != TCP_LISTEN)
			return NULL;
	}
	*err = 0;
	return dequeue_child(sk, inet_csk(sk)->icsk_listen);
}

/* --- listen ------------------------------------------------------------------------------------------------------------ */

static uint16_t clamp_backlog(const struct sock *sk, int backlog)
{
	unsigned most = (unsigned)sk->sk_net->tcp->sysctl_somaxconn;

	return (uint16_t)MIN(MIN((unsigned)backlog, most), 65535u - 1); /* negative: the most */
}

int inet_csk_listen_start(struct sock *sk, int backlog)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct inet_sock *inet = inet_sk(sk);
	struct listen_sock *ls;
	int err = 0;

	sk->sk_max_ack_backlog = clamp_backlog(sk, backlog);
	if (sk->sk_state == TCP_LISTEN)
		return 0;
	ls = net_zalloc(sk->sk_net, sizeof(*ls), MEM_NORMAL);
	if (!ls)
		return -ENOMEM;
	list_init(&ls->requests);
	list_init(&ls->accept);
	list_init(&ls->fastopen_rst);
	icsk->icsk_listen = ls;
	sk->sk_ack_backlog = 0;
	memset(&icsk->icsk_ack, 0, sizeof(icsk->icsk_ack));

	/* Asked again in this state: two sockets may share a port by SO_REUSEADDR, but only one of them may listen. */
	sk->sk_state = TCP_LISTEN;
	if (inet->inet_num || !sock_flag(sk, SOCK_F_ACCEPT_ANY))
		err = inet_csk_get_port(sk, inet->inet_num);
	if (err)
		goto free_queues;
	inet->inet_sport = cpu_to_be16(inet->inet_num);
	sk_dst_reset(sk);
	err = sk->sk_prot->hash(sk);
	if (err)
		goto free_queues;
	tcp_fastopen_listen(sk, backlog);
	return 0;

free_queues:
	sk->sk_state = TCP_CLOSE;
	icsk->icsk_listen = NULL;
	net_free(sk->sk_net, ls);
	return err;
}

void inet_csk_forced_close(struct sock *sk)
{
	sock_put(sk); /* the maker's; that of the user who never came is dropped by inet_csk_destroy_sock() */
	sk->sk_socket = NULL;
	if (!sock_flag(sk, SOCK_F_DEAD)) {
		sock_set_flag(sk, SOCK_F_DEAD);
		sk->sk_net->tcp->orphan_count++;
	}
	tcp_done(sk);
}

/* A connection that nobody accepted: its peer is told by RST, while there are peers. */
static void forget_child(struct sock *child)
{
	struct request_sock *req = tcp_fastopen_rsk(child);

	sock_hold(child);
	if (req)
		reqsk_fastopen_remove(child, req, false);
	if (!child->sk_net->dying)
		child->sk_prot->disconnect(child);
	inet_csk_forced_close(child);
}

void inet_csk_listen_stop(struct sock *sk)
{
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;

	if (!ls)
		return;
	while (!list_empty(&ls->requests))
		reqsk_put_unlink(list_first_entry(&ls->requests, struct request_sock, queue_node));
	while (!list_empty(&ls->accept))
		forget_child(dequeue_child(sk, ls));
	tcp_fastopen_queue_purge(ls);
	inet_csk(sk)->icsk_listen = NULL;
	sk->sk_ack_backlog = 0;
	net_free(sk->sk_net, ls);
}
