/* SPDX-License-Identifier: MIT */
/* protocol.h - how transports hang on to IP: receive handlers, ICMP errors, offloads.  The registered way up. */
#ifndef XMIT_IP_PROTOCOL_H
#define XMIT_IP_PROTOCOL_H

#include "dev/gro.h"

struct net_protocol {
	/* skb->data at the transport header, network_header set.  Consumes the skb. */
	int (*handler)(struct sk_buff *skb);
	/* An ICMP error came in: skb->data at the quoted IP header (at least 8 bytes of transport follow, pulled); info: MTU etc. Does not consume. */
	int (*err_handler)(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);
	bool no_policy;
};
struct net_offload {
	struct sk_buff *(*gso_segment)(struct sk_buff *skb, uint32_t features, int *err); /* skb->data at the transport header */
	struct sk_buff *(*gro_receive)(struct napi_struct *napi, struct sk_buff *skb);    /* as packet_offload.gro_receive */
	void (*gro_complete)(struct sk_buff *skb, unsigned thoff);
};
/* All live as long as the instance.  -EEXIST. */
int inet_add_protocol(struct net *net, uint8_t protocol, const struct net_protocol *p);
int inet_add_offload(struct net *net, uint8_t protocol, const struct net_offload *o);

#endif
