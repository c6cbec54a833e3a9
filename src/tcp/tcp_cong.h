/* SPDX-License-Identifier: MIT */
/*
 * tcp_cong.h - what a congestion control is (struct tcp_congestion_ops), what it is told of each ACK (struct rate_sample), and how the
 * rest of TCP calls it.  CONTRIBUTING.md shows how to add one.
 */
#ifndef XMIT_TCP_TCP_CONG_H
#define XMIT_TCP_TCP_CONG_H

#include "tcp/tcp_internal.h"

enum tcp_ca_event { CA_EVENT_TX_START, CA_EVENT_CWND_RESTART, CA_EVENT_COMPLETE_CWR, CA_EVENT_LOSS, CA_EVENT_ECN_NO_CE, CA_EVENT_ECN_IS_CE };
enum { /* tcp_congestion_ops.flags */
	TCP_CONG_NON_RESTRICTED = 1,  /* in tcp_allowed_congestion_control from the start */
	TCP_CONG_NEEDS_ECN = 2,       /* ECN is asked for whatever tcp_ecn says, and every segment is ECT (RFC 8257) */
	TCP_CONG_KEEPS_STATE = 4,     /* ca_priv describes the path: it stays attached while the connection is idle */
};
enum { /* in_ack_event */ CA_ACK_SLOWPATH = 1, CA_ACK_WIN_UPDATE = 2, CA_ACK_ECE = 4 };
struct ack_sample { uint32_t pkts_acked; int32_t rtt_us; uint32_t in_flight; };
/* One ACK's delivery-rate sample (tcp_rate.c); delivered / interval_us is the rate. */
struct rate_sample {
	uint64_t prior_mstamp_us;     /* when prior_delivered was counted; 0: no sample */
	uint32_t prior_delivered;     /* tp->delivered when the newest segment acknowledged was sent */
	uint32_t last_end_seq;        /* of that segment */
	int32_t delivered;            /* segments delivered since; negative: no sample */
	int64_t interval_us;          /* in this time, by the slower of sender and receiver; negative: no sample */
	int64_t rtt_us;               /* this ACK's round trip; negative: none */
	int32_t losses;               /* segments newly marked lost */
	uint32_t acked_sacked;        /* segments newly delivered */
	uint32_t prior_in_flight;     /* segments before this ACK */
	bool is_app_limited, is_retrans, is_ack_delayed;
};
struct tcp_congestion_ops {
	char name[16];
	uint32_t flags;                                                /* TCP_CONG_* */
	void (*init)(struct sock *sk);                                 /* ca_priv is zeroed */
	void (*release)(struct sock *sk);
	uint32_t (*ssthresh)(struct sock *sk);                         /* required: slow-start threshold after loss, segments */
	void (*cong_avoid)(struct sock *sk, uint32_t ack, uint32_t acked); /* required unless cong_control */
	void (*set_state)(struct sock *sk, uint8_t new_state);
	void (*cwnd_event)(struct sock *sk, enum tcp_ca_event ev);
	void (*in_ack_event)(struct sock *sk, uint32_t flags);
	void (*pkts_acked)(struct sock *sk, const struct ack_sample *sample);
	uint32_t (*min_tso_segs)(struct sock *sk);
	void (*cong_control)(struct sock *sk, uint32_t ack, int flag, const struct rate_sample *rs);
	uint32_t (*undo_cwnd)(struct sock *sk);                        /* required */
	uint32_t (*sndbuf_expand)(struct sock *sk);
	bool (*keeps_state)(const struct sock *sk);                    /* instead of TCP_CONG_KEEPS_STATE where it depends */
	size_t (*get_info)(struct sock *sk, uint32_t ext, int *attr, void *info); /* TCP_CC_INFO: bytes written, at most TCP_CC_INFO_MAX */
};
enum { TCP_CC_INFO_MAX = 20 /* union tcp_cc_info of linux/inet_diag.h */, INET_DIAG_VEGASINFO = 3, INET_DIAG_DCTCPINFO = 9, INET_DIAG_BBRINFO = 16 };
extern const struct tcp_congestion_ops tcp_reno, tcp_cubic, tcp_bbr, tcp_dctcp;
/* Makes ca, which must outlive net, known by its name; 0, -EINVAL (a required function is missing), -EEXIST, -ENOSPC (TCP_CA_MAX). */
int tcp_register_congestion_control(struct net *net, const struct tcp_congestion_ops *ca);
int tcp_cong_init(struct net *net);                                /* registers those of the library */
const struct tcp_congestion_ops *tcp_ca_find(const struct net *net, const char *name);
/* Names in order of registration, blanks between them, into buf; those allowed to everybody, or all.  Bytes, as snprintf(). */
int tcp_ca_names(const struct net *net, bool allowed_only, char *buf, size_t n);
int tcp_set_allowed_congestion_control(struct net *net, const char *names); /* -ENOENT: one is not known, nothing changed */
bool tcp_ca_keeps_state(const struct sock *sk);
static inline void tcp_set_ect(struct sock *sk, uint8_t codepoint) { inet_sk(sk)->tos = (uint8_t)((inet_sk(sk)->tos & ~3u) | codepoint); }
static inline bool tcp_ca_needs_ecn(const struct sock *sk) { return inet_csk(sk)->icsk_ca_ops->flags & TCP_CONG_NEEDS_ECN; }
int tcp_set_congestion_control(struct sock *sk, const char *name); /* -ENOENT */
void tcp_assign_congestion_control(struct sock *sk);
void tcp_init_congestion_control(struct sock *sk);
void tcp_cleanup_congestion_control(struct sock *sk);
void tcp_ca_event(struct sock *sk, enum tcp_ca_event ev);
void tcp_set_ca_state(struct sock *sk, uint8_t state);
/* Slow start of `acked` segments, if that is the phase: how many are left for congestion avoidance; 0 also where the window is not the limit. */
uint32_t tcp_slow_start_left(const struct sock *sk, uint32_t acked);
void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t w, uint32_t acked);
uint32_t tcp_reno_ssthresh(struct sock *sk);
uint32_t tcp_reno_undo_cwnd(struct sock *sk);
void tcp_reno_cong_avoid(struct sock *sk, uint32_t ack, uint32_t acked);
bool tcp_is_cwnd_limited(const struct sock *sk);
void tcp_update_pacing_rate(struct sock *sk);

#endif
