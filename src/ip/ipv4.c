/* SPDX-License-Identifier: MIT */
/*
 * ipv4.c - IPv4's state of an instance: made part by part, registered with the device layer and ARP, taken down in reverse.
 *
 * Routes held by packets that are still below may outlive ipv4_exit(); what they need then (their device, the arena) is still there.
 */
#include "ip/error_queue.h"
#include "ip/fib.h"
#include "ip/ip_internal.h"
#include "ip/raw.h"

struct part {
	int (*init)(struct net *net);
	void (*exit)(struct net *net);
};

static int protocols_init(struct net *net)
{
	struct ip_private *priv = net->ipv4->priv;

	priv->packet.type = ETH_P_IP;
	priv->packet.func = ip_rcv;
	dev_add_pack(net, &priv->packet);
	priv->offload = inet_packet_offload;
	dev_add_offload(net, &priv->offload);
	inet_add_protocol(net, IPPROTO_ICMP, &icmp_protocol);
	return inet_add_protocol(net, IPPROTO_IGMP, &igmp_protocol);
}

static void protocols_exit(struct net *net)
{
	list_del_init(&net->ipv4->priv->packet.list);
	list_del_init(&net->ipv4->priv->offload.list);
}

static void nothing_to_exit(struct net *net)
{
	(void)net;
}

/* devinet's exit leaves groups and frees addresses; it comes before the tables that it refers to. */
static const struct part parts[] = {
	{ip_sysctl_init, nothing_to_exit}, {peers_init, peers_exit}, {ident_init, ident_exit}, {route_init, route_exit}, {pmtu_init, pmtu_exit},
	{fib_init, fib_exit}, {frag_init, frag_exit}, {icmp_init, icmp_exit}, {raw_init, raw_exit}, {ping_init, ping_exit},
	{protocols_init, protocols_exit}, {devinet_init, devinet_exit},
};

static void exit_parts(struct net *net, size_t n)
{
	while (n--)
		parts[n].exit(net);
	net_free(net, net->ipv4->priv);
	net_free(net, net->ipv4);
	net->ipv4 = NULL;
}

int ipv4_init(struct net *net)
{
	net->ipv4 = net_zalloc(net, sizeof(*net->ipv4), MEM_NORMAL);
	if (!net->ipv4)
		return -ENOMEM;
	net->ipv4->priv = net_zalloc(net, sizeof(*net->ipv4->priv), MEM_NORMAL);
	if (!net->ipv4->priv) {
		net_free(net, net->ipv4);
		net->ipv4 = NULL;
		return -ENOMEM;
	}
	net->ipv4->rt_genid = 1;
	net->skb_tstamp_tx = skb_tstamp_tx;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int err = parts[i].init(net);
		if (err) {
			exit_parts(net, i);
			return err;
		}
	}
	return 0;
}

void ipv4_exit(struct net *net)
{
	exit_parts(net, ARRAY_SIZE(parts));
}
