/* SPDX-License-Identifier: MIT */
/* datagram.h - what UDP, raw and ping sockets have in common: queues of packets, addresses of peers. */
#ifndef XMIT_IP_DATAGRAM_H
#define XMIT_IP_DATAGRAM_H

#include "ip/ip.h"

/* POLL* mask of a socket whose receive queue holds whole packets. */
unsigned datagram_poll(struct sock *sk);
/*
 * The packet at the head of the receive queue, or with MSG_PEEK the one in which SO_PEEK_OFF lies and how far (*offset, bytes; else 0), waiting for it
 * as flags (MSG_DONTWAIT) and SO_RCVTIMEO say.  The caller consumes it; with MSG_PEEK it stays queued as well.  NULL and *err: -EAGAIN, -EINTR, the socket's pending error; 0: receiving was shut down.
 */
struct sk_buff *skb_recv_datagram(struct sock *sk, int flags, unsigned *offset, int *err);
/* Bytes of skb from offset on to the user, as many as there is room for; sets MSG_TRUNC.  Bytes copied, or -EFAULT. */
ssize_t skb_copy_datagram_msg(const struct sk_buff *skb, unsigned offset, struct msghdr_k *msg);
/* The source of a packet as the user sees it. */
void datagram_set_name(struct msghdr_k *msg, be32 saddr, be16 sport);
/* recvmsg() of raw and ping sockets: packets as they are queued, names without a port.  Bytes; -EOPNOTSUPP (MSG_OOB), as skb_recv_datagram(). */
ssize_t datagram_recvmsg(struct sock *sk, struct msghdr_k *msg, int flags);
/*
 * An ICMP error about a packet that sk sent: to its error queue (IP_RECVERR), and its pending error where that is told or the error is hard and
 * sk has the one peer.  skb as an err_handler gets it; port, where the packet was going; payload, what of it the user is shown.
 */
void datagram_icmp_error(struct sock *sk, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be16 port, const uint8_t *payload);
/* SIOCOUTQ, SIOCINQ; -ENOTTY.  */
int datagram_ioctl(struct sock *sk, unsigned long cmd, void *arg);

/* connect(): route, source address, peer.  -EINVAL, -EAFNOSUPPORT, -EACCES (broadcast), what the route says. */
int ip4_datagram_connect(struct sock *sk, const struct sockaddr_any *addr, socklen_t len);
/* No peer any more; addresses that were not bound are forgotten. */
int ip4_datagram_disconnect(struct sock *sk);
/* close(): out of the tables, queues freed, the socket's reference dropped. */
void sk_common_release(struct sock *sk);

/* What a message to send takes from its socket unless a control message says otherwise. */
void ipcm_init_sk(struct ipcm_cookie *ipc, const struct sock *sk);
/* The key of a look-up for one message to ipc->daddr; ports are the caller's to add. */
void datagram_flow(struct flowi *fl, const struct sock *sk, const struct ipcm_cookie *ipc, unsigned msg_flags);
/* Multicast: IP_MULTICAST_IF chooses device and source unless the message did; unicast: IP_UNICAST_IF. */
void datagram_choose_device(const struct sock *sk, struct ipcm_cookie *ipc);
/* Routes fl; -EACCES for broadcast without SO_BROADCAST.  NULL and *err. */
struct rtable *datagram_route(struct sock *sk, struct flowi *fl, int *err);

#endif
