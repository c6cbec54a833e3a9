/* SPDX-License-Identifier: MIT */
/*
 * test_offload.c - the short ways of bulk data and the long ones have the same outcome (T5, D2).
 *
 * Down: super-segments cut by the driver (dev/tso.c) put the same frames on the wire as those cut by the stack (dev/gso.c).  Up: whatever one bit of a
 * segment's headers says, a frame without an skb, an skb with a fragment, and a linear skb, which only the long way takes, come up alike.
 */
#include "sim.h"
#include "test.h"
#include "core/sock.h"
#include "dev/gro.h"
#include "dev/netdev_internal.h"
#include "wire/tcp.h"

/* --- down ----------------------------------------------------------------------------------------------------------- */

enum { FRAMES_MOST = 20000 };

struct wire_log {
	uint64_t allocs; /* that the sender made */
	unsigned n;
	uint64_t hash[FRAMES_MOST];
};

static bool log_frame(void *ctx, int end, uint64_t ordinal, const struct iovec *iov, int n)
{
	struct wire_log *log = ctx;
	uint64_t h = UINT64_C(1469598103934665603) ^ (uint64_t)end; /* FNV-1a */

	(void)ordinal;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++)
			h = (h ^ ((const uint8_t *)iov[i].iov_base)[k]) * UINT64_C(1099511628211);
	assert_true(log->n < FRAMES_MOST);
	log->hash[log->n++] = h;
	return false;
}

static void ignore_frame(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns)
{
	(void)ctx, (void)iov, (void)n, (void)out, (void)time_ns;
}

/* A megabyte and some from host 0 to host 1; with a tap at host 0 nobody but the stack cuts. */
static void send_logged(struct wire_log *log, uint32_t features, unsigned mtu, unsigned ring, bool tapped)
{
	struct xmit_vnic_config link = {
		.size = sizeof(link), .features = features, .mtu = mtu, .ring_size = ring, .delay_ns = 1000000, .lose = log_frame, .ctx = log,
	};
	struct sim s;
	struct sim_flow flow = {0};
	struct mem_stats mem;

	log->n = 0;
	sim_init_pair(&s, 7, &link);
	if (tapped)
		assert_int_equal(xmit_dev_tap(xmit_dev_by_name(s.host[0], "eth0"), ignore_frame, NULL), 0);
	sim_flow_start(&flow, &s, 0, 1, 80, 1234567);
	assert_true(sim_run_until(&s, sim_flow_done, &flow, 60 * NSEC_PER_SEC));
	sim_flow_close(&flow);
	mem_stats(s.host[0], &mem);
	log->allocs = mem.allocs;
	sim_exit(&s);
}

static void compare_ways(uint32_t features, unsigned mtu, unsigned ring)
{
	static struct wire_log driver, stack;

	send_logged(&driver, features, mtu, ring, false);
	send_logged(&stack, features, mtu, ring, true);
	assert_int_equal(driver.n, stack.n);
	assert_memory_equal(driver.hash, stack.hash, driver.n * sizeof(driver.hash[0]));
	assert_true(driver.allocs + 1234567 / mtu < stack.allocs); /* no skb for a frame: it really was the other way */
}

static void driver_and_stack_cut_alike(void **state)
{
	const uint32_t sums = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO;

	(void)state;
	compare_ways(sums, 1500, 256);
	compare_ways(XMIT_F_SG, 1500, 256);
	compare_ways(sums, 9000, 256);
	compare_ways(XMIT_F_SG, 576, 1024);
	compare_ways(XMIT_F_SG, 1501, 4096); /* an odd MSS: payload begins at odd offsets of its pieces */
}

/* --- up ------------------------------------------------------------------------------------------------------------- */

enum { LINK = 14, IP = 20, TCP = 32, HEADERS = LINK + IP + TCP, PAYLOAD = 1448, FRAME = HEADERS + PAYLOAD, SEGMENTS = 4, FLIPPED = 2 };
enum way { AS_FRAME, WITH_FRAG, LINEAR, WAYS };

/* What came up to the network protocols. */
struct arrival {
	unsigned n;
	struct {
		uint32_t len;
		uint16_t gso_size, gso_segs;
		bool good;      /* the checksum need not be looked at any more */
		uint64_t hash;  /* of all bytes but the TCP checksum of merged ones, which is partial */
	} packet[SEGMENTS + 1];
};
static struct arrival arrival;

static int record(struct sk_buff *skb, struct net_device *dev)
{
	uint64_t h = UINT64_C(1469598103934665603);
	unsigned i = arrival.n++;

	(void)dev;
	assert_true(i <= SEGMENTS);
	arrival.packet[i].len = skb->len;
	arrival.packet[i].gso_size = skb_shinfo(skb)->gso_size;
	arrival.packet[i].gso_segs = skb_shinfo(skb)->gso_segs;
	arrival.packet[i].good = skb_csum_vouched(skb);
	for (unsigned at = 0; at < skb->len; at++) {
		uint8_t b;
		assert_int_equal(skb_copy_bits(skb, at, &b, 1), 0);
		h = (h ^ b) * UINT64_C(1099511628211);
	}
	arrival.packet[i].hash = h;
	skb_consume(skb);
	return 0;
}

