/* SPDX-License-Identifier: MIT */
/*
 * tcp_sysctl.c - TCP's settings: Linux's names, defaults and ranges, and what follows from the instance's memory.
 *
 * Linux takes its limits from the machine's memory, of which TCP gets a small part.  Here the arena is all there is and most of it is TCP's: tcp_mem
 * is 3/8, 1/2, 3/4 of it (the same proportions among the three).  One socket's buffers may grow to Linux's maxima where the arena is
 * large; in a small one the send buffer to 1/32 of it (and to a fair share as memory fills, tcp_sndbuf_expand), the receive buffer, which the peer
 * fills, to 1/128, so that a hundred bulk connections fit.
 */
#include "core/mem.h"
#include "tcp/tcp_cong.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_user.h"
#include <stdio.h>

enum { WMEM_MIN = 4096, WMEM_DEFAULT = 16384, WMEM_MAX = 4194304, RMEM_MIN = 4096, RMEM_DEFAULT = 131072, RMEM_MAX = 6291456, BUCKETS_MAX = 262144 };
/* As many as Linux takes with 250 ticks a second. */
#define SECONDS_MAX (INT32_MAX / 250)
#define SMALL_ARENA (UINT64_C(128) << 20)

/* --- defaults ------------------------------------------------------------------------------------------------------------------ */

static int32_t clamp_count(uint64_t n, int32_t least, int32_t most) { return n < (uint64_t)least ? least : n > (uint64_t)most ? most : (int32_t)n; }

static void limits_from_memory(struct netns_tcp *ns, uint64_t cap)
{
	uint64_t pages = cap >> PAGE_SHIFT, rmem_most = cap < SMALL_ARENA ? cap / 128 : cap / 32;

	ns->mem.limit[0] = (int64_t)(pages / 8 * 3);
	ns->mem.limit[1] = (int64_t)(pages / 2);
	ns->mem.limit[2] = (int64_t)(pages / 4 * 3);
	ns->sysctl_tcp_wmem[0] = WMEM_MIN;
	ns->sysctl_tcp_wmem[1] = WMEM_DEFAULT;
	ns->sysctl_tcp_wmem[2] = clamp_count(cap / 32, 2 * WMEM_DEFAULT, WMEM_MAX);
	ns->sysctl_tcp_rmem[0] = RMEM_MIN;
	ns->sysctl_tcp_rmem[2] = clamp_count(rmem_most, 2 * WMEM_DEFAULT, RMEM_MAX);
	ns->sysctl_tcp_rmem[1] = MIN(RMEM_DEFAULT, ns->sysctl_tcp_rmem[2]);
	ns->sysctl_tcp_max_tw_buckets = ns->sysctl_tcp_max_orphans = clamp_count(cap / 4096, 1024, BUCKETS_MAX);
	ns->sysctl_tcp_max_syn_backlog = clamp_count(cap >> 19, 128, 4096);
}

