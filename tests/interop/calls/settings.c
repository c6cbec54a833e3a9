/* SPDX-License-Identifier: MIT */
/*
 * settings.c - sysctls: Linux's names have Linux's defaults, ranges, errors and ways of reading numbers.  doc/sysctl.md says what each does here.
 *
 * What the machine's memory decides is not asked: tcp_mem, buffers' defaults and maxima, tables' sizes; nor what Linux keeps in ticks and reads
 * back rounded.
 */
#include "calls.h"

#ifdef CALLS_KERNEL
static int setting_set(const char *name, const char *value)
{
	char path[128];
	int fd, error;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	n = write(fd, value, strlen(value));
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static int setting_get(const char *name, char *buf, size_t n)
{
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	len = read(fd, buf, n - 1);
	close(fd);
	if (len < 0)
		return -1;
	buf[len] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}
#else
static int setting_set(const char *name, const char *value) { return xmit_sysctl_set(net, name, value, NULL, 0); }
static int setting_get(const char *name, char *buf, size_t n) { return xmit_sysctl_get(net, name, buf, n) < 0 ? -1 : 0; }
#endif

static void show_setting(const char *name)
{
	char value[128];

	if (setting_get(name, value, sizeof(value)))
		note(name, "%s", error_name(errno));
	else
		note(name, "is %s", value);
}

static void try_setting(const char *name, const char *value)
{
	char label[160], now[128] = "";
	int error = setting_set(name, value) ? errno : 0;

	setting_get(name, now, sizeof(now));
	snprintf(label, sizeof(label), "%s = '%s'", name, value);
	note(label, "%s, then %s", error ? error_name(error) : "taken", now);
}

static const char *const plain[] = {
	"net/ipv4/tcp_abort_on_overflow", "net/ipv4/tcp_adv_win_scale", "net/ipv4/tcp_app_win", "net/ipv4/tcp_autocorking", "net/ipv4/tcp_base_mss",
	"net/ipv4/tcp_challenge_ack_limit", "net/ipv4/tcp_comp_sack_delay_ns", "net/ipv4/tcp_comp_sack_nr", "net/ipv4/tcp_comp_sack_slack_ns",
	"net/ipv4/tcp_dsack", "net/ipv4/tcp_early_retrans", "net/ipv4/tcp_ecn", "net/ipv4/tcp_ecn_fallback", "net/ipv4/tcp_fack", "net/ipv4/tcp_fastopen",
	"net/ipv4/tcp_fastopen_blackhole_timeout_sec", "net/ipv4/tcp_frto", "net/ipv4/tcp_keepalive_probes", "net/ipv4/tcp_limit_output_bytes",
	"net/ipv4/tcp_max_reordering", "net/ipv4/tcp_min_rtt_wlen", "net/ipv4/tcp_min_snd_mss", "net/ipv4/tcp_min_tso_segs", "net/ipv4/tcp_moderate_rcvbuf",
	"net/ipv4/tcp_mtu_probe_floor", "net/ipv4/tcp_mtu_probing", "net/ipv4/tcp_no_metrics_save", "net/ipv4/tcp_no_ssthresh_metrics_save",
	"net/ipv4/tcp_notsent_lowat",
	"net/ipv4/tcp_orphan_retries", "net/ipv4/tcp_pacing_ca_ratio", "net/ipv4/tcp_pacing_ss_ratio", "net/ipv4/tcp_pingpong_thresh",
	"net/ipv4/tcp_probe_threshold", "net/ipv4/tcp_recovery", "net/ipv4/tcp_reflect_tos", "net/ipv4/tcp_reordering", "net/ipv4/tcp_retrans_collapse",
	"net/ipv4/tcp_retries1", "net/ipv4/tcp_retries2", "net/ipv4/tcp_rfc1337", "net/ipv4/tcp_rto_max_ms", "net/ipv4/tcp_rto_min_us", "net/ipv4/tcp_sack",
	"net/ipv4/tcp_shrink_window", "net/ipv4/tcp_slow_start_after_idle", "net/ipv4/tcp_stdurg", "net/ipv4/tcp_syn_linear_timeouts",
	"net/ipv4/tcp_syn_retries", "net/ipv4/tcp_synack_retries", "net/ipv4/tcp_syncookies", "net/ipv4/tcp_thin_linear_timeouts", "net/ipv4/tcp_timestamps",
	"net/ipv4/tcp_tso_rtt_log", "net/ipv4/tcp_tso_win_divisor", "net/ipv4/tcp_tw_reuse", "net/ipv4/tcp_tw_reuse_delay", "net/ipv4/tcp_window_scaling",
	"net/ipv4/tcp_workaround_signed_windows", "net/ipv4/ip_default_ttl", "net/ipv4/ip_no_pmtu_disc", "net/ipv4/ip_nonlocal_bind",
	"net/ipv4/icmp_echo_ignore_all", "net/ipv4/icmp_echo_ignore_broadcasts", "net/ipv4/icmp_ignore_bogus_error_responses", "net/ipv4/icmp_ratemask",
	"net/core/somaxconn",
};
/* In seconds, kept in ticks there: what is large depends on the ticks, and negative ones are an accident. */
static const char *const seconds[] = {
	"net/ipv4/tcp_fin_timeout", "net/ipv4/tcp_keepalive_time", "net/ipv4/tcp_keepalive_intvl", "net/ipv4/tcp_probe_interval",
};
#define EACH(table) (size_t i = 0; i < sizeof(table) / sizeof(*(table)); i++)

static void setting_defaults(void)
{
	for EACH(plain)
		show_setting(plain[i]);
	for EACH(seconds)
		show_setting(seconds[i]);
	show_setting("net/ipv4/tcp_invalid_ratelimit");
	show_setting("net/ipv4/icmp_ratelimit");
	show_setting("net/ipv4/ip_local_port_range");
}

static void setting_ranges(void)
{
	static const char *const values[] = {
		"-2147483649", "-2147483648", "-32", "-31", "-1", "0", "1", "2", "3", "4", "5", "31", "32", "47", "48", "127", "128", "255", "256", "999", "1000",
		"1001", "60000", "60001", "65535", "65536", "86400", "86401", "120000", "120001", "2147483647", "2147483648", "4294967295", "4294967296",
	};

	for EACH(plain)
		for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++)
			try_setting(plain[i], values[v]);
	for EACH(seconds)
		for (size_t v = 5; v < sizeof(values) / sizeof(*values) - 4; v++)
			try_setting(seconds[i], values[v]);
}

