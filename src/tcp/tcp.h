/* SPDX-License-Identifier: MIT */
/* tcp.h - TCP as the layers above call it. */
#ifndef XMIT_TCP_TCP_H
#define XMIT_TCP_TCP_H

#include "core/sock.h"

extern const struct proto tcp_prot;

int tcp_init(struct net *net);
void tcp_exit(struct net *net); /* all connections are gone without a word to their peers */

#endif