static void fixed_defaults(struct netns_tcp *ns)
{
	ns->sysctl_tcp_sack = ns->sysctl_tcp_dsack = ns->sysctl_tcp_timestamps = ns->sysctl_tcp_window_scaling = 1;
	ns->sysctl_tcp_ecn = 2;
	ns->sysctl_tcp_ecn_fallback = 1;
	ns->sysctl_tcp_syn_retries = TCP_SYN_RETRIES;
	ns->sysctl_tcp_syn_linear_timeouts = 4;
	ns->sysctl_tcp_synack_retries = TCP_SYNACK_RETRIES;
	ns->sysctl_tcp_retries1 = TCP_RETR1;
	ns->sysctl_tcp_retries2 = PROVE_BREAKS("SHLD-11") ? 5 : TCP_RETR2;
	ns->sysctl_tcp_syncookies = 1;
	ns->sysctl_somaxconn = 4096;
	ns->sysctl_tcp_keepalive_time = 7200;
	ns->sysctl_tcp_keepalive_probes = 9;
	ns->sysctl_tcp_keepalive_intvl = 75;
	ns->sysctl_tcp_fin_timeout = TCP_FIN_TIMEOUT_S;
	ns->sysctl_tcp_tw_reuse = 2;
	ns->sysctl_tcp_reordering = 3;
	ns->sysctl_tcp_max_reordering = TCP_MAX_REORDERING;
	ns->sysctl_tcp_frto = 2;
	ns->sysctl_tcp_recovery = ns->sysctl_tcp_no_ssthresh_metrics_save = 1;
	ns->sysctl_tcp_early_retrans = 3;
	ns->sysctl_tcp_slow_start_after_idle = ns->sysctl_tcp_moderate_rcvbuf = ns->sysctl_tcp_adv_win_scale = 1;
	ns->sysctl_tcp_app_win = 31;
	ns->sysctl_tcp_autocorking = 1;
	ns->sysctl_tcp_limit_output_bytes = 4194304;
	ns->sysctl_tcp_challenge_ack_limit = INT32_MAX;
	ns->sysctl_tcp_invalid_ratelimit = 500;
	ns->sysctl_tcp_min_tso_segs = 2;
	ns->sysctl_tcp_tso_win_divisor = 3;
	ns->sysctl_tcp_tso_rtt_log = 9;
	ns->sysctl_tcp_base_mss = TCP_BASE_MSS;
	ns->sysctl_tcp_min_snd_mss = ns->sysctl_tcp_mtu_probe_floor = TCP_MIN_SNDMSS;
	ns->sysctl_tcp_probe_threshold = 8;
	ns->sysctl_tcp_probe_interval = 600;
	ns->sysctl_tcp_retrans_collapse = 1;
	ns->sysctl_tcp_fastopen = 1;
	ns->sysctl_tcp_pacing_ss_ratio = 200;
	ns->sysctl_tcp_pacing_ca_ratio = 120;
	ns->sysctl_tcp_min_rtt_wlen = 300;
	ns->sysctl_tcp_rto_min_us = TCP_RTO_MIN_US;
	ns->sysctl_tcp_rto_max_ms = TCP_RTO_MAX_US / 1000;
	ns->sysctl_tcp_tw_reuse_delay = 1000;
	ns->sysctl_tcp_comp_sack_nr = 44;
	ns->sysctl_tcp_comp_sack_delay_ns = NSEC_PER_MSEC;
	ns->sysctl_tcp_comp_sack_slack_ns = 100 * NSEC_PER_USEC;
	ns->sysctl_tcp_pingpong_thresh = 1;
	ns->sysctl_tcp_notsent_lowat = UINT32_MAX;
	memcpy(ns->sysctl_tcp_congestion_control, "cubic", sizeof("cubic"));
}

/* --- the table ------------------------------------------------------------------------------------------------------------------- */

static int known_congestion_control(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)e;
	(void)text;
	return tcp_ca_find(net, net->tcp->sysctl_tcp_congestion_control) ? 0 : -ENOENT;
}

static int show_available(struct net *net, const struct sysctl_entry *e, char *buf, size_t n)
{
	(void)e;
	return tcp_ca_names(net, false, buf, n);
}

static int show_allowed(struct net *net, const struct sysctl_entry *e, char *buf, size_t n)
{
	(void)e;
	return tcp_ca_names(net, true, buf, n);
}

static int set_allowed(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)e;
	return tcp_set_allowed_congestion_control(net, text);
}

#define STATE(member) offsetof(struct netns_tcp, member)
#define ONE(name_, least, most) {.name = "net.ipv4." #name_, .type = SYSCTL_INT, .offset = STATE(sysctl_##name_), .count = 1, .min = (least), .max = (most)}
#define SWITCH(name_) ONE(name_, 0, 1)
#define NUMBER(name_) ONE(name_, INT32_MIN, INT32_MAX)

