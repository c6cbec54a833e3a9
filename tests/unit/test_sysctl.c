/* SPDX-License-Identifier: MIT */
/* Settings: reading, writing, ranges, vectors, strings, undoing, and what is said when something is wrong. */
#include "test.h"
#include "test_net.h"
#include "xmit/control.h"
#include <errno.h>

struct settings {
	int32_t sack, mem[3];
	uint32_t lowat;
	uint64_t big[3];
	char cc[16];
};

static int refuse_seven(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)net;
	(void)e;
	return strcmp(text, "7") ? 0 : -EINVAL;
}

static int known_algorithm(struct net *net, const struct sysctl_entry *e, const char *text)
{
	(void)net;
	(void)e;
	return strcmp(text, "cubic") && strcmp(text, "reno") ? -ENOENT : 0;
}

static int show_custom(struct net *net, const struct sysctl_entry *e, char *buf, size_t n)
{
	(void)net;
	(void)e;
	return snprintf(buf, n, "custom value");
}

static const struct sysctl_entry table[] = {
	{"net.ipv4.tcp_sack", SYSCTL_INT, offsetof(struct settings, sack), 1, 0, 10, refuse_seven, NULL},
	{"net.ipv4.tcp_rmem", SYSCTL_INT_VEC, offsetof(struct settings, mem), 3, 1, INT32_MAX, NULL, NULL},
	{"net.ipv4.tcp_notsent_lowat", SYSCTL_INT, offsetof(struct settings, lowat), 1, 0, UINT32_MAX, NULL, NULL},
	{"net.ipv4.tcp_mem", SYSCTL_ULONG_VEC, offsetof(struct settings, big), 3, 0, INT64_MAX, NULL, NULL},
	{"net.ipv4.tcp_congestion_control", SYSCTL_STRING, offsetof(struct settings, cc), 16, 0, 0, known_algorithm, NULL},
};
static const struct sysctl_entry more[] = {
	{"net.core.custom", SYSCTL_CUSTOM, 0, 0, 0, 0, NULL, show_custom},
};

static struct test_net *start(struct settings *s)
{
	struct test_net *tn = test_net_new(0, 1);

	*s = (struct settings){.sack = 1, .mem = {4096, 131072, 6291456}, .big = {1, 2, 3}, .cc = "cubic"};
	assert_int_equal(sysctl_register(&tn->net, s, table, ARRAY_SIZE(table)), 0);
	assert_int_equal(sysctl_register(&tn->net, NULL, more, ARRAY_SIZE(more)), 0);
	return tn;
}

static void reads_and_writes(void **state)
{
	struct settings s;
	struct test_net *tn = start(&s);
	struct net *net = &tn->net;
	char buf[100];

	(void)state;
	assert_int_equal(xmit_sysctl_get(net, "net.ipv4.tcp_rmem", buf, sizeof(buf)), 19);
	assert_string_equal(buf, "4096\t131072\t6291456");
	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.tcp_rmem", " 5000  0x2000\t9000 \n", NULL, 0), 0);
	assert_int_equal(s.mem[0], 5000);
	assert_int_equal(s.mem[1], 0x2000);
	assert_int_equal(s.mem[2], 9000);
	assert_int_equal(sysctl_set(net, "net/ipv4/tcp_rmem", "6000", NULL, 0), 0); /* the first only, as Linux */
	assert_int_equal(s.mem[0], 6000);
	assert_int_equal(s.mem[1], 0x2000);
	/* As Linux: nothing changes nothing, what follows the last number is not looked at, what precedes a wrong one stays. */
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_rmem", "", NULL, 0), 0);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_rmem", "6001 6002 6003 x", NULL, 0), 0);
	assert_int_equal(s.mem[2], 6003);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_rmem", "6004 0 6005", NULL, 0), -EINVAL);
	assert_int_equal(s.mem[0], 6004);
	assert_int_equal(s.mem[1], 6002);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_sack", "1 1", NULL, 0), 0);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_mem", "1 2 9223372036854775807", NULL, 0), 0);
	assert_true(s.big[2] == INT64_MAX);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_notsent_lowat", "4294967295", NULL, 0), 0); /* an unsigned one */
	assert_true(s.lowat == UINT32_MAX);
	sysctl_get(net, "net.ipv4.tcp_notsent_lowat", buf, sizeof(buf));
	assert_string_equal(buf, "4294967295");
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_notsent_lowat", "-1", NULL, 0), -EINVAL);
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_congestion_control", "reno\n", NULL, 0), 0);
	assert_string_equal(s.cc, "reno");
	assert_int_equal(sysctl_get(net, "net.core.custom", buf, sizeof(buf)), 12);
	assert_string_equal(buf, "custom value");
	assert_int_equal(sysctl_get(net, "net.ipv4.tcp_sack", buf, 1), 1); /* as snprintf */
	assert_string_equal(buf, "");
	test_net_free(tn);
}

static void expect_refusal(struct net *net, const char *name, const char *value, int err, const char *want)
{
	char why[200] = "";

	assert_int_equal(sysctl_set(net, name, value, why, sizeof(why)), err);
	assert_string_equal(why, want);
}

