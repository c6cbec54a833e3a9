/* SPDX-License-Identifier: MIT */
/*
 * drop_reason.h - why an skb was dropped: one list, Linux's names (as `perf trace -e skb:kfree_skb` prints them), a sentence each.
 * The enum, the counters of --stats and the trace are made from it.
 */
#ifndef XMIT_TRACE_DROP_REASON_H
#define XMIT_TRACE_DROP_REASON_H

#define XMIT_DROP_REASONS(X) \
	X(NOT_SPECIFIED, "no reason was given") \
	X(NO_SOCKET, "no socket found for the packet") \
	X(SOCKET_CLOSE, "the socket was closed with the packet queued") \
	X(SOCKET_FILTER, "dropped by a socket filter") \
	X(SOCKET_RCVBUFF, "the socket's receive buffer is full") \
	X(PKT_TOO_SMALL, "packet shorter than its headers say") \
	X(TCP_CSUM, "TCP checksum error") \
	X(UDP_CSUM, "UDP checksum error") \
	X(ICMP_CSUM, "ICMP checksum error") \
	X(IP_CSUM, "IP header checksum error") \
	X(IP_INHDR, "IP header malformed") \
	X(IP_RPFILTER, "reverse path filter") \
	X(UNICAST_IN_L2_MULTICAST, "IP unicast in a link-layer broadcast or multicast") \
	X(IP_NOPROTO, "no handler for the IP protocol") \
	X(IP_INNOROUTES, "no route for the incoming packet") \
	X(IP_INADDRERRORS, "source or destination address not valid here") \
	X(IP_OUTNOROUTES, "no route for the outgoing packet") \
	X(PKT_TOO_BIG, "packet larger than the path MTU, fragmentation not allowed") \
	X(OTHERHOST, "frame is for another host") \
	X(NETFILTER_DROP, "dropped by a netfilter hook") \
	X(PROTO_MEM, "protocol memory limit reached") \
	X(TCP_FLAGS, "TCP flags not valid in this state") \
	X(TCP_ZEROWINDOW, "data while the receive window is zero") \
	X(TCP_OLD_DATA, "data already received") \
	X(TCP_OVERWINDOW, "data beyond the receive window") \
	X(TCP_OFOMERGE, "data already in the out-of-order queue") \
	X(TCP_OFO_DROP, "out-of-order queue is full") \
	X(TCP_OFO_QUEUE_PRUNE, "out-of-order queue pruned under memory pressure") \
	X(TCP_RFC7323_PAWS, "PAWS: timestamp older than the last one") \
	X(TCP_RFC7323_TSECR, "timestamp echo not from this connection's SYN") \
	X(TCP_OLD_SEQUENCE, "segment before the window") \
	X(TCP_INVALID_SEQUENCE, "segment outside the window") \
	X(TCP_INVALID_END_SEQUENCE, "data beyond the window, and the reader has not taken what came before") \
	X(TCP_INVALID_ACK_SEQUENCE, "ACK outside what was sent") \
	X(TCP_RESET, "packet carried a valid RST") \
	X(TCP_INVALID_SYN, "SYN inside a synchronised connection") \
	X(TCP_CLOSE, "socket is in state CLOSE") \
	X(TCP_FASTOPEN, "Fast Open: data not acceptable") \
	X(TCP_OLD_ACK, "ACK older than what is acknowledged") \
	X(TCP_TOO_OLD_ACK, "ACK too old even for RFC 5961") \
	X(TCP_ACK_UNSENT_DATA, "ACK for data never sent") \
	X(TCP_AUTH, "TCP-MD5 missing, unexpected or wrong") \
	X(TCP_RETRANSMIT, "SYN-ACK retransmitted; packet consumed") \
	X(TCP_LISTEN_OVERFLOW, "accept queue is full") \
	X(TCP_REQQFULLDROP, "SYN queue is full and cookies are off") \
	X(TCP_ABORT_ON_DATA, "data for a socket that nobody will read") \
	X(TCP_ABORT_ON_LINGER, "aborted by linger") \
	X(TCP_MINTTL, "TTL below IP_MINTTL") \
	X(TCP_TIMEWAIT, "segment consumed in TIME_WAIT") \
	X(IP_OUTPUT_HOOK, "dropped on output by policy") \
	X(NEIGH_CREATEFAIL, "neighbour entry could not be created") \
	X(NEIGH_FAILED, "neighbour did not answer") \
	X(NEIGH_QUEUEFULL, "neighbour's waiting queue is full") \
	X(NEIGH_DEAD, "neighbour entry is dead") \
	X(NEIGH_HH_FILLFAIL, "link header could not be filled in") \
	X(ARP_MALFORMED, "ARP packet malformed or not for Ethernet and IPv4") \
	X(QDISC_DROP, "queueing discipline is full") \
	X(QDISC_RESET, "queueing discipline was reset with the packet queued") \
	X(TC_EGRESS, "dropped by a filter at egress") \
	X(DEV_READY, "device is down, has no carrier or went away") \
	X(DEV_HDR, "link header malformed") \
	X(FULL_RING, "transmit ring full") \
	X(TX_FAILED, "the device could not send") \
	X(NOMEM, "no memory") \
	X(HDR_TRUNC, "headers could not be pulled") \
	X(SKB_CSUM, "checksum could not be computed") \
	X(SKB_GSO_SEG, "software segmentation failed") \
	X(CPU_BACKLOG, "the backlog of received packets is full") \
	X(UNHANDLED_PROTO, "no handler for the EtherType") \
	X(FRAG_REASM_TIMEOUT, "fragments did not come in time") \
	X(FRAG_TOO_FAR, "too many fragments of other packets between") \
	X(DUP_FRAG, "duplicate or overlapping fragment") \
	X(FRAG_MEM, "memory for reassembly is used up") \
	X(IP_FORWARD_OFF, "not for this host, and forwarding is off") \
	X(IP_TTL, "TTL reached zero") \
	X(ICMP_RATELIMIT, "ICMP error rate limit") \
	X(INVALID_PROTO, "ICMP error for a protocol or port unknown here") \
	X(SOCKET_SHUTDOWN, "receiving side is shut down") \
	X(FAULT_INJECTED, "a test asked for this loss") \
	X(NET_DYING, "the instance is being freed")

enum skb_drop_reason {
	SKB_CONSUMED = 0, /* not a drop: see skb_consume() */
#define X(name, text) SKB_DROP_REASON_##name,
	XMIT_DROP_REASONS(X)
#undef X
	SKB_DROP_REASON_MAX
};

/* The name without prefix ("NO_SOCKET"), and its sentence.  Never NULL. */
const char *skb_drop_reason_name(enum skb_drop_reason reason);
const char *skb_drop_reason_text(enum skb_drop_reason reason);

#endif
