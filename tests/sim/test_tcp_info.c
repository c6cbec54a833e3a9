/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_info.c - every member of TCP_INFO: by the table below, which covers each bit of its 280 bytes, and at offsets that are Linux's.
 *
 * Each scenario brings a connection to where members have a value that the test knows, and shows() them.  The last case asks of each row that it
 * was shown with a value other than 0, or that the table says why it is 0 and it was never anything else.
 */
#include "ip/ip.h"
#include "netfilter/netfilter.h"
#include "path.h"

enum { INFO_BYTES = 280, RTT_US = 40000, OPT_TIMESTAMPS = 1, OPT_SACK = 2, OPT_WSCALE = 4, OPT_ECN = 8, OPT_ECN_SEEN = 16 };

struct member {
	const char *name;
	unsigned offset, bits, bit; /* bit: of bit fields, how many lie in front of it */
	const char *zero;           /* why it is 0 by nature */
	bool shown, not_zero;
};

#define NOT_KEPT "Linux does not keep it any more"
#define ACCURATE "told by accurate ECN (RFC 9768) only, which is not negotiated"
static struct member members[] = {
	{"state", 0, 8}, {"ca_state", 1, 8}, {"retransmits", 2, 8}, {"probes", 3, 8}, {"backoff", 4, 8}, {"options", 5, 8},
	{"snd_wscale", 6, 4}, {"rcv_wscale", 6, 4, 4}, {"delivery_rate_app_limited", 7, 1}, {"fastopen_client_fail", 7, 2, 1},
	{"no member", 7, 5, 3, "padding"},
	{"rto", 8, 32}, {"ato", 12, 32}, {"snd_mss", 16, 32}, {"rcv_mss", 20, 32}, {"unacked", 24, 32}, {"sacked", 28, 32}, {"lost", 32, 32},
	{"retrans", 36, 32}, {"fackets", 40, 32, 0, NOT_KEPT}, {"last_data_sent", 44, 32}, {"last_ack_sent", 48, 32, 0, NOT_KEPT},
	{"last_data_recv", 52, 32}, {"last_ack_recv", 56, 32}, {"pmtu", 60, 32}, {"rcv_ssthresh", 64, 32}, {"rtt", 68, 32}, {"rttvar", 72, 32},
	{"snd_ssthresh", 76, 32}, {"snd_cwnd", 80, 32}, {"advmss", 84, 32}, {"reordering", 88, 32}, {"rcv_rtt", 92, 32}, {"rcv_space", 96, 32},
	{"total_retrans", 100, 32}, {"pacing_rate", 104, 64}, {"max_pacing_rate", 112, 64}, {"bytes_acked", 120, 64}, {"bytes_received", 128, 64},
	{"segs_out", 136, 32}, {"segs_in", 140, 32}, {"notsent_bytes", 144, 32}, {"min_rtt", 148, 32}, {"data_segs_in", 152, 32},
	{"data_segs_out", 156, 32}, {"delivery_rate", 160, 64}, {"busy_time", 168, 64}, {"rwnd_limited", 176, 64}, {"sndbuf_limited", 184, 64},
	{"delivered", 192, 32}, {"delivered_ce", 196, 32}, {"bytes_sent", 200, 64}, {"bytes_retrans", 208, 64}, {"dsack_dups", 216, 32},
	{"reord_seen", 220, 32}, {"rcv_ooopack", 224, 32}, {"snd_wnd", 228, 32}, {"rcv_wnd", 232, 32}, {"rehash", 236, 32}, {"total_rto", 240, 16},
	{"total_rto_recoveries", 242, 16}, {"total_rto_time", 244, 32}, {"received_ce", 248, 32}, {"delivered_e1_bytes", 252, 32, 0, ACCURATE},
	{"delivered_e0_bytes", 256, 32, 0, ACCURATE}, {"delivered_ce_bytes", 260, 32, 0, ACCURATE}, {"received_e1_bytes", 264, 32},
	{"received_e0_bytes", 268, 32}, {"received_ce_bytes", 272, 32}, {"ecn_mode", 276, 2}, {"accecn_opt_seen", 276, 2, 2, ACCURATE},
	{"accecn_fail_mode", 276, 4, 4, ACCURATE}, {"options2", 276, 24, 8, ACCURATE},
};