static void refusals_say_what_would_be_right(void **state)
{
	struct settings s;
	struct test_net *tn = start(&s);
	struct net *net = &tn->net;
	char why[200];

	(void)state;
	expect_refusal(net, "net.ipv4.tcp_sack", "x", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not 'x'");
	expect_refusal(net, "net.ipv4.tcp_sack", "11", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not '11'");
	expect_refusal(net, "net.ipv4.tcp_sack", "-1", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not '-1'");
	expect_refusal(net, "net.ipv4.tcp_sack", "\n", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not '\n'");
	expect_refusal(net, "net.ipv4.tcp_sack", "+1", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not '+1'");
	expect_refusal(net, "net.ipv4.tcp_sack", "1x", -EINVAL, "net.ipv4.tcp_sack takes 0 to 10, not '1x'");
	expect_refusal(net, "net.ipv4.tcp_sack", "99999999999999999999", -EINVAL,
		       "net.ipv4.tcp_sack takes 0 to 10, not '99999999999999999999'");
	expect_refusal(net, "net.ipv4.tcp_rmem", "4096 0 3", -EINVAL,
		       "net.ipv4.tcp_rmem takes 3 numbers of 1 to 2147483647, not '4096 0 3'");
	expect_refusal(net, "net.ipv4.tcp_sakc", "1", -ENOENT,
		       "there is no setting 'net.ipv4.tcp_sakc'; the nearest is net.ipv4.tcp_sack");
	expect_refusal(net, "net.ipv4.tcp_congestion_control", "vegas", -ENOENT,
		       "net.ipv4.tcp_congestion_control does not take 'vegas' (a known name of at most 15 bytes is wanted)");
	expect_refusal(net, "net.core.custom", "1", -EACCES, "net.core.custom can only be read");
	assert_string_equal(s.cc, "cubic");
	assert_int_equal(sysctl_set(net, "net.ipv4.tcp_sack", "7", why, sizeof(why)), -EINVAL); /* undone */
	assert_int_equal(s.sack, 1);
	assert_int_equal(s.mem[0], 4096);
	assert_int_equal(sysctl_get(net, "nothing", why, sizeof(why)), -ENOENT);
	assert_int_equal(xmit_sysctl_set(net, "nothing", "1", why, 5), -1);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(why, "ther");
	memset(why, 'n', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	assert_int_equal(sysctl_set(net, why, "1", NULL, 0), -ENOENT);
	test_net_free(tn);
}

static char visited[300];
static void visit(void *ctx, const char *name, const char *value)
{
	(void)ctx;
	snprintf(visited + strlen(visited), sizeof(visited) - strlen(visited), "%s=%s;", name, value);
}

static void listed_in_order_of_name(void **state)
{
	struct settings s;
	struct test_net *tn = start(&s);

	(void)state;
	visited[0] = '\0';
	sysctl_for_each(&tn->net, visit, NULL);
	assert_string_equal(visited, "net.core.custom=custom value;net.ipv4.tcp_congestion_control=cubic;net.ipv4.tcp_mem=1\t2\t3;net.ipv4.tcp_notsent_lowat=0;"
				     "net.ipv4.tcp_rmem=4096\t131072\t6291456;net.ipv4.tcp_sack=1;");
	test_net_free(tn);
}

static void registration_without_memory(void **state)
{
	struct settings s;
	struct test_net *tn = start(&s);
	char buf[10];

	(void)state;
	mem_fail_nth(&tn->net, 1);
	assert_int_equal(sysctl_register(&tn->net, &s, more, 1), -ENOMEM);
	assert_int_equal(sysctl_get(&tn->net, "net.ipv4.tcp_sack", buf, sizeof(buf)), 1);
	test_net_free(tn);
}

static void counters_by_name(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;
	bool known;

	(void)state;
	NET_INC_STATS(net, IpInReceives);
	NET_ADD_STATS(net, TCPTimeouts, 5);
	net->trace.drops[SKB_DROP_REASON_NO_SOCKET] = 3;
	assert_int_equal(xmit_counter(net, "IpInReceives", &known), 1);
	assert_true(known);
	assert_int_equal(xmit_counter(net, "TcpExtTCPTimeouts", NULL), 5);
	assert_int_equal(xmit_counter(net, "TcpExtSyncookiesSent", &known), 0);
	assert_true(known);
	assert_int_equal(xmit_counter(net, "TcpRetransSegs", &known), 0);
	assert_true(known);
	assert_int_equal(xmit_counter(net, "TCPTimeouts", &known), 0);
	assert_false(known);
	assert_int_equal(xmit_drops(net, "NO_SOCKET"), 3);
	assert_int_equal(xmit_drops(net, "NOTHING"), 0);
	assert_null(snmp_counter_name(MIB_MAX));

	FILE *f = tmpfile();
	char line[200];
	assert_non_null(f);
	xmit_print_stats(net, f);
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "IpInReceives                    1               \n");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "TcpExtTCPTimeouts               5               \n");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "drop:NO_SOCKET                  3               no socket found for the packet\n");
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refusals_say_what_would_be_right),
		cmocka_unit_test(listed_in_order_of_name),
		cmocka_unit_test(registration_without_memory),
		cmocka_unit_test(counters_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
