/* SPDX-License-Identifier: MIT */
/*
 * tcp_options.c - TCP options that we send (T9): which, how long, and their bytes.
 *
 * A SYN offers what the sysctls allow; a SYN-ACK answers what the SYN offered; after that only timestamps and SACK blocks are left.
 * Everything is padded with NOPs so that each option's words are aligned.  RFC 9293 3.1, RFC 7323 (timestamps, window scale), RFC 2018 and
 * RFC 2883 (SACK, D-SACK).
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_output.h"

static uint32_t option_tsval(const struct tcp_sock *tp) { return tcp_time_stamp_ms(tp) + tp->tsoffset; }

/* The Fast Open option where it is wanted and fits; bytes. */
static unsigned add_fastopen(const struct tcp_fastopen_cookie *foc, unsigned size, struct tcp_out_options *opts)
{
	unsigned need = foc ? tcp_fastopen_option_len(foc) : 0;

	if (!need || size + need > TCP_MAX_OPTION_SPACE)
		return 0;
	opts->options |= OPT_FASTOPEN;
	opts->fastopen = foc;
	return need;
}

/* The same for our own SYN, which notes that it went out. */
static unsigned syn_fastopen(struct tcp_sock *tp, unsigned size, struct tcp_out_options *opts)
{
	const struct tcp_fastopen_request *fo = tp->ext ? tp->ext->fastopen_req : NULL;
	unsigned need = fo ? add_fastopen(&fo->cookie, size, opts) : 0;

	if (need) {
		tp->syn_fastopen = 1;
		tp->syn_fastopen_exp = fo->cookie.exp;
	}
	return need;
}

unsigned tcp_syn_options(struct sock *sk, struct tcp_out_options *opts)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	unsigned size = TCPOLEN_MSS_ALIGNED;

	*opts = (struct tcp_out_options){.mss = tcp_advertise_mss(sk)};
	if (unlikely(tcp_md5_key_of(sk))) {
		opts->options |= OPT_MD5;
		size += TCPOLEN_MD5SIG_ALIGNED;
	}
	if (ns->sysctl_tcp_timestamps && !(opts->options & OPT_MD5)) {
		opts->options |= OPT_TS;
		opts->tsval = option_tsval(tp);
		opts->tsecr = tp->rx_opt.ts_recent;
		size += TCPOLEN_TSTAMP_ALIGNED;
	}
	if (ns->sysctl_tcp_window_scaling) {
		opts->options |= OPT_WSCALE;
		opts->ws = tp->rx_opt.rcv_wscale;
		size += TCPOLEN_WSCALE_ALIGNED;
	}
	if (ns->sysctl_tcp_sack) {
		opts->options |= OPT_SACK_PERM;
		if (!(opts->options & OPT_TS)) /* else it takes the place of the two NOPs before the timestamps */
			size += TCPOLEN_SACKPERM_ALIGNED;
	}
	return size + syn_fastopen(tp, size, opts);
}

static const struct tcp_md5_key *request_key(const struct request_sock *req)
{
	return req->listener ? tcp_md5_lookup(req->listener, req->rmt_addr) : NULL;
}

static unsigned synack_size(const struct request_sock *req)
{
	unsigned size = TCPOLEN_MSS_ALIGNED;

	if (unlikely(request_key(req)))
		size += TCPOLEN_MD5SIG_ALIGNED;
	if (req->wscale_ok)
		size += TCPOLEN_WSCALE_ALIGNED;
	if (req->tstamp_ok)
		size += TCPOLEN_TSTAMP_ALIGNED;
	else if (req->sack_ok)
		size += TCPOLEN_SACKPERM_ALIGNED;
	return size;
}

unsigned tcp_synack_options_len(const struct request_sock *req) { return synack_size(req); }

unsigned tcp_synack_options(const struct request_sock *req, uint16_t mss, const struct tcp_fastopen_cookie *foc, struct tcp_out_options *opts)
{
	uint32_t now_ms = (uint32_t)(req->net->now_ns / NSEC_PER_MSEC);

	*opts = (struct tcp_out_options){.mss = mss};
	if (unlikely(request_key(req)))
		opts->options |= OPT_MD5;
	if (req->wscale_ok) {
		opts->options |= OPT_WSCALE;
		opts->ws = req->rcv_wscale;
	}
	if (req->tstamp_ok) {
		opts->options |= OPT_TS;
		opts->tsval = (req->cookie_ts ? cookie_init_timestamp(req, now_ms) : now_ms) + req->ts_off;
		opts->tsecr = req->ts_recent;
	}
	if (req->sack_ok)
		opts->options |= OPT_SACK_PERM;
	return synack_size(req) + add_fastopen(foc, synack_size(req), opts);
}

