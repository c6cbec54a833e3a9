/* SPDX-License-Identifier: MIT */
/* ip_sysctl.c - the settings of IPv4 (struct netns_ipv4): Linux's names, defaults and ranges. */
#include "core/sysctl.h"
#include "ip/ip_internal.h"
#include <limits.h>

/* Routes that were made under the old setting are no longer right. */
static int routing_changed(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)e;
	(void)text;
	rt_cache_flush(net);
	return 0;
}

static int port_range_changed(struct net *net, const struct sysctl_entry *e, const char *text)
{
	const int32_t *range = net->ipv4->sysctl_ip_local_port_range;

	(void)e;
	(void)text;
	return range[0] <= range[1] ? 0 : -EINVAL;
}

static int high_thresh_changed(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)e;
	(void)text;
	return net->ipv4->sysctl_ipfrag_high_thresh >= net->ipv4->sysctl_ipfrag_low_thresh ? 0 : -EINVAL;
}

#define INT(sysctl, member, least, most) \
	{.name = (sysctl), .type = SYSCTL_INT, .offset = offsetof(struct netns_ipv4, member), .count = 1, .min = (least), .max = (most)}
#define INT_CHANGED(sysctl, member, least, most, fn) \
	{.name = (sysctl), .type = SYSCTL_INT, .offset = offsetof(struct netns_ipv4, member), .count = 1, .min = (least), .max = (most), .changed = (fn)}

static const struct sysctl_entry ipv4_sysctls[] = {
	INT("net.ipv4.ip_default_ttl", sysctl_ip_default_ttl, 1, 255),
	INT("net.ipv4.ip_no_pmtu_disc", sysctl_ip_no_pmtu_disc, 0, 255),
	INT_CHANGED("net.ipv4.ip_forward", sysctl_ip_forward, 0, 1, routing_changed),
	INT_CHANGED("net.ipv4.conf.all.forwarding", sysctl_ip_forward, 0, 1, routing_changed),
	INT_CHANGED("net.ipv4.conf.all.rp_filter", sysctl_rp_filter, 0, 2, routing_changed),
	INT("net.ipv4.ip_nonlocal_bind", sysctl_ip_nonlocal_bind, 0, 255),
	{.name = "net.ipv4.ip_local_port_range", .type = SYSCTL_INT_VEC, .offset = offsetof(struct netns_ipv4, sysctl_ip_local_port_range),
	 .count = 2, .min = 1, .max = 65535, .changed = port_range_changed},
	INT("net.ipv4.ip_unprivileged_port_start", sysctl_ip_unprivileged_port_start, 0, 65535),
	INT("net.ipv4.route.min_pmtu", sysctl_min_pmtu, 68, INT_MAX),
	INT("net.ipv4.route.min_adv_mss", sysctl_min_adv_mss, 0, INT_MAX),
	INT("net.ipv4.route.mtu_expires", sysctl_mtu_expires_s, 0, INT_MAX),
	INT("net.ipv4.icmp_echo_ignore_all", sysctl_icmp_echo_ignore_all, 0, 1),
	INT("net.ipv4.icmp_echo_ignore_broadcasts", sysctl_icmp_echo_ignore_broadcasts, 0, 1),
	INT("net.ipv4.icmp_ratelimit", sysctl_icmp_ratelimit_ms, 0, INT_MAX),
	INT("net.ipv4.icmp_ratemask", sysctl_icmp_ratemask, INT_MIN, INT_MAX),
	INT("net.ipv4.icmp_msgs_per_sec", sysctl_icmp_msgs_per_sec, 0, INT_MAX),
	INT("net.ipv4.icmp_msgs_burst", sysctl_icmp_msgs_burst, 0, INT_MAX),
	INT("net.ipv4.icmp_ignore_bogus_error_responses", sysctl_icmp_ignore_bogus_error_responses, 0, 1),
	INT_CHANGED("net.ipv4.ipfrag_high_thresh", sysctl_ipfrag_high_thresh, 0, INT_MAX, high_thresh_changed),
	INT_CHANGED("net.ipv4.ipfrag_low_thresh", sysctl_ipfrag_low_thresh, 0, INT_MAX, high_thresh_changed),
	INT("net.ipv4.ipfrag_time", sysctl_ipfrag_time_s, 0, 86400),
	INT("net.ipv4.ipfrag_max_dist", sysctl_ipfrag_max_dist, 0, INT_MAX),
	{.name = "net.ipv4.ping_group_range", .type = SYSCTL_INT_VEC, .offset = offsetof(struct netns_ipv4, sysctl_ping_group_range), .count = 2,
	 .min = 0, .max = INT_MAX},
};

int ip_sysctl_init(struct net *net)
{
	struct netns_ipv4 *v4 = net->ipv4;

	v4->sysctl_ip_default_ttl = 64;
	v4->sysctl_ip_local_port_range[0] = 32768;
	v4->sysctl_ip_local_port_range[1] = 60999;
	v4->sysctl_ip_unprivileged_port_start = 1024;
	v4->sysctl_min_pmtu = 552;
	v4->sysctl_min_adv_mss = 256;
	v4->sysctl_mtu_expires_s = 600;
	v4->sysctl_icmp_echo_ignore_broadcasts = 1;
	v4->sysctl_icmp_ratelimit_ms = 1000;
	v4->sysctl_icmp_ratemask = 6168;
	v4->sysctl_icmp_msgs_per_sec = 1000;
	v4->sysctl_icmp_msgs_burst = 50;
	v4->sysctl_icmp_ignore_bogus_error_responses = 1;
	v4->sysctl_ipfrag_high_thresh = 4 << 20;
	v4->sysctl_ipfrag_low_thresh = 3 << 20;
	v4->sysctl_ipfrag_time_s = 30;
	v4->sysctl_ipfrag_max_dist = 64;
	v4->sysctl_ping_group_range[0] = 0; /* everybody: an embedder has no groups */
	v4->sysctl_ping_group_range[1] = INT_MAX;
	return sysctl_register(net, v4, ipv4_sysctls, ARRAY_SIZE(ipv4_sysctls));
}