struct info { uint8_t b[INFO_BYTES]; };

/* The integer that holds the member, of this machine's byte order, in which compilers lay bit fields. */
static uint64_t value_of(const struct info *i, const struct member *m)
{
	unsigned unit = m->offset == 276 ? 32 : m->bits < 8 ? 8 : m->bits, low;
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;
	bool little = *(const uint8_t *)&(const uint16_t){1};

	switch (unit) {
	case 8: memcpy(&v8, i->b + m->offset, sizeof(v8)), v64 = v8; break;
	case 16: memcpy(&v16, i->b + m->offset, sizeof(v16)), v64 = v16; break;
	case 32: memcpy(&v32, i->b + m->offset, sizeof(v32)), v64 = v32; break;
	default: memcpy(&v64, i->b + m->offset, sizeof(v64));
	}
	low = little ? m->bit : unit - m->bit - m->bits;
	v64 >>= low;
	return m->bits < 64 ? v64 & ((UINT64_C(1) << m->bits) - 1) : v64;
}

static struct member *find(const char *name)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (!strcmp(members[i].name, name))
			return &members[i];
	fail_msg("no row for %s", name);
	return NULL;
}

static struct info info_of(xmit_net *net, int fd)
{
	struct info i;
	socklen_t len = sizeof(i);

	assert_int_equal(xmit_getsockopt(net, fd, IPPROTO_TCP, XMIT_TCP_INFO, &i, &len), 0);
	assert_int_equal(len, INFO_BYTES);
	for (size_t n = 0; n < sizeof(members) / sizeof(*members); n++)
		members[n].not_zero |= value_of(&i, &members[n]) != 0;
	return i;
}
static struct info sender(void) { return info_of(p.a, p.c); }
static struct info receiver(void) { return info_of(p.b, p.d); }
static uint64_t get(const struct info *i, const char *name) { return value_of(i, find(name)); }

/* The member lies in least to most, and that is no 0: the row is shown. */
static void shows(const struct info *i, const char *name, uint64_t least, uint64_t most)
{
	struct member *m = find(name);
	uint64_t v = value_of(i, m);

	if (v < least || v > most)
		fail_msg("tcpi_%s is %llu, not %llu to %llu", name, (unsigned long long)v, (unsigned long long)least, (unsigned long long)most);
	m->shown |= least > 0;
}
static void is(const struct info *i, const char *name, uint64_t v) { shows(i, name, v, v); }

static char bytes[1 << 16];
static void put(size_t n) { assert_int_equal(xmit_send(p.a, p.c, bytes, n, MSG_DONTWAIT), n); }

#define LINK .features = XMIT_VNIC_NO_OFFLOAD, .rate_bps = UINT64_C(100000000), .delay_ns = RTT_US / 2 * UINT64_C(1000)

/* The hosts know each other's hardware address: the SYN does not wait for it, nor does the round trip that it measures. */
static void link_hosts(const struct xmit_vnic_config *link)
{
	struct sockaddr_in addr = sim_addr(1, 9);

	path_link(link);
	int u = xmit_socket(p.a, AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(xmit_sendto(p.a, u, bytes, 1, 0, (struct sockaddr *)&addr, sizeof(addr)), 1);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_close(p.a, u), 0);
}

static void start(void)
{
	link_hosts(&(struct xmit_vnic_config){LINK});
	path_connect();
}

/* --- the layout ----------------------------------------------------------------------------------------------------------------- */

static void the_table_covers_each_bit_once(void **state)
{
	uint8_t covered[INFO_BYTES * 8] = {0};

	(void)state;
	static_assert(sizeof(struct xmit_tcp_info) == INFO_BYTES, "Linux's size");
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		for (unsigned b = 0; b < members[i].bits; b++)
			covered[members[i].offset * 8 + members[i].bit + b]++;
	for (unsigned b = 0; b < INFO_BYTES * 8; b++)
		assert_int_equal(covered[b], 1);
}