unsigned tcp_established_options(struct sock *sk, struct tcp_out_options *opts)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned size = 0, sack;

	opts->options = 0;
	opts->mss = 0;
	opts->num_sack_blocks = 0;
	if (unlikely(tcp_md5_key_of(sk))) {
		opts->options = OPT_MD5;
		size = TCPOLEN_MD5SIG_ALIGNED;
	}
	if (likely(tp->rx_opt.tstamp_ok)) {
		opts->options |= OPT_TS;
		opts->tsval = option_tsval(tp);
		opts->tsecr = tp->rx_opt.ts_recent;
		size += TCPOLEN_TSTAMP_ALIGNED;
	}
	sack = tcp_sack_options_len(tp);
	if (unlikely(sack)) {
		opts->num_sack_blocks = (uint8_t)((sack - TCPOLEN_SACK_BASE_ALIGNED) / TCPOLEN_SACK_PERBLOCK);
		size += sack;
	}
	if (PROVE_BREAKS("MUST-65")) {
		opts->mss = tp->advmss;
		size += TCPOLEN_MSS_ALIGNED;
	}
	return size;
}

static uint8_t *put_bytes(uint8_t *p, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	p[0] = a;
	p[1] = b;
	p[2] = c;
	p[3] = d;
	return p + 4;
}

static uint8_t *put_timestamps(uint8_t *p, const struct tcp_out_options *opts)
{
	if (unlikely(opts->options & OPT_SACK_PERM))
		p = put_bytes(p, TCPOPT_SACK_PERM, TCPOLEN_SACK_PERM, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP);
	else
		p = put_bytes(p, PROVE_BREAKS("MUST-69") ? TCPOPT_EOL : TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, PROVE_BREAKS("MUST-68") ? 0 : TCPOLEN_TIMESTAMP);
	put_be32(p, opts->tsval);
	put_be32(p + 4, opts->tsecr);
	return p + 8;
}

/* The D-SACK block, if there is one, comes first (RFC 2883 section 4) and is told once. */
static void put_sack_blocks(uint8_t *p, struct tcp_sock *tp, unsigned n)
{
	const struct tcp_active *act = tp->active;
	const struct tcp_sack_block *b;
	unsigned i, next = 0;

	p = put_bytes(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK, (uint8_t)(TCPOLEN_SACK_BASE + n * TCPOLEN_SACK_PERBLOCK));
	for (i = 0; i < n; i++, p += TCPOLEN_SACK_PERBLOCK) {
		b = tp->rx_opt.dsack ? &act->duplicate_sack[0] : &act->selective_acks[next++];
		put_be32(p, b->start_seq);
		put_be32(p + 4, b->end_seq);
		tp->rx_opt.dsack = 0;
	}
}

void tcp_options_write(uint8_t *p, struct tcp_sock *tp, const struct tcp_out_options *opts)
{
	if (unlikely(opts->options & OPT_MD5))
		p = tcp_md5_option_write(p); /* first, its digest still to come */
	if (unlikely(opts->mss))
		p = put_bytes(p, TCPOPT_MSS, TCPOLEN_MSS, (uint8_t)(opts->mss >> 8), (uint8_t)opts->mss);
	if (likely(opts->options & OPT_TS))
		p = put_timestamps(p, opts);
	else if (unlikely(opts->options & OPT_SACK_PERM))
		p = put_bytes(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK_PERM, TCPOLEN_SACK_PERM);
	if (unlikely(opts->options & OPT_WSCALE))
		p = put_bytes(p, TCPOPT_NOP, TCPOPT_WINDOW, TCPOLEN_WINDOW, opts->ws);
	if (unlikely(opts->num_sack_blocks))
		put_sack_blocks(p, tp, opts->num_sack_blocks);
	if (unlikely(opts->options & OPT_FASTOPEN))
		tcp_fastopen_option_write(p, opts->fastopen);
}