static const struct sysctl_entry tcp_table[] = {
	{.name = "net.ipv4.tcp_mem", .type = SYSCTL_ULONG_VEC, .offset = STATE(mem.limit), .count = 3, .min = 0, .max = INT64_MAX},
	{.name = "net.ipv4.tcp_wmem", .type = SYSCTL_INT_VEC, .offset = STATE(sysctl_tcp_wmem), .count = 3, .min = 1, .max = INT32_MAX},
	{.name = "net.ipv4.tcp_rmem", .type = SYSCTL_INT_VEC, .offset = STATE(sysctl_tcp_rmem), .count = 3, .min = 1, .max = INT32_MAX},
	{.name = "net.core.somaxconn", .type = SYSCTL_INT, .offset = STATE(sysctl_somaxconn), .count = 1, .min = 0, .max = INT32_MAX},
	{.name = "net.ipv4.tcp_congestion_control", .type = SYSCTL_STRING, .offset = STATE(sysctl_tcp_congestion_control), .count = 16,
	 .changed = known_congestion_control},
	{.name = "net.ipv4.tcp_available_congestion_control", .type = SYSCTL_CUSTOM, .show = show_available},
	{.name = "net.ipv4.tcp_allowed_congestion_control", .type = SYSCTL_CUSTOM, .show = show_allowed, .changed = set_allowed},
	ONE(tcp_sack, 0, 255),
	ONE(tcp_dsack, 0, 255),
	ONE(tcp_timestamps, 0, 255),
	ONE(tcp_window_scaling, 0, 255),
	ONE(tcp_ecn, 0, 2),
	SWITCH(tcp_ecn_fallback),
	ONE(tcp_syn_retries, 1, MAX_TCP_SYNCNT),
	ONE(tcp_syn_linear_timeouts, 0, MAX_TCP_SYNCNT),
	ONE(tcp_synack_retries, 0, 255),
	ONE(tcp_retries1, 0, 255),
	ONE(tcp_retries2, 0, 255),
	ONE(tcp_orphan_retries, 0, 255),
	ONE(tcp_syncookies, 0, 255),
	NUMBER(tcp_max_syn_backlog),
	ONE(tcp_abort_on_overflow, 0, 255),
	ONE(tcp_keepalive_time, 0, SECONDS_MAX),
	ONE(tcp_keepalive_probes, 0, 255),
	ONE(tcp_keepalive_intvl, 0, SECONDS_MAX),
	ONE(tcp_fin_timeout, 0, SECONDS_MAX),
	ONE(tcp_tw_reuse, 0, 2),
	ONE(tcp_tw_reuse_delay, 1, TCP_TIMEWAIT_S * 1000),
	NUMBER(tcp_max_tw_buckets),
	ONE(tcp_max_orphans, 0, INT32_MAX),
	ONE(tcp_reordering, 1, INT32_MAX),
	ONE(tcp_max_reordering, 1, INT32_MAX),
	ONE(tcp_fack, 0, 255),
	ONE(tcp_frto, 0, 255),
	ONE(tcp_recovery, 0, 255),
	ONE(tcp_early_retrans, 0, 4),
	ONE(tcp_no_metrics_save, 0, 255),
	ONE(tcp_no_ssthresh_metrics_save, 0, 1),
	ONE(tcp_slow_start_after_idle, 0, 255),
	ONE(tcp_moderate_rcvbuf, 0, 255),
	ONE(tcp_adv_win_scale, -31, 31),
	ONE(tcp_app_win, 0, 31),
	ONE(tcp_rfc1337, 0, 255),
	ONE(tcp_stdurg, 0, 255),
	ONE(tcp_thin_linear_timeouts, 0, 255),
	SWITCH(tcp_autocorking),
	NUMBER(tcp_limit_output_bytes),
	NUMBER(tcp_challenge_ack_limit),
	ONE(tcp_invalid_ratelimit, 0, INT32_MAX),
	ONE(tcp_min_tso_segs, 1, 255),
	ONE(tcp_tso_win_divisor, 0, 255),
	ONE(tcp_tso_rtt_log, 0, 255),
	ONE(tcp_mtu_probing, 0, 255),
	NUMBER(tcp_base_mss),
	ONE(tcp_min_snd_mss, TCP_MIN_SNDMSS, 65535),
	ONE(tcp_mtu_probe_floor, TCP_MIN_SNDMSS, 65535),
	NUMBER(tcp_probe_threshold),
	ONE(tcp_probe_interval, 0, SECONDS_MAX),
	ONE(tcp_workaround_signed_windows, 0, 255),
	ONE(tcp_retrans_collapse, 0, 255),
	NUMBER(tcp_fastopen),
	ONE(tcp_fastopen_blackhole_timeout_sec, 0, INT32_MAX),
	{.name = "net.ipv4.tcp_fastopen_key", .type = SYSCTL_CUSTOM, .show = tcp_fastopen_sysctl_key_show, .changed = tcp_fastopen_sysctl_key_set},
	ONE(tcp_pacing_ss_ratio, 0, 1000),
	ONE(tcp_pacing_ca_ratio, 0, 1000),
	ONE(tcp_min_rtt_wlen, 0, 86400),
	ONE(tcp_rto_min_us, 1, INT32_MAX),
	ONE(tcp_rto_max_ms, 1000, TCP_RTO_MAX_US / 1000),
	SWITCH(tcp_shrink_window),
	SWITCH(tcp_reflect_tos),
	ONE(tcp_comp_sack_nr, 0, 255),
	{.name = "net.ipv4.tcp_comp_sack_delay_ns", .type = SYSCTL_ULONG_VEC, .offset = STATE(sysctl_tcp_comp_sack_delay_ns), .count = 1, .min = 0, .max = INT64_MAX},
	{.name = "net.ipv4.tcp_comp_sack_slack_ns", .type = SYSCTL_ULONG_VEC, .offset = STATE(sysctl_tcp_comp_sack_slack_ns), .count = 1, .min = 0, .max = INT64_MAX},
	ONE(tcp_pingpong_thresh, 1, 255),
	ONE(tcp_notsent_lowat, 0, UINT32_MAX),
};

int tcp_sysctl_init(struct net *net)
{
	struct mem_stats st;

	mem_stats(net, &st);
	limits_from_memory(net->tcp, st.cap_bytes);
	fixed_defaults(net->tcp);
	return sysctl_register(net, net->tcp, tcp_table, ARRAY_SIZE(tcp_table));
}