/* --- scenarios ------------------------------------------------------------------------------------------------------------------- */

static void after_the_handshake(void **state)
{
	(void)state;
	start();
	struct info a = sender(), b = receiver();

	is(&a, "state", TCP_ESTABLISHED);
	is(&a, "options", OPT_TIMESTAMPS | OPT_SACK | OPT_WSCALE);
	is(&a, "rcv_wscale", 7); /* tcp_rmem: 6 MiB */
	is(&a, "snd_wscale", get(&b, "rcv_wscale"));
	is(&a, "delivery_rate_app_limited", 1);
	is(&a, "snd_mss", PATH_MSS);
	is(&a, "advmss", PATH_MSS);
	is(&a, "pmtu", 1500);
	is(&a, "reordering", 3);
	is(&a, "snd_cwnd", 10);
	is(&a, "snd_ssthresh", TCP_INFINITE_SSTHRESH);
	shows(&a, "rtt", RTT_US, RTT_US + 1000);
	shows(&a, "rttvar", RTT_US / 2, RTT_US / 2 + 500);
	shows(&a, "min_rtt", RTT_US, RTT_US + 1000);
	shows(&a, "rto", RTT_US + 200000, RTT_US + 210000);
	shows(&a, "pacing_rate", 2 * 10 * PATH_MSS * 24, 2 * 10 * PATH_MSS * 25); /* twice a window in a round trip */
	is(&a, "max_pacing_rate", UINT64_MAX);
	is(&a, "snd_wnd", get(&b, "rcv_wnd"));
	shows(&b, "rcv_wnd", 60000, 65535);
	shows(&b, "rcv_ssthresh", 60000, 65535);
	is(&a, "rcv_space", 10 * PATH_MSS);
	shows(&a, "last_ack_recv", 1020, 1021); /* the handshake ends 20 ms later at the other end */
	shows(&b, "last_ack_recv", 1000, 1001);
}

static void a_transfer(void **state)
{
	(void)state;
	start();
	stream_for(2 * SIM_SEC);
	struct info a = sender(), b = receiver();
	shows(&a, "unacked", 300, 2000);
	shows(&a, "notsent_bytes", 1, 4 << 20);
	shows(&a, "delivery_rate", 11000000, 12500000);
	is(&a, "delivery_rate_app_limited", 0);
	shows(&a, "busy_time", 1950000, 2000000);
	shows(&a, "snd_cwnd", 300, 5000);
	is(&b, "rcv_mss", PATH_MSS);
	shows(&b, "ato", RTT_US, 200000);
	shows(&b, "rcv_rtt", RTT_US, 20 * RTT_US);
	shows(&b, "rcv_space", 400000, 8 << 20);
	for (int i = 0; i < 200; i++) {
		drain(p.b, p.d);
		sim_run(&p.s, 10 * SIM_MS);
	}
	sim_run(&p.s, 500 * SIM_MS);
	a = sender(), b = receiver();
	uint64_t sent = get(&a, "bytes_sent") - get(&a, "bytes_retrans");
	shows(&b, "bytes_received", sent, sent);
	shows(&a, "bytes_acked", sent + 1, sent + 1); /* and the SYN */
	shows(&a, "bytes_sent", 20000000, 25000000);
	is(&a, "unacked", 0);
	is(&a, "notsent_bytes", 0);
	is(&b, "data_segs_in", get(&a, "data_segs_out"));
	shows(&a, "data_segs_out", sent / PATH_MSS, sent / PATH_MSS + 2000);
	is(&a, "segs_out", get(&b, "segs_in"));
	is(&a, "segs_in", get(&b, "segs_out") + 1); /* the SYN-ACK was the request's */
	is(&a, "delivered", get(&a, "data_segs_out") - get(&a, "total_retrans") + 1);
	is(&b, "segs_in", get(&a, "data_segs_out") + 2); /* SYN, ACK */
	shows(&a, "last_data_sent", 500, 2600);
	shows(&b, "last_data_recv", get(&a, "last_ack_recv") + RTT_US / 2000, get(&a, "last_data_sent") - RTT_US / 2000);
}

