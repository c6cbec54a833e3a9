/* SPDX-License-Identifier: MIT */
/* IP options: where a fault is said to be, recording, fragments, source routes of the user's, and bytes at random. */
#include "ip/ip_internal.h"
#include "test.h"
#include "test_net.h"
#include <errno.h>

static unsigned check(const void *opts, unsigned len)
{
	uint8_t copy[IP_OPTIONS_MAX];
	struct ip_options_pos pos;

	memcpy(copy, opts, len);
	return ip_options_check(copy, len, false, &pos);
}
#define FAULT(expected, ...) \
	do { \
		const uint8_t o[] = {__VA_ARGS__}; \
		assert_int_equal(check(o, sizeof(o)), expected); \
	} while (0)

static void faults(void **state)
{
	(void)state;
	FAULT(0, IPOPT_NOP, IPOPT_NOP, IPOPT_NOP, IPOPT_EOL);
	FAULT(0, IPOPT_EOL, 1, 2, 3);
	FAULT(0, 99, 4, 0, 0);                   /* unknown: passed over */
	FAULT(1, 99, 0, 0, 0);                   /* length 0, 1, beyond the end */
	FAULT(1, 99, 1, 0, 0);
	FAULT(1, 99, 255, 0, 0);
	FAULT(4, IPOPT_NOP, IPOPT_NOP, IPOPT_NOP, 99);
	FAULT(0, IPOPT_RR, 7, 4, 0, 0, 0, 0, 0);
	FAULT(0, IPOPT_RR, 7, 8, 0, 0, 0, 0, 0); /* full */
	FAULT(2, IPOPT_RR, 2, IPOPT_EOL, 0);
	FAULT(3, IPOPT_RR, 7, 3, 0, 0, 0, 0, 0);
	FAULT(3, IPOPT_RR, 7, 5, 0, 0, 0, 0, 0); /* room for three bytes only */
	FAULT(9, IPOPT_RR, 7, 4, 0, 0, 0, 0, IPOPT_NOP, IPOPT_RR, 7, 4, 0);
	FAULT(0, IPOPT_TS, 8, 5, 0, 0, 0, 0, 0);
	FAULT(3, IPOPT_TS, 8, 4, 0, 0, 0, 0, 0);
	FAULT(3, IPOPT_TS, 8, 5, 1, 0, 0, 0, 0); /* address and time do not fit */
	FAULT(4, IPOPT_TS, 8, 5, 2, 0, 0, 0, 0); /* no such flag */
	FAULT(4, IPOPT_TS, 8, 9, 0xf0, 0, 0, 0, 0); /* overflow is at its end */
	FAULT(3, IPOPT_LSRR, 7, 3, 0, 0, 0, 0, 0);
	FAULT(2, IPOPT_RTRALERT, 3, 0, 0);
}

static uint64_t realtime(void *ctx)
{
	(void)ctx;
	return (UINT64_C(86400) * 3 + 61) * NSEC_PER_SEC; /* a minute and a second after midnight */
}

static void recording(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	uint8_t o[] = {IPOPT_RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, IPOPT_NOP, IPOPT_TS, 8, 5, 0, 0, 0, 0, 0};
	const be32 addr = CPU_TO_BE32(0xc0000201), second = CPU_TO_BE32(0xc0000202);
	struct ip_options_pos pos;

	(void)state;
	tn->net.env.realtime_ns = realtime;
	assert_int_equal(ip_options_check(o, sizeof(o), false, &pos), 0);
	assert_int_equal(pos.rr, 0);
	assert_int_equal(pos.ts, 12);
	assert_int_equal(pos.srr, IPOPT_ABSENT);
	assert_true(ip_options_record(&tn->net, o, &pos, addr));
	assert_memory_equal(o + 3, &addr, 4);
	assert_int_equal(o[2], 8);
	assert_int_equal(get_be32(o + 16), 61000);
	assert_int_equal(o[14], 9);
	assert_true(ip_options_record(&tn->net, o, &pos, second));
	assert_memory_equal(o + 7, &second, 4);
	assert_int_equal(o[2], 12);
	assert_int_equal(o[15] >> 4, 1); /* one timestamp too many */
	assert_true(ip_options_record(&tn->net, o, &pos, addr));
	assert_int_equal(o[2], 12);      /* full: stays as it is */
	assert_memory_equal(o + 7, &second, 4);
	test_net_free(tn);
}

