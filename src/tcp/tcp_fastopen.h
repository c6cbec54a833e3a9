/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen.h - TCP Fast Open (RFC 7413) and the part of a TCP sock that few connections have.
 *
 * tcp_fastopen.c has what both sides share: keys, cookies, the option; tcp_fastopen_client.c the client; tcp_fastopen_server.c the server.
 */
#ifndef XMIT_TCP_TCP_FASTOPEN_H
#define XMIT_TCP_TCP_FASTOPEN_H

#include "tcp/tcp_internal.h"

enum { /* bits of net.ipv4.tcp_fastopen, Linux's */
	TFO_CLIENT_ENABLE = 1, TFO_SERVER_ENABLE = 2, TFO_CLIENT_NO_COOKIE = 4,
	TFO_SERVER_COOKIE_NOT_REQD = 0x200, TFO_SERVER_WO_SOCKOPT1 = 0x400,
};
enum { /* tcpi_fastopen_client_fail */ TFO_STATUS_UNSPEC = 0, TFO_COOKIE_UNAVAILABLE, TFO_DATA_NOT_ACKED, TFO_SYN_RETRANSMITTED };
enum {
	TCP_FASTOPEN_COOKIE_MIN = 4, TCP_FASTOPEN_COOKIE_MAX = 16, TCP_FASTOPEN_COOKIE_SIZE = 8, /* bytes; the last is what we give out */
	TCP_FASTOPEN_KEY_LENGTH = 16, TCP_FASTOPEN_KEYS_MAX = 2,
	TCP_FASTOPEN_RST_HOLD_S = 60,    /* a request that was reset counts against the queue for so long (RFC 7413 5.1) */
};

/* The option's contents.  len -1: no option; 0: a cookie is asked for. */
struct tcp_fastopen_cookie {
	int8_t len;
	bool exp;                        /* kind 254, magic F989, of the drafts; else kind 34 */
	uint8_t val[TCP_FASTOPEN_COOKIE_MAX];
};

/* Keys that cookies are made with: the first; the second is still accepted. */
struct tcp_fastopen_keys {
	unsigned n;                      /* 0: none yet */
	uint8_t key[TCP_FASTOPEN_KEYS_MAX][TCP_FASTOPEN_KEY_LENGTH];
};

/* Client: a SYN that is about to go, or has gone, with the option. */
struct tcp_fastopen_request {
	struct tcp_fastopen_cookie cookie;
	struct msghdr_k *data;           /* the message whose first bytes may ride on the SYN; NULL: none, or nothing left of it */
	size_t copied;                   /* bytes of it that did */
};

/* TCP_SAVE_SYN: the headers of the SYN that made this connection. */
struct saved_syn {
	uint32_t mac_hdrlen, len;        /* of all, bytes */
	uint8_t data[];
};

/* The search for the path MTU (tcp_mtu_probe.c), in MTUs, bytes. */
struct tcp_mtup {
	uint32_t search_high, search_low; /* not known to fail; known to pass */
	uint32_t probe_size;              /* of the probe that is out; 0: none */
	uint32_t probe_seq_start, probe_seq_end;
	uint64_t probe_stamp_ns;          /* when the search began */
};

/* What few TCP socks have; attached by tcp_ext_get(), freed with the sock.  A child starts without. */
struct tcp_ext {
	struct tcp_fastopen_request *fastopen_req;
	struct request_sock *fastopen_rsk;       /* child in SYN_RECV (or closing) whose SYN-ACK is not yet acknowledged; shared, see tcp_fastopen_server.c */
	struct tcp_fastopen_keys *fastopen_keys; /* listener: TCP_FASTOPEN_KEY; NULL: the instance's */
	uint32_t fastopen_max_qlen;              /* listener: TCP_FASTOPEN; 0: off */
	struct saved_syn *saved_syn;
	struct tcp_mtup mtup;
	struct tcp_md5_keys *md5;                /* tcp_md5.c; where tp->md5 */
	/* For TCP_INFO. */
	uint16_t total_rto, total_rto_recoveries; /* timeouts; episodes of them (tcp_rto.c) */
	uint32_t total_rto_time_ms;              /* how long those lasted that are over */
	uint32_t rto_stamp_ms;                   /* when the present one began, TS clock; 0: none */
	uint32_t timeout_rehash;                 /* timeouts after which another path was tried */
	uint32_t received_ce;                    /* ECN: segments with a CE mark (tcp_ecn.c) */
	uint32_t received_ecn_bytes[3];          /* payload by codepoint: ECT(1), ECT(0), CE */
};

static inline void tcp_ext_forget_counts(struct tcp_ext *ext)
{
	ext->total_rto = ext->total_rto_recoveries = 0;
	ext->total_rto_time_ms = ext->rto_stamp_ms = ext->timeout_rehash = ext->received_ce = 0;
	memset(ext->received_ecn_bytes, 0, sizeof(ext->received_ecn_bytes));
}
int tcp_ext_get(struct sock *sk, struct tcp_ext **ext); /* tcp_fastopen.c; -ENOMEM */
void tcp_ext_free(struct sock *sk);

