/* SPDX-License-Identifier: MIT */
/*
 * raw.h - raw and ping sockets as the rest of ip/ calls them (raw.c, ping.c).
 * ipv4_init() calls the two _init functions, ipv4_exit() the two _exit functions.
 */
#ifndef XMIT_IP_RAW_H
#define XMIT_IP_RAW_H

#include "ip/ip.h"

int raw_init(struct net *net);  /* 0 or -ENOMEM */
void raw_exit(struct net *net);
int ping_init(struct net *net); /* 0 or -ENOMEM */
void ping_exit(struct net *net);

/* A packet for this host, network header set, data at the transport header: each matching raw socket gets a clone.  True if one did. */
bool raw_local_deliver(struct sk_buff *skb, uint8_t protocol);
/* An ICMP error of ours came in: data at the quoted IP header, whose protocol it is.  Does not consume. */
void raw_icmp_error(struct sk_buff *skb, uint8_t protocol, uint8_t type, uint8_t code, uint32_t info);
/* An echo reply, data at the ICMP header: a clone to the socket with that id.  True if there is one.  Does not consume. */
bool ping_rcv(struct sk_buff *skb);
/* An ICMP error whose quoted packet (data at its IP header) is an echo request.  Does not consume. */
void ping_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);

#endif