static void in_fragments(void **state)
{
	struct {
		struct iphdr iph;
		uint8_t o[12];
	} h = {.iph = {.version = 4, .ihl = 8}, .o = {IPOPT_RR, 7, 4, 0, 0, 0, 0, IPOPT_RTRALERT, 4, 0, 0, IPOPT_EOL}};

	(void)state;
	ip_options_fragment(&h.iph);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(h.o[i], IPOPT_NOP);
	assert_int_equal(h.o[7], IPOPT_RTRALERT); /* has the copied flag */
}

static void source_route(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	const uint8_t user[] = {IPOPT_NOP, IPOPT_LSRR, 11, 4, 192, 0, 2, 1, 192, 0, 2, 2}, bad[] = {IPOPT_LSRR, 7, 8, 1, 2, 3, 4};
	const be32 first = CPU_TO_BE32(0xc0000201), second = CPU_TO_BE32(0xc0000202), dest = CPU_TO_BE32(0xc6336401);
	struct ip_options_data *opt;
	uint8_t back[IP_OPTIONS_MAX];
	struct {
		struct iphdr iph;
		uint8_t o[40];
	} h = {.iph = {.version = 4, .ihl = 5}};

	(void)state;
	assert_int_equal(ip_options_get(&tn->net, bad, sizeof(bad), &opt), -EINVAL);
	assert_int_equal(ip_options_get(&tn->net, user, 41, &opt), -EINVAL);
	assert_int_equal(ip_options_get(&tn->net, NULL, 0, &opt), 0);
	assert_null(opt);
	mem_fail_nth(&tn->net, 1);
	assert_int_equal(ip_options_get(&tn->net, user, sizeof(user), &opt), -ENOMEM);
	assert_int_equal(ip_options_get(&tn->net, user, sizeof(user), &opt), 0);
	assert_int_equal(opt->faddr, first);
	assert_int_equal(opt->optlen, 12);
	assert_int_equal(ip_options_undo(opt, back), 12);
	assert_memory_equal(back, user, sizeof(user));
	ip_options_build(&tn->net, &h.iph, opt, dest, first);
	assert_int_equal(h.iph.ihl, 8);
	assert_memory_equal(h.o + 4, &second, 4);
	assert_memory_equal(h.o + 8, &dest, 4); /* the destination comes last */
	net_free(&tn->net, opt);
	test_net_free(tn);
}

/* Whatever the bytes are: no access beyond them (sanitizers look), and what passes can be recorded into and cut. */
static void random_bytes(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	static const uint8_t kinds[] = {IPOPT_EOL, IPOPT_NOP, IPOPT_RR, IPOPT_TS, IPOPT_LSRR, IPOPT_SSRR, IPOPT_RTRALERT, 134};
	uint64_t rnd = 5;

	(void)state;
	tn->net.env.realtime_ns = realtime;
	for (unsigned i = 0; i < 200000; i++) {
		unsigned len = (unsigned)(test_random(&rnd) % 11) * 4;
		uint8_t *o = malloc(len ? len : 1); /* exactly as long, so that a byte beyond is found */
		struct ip_options_pos pos;

		for (unsigned j = 0; j < len; j++)
			o[j] = (uint8_t)(test_random(&rnd) % 3 ? test_random(&rnd) % 12 : kinds[test_random(&rnd) % sizeof(kinds)]);
		unsigned fault = ip_options_check(o, len, false, &pos);
		assert_true(fault <= len);
		if (!fault && (pos.ts == IPOPT_ABSENT || (o[pos.ts + 3] & 0xf) != 3))
			ip_options_record(&tn->net, o, &pos, CPU_TO_BE32(0xc0000201));
		free(o);
	}
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(recording),
		cmocka_unit_test(in_fragments),
		cmocka_unit_test(source_route),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
