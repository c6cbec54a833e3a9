/* SPDX-License-Identifier: MIT */
/* The ring, drop records, numbers of received packets, and the walk of one segment put together from records. */
#include "test.h"
#include "test_net.h"
#include "xmit/trace.h"
#include <errno.h>

static char text[20000];

/* What fn prints, as text. */
static int printed(struct net *net, int (*fn)(struct net *net, FILE *out))
{
	FILE *f = tmpfile();
	int result;

	assert_non_null(f);
	result = fn(net, f);
	rewind(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return result;
}

static int print_all(struct net *net, FILE *out)
{
	trace_print_all(net, out);
	return 0;
}

static uint32_t walk_from;
static int print_walk(struct net *net, FILE *out) { return xmit_trace_walk(net, 7, walk_from, out); }

static int walk_printed(struct net *net, uint32_t from)
{
	walk_from = from;
	return printed(net, print_walk);
}

static void lists_are_whole(void **state)
{
	(void)state;
	for (unsigned p = 0; p < TP_MAX; p++) {
		assert_non_null(trace_point_name(p));
		assert_non_null(trace_point_id(p));
		assert_true(strchr("DUCE", trace_point_direction(p)) != NULL);
	}
	assert_string_equal(trace_point_id(TP_tcp_transmit_skb), "T9");
	assert_int_equal(trace_point_direction(TP_tx_complete), 'C');
	for (unsigned r = 0; r < SKB_DROP_REASON_MAX; r++) {
		assert_true(strlen(skb_drop_reason_name((enum skb_drop_reason)r)) > 0);
		assert_true(strlen(skb_drop_reason_text((enum skb_drop_reason)r)) > 0);
	}
	assert_string_equal(skb_drop_reason_name(SKB_DROP_REASON_NO_SOCKET), "NO_SOCKET");
	assert_string_equal(skb_drop_reason_name(SKB_DROP_REASON_MAX), "UNKNOWN");
}

static void off_records_nothing(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	trace_record(net, TP_tcp_sendmsg, 1, 0, 1, 1, 0);
	assert_int_equal(net->trace.head, 0);
	assert_int_equal(xmit_trace_start(net, 7), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(xmit_trace_start(net, 23), -1);
	mem_fail_nth(net, 1);
	assert_int_equal(xmit_trace_start(net, 8), -1);
	assert_int_equal(errno, ENOMEM);
	assert_false(net->trace.on);
	assert_int_equal(walk_printed(net, 0), 0);
	printed(net, print_all);
	assert_string_equal(text, "");
	test_net_free(tn);
}

static void ring_keeps_the_newest(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	tn->clock_step_ns = 1;
	assert_int_equal(xmit_trace_start(net, 8), 0);
	for (unsigned i = 0; i < 300; i++)
		trace_record(net, TP_tcp_sendmsg, 5, i, i + 1, i, 0);
	assert_int_equal(net->trace.hits[TP_tcp_sendmsg], 300);
	xmit_trace_stop(net);
	trace_record(net, TP_tcp_sendmsg, 5, 0, 1, 0, 0);
	printed(net, print_all);
	assert_true(strstr(text, "(44 older records were overwritten)") == text);
	assert_true(strstr(text, " 44-45 T1   tcp_sendmsg 44\n") != NULL);
	assert_true(strstr(text, " 299-300 T1   tcp_sendmsg 299\n") != NULL);
	assert_true(strstr(text, " 43-44 ") == NULL);
	test_net_free(tn);
}

static uint64_t next;
static int print_from(struct net *net, FILE *out) { return (int)xmit_trace_print_from(net, &next, 100, out); }

static void a_reader_goes_on_where_it_stopped(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	next = 0;
	assert_int_equal(printed(net, print_from), 0); /* never started */
	assert_int_equal(xmit_trace_start(net, 8), 0);
	assert_int_equal(printed(net, print_from), 0);
	for (unsigned i = 0; i < 150; i++)
		trace_record(net, TP_tcp_sendmsg, 5, i, i + 1, i, 0);
	assert_int_equal(printed(net, print_from), 100);
	assert_true(strstr(text, " 0-1 T1   tcp_sendmsg 0\n") != NULL && strstr(text, " 99-100 ") != NULL && !strstr(text, " 100-101 "));
	assert_int_equal(printed(net, print_from), 50);
	assert_true(strstr(text, " 100-101 ") != NULL && strstr(text, " 149-150 ") != NULL && !strchr(text, '('));
	assert_int_equal(printed(net, print_from), 0);
	for (unsigned i = 150; i < 150 + 256 + 7; i++) /* seven more than are kept */
		trace_record(net, TP_tcp_sendmsg, 5, i, i + 1, i, 0);
	assert_int_equal(printed(net, print_from), 100);
	assert_true(strstr(text, "(7 older records were overwritten)\n") == text);
	assert_true(strstr(text, " 157-158 ") != NULL && !strstr(text, " 156-157 "));
	assert_int_equal(next, 257);
	next = UINT64_MAX;
	assert_int_equal(printed(net, print_from), 0);
	test_net_free(tn);
}

static void packets_get_numbers_and_drops_are_recorded(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;
	struct sk_buff *down, *up;

	(void)state;
	assert_int_equal(trace_start(net, 8), 0);
	down = alloc_skb(net, 0, 100, 0);
	up = alloc_skb(net, 0, 100, 0);
	skb_put(up, 60);
	trace_skb(down, TP_dev_queue_xmit);
	assert_int_equal(down->trace_rx_id, 0);
	trace_skb(up, TP_napi_gro_receive);
	trace_skb(up, TP_ip_rcv);
	assert_int_equal(up->trace_rx_id, 1);
	skb_drop(up, SKB_DROP_REASON_NO_SOCKET);
	skb_consume(down);
	printed(net, print_all);
	assert_true(strstr(text, "rx=1 0-0 I5   ip_rcv 60\n") != NULL);
	assert_true(strstr(text, "drop NO_SOCKET 60\n") != NULL);
	test_net_free(tn);
}

/* One segment [seq, end) of socket 7 from the user's call to its ACK; rx: number of the ACK's packet, 0: it never came. */
static void record_segment(struct net *net, uint32_t seq, uint32_t end, uint32_t rx)
{
	static const uint16_t down[] = {TP_vfs_write, TP_tcp_sendmsg, TP_tcp_write_xmit, TP_tcp_transmit_skb, TP_ip_queue_xmit,
					TP_dev_queue_xmit, TP_dev_hard_start_xmit, TP_tx_ring_post};

	for (unsigned i = 0; i < ARRAY_SIZE(down); i++) {
		trace_record(net, down[i], 7, seq, end, end - seq, 0);
		trace_record(net, down[i], 8, seq, end, end - seq, 0); /* another socket between */
	}
	trace_record(net, TP_tx_complete, 7, seq, end, end - seq + 66, 0);
	trace_record(net, TP_skb_destructor, 7, seq, end, end - seq + 66, 0);
	if (!rx)
		return;
	trace_record(net, TP_napi_gro_receive, 0, 0, 0, 66, rx);
	trace_record(net, TP_tcp_v4_rcv, 0, 0, 0, 32, rx);
	trace_record(net, TP_tcp_ack, 7, seq, end, 32, rx);
	trace_record(net, TP_tcp_clean_rtx_queue, 7, seq, end, end - seq, 0);
	trace_record(net, TP_napi_gro_receive, 0, 0, 0, 1000, rx + 1);
}

static unsigned position(const char *what)
{
	const char *p = strstr(text, what);

	if (!p)
		fail_msg("\"%s\" is missing in:\n%s", what, text);
	return (unsigned)(p - text);
}

static void walk_of_a_segment(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	tn->clock_step_ns = 1000;
	assert_int_equal(trace_start(net, 10), 0);
	record_segment(net, 0, 1000, 0);
	tn->clock_ns += 1000 * 1000;
	xmit_trace_outside(net, 7, 1000, 500, 1000 * 1000);
	record_segment(net, 1000, 1500, 41);
	assert_int_equal(walk_printed(net, 1000), 1 + 8 + 2 + 4);
	assert_int_equal(position("socket 7, bytes 1000 to 1500 of the stream (500 bytes)\n"), 0);
	assert_true(position("outside the stack") < position("vfs_write"));
	assert_true(position("down\n") < position("outside the stack"));
	assert_true(position("tcp_sendmsg") < position("tcp_transmit_skb"));
	assert_true(position("tx_ring_post") < position("completion\n"));
	assert_true(position("completion\n") < position("tx_complete"));
	assert_true(position("skb_destructor") < position("the ACK coming back\n"));
	assert_true(position("tcp_v4_rcv") < position("tcp_clean_rtx_queue"));
	position("       0.000       +0.000  -    outside the stack");
	test_net_free(tn);
}

static void unacknowledged_segments_are_passed_over(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	assert_int_equal(trace_start(net, 10), 0);
	record_segment(net, 0, 1000, 0);
	assert_int_equal(walk_printed(net, 0), 0);
	record_segment(net, 1000, 1500, 3); /* this ACK covers the first one too */
	record_segment(net, 1500, 2000, 9);
	assert_true(walk_printed(net, 0) > 0);
	position("bytes 0 to 1000 of");
	assert_true(walk_printed(net, 1001) > 0);
	position("bytes 1500 to 2000 of");
	test_net_free(tn);
}

static void software_segmentation_follows_one_piece(void **state)
{
	struct test_net *tn = test_net_new(0, 1);
	struct net *net = &tn->net;

	(void)state;
	assert_int_equal(trace_start(net, 10), 0);
	trace_record(net, TP_tcp_sendmsg, 7, 0, 3000, 3000, 0);
	trace_record(net, TP_tcp_transmit_skb, 7, 0, 3000, 3000, 0);
	trace_record(net, TP_skb_gso_segment, 7, 0, 3000, 3066, 0);
	for (uint32_t seq = 0; seq < 3000; seq += 1000)
		trace_record(net, TP_dev_hard_start_xmit, 7, seq, seq + 1000, 1066, 0);
	for (uint32_t seq = 0; seq < 3000; seq += 1000)
		trace_record(net, TP_tx_complete, 7, seq, seq + 1000, 1066, 0);
	trace_record(net, TP_tcp_ack, 7, 0, 3000, 32, 5);
	assert_int_equal(walk_printed(net, 0), 3 + 1 + 1 + 1);
	test_net_free(tn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_whole),
		cmocka_unit_test(off_records_nothing),
		cmocka_unit_test(ring_keeps_the_newest),
		cmocka_unit_test(a_reader_goes_on_where_it_stopped),
		cmocka_unit_test(packets_get_numbers_and_drops_are_recorded),
		cmocka_unit_test(walk_of_a_segment),
		cmocka_unit_test(unacknowledged_segments_are_passed_over),
		cmocka_unit_test(software_segmentation_follows_one_piece),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
