/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tcp_options.c - the options of a SYN, of a SYN-ACK and of segments of an established connection.
 *
 * Input:	mode, then records of { flags, what, payload, option length, options }
 * mode		bits 0 and 1: who the first record speaks to: 0 a listener (its SYN), 1 a connect() (its SYN-ACK), 2 and 3 an established connection;
 *		bit 2: a connection with timestamps and SACK; bit 3: its options are negotiated by the fuzzed SYN itself
 * flags	TCP flags of the segment
 * what		bits 0 to 2: payload in steps of 200 bytes; 3 to 5: time; bit 6: the sequence number is ahead by the payload byte (a hole);
 *		bit 7: the program writes 9,000 bytes first
 * The header's length always covers the options, padded by zeros; where a timestamp is echoed is left to the input.
 */
#include "fuzz.h"

const char fuzz_name[] = "tcp_options";

enum { LISTENER, OPENING, ESTABLISHED, STAGES = 4, MODE_OPTIONS = 4, MODE_OWN_SYN = 8 };

static unsigned read_options(struct fuzz_input *in, uint8_t *options)
{
	unsigned n = fuzz_u8(in) % 41;

	memset(options, 0, 40);
	fuzz_bytes(in, options, n);
	return (n + 3) & ~3u;
}

/* A timestamp or SACK option is read as a distance from what the connection would say, else hardly one would be accepted. */
static void mend_options(const struct wire_tcp *t, uint8_t *o, unsigned n)
{
	for (unsigned at = 0; at + 1 < n && o[at];) {
		if (o[at] == 1) {
			at++;
			continue;
		}
		if (o[at + 1] < 2 || at + o[at + 1] > n)
			return;
		if (o[at] == 8 && o[at + 1] == 10) {
			wire_put32(o + at + 2, t->ts_val + wire_get32(o + at + 2));
			wire_put32(o + at + 6, t->ts_ecr + wire_get32(o + at + 6));
		}
		if (o[at] == 5)
			for (unsigned b = at + 2; b + 4 <= at + o[at + 1]; b += 4)
				wire_put32(o + b, t->acked + wire_get32(o + b));
		at += o[at + 1];
	}
}

static void send_segment(struct wire_peer *p, struct wire_tcp *t, struct fuzz_input *in)
{
	static uint8_t f[2048], bytes[9000];
	uint8_t options[40], flags = fuzz_u8(in), what = fuzz_u8(in), ahead = fuzz_u8(in);
	unsigned n = read_options(in, options);
	size_t payload = (what & 7) * 200u;
	struct wire_tcp said = *t;

	mend_options(t, options, n);
	if (what & 0x80)
		xmit_send(p->net, t == &p->conn ? p->conn_fd : p->opening_fd, bytes, sizeof(bytes), 0);
	if (what & 0x40)
		said.snd_nxt += ahead;
	if (!(flags & WIRE_SYN) && (ahead & 1)) /* acknowledges only what was acknowledged: what follows is about SACK */
		said.rcv_nxt = t->acked ? t->acked : t->rcv_nxt;
	wire_input(p, f, wire_tcp(p, f, &said, flags, options, n, payload));
	if (!(what & 0x40))
		t->snd_nxt += (uint32_t)payload + !!(flags & WIRE_SYN) + !!(flags & WIRE_FIN);
	if (fuzz_time(what >> 3))
		wire_run(p, fuzz_time(what >> 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t usual[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x13, 0x88, 0, 0, 0, 0, 1, 3, 3, 7};
	static struct wire_peer p;
	struct fuzz_input in = {data, size};
	unsigned mode = fuzz_u8(&in), stage = mode % STAGES;
	struct wire_tcp *t = &p.conn;
	uint8_t own[40];

	wire_init(&p, 2, 0, 0);
	if (stage == LISTENER) {
		*t = (struct wire_tcp){.host_port = WIRE_TCP_PORT, .peer_port = 4000, .snd_nxt = 1000, .ts_val = 5000};
	} else if (stage == OPENING) {
		wire_open(&p, 9);
		t = &p.opening;
	} else if (mode & MODE_OWN_SYN) {
		unsigned n = read_options(&in, own);
		wire_establish(&p, 4000, own, n);
	} else {
		wire_establish(&p, 4000, usual, mode & MODE_OPTIONS ? sizeof(usual) : 4);
	}
	while (in.left) {
		send_segment(&p, t, &in);
		if (p.conn_fd < 0)
			p.conn_fd = xmit_accept4(p.net, p.listen_fd, NULL, NULL, SOCK_NONBLOCK);
	}
	wire_run(&p, 3 * SIM_SEC);
	wire_exit(&p);
	return 0;
}