/* Segment i of a flow to host 1, with its checksums. */
static void build(uint8_t *f, const struct net_device *dev, unsigned i)
{
	uint8_t *ip = f + LINK, *tcp = ip + IP;
	uint16_t sum;
	be32 saddr, daddr;

	memset(f, 0, HEADERS);
	memcpy(f, dev->dev_addr, 6);
	memcpy(f + 6, "\x02\0\0\0\0\x07", 6);
	put_be16(f + 12, ETH_P_IP);
	ip[0] = 0x45;
	put_be16(ip + 2, IP + TCP + PAYLOAD);
	put_be16(ip + 4, (uint16_t)(100 + i));
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, "\xc0\0\2\1\xc0\0\2\2", 8);
	sum = ip_fast_csum(ip, 5);
	memcpy(ip + 10, &sum, 2);
	put_be16(tcp, 1000);
	put_be16(tcp + 2, 80);
	put_be32(tcp + 4, UINT32_MAX - PAYLOAD + i * PAYLOAD); /* across the wrap */
	put_be32(tcp + 8, 77777);
	tcp[12] = (TCP / 4) << 4;
	tcp[13] = TCPHDR_ACK;
	put_be16(tcp + 14, 500);
	memcpy(tcp + 20, "\1\1\x08\x0a\0\0\x12\x34\0\0\x56\x78", 12);
	for (unsigned k = 0; k < PAYLOAD; k++)
		tcp[TCP + k] = (uint8_t)(i * 31 + k * 7 + (k >> 8));
	memcpy(&saddr, ip + 12, 4);
	memcpy(&daddr, ip + 16, 4);
	sum = csum_tcpudp_magic(saddr, daddr, TCP + PAYLOAD, IPPROTO_TCP, csum_partial(tcp, TCP + PAYLOAD, 0));
	memcpy(tcp + 16, &sum, 2);
}

static void receive(struct net_device *dev, uint8_t *f, enum way way, const struct xmit_offload *o)
{
	const struct iovec iov[2] = {{f, HEADERS}, {f + HEADERS, PAYLOAD}};
	struct xmit_rx_frame frame;
	struct sk_buff *skb;

	if (way == AS_FRAME) {
		assert_true(xmit_rx_frame_gather(dev, &frame, iov, 2, o));
		xmit_rx_frame_receive(dev, 0, &frame);
		return;
	}
	if (way == WITH_FRAG) {
		skb = xmit_skb_rx_gather(dev, iov, 2);
		assert_non_null(skb);
	} else {
		skb = alloc_skb(dev->net, 66, FRAME, 0);
		assert_non_null(skb);
		memcpy(skb_put(skb, FRAME), f, FRAME);
		skb->dev = dev;
	}
	xmit_skb_set_offload(skb, o);
	xmit_dev_receive(dev, 0, skb);
}

/* SEGMENTS in a row, bit `bit` of the headers of one turned (none: HEADERS * 8), all in one poll. */
static struct arrival receive_run(struct net_device *dev, enum way way, unsigned bit, bool vouched)
{
	const struct xmit_offload o = {.csum_valid = vouched};
	uint8_t f[FRAME];

	arrival = (struct arrival){0};
	for (unsigned i = 0; i < SEGMENTS; i++) {
		build(f, dev, i);
		if (i == FLIPPED && bit < HEADERS * 8)
			f[bit / 8] ^= (uint8_t)(1u << bit % 8);
		receive(dev, f, way, &o);
	}
	napi_gro_flush(&dev->napi[0]);
	return arrival;
}

static bool same_arrival(const struct arrival *a, const struct arrival *b)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++)
		if (a->packet[i].len != b->packet[i].len || a->packet[i].gso_size != b->packet[i].gso_size ||
		    a->packet[i].gso_segs != b->packet[i].gso_segs || a->packet[i].good != b->packet[i].good || a->packet[i].hash != b->packet[i].hash)
			return false;
	return a->n == b->n;
}

static void every_bit(bool vouched)
{
	static struct packet_type packets[] = {{.type = ETH_P_IP, .func = record}, {.type = ETH_P_IPV6, .func = record}};
	struct arrival want[WAYS];
	unsigned whole = 0;
	struct sim s;

	sim_init_pair(&s, 3, NULL);
	struct net_device *dev = dev_get_by_name(s.host[1], "eth0");
	list_init(&dev->net->netdev->ptype[ETH_P_IP % PTYPE_HASH_SIZE]); /* instead of the protocols */
	dev_add_pack(dev->net, &packets[0]);
	for (unsigned bit = 0; bit <= HEADERS * 8; bit++) {
		for (enum way way = 0; way < WAYS; way++)
			want[way] = receive_run(dev, way, bit, vouched);
		for (enum way way = 0; way < LINEAR; way++)
			if (!same_arrival(&want[way], &want[LINEAR]))
				fail_msg("bit %u of the headers (byte %u), way %d: %u packets, the long way %u", bit, bit / 8, (int)way, want[way].n, want[LINEAR].n);
		whole += want[LINEAR].n == 1;
	}
	/* Not to be compared by the short way nor the long one: MAC group bits, checksum, PSH ... but most bits end the run. */
	assert_in_range(whole, 1, HEADERS * 8 / 4);
	assert_int_equal(want[AS_FRAME].n, 1);
	assert_int_equal(want[AS_FRAME].packet[0].gso_segs, SEGMENTS);
	sim_exit(&s);
}

static void every_header_bit_counts(void **state) { (void)state; every_bit(true); }
static void every_header_bit_counts_and_is_summed(void **state) { (void)state; every_bit(false); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_and_stack_cut_alike),
		cmocka_unit_test(every_header_bit_counts),
		cmocka_unit_test(every_header_bit_counts_and_is_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