static void setting_numbers(void)
{
	static const char *const values[] = {
		"", " ", "\n", "x", "7", "7\n", " 8 ", "9 x", "10 11", "1x", "1,2", "0x10", "010", "+3", "-", "--1", "1.5", "99999999999999999999", "6\t7\t8",
	};
	static const char *const vectors[] = {
		"", "5000", "5001 x", "5002 5003", "5004 0 5005", "5006 5007 5008 5009", "5010 5011 5012 x", "0x2000 010 7", "-1",
	};

	for EACH(values) {
		try_setting("net/ipv4/tcp_reordering", values[i]);
		try_setting("net/ipv4/tcp_notsent_lowat", values[i]);
	}
	for EACH(vectors) {
		try_setting("net/ipv4/tcp_wmem", vectors[i]);
		try_setting("net/ipv4/tcp_rmem", vectors[i]);
	}
}

static void setting_others(void)
{
	try_setting("net/ipv4/tcp_congestion_control", "reno");
	try_setting("net/ipv4/tcp_congestion_control", "nosuch");
	try_setting("net/ipv4/tcp_congestion_control", "");
	try_setting("net/ipv4/tcp_congestion_control", "reno\n");
	R("tcp_available_congestion_control", setting_set("net/ipv4/tcp_available_congestion_control", "reno"));
	try_setting("net/ipv4/tcp_fastopen_key", "00000001-00000002-00000003");
	try_setting("net/ipv4/tcp_fastopen_key", "00000001-00000002-00000003-00000004");
	try_setting("net/ipv4/tcp_fastopen_key", "x");
	try_setting("net/ipv4/ip_local_port_range", "2000 1000");
	try_setting("net/ipv4/ip_local_port_range", "2000 3001");
	try_setting("net/ipv4/ip_local_port_range", "2000 70000");
	try_setting("net/ipv4/nosuch", "1");
}

const struct calls_case setting_cases[] = {
	{"setting_defaults", setting_defaults}, {"setting_ranges", setting_ranges}, {"setting_numbers", setting_numbers}, {"setting_others", setting_others},
	{NULL, NULL},
};
