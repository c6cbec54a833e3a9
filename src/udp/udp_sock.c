/* SPDX-License-Identifier: MIT */
/*
 * udp_sock.c - udp_prot: what the socket layer calls of UDP, its options, its state of an instance.
 *
 * States: TCP_CLOSE, unconnected; TCP_ESTABLISHED, connected to a peer, whose packets alone it takes.
 */
#include "core/sysctl.h"
#include "ip/protocol.h"
#include "udp/udp_internal.h"

static void udp_close(struct sock *sk, uint64_t timeout_ns)
{
	(void)timeout_ns;
	udp_flush_pending_frames(sk);
	sk_common_release(sk);
}

static int udp_connect(struct sock *sk, const struct sockaddr_any *addr, socklen_t len)
{
	int err = ip4_datagram_connect(sk, addr, len);

	if (!err)
		udp_rehash(sk);
	return err;
}

static int udp_disconnect(struct sock *sk)
{
	ip4_datagram_disconnect(sk);
	if (sock_flag(sk, SOCK_F_BINDPORT_LOCK)) {
		udp_rehash(sk);
		return 0;
	}
	udp_unhash(sk);
	inet_sk(sk)->inet_sport = 0;
	return 0;
}

/* --- options -------------------------------------------------------------------------------------------------------------- */

enum { OPT_UDP_CORK = 1 };

static int udp_set_cork(struct sock *sk, int v)
{
	udp_sk(sk)->corkflag = v != 0;
	if (!v)
		udp_push_pending_frames(sk);
	return 0;
}

static int udp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int v;

	if (level != IPPROTO_UDP)
		return ip_setsockopt(sk, level, name, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	return name == OPT_UDP_CORK ? udp_set_cork(sk, v) : -ENOPROTOOPT;
}

static int udp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	int v = udp_sk(sk)->corkflag;

	if (level != IPPROTO_UDP)
		return ip_getsockopt(sk, level, name, val, len);
	if (name != OPT_UDP_CORK)
		return -ENOPROTOOPT;
	*len = MIN(*len, (socklen_t)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

/* A sock may outlive udp_exit(): its last packets are in a device's queue. */
static struct proto_mem *udp_mem(struct net *net) { return net->udp ? &net->udp->mem : NULL; }

const struct proto udp_prot = {
	.name = "UDP",
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_UDP,
	.obj_size = sizeof(struct udp_sock),
	.close = udp_close,
	.connect = udp_connect,
	.disconnect = udp_disconnect,
	.ioctl = datagram_ioctl,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.get_port = udp_get_port,
	.unhash = udp_unhash,
	.poll = datagram_poll,
	.mem = udp_mem,
};

/* --- start and end ----------------------------------------------------------------------------------------------------------- */

static const struct net_protocol udp_protocol = {.handler = udp_rcv, .err_handler = udp_err, .no_policy = true};

static const struct sysctl_entry udp_sysctls[] = {
	{.name = "net.ipv4.udp_mem", .type = SYSCTL_ULONG_VEC, .offset = offsetof(struct netns_udp, mem.limit), .count = 3, .min = 0,
	 .max = INT64_MAX},
	{.name = "net.ipv4.udp_rmem_min", .type = SYSCTL_INT, .offset = offsetof(struct netns_udp, sysctl_udp_rmem_min), .count = 1, .min = 1,
	 .max = INT32_MAX},
	{.name = "net.ipv4.udp_wmem_min", .type = SYSCTL_INT, .offset = offsetof(struct netns_udp, sysctl_udp_wmem_min), .count = 1, .min = 1,
	 .max = INT32_MAX},
};

/* An eighth of the instance's memory before there is pressure, a quarter at most, as Linux shares out its own. */
static void udp_mem_defaults(struct net *net, struct netns_udp *un)
{
	struct mem_stats st;

	mem_stats(net, &st);
	int64_t pages = (int64_t)MAX(st.cap_bytes / PAGE_SIZE / 8, 128u);
	un->mem.limit[0] = pages / 4 * 3;
	un->mem.limit[1] = pages;
	un->mem.limit[2] = pages * 3 / 2;
	un->sysctl_udp_rmem_min = un->sysctl_udp_wmem_min = 4096;
}

static void udp_free(struct net *net, struct netns_udp *un)
{
	if (un->addr)
		net_free_table(net, un->addr, UDP_HASH_SIZE * sizeof(*un->addr));
	if (un->port)
		net_free_table(net, un->port, UDP_HASH_SIZE * sizeof(*un->port));
	net_free(net, un);
	net->udp = NULL;
}

int udp_init(struct net *net)
{
	struct netns_udp *un = net_zalloc(net, sizeof(*un), MEM_NORMAL);
	int err = -ENOMEM;

	if (!un)
		return err;
	udp_mem_defaults(net, un);
	un->port = net_alloc_table(net, UDP_HASH_SIZE * sizeof(*un->port));
	if (!un->port)
		goto free_state;
	un->addr = net_alloc_table(net, UDP_HASH_SIZE * sizeof(*un->addr));
	if (!un->addr)
		goto free_state;
	err = sysctl_register(net, un, udp_sysctls, ARRAY_SIZE(udp_sysctls));
	if (err)
		goto free_state;
	err = inet_add_protocol(net, IPPROTO_UDP, &udp_protocol);
	if (err)
		goto free_state;
	net->udp = un;
	return 0;

free_state:
	udp_free(net, un);
	return err;
}

void udp_exit(struct net *net) { udp_free(net, net->udp); }