/* tcp_fastopen.c */
int tcp_fastopen_init(struct net *net);
void tcp_fastopen_exit(struct net *net);
/* Reads the Fast Open option of a SYN or SYN-ACK; len -1 where there is none that is well formed. */
void tcp_parse_fastopen(const struct sk_buff *skb, struct tcp_fastopen_cookie *foc);
unsigned tcp_fastopen_option_len(const struct tcp_fastopen_cookie *foc); /* bytes, padded to 4; 0 for len -1 */
uint8_t *tcp_fastopen_option_write(uint8_t *p, const struct tcp_fastopen_cookie *foc);
void tcp_fastopen_init_key_once(struct net *net);
void tcp_fastopen_cookie_gen(const struct sock *listener, be32 saddr, be32 daddr, unsigned which, struct tcp_fastopen_cookie *foc);
unsigned tcp_fastopen_key_count(const struct sock *listener);
/* 0: not one of ours; 1: of the first key; 2: of the second, and *valid is the one to use from now on. */
int tcp_fastopen_cookie_check(const struct sock *listener, be32 saddr, be32 daddr, const struct tcp_fastopen_cookie *foc,
			      struct tcp_fastopen_cookie *valid);
int tcp_fastopen_set_key(struct sock *sk, const void *val, socklen_t len);
int tcp_fastopen_get_key(struct sock *sk, void *val, socklen_t *len);
int tcp_fastopen_sysctl_key_set(struct net *net, const struct sysctl_entry *e, const char *text);
int tcp_fastopen_sysctl_key_show(struct net *net, const struct sysctl_entry *e, char *buf, size_t n);

/* tcp_fastopen_cache.c: what is remembered of servers, and the black hole */
bool tcp_fastopen_cache_get(struct sock *sk, uint16_t *mss, struct tcp_fastopen_cookie *foc);
void tcp_fastopen_cache_set(struct sock *sk, uint16_t mss, const struct tcp_fastopen_cookie *foc, bool syn_lost, uint8_t try_exp);
void tcp_fastopen_cache_flush(struct net *net);
int tcp_fastopen_cache_init(struct net *net);
void tcp_fastopen_cache_exit(struct net *net);
bool tcp_fastopen_active_should_disable(struct sock *sk);
void tcp_fastopen_active_disable(struct sock *sk);
void tcp_fastopen_active_disable_ofo_check(struct sock *sk);
void tcp_fastopen_active_detect_blackhole(struct sock *sk, bool expired);

/* tcp_fastopen_client.c */
int tcp_send_syn_data(struct sock *sk, struct sk_buff *syn);
/* connect() of a socket with TCP_FASTOPEN_CONNECT: true: the SYN waits for the first write; else *err, 0: the SYN may go now. */
bool tcp_fastopen_defer_connect(struct sock *sk, int *err);
/* After the SYN-ACK was taken in.  True: data of the SYN was not acknowledged and has just been sent again (it carries the ACK). */
bool tcp_rcv_fastopen_synack(struct sock *sk, struct sk_buff *synack, struct tcp_fastopen_cookie *cookie);
void tcp_fastopen_free_req(struct sock *sk);

/* tcp_fastopen_server.c */
/* The child that takes the data of this SYN at once, or NULL; *foc becomes the option of the SYN-ACK. */
struct sock *tcp_try_fastopen(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct tcp_fastopen_cookie *foc, struct dst_entry *dst);
void tcp_fastopen_add_skb(struct sock *sk, struct sk_buff *skb);
void reqsk_fastopen_remove(struct sock *child, struct request_sock *req, bool reset);
void tcp_fastopen_synack_timer(struct sock *sk, struct request_sock *req);
void tcp_rcv_synrecv_state_fastopen(struct sock *sk);
void tcp_fastopen_queue_purge(struct listen_sock *ls);
int tcp_fastopen_set_qlen(struct sock *sk, int val);
void tcp_fastopen_listen(struct sock *sk, int backlog);
static inline struct request_sock *tcp_fastopen_rsk(const struct sock *sk)
{
	return unlikely(tcp_sk(sk)->tfo_rsk) ? tcp_sk(sk)->ext->fastopen_rsk : NULL;
}

/* A child in SYN_RECV that may be read and written already. */
static inline bool tcp_passive_fastopen(const struct sock *sk) { return sk->sk_state == TCP_SYN_RECV && tcp_sk(sk)->tfo_rsk; }

/* tcp_savesyn.c: TCP_SAVE_SYN */
int tcp_save_syn(const struct sock *listener, struct request_sock *req, const struct sk_buff *skb);
int tcp_get_saved_syn(struct sock *sk, void *val, socklen_t *len);

#endif
