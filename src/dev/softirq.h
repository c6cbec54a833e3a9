/* SPDX-License-Identifier: MIT */
/*
 * softirq.h - deferred work (D4): who raises it, who runs it.
 *
 * raise_softirq() (core/net.h) marks work; xmit_poll() runs it in order TIMER, NET_RX, NET_TX, READY, round after round until nothing is pending or
 * the budget is spent.  Each action gets the remaining budget and returns what it used; it raises itself again when it left work.
 */
#ifndef XMIT_DEV_SOFTIRQ_H
#define XMIT_DEV_SOFTIRQ_H

#include "core/net.h"

/* Adds an action; those of one number run in the order in which they were opened, each counted against the budget. */
void open_softirq(struct net *net, enum softirq nr, int (*action)(struct net *net, int budget));
/* fn runs at the end of each NET_TX action (TCP's small queues): the same as opening one more action for NET_TX_SOFTIRQ. */
void softirq_add_tx_done(struct net *net, int (*fn)(struct net *net, int budget));
/* One run as xmit_poll() does it; returns true when more is waiting. */
bool do_softirq(struct net *net, int budget);
int softirq_init(struct net *net);
void softirq_exit(struct net *net);

#endif
