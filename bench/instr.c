/* SPDX-License-Identifier: MIT */
/*
 * instr.c - instructions per 1,460 bytes: two instances over a vnic pair in one process, to be run under callgrind.
 *
 *	instr tso_gro|gso|plain|linear MEGABYTES
 *
 * By what the device does: cuts super-segments and sums; sums only; takes scattered frames and nothing else (as a TAP without the virtio-net
 * header); not even that.  With the last three every frame on the link carries at most 1,460 bytes of payload.
 *
 * Everything between send() at one end and recv() at the other is counted, both copies included, and the ACKs coming back.  bench/run takes
 * two runs of different length and divides the difference, so that set-up does not count.
 */
#include "sim.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 65536 };

static uint32_t features_of(const char *kind)
{
	if (!strcmp(kind, "tso_gro"))
		return XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_GRO;
	if (!strcmp(kind, "gso"))
		return XMIT_F_SG | XMIT_F_CSUM | XMIT_F_RXCSUM | XMIT_F_GRO;
	if (!strcmp(kind, "plain"))
		return XMIT_F_SG;
	return !strcmp(kind, "linear") ? XMIT_VNIC_NO_OFFLOAD : 0;
}

int main(int argc, char **argv)
{
	static char out[CHUNK], in[CHUNK];
	struct sim s;
	uint32_t features = argc == 3 ? features_of(argv[1]) : 0;

	if (!features) {
		fprintf(stderr, "usage: instr tso_gro|gso|plain|linear MEGABYTES\n");
		return 2;
	}
	struct xmit_vnic_config link = {.size = sizeof(link), .features = features, .delay_ns = 50000}; /* else ACKs come before a burst is full */
	sim_init_pair(&s, 1, &link);
	struct sockaddr_in a = sim_addr(1, 80);
	uint64_t bytes = strtoull(argv[2], NULL, 10) << 20, sent = 0, received = 0;
	int l = xmit_socket(s.host[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int c = xmit_socket(s.host[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), r = -1;

	if (xmit_bind(s.host[1], l, (struct sockaddr *)&a, sizeof(a)) || xmit_listen(s.host[1], l, 8) ||
	    (xmit_connect(s.host[0], c, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS)) {
		perror("instr: set-up");
		return 1;
	}
	while (received < bytes) {
		uint64_t before = sent + received;
		ssize_t n;
		if (r < 0)
			r = xmit_accept4(s.host[1], l, NULL, NULL, SOCK_NONBLOCK);
		while (sent < bytes && (n = xmit_send(s.host[0], c, out, CHUNK, MSG_DONTWAIT)) > 0)
			sent += (uint64_t)n;
		while (r >= 0 && (n = xmit_recv(s.host[1], r, in, CHUNK, MSG_DONTWAIT)) > 0)
			received += (uint64_t)n;
		/* Time stands still while the programs have something to do: they are never the reason for a delayed ACK or a loss probe. */
		if (!sim_step(&s, s.now_ns) && sent + received == before && !sim_step(&s, XMIT_NEVER)) {
			fprintf(stderr, "instr: stalled at %llu bytes\n", (unsigned long long)received);
			return 1;
		}
	}
	printf("%llu bytes\n", (unsigned long long)received);
	sim_exit(&s);
	return 0;
}