static void who_holds_the_sender(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 100; i++) { /* nobody reads */
		(void)xmit_send(p.a, p.c, bytes, sizeof(bytes), MSG_DONTWAIT);
		sim_run(&p.s, 50 * SIM_MS);
	}
	struct info a = sender();
	shows(&a, "rwnd_limited", 4000000, 5000000);
	shows(&a, "busy_time", get(&a, "rwnd_limited"), 5000000);
	is(&a, "sndbuf_limited", 0);
	/* Probes that nobody answers. */
	path_lose(lose_all_tcp);
	sim_run(&p.s, 20 * SIM_SEC);
	a = sender();
	shows(&a, "probes", 1, 10);
	shows(&a, "backoff", get(&a, "probes"), 12);
}

static void a_small_buffer_holds_the_sender(void **state)
{
	(void)state;
	start();
	set_opt(p.a, p.c, SOL_SOCKET, SO_SNDBUF, 20000);
	stream_for(4 * SIM_SEC);
	struct info a = sender();
	shows(&a, "sndbuf_limited", 2000000, 4000000);
	shows(&a, "busy_time", get(&a, "sndbuf_limited"), 4000000);
	is(&a, "rwnd_limited", 0);
}

/* Until the sender's algorithm is in this state, in milliseconds. */
static struct info until_ca_state(unsigned want)
{
	struct info a = sender();

	for (int i = 0; i < 2000 && get(&a, "ca_state") != want; i++) {
		sim_run(&p.s, SIM_MS);
		a = sender();
	}
	is(&a, "ca_state", want);
	return a;
}

static void one_segment_is_lost(void **state)
{
	(void)state;
	start();
	lose_next_segment();
	put(10 * PATH_MSS);
	struct info a = until_ca_state(TCP_CA_Recovery), b = receiver();
	shows(&a, "sacked", 3, 9);
	is(&a, "lost", 1);
	is(&a, "retrans", 1);
	is(&b, "rcv_ooopack", 9);
	sim_run(&p.s, SIM_SEC);
	a = sender();
	is(&a, "total_retrans", 1);
	is(&a, "bytes_retrans", PATH_MSS);
	is(&a, "lost", 0);
	is(&a, "retrans", 0);
	shows(&a, "snd_ssthresh", 7, 7); /* CUBIC: 0.7 of 10 */
}

static void nothing_comes_through_for_a_while(void **state)
{
	(void)state;
	start();
	path_lose(lose_all_tcp);
	put(3 * PATH_MSS);
	sim_run(&p.s, 3 * SIM_SEC);
	struct info a = sender();
	is(&a, "ca_state", TCP_CA_Loss);
	shows(&a, "retransmits", 2, 5);
	is(&a, "backoff", get(&a, "retransmits"));
	is(&a, "total_rto", get(&a, "retransmits"));
	is(&a, "rehash", get(&a, "retransmits"));
	is(&a, "total_rto_recoveries", 1);
	is(&a, "lost", 3);
	shows(&a, "rto", 240000 << get(&a, "backoff"), 262000 << get(&a, "backoff"));
	uint64_t so_far = get(&a, "total_rto_time");
	shows(&a, "total_rto_time", 2000, 3000);
	path_lose(NULL);
	sim_run(&p.s, 6 * SIM_SEC);
	a = sender();
	is(&a, "retransmits", 0);
	shows(&a, "total_rto_time", so_far + 1, so_far + 6000);
}

static bool lose_acks(const struct frame *f, int end, unsigned nr)
{
	(void)nr;
	return end == 1 && is_tcp(f);
}

static void acks_are_lost(void **state)
{
	(void)state;
	start();
	path_lose(lose_acks);
	put(3 * PATH_MSS);
	sim_run(&p.s, 70 * SIM_MS);
	path_lose(NULL); /* the loss probe, after two round trips, is answered by a D-SACK */
	sim_run(&p.s, 2 * SIM_SEC);
	struct info a = sender();
	is(&a, "total_retrans", 1);
	is(&a, "dsack_dups", 1);
	is(&a, "delivered", 1 + 3 + 1); /* SYN, data, and the probe */
}

