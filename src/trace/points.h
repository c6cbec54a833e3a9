/* SPDX-License-Identifier: MIT */
/*
 * points.h - every trace point, one list: X(function, id of TRANSMIT-PATH, direction).
 * A point is recorded by the function itself when an skb (or the user's bytes) passes; nothing is printed from this list
 * that did not happen.  D: on the way down, U: on the way up, C: transmit completion, E: an event (stall, timer).
 */
#ifndef XMIT_TRACE_POINTS_H
#define XMIT_TRACE_POINTS_H

#define XMIT_TRACE_POINTS(X) \
	X(vfs_write, "V1", D) \
	X(sock_write_iter, "V2", D) \
	X(sock_sendmsg, "V2", D) \
	X(inet_sendmsg, "S1", D) \
	X(tcp_connect, "T10", D) \
	X(tcp_sendmsg, "T1", D) \
	X(skb_entail, "T1", D) \
	X(skb_copy_to_page_nocache, "M", D) \
	X(tcp_push, "T2", D) \
	X(tcp_write_xmit, "T4", D) \
	X(tso_fragment, "T5", D) \
	X(tcp_retransmit_skb, "T11", D) \
	X(tcp_transmit_skb, "T9", D) \
	X(udp_sendmsg, "S1", D) \
	X(ip_queue_xmit, "I1", D) \
	X(ip_route_output_flow, "I1", D) \
	X(ip_local_out, "I2", D) \
	X(nf_local_out, "I3", D) \
	X(ip_output, "I3", D) \
	X(nf_post_routing, "I3", D) \
	X(ip_finish_output, "I4", D) \
	X(ip_fragment, "I4", D) \
	X(ip_finish_output2, "I4", D) \
	X(neigh_resolve_output, "N2", D) \
	X(arp_solicit, "N3", D) \
	X(neigh_hh_output, "N4", D) \
	X(dev_queue_xmit, "Q1", D) \
	X(qdisc_enqueue, "Q1", D) \
	X(qdisc_restart, "Q2", D) \
	X(pfifo_fast_enqueue, "Q3", D) \
	X(sch_direct_xmit, "Q4", D) \
	X(skb_gso_segment, "T5", D) \
	X(dev_hard_start_xmit, "Q4", D) \
	X(ndo_start_xmit, "D1", D) \
	X(tx_ring_post, "D2", D) \
	X(tx_complete, "D2", C) \
	X(net_tx_action, "D4", C) \
	X(skb_destructor, "D2", C) \
	X(net_rx_action, "D4", U) \
	X(napi_gro_receive, "D2", U) \
	X(netif_receive_skb, "D1", U) \
	X(arp_rcv, "N3", U) \
	X(ip_rcv, "I5", U) \
	X(nf_pre_routing, "I3", U) \
	X(ip_route_input, "I5", U) \
	X(ip_forward, "I5", U) \
	X(ip_local_deliver, "I5", U) \
	X(ip_defrag, "I5", U) \
	X(nf_local_in, "I3", U) \
	X(icmp_rcv, "I5", U) \
	X(udp_rcv, "S1", U) \
	X(tcp_v4_rcv, "T12", U) \
	X(tcp_rcv_established, "T8", U) \
	X(tcp_rcv_state_process, "T12", U) \
	X(tcp_ack, "T7", U) \
	X(tcp_clean_rtx_queue, "T7", U) \
	X(tcp_data_queue, "T8", U) \
	X(sock_def_readable, "S1", U) \
	X(tcp_recvmsg, "T8", U) \
	X(tcp_enter_recovery, "T11", E) \
	X(tcp_retransmit_timer, "T11", E) \
	X(tcp_probe_timer, "T7", E) \
	X(tcp_cong_avoid, "T6", E) \
	X(tcp_stall_cwnd, "T4", E) \
	X(tcp_stall_rwnd, "T4", E) \
	X(tcp_stall_nagle, "T4", E) \
	X(tcp_stall_tso_defer, "T4", E) \
	X(tcp_stall_tsq, "T4", E) \
	X(tcp_stall_pacing, "T4", E) \
	X(tcp_stall_sndbuf, "T1", E) \
	X(tx_queue_stopped, "D2", E) \
	X(outside_stack, "-", E)

enum trace_point {
#define X(name, id, dir) TP_##name,
	XMIT_TRACE_POINTS(X)
#undef X
	TP_MAX
};

#endif
