/* SPDX-License-Identifier: MIT */
/* test_copies.c - M, the account of copies: how many payload bytes were copied where, over whole transfers. */
#include "core/net.h"
#include "sim.h"
#include "test.h"

enum { BYTES = 4 << 20 };

static void transfer(const struct xmit_vnic_config *link, struct copy_account *sender, struct copy_account *receiver)
{
	struct sim s;
	struct sim_flow f;

	sim_init_pair(&s, 3, link);
	sim_flow_start(&f, &s, 0, 1, 80, BYTES);
	assert_true(sim_run_until(&s, sim_flow_done, &f, 60 * SIM_SEC));
	assert_int_equal(f.error, 0);
	*sender = s.host[0]->copied;
	*receiver = s.host[1]->copied;
	sim_flow_close(&f);
	sim_exit(&s);
}

static void one_copy_each_way_with_scatter_gather(void **state)
{
	struct copy_account tx, rx;

	(void)state;
	transfer(NULL, &tx, &rx);
	assert_int_equal(tx.user_to_skb, BYTES);
	assert_int_equal(tx.linearize, 0);
	assert_int_equal(tx.gso, 0);
	assert_int_equal(tx.fragment, 0);
	assert_int_equal(tx.collapse, 0);
	assert_int_equal(rx.skb_to_user, BYTES);
	assert_int_equal(rx.collapse, 0);
}

static void software_gso_copies_no_payload(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO};
	struct copy_account tx, rx;

	(void)state;
	transfer(&link, &tx, &rx);
	assert_int_equal(tx.user_to_skb, BYTES);
	assert_int_equal(tx.gso, 0);
	assert_int_equal(tx.linearize, 0);
	assert_int_equal(rx.skb_to_user, BYTES);
}

static void a_plain_device_copies_once_too(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link), .features = XMIT_VNIC_NO_OFFLOAD};
	struct copy_account tx, rx;

	(void)state;
	transfer(&link, &tx, &rx);
	assert_int_equal(tx.user_to_skb, BYTES);
	/* Without scatter-gather the payload is linear from the start, so nothing is left to linearise. */
	assert_int_equal(tx.linearize, 0);
	assert_int_equal(tx.gso, 0);
	assert_int_equal(rx.skb_to_user, BYTES);
}

static void ip_fragments_are_counted(void **state)
{
	struct xmit_vnic_config link = {.size = sizeof(link)};
	struct sim s;
	static char out[8000], in[8000];
	struct sockaddr_in a = sim_addr(1, 53);

	(void)state;
	sim_init_pair(&s, 4, &link);
	int u = xmit_socket(s.host[0], AF_INET, SOCK_DGRAM, 0), v = xmit_socket(s.host[1], AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(xmit_bind(s.host[1], v, (struct sockaddr *)&a, sizeof(a)), 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7);
	assert_int_equal(xmit_sendto(s.host[0], u, out, sizeof(out), 0, (struct sockaddr *)&a, sizeof(a)), (int)sizeof(out));
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_recv(s.host[1], v, in, sizeof(in), MSG_DONTWAIT), (int)sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(xmit_counter(s.host[0], "IpFragCreates", NULL), 6);
	assert_int_equal(xmit_counter(s.host[1], "IpReasmOKs", NULL), 1);
	assert_int_equal(s.host[0]->copied.user_to_skb, sizeof(out));
	sim_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_copy_each_way_with_scatter_gather),
		cmocka_unit_test(software_gso_copies_no_payload),
		cmocka_unit_test(a_plain_device_copies_once_too),
		cmocka_unit_test(ip_fragments_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