/* The link holds some back. */
static void segments_overtake_each_other(void **state)
{
	(void)state;
	link_hosts(&(struct xmit_vnic_config){LINK, .reorder_ppm = 20000, .reorder_delay_ns = 3 * SIM_MS});
	path_connect();
	stream_for(2 * SIM_SEC);
	struct info a = sender(), b = receiver();
	shows(&a, "reord_seen", 1, 100000);
	shows(&a, "reordering", 4, 300);
	shows(&b, "rcv_ooopack", 100, 100000);
}

/* --- ECN: marks by turns, set where the receiver's host takes the packets in ------------------------------------------------------- */

static unsigned marked[4]; /* segments with data, by what they carry */
static unsigned mark(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct iphdr *iph = ip_hdr(skb);
	unsigned n = marked[1] + marked[2] + marked[3];

	(void)priv;
	(void)state;
	if ((iph->tos & 3) != 2) /* ECT(0): data */
		return NF_ACCEPT;
	iph->tos = (uint8_t)((iph->tos & ~3u) | (1 + n % 3));
	marked[1 + n % 3]++;
	return NF_ACCEPT;
}

static void marks_are_counted(void **state)
{
	static struct nf_hook_ops ops;

	(void)state;
	ops = (struct nf_hook_ops){.hook = mark, .pf = NFPROTO_IPV4_, .hooknum = NF_INET_PRE_ROUTING};
	memset(marked, 0, sizeof(marked));
	link_hosts(&(struct xmit_vnic_config){LINK});
	set_sysctl(p.a, "net.ipv4.tcp_ecn", "1");
	assert_int_equal(nf_register_hook(p.b, &ops), 0);
	path_connect();
	put(9 * PATH_MSS);
	sim_run(&p.s, SIM_SEC);
	struct info a = sender(), b = receiver();
	is(&b, "options", OPT_TIMESTAMPS | OPT_SACK | OPT_WSCALE | OPT_ECN | OPT_ECN_SEEN);
	is(&a, "ecn_mode", 1);
	is(&b, "ecn_mode", 1);
	assert_int_equal(marked[3], 3);
	is(&b, "received_ce", marked[3]);
	is(&b, "received_ce_bytes", marked[3] * PATH_MSS);
	is(&b, "received_e0_bytes", marked[2] * PATH_MSS);
	is(&b, "received_e1_bytes", marked[1] * PATH_MSS);
	shows(&a, "delivered_ce", marked[3], 9); /* whatever is acknowledged with an echo */
	is(&a, "accecn_fail_mode", 0);
}

static void a_fast_open_without_cookie(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 81);

	(void)state;
	start();
	int l = path_listen(81), c = xmit_socket(p.a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_sysctl(p.a, "net.ipv4.tcp_fastopen", "1");
	(void)xmit_sendto(p.a, c, bytes, 100, MSG_FASTOPEN, (struct sockaddr *)&addr, sizeof(addr));
	sim_run(&p.s, SIM_SEC);
	struct info a = info_of(p.a, c);
	is(&a, "state", TCP_ESTABLISHED);
	is(&a, "fastopen_client_fail", 1); /* TFO_COOKIE_UNAVAILABLE */
	assert_int_equal(xmit_close(p.b, l), 0);
}

/* --- and all of them were shown ------------------------------------------------------------------------------------------------------ */

static void every_member_was_shown_or_is_0_by_nature(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const struct member *m = &members[i];
		bool good = m->zero ? !m->not_zero : m->shown;
		if (!good)
			fprintf(stderr, "tcpi_%s: %s\n", m->name, m->zero ? "is not 0" : "was never shown with a value");
		missing += !good;
	}
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_covers_each_bit_once), T(after_the_handshake), T(a_transfer), T(who_holds_the_sender),
		T(a_small_buffer_holds_the_sender), T(one_segment_is_lost), T(nothing_comes_through_for_a_while), T(acks_are_lost),
		T(segments_overtake_each_other), T(marks_are_counted), T(a_fast_open_without_cookie),
		cmocka_unit_test(every_member_was_shown_or_is_0_by_nature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
