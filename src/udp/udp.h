/* SPDX-License-Identifier: MIT */
/* udp.h - UDP as the layers above call it (RFC 768, RFC 1122 4.1). */
#ifndef XMIT_UDP_UDP_H
#define XMIT_UDP_UDP_H

#include "ip/inet_sock.h"

extern const struct proto udp_prot;
int udp_init(struct net *net);
void udp_exit(struct net *net);

#endif
