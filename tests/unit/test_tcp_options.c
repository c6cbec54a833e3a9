/* SPDX-License-Identifier: MIT */
/*
 * test_tcp_options.c - the option parser (T9, T12): what it reads, what it passes over, and that no header makes it read past its end
 * (each header lies alone in a block of its exact size, for the sanitizer to watch).
 */
#include "tcp/tcp_internal.h"
#include "test.h"

struct parsed {
	struct tcp_options_received opt;
	uint8_t sacked;
};

/* Parses a header with n option bytes (a multiple of 4). */
static struct parsed parse(const uint8_t *options, unsigned n, uint8_t flags, bool estab, struct tcp_options_received start)
{
	struct netns_tcp tcp = {.sysctl_tcp_window_scaling = 1, .sysctl_tcp_timestamps = 1, .sysctl_tcp_sack = 1};
	static struct net net;
	uint8_t *head = malloc(sizeof(struct tcphdr) + n);
	struct sk_buff skb;
	struct parsed p = {start, 0};
	struct tcphdr *th = (struct tcphdr *)(void *)head;

	net.tcp = &tcp;
	memset(&skb, 0, sizeof(skb));
	memset(head, 0, sizeof(struct tcphdr));
	if (n)
		memcpy(head + sizeof(struct tcphdr), options, n);
	tcp_set_hdrlen(th, sizeof(struct tcphdr) + n);
	th->flags = flags;
	skb.head = skb.data = head;
	tcp_parse_options(&net, &skb, &p.opt, estab);
	p.sacked = TCP_SKB_CB(&skb)->sacked;
	free(head);
	return p;
}

#define PARSE(flags, estab, start, ...) \
	parse((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), flags, estab, start)
static const struct tcp_options_received none, agreed = {.tstamp_ok = 1, .sack_ok = 1};

static void syn_of_linux(void **state)
{
	struct parsed p = PARSE(TCPHDR_SYN, false, none, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7);

	(void)state;
	assert_int_equal(p.opt.mss_clamp, 1460);
	assert_int_equal(p.opt.sack_ok, 1);
	assert_int_equal(p.opt.saw_tstamp, 1);
	assert_int_equal(p.opt.rcv_tsval, 7);
	assert_int_equal(p.opt.rcv_tsecr, 9);
	assert_int_equal(p.opt.wscale_ok, 1);
	assert_int_equal(p.opt.snd_wscale, 7);
}

static void values_out_of_range(void **state)
{
	struct parsed p = PARSE(TCPHDR_SYN, false, none, 3, 3, 200, 2, 4, 0, 0, 0);

	(void)state;
	assert_int_equal(p.opt.snd_wscale, TCP_MAX_WSCALE);
	assert_int_equal(p.opt.mss_clamp, 0); /* an MSS of 0 is none */
	struct tcp_options_received user = {.user_mss = 1000};
	assert_int_equal(PARSE(TCPHDR_SYN, false, user, 2, 4, 0x05, 0xb4).opt.mss_clamp, 1000);
}

static void syn_options_count_only_in_a_syn(void **state)
{
	struct parsed p = PARSE(TCPHDR_ACK, true, none, 2, 4, 0x05, 0xb4, 4, 2, 3, 3, 7, 1, 1, 0);

	(void)state;
	assert_int_equal(p.opt.mss_clamp, 0);
	assert_int_equal(p.opt.sack_ok, 0);
	assert_int_equal(p.opt.wscale_ok, 0);
}

static void lengths_that_lie(void **state)
{
	(void)state;
	/* 0 and 1 would make no progress; 255 and a byte too many leave the header; the last byte has no length. */
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 3, 0, 7, 0, 2, 4, 5, 0xb4).opt.mss_clamp, 0);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 3, 1, 7, 0, 2, 4, 5, 0xb4).opt.mss_clamp, 0);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 3, 255, 7, 0, 2, 4, 5, 0xb4).opt.mss_clamp, 0);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 1, 2, 4, 5).opt.mss_clamp, 0);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 1, 1, 1, 2).opt.mss_clamp, 0);
	/* What came before the lie stays. */
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 2, 4, 0x05, 0xb4, 8, 255, 0, 0).opt.mss_clamp, 1460);
	/* A known kind with a wrong length is passed over, an unknown kind too; the end of the list ends it. */
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 2, 3, 5, 2, 4, 0x05, 0xb4, 0).opt.mss_clamp, 1460);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 77, 4, 1, 1, 2, 4, 0x05, 0xb4).opt.mss_clamp, 1460);
	assert_int_equal(PARSE(TCPHDR_SYN, false, none, 0, 0, 0, 0, 2, 4, 0x05, 0xb4).opt.mss_clamp, 0);
}

static void sack_blocks(void **state)
{
	struct parsed p = PARSE(TCPHDR_ACK, true, agreed, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2);

	(void)state;
	assert_int_equal(p.sacked, sizeof(struct tcphdr) + 2);
	/* No block, half a block, not agreed on. */
	assert_int_equal(PARSE(TCPHDR_ACK, true, agreed, 5, 2, 1, 1).sacked, 0);
	assert_int_equal(PARSE(TCPHDR_ACK, true, agreed, 5, 6, 0, 0, 0, 1, 1, 1).sacked, 0);
	assert_int_equal(PARSE(TCPHDR_ACK, true, none, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2).sacked, 0);
}

/* Every length with random bytes, among them many plausible kinds and lengths. */
static void random_headers(void **state)
{
	uint64_t x = 2463534242u;
	uint8_t buf[40];

	(void)state;
	for (int i = 0; i < 300000; i++) {
		unsigned n = (unsigned)i % 11 * 4;
		for (unsigned j = 0; j < n; j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buf[j] = (uint8_t)(x & 1 ? x >> 8 : (x >> 8) % 12);
		}
		struct parsed p = parse(buf, n, (uint8_t)(x >> 20), x >> 30 & 1, x >> 31 & 1 ? agreed : none);
		if (p.sacked)
			assert_true(p.sacked >= sizeof(struct tcphdr) && p.sacked + 10u <= sizeof(struct tcphdr) + n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_of_linux), cmocka_unit_test(values_out_of_range), cmocka_unit_test(syn_options_count_only_in_a_syn),
		cmocka_unit_test(lengths_that_lie), cmocka_unit_test(sack_blocks), cmocka_unit_test(random_headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
