/* SPDX-License-Identifier: MIT */
/*
 * pcap.c - writes every frame of a device to a capture file: pcap with nanosecond time stamps (magic 0xa1b23c4d), which tcpdump and
 * Wireshark open.  A tap of the device: it sees what the driver sees, so super-segments are one record and their checksums may be
 * undone, as in a capture on Linux with offloads.  Time is the instance's clock moved to wall-clock time at the start.
 */
#include "lib/compiler.h"
#include "xmit/dev.h"
#include <errno.h>
#include <stdio.h>

enum { LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101, SNAPLEN_MOST = 262144 };

struct pcap_writer {
	xmit_dev *dev;
	FILE *file;
	unsigned snaplen;
	int64_t to_wall_ns;     /* added to instance time */
};

struct pcap_file_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	int32_t thiszone;
	uint32_t sigfigs, snaplen, linktype;
};
struct pcap_record_header {
	uint32_t ts_sec, ts_nsec, incl_len, orig_len;
};
static_assert(sizeof(struct pcap_file_header) == 24 && sizeof(struct pcap_record_header) == 16, "pcap headers");

static void close_writer(struct pcap_writer *w)
{
	if (fclose(w->file))
		xmit_dev_count_rx_error(w->dev); /* the disk is full: say so where someone looks */
	xmit_dev_mem_free(w->dev, w);
}

static void write_frame(void *ctx, const struct iovec *iov, int n, bool out, uint64_t time_ns)
{
	struct pcap_writer *w = ctx;
	struct pcap_record_header h = {0};
	uint64_t wall = time_ns + (uint64_t)w->to_wall_ns;

	(void)out;
	if (n == 0) {
		close_writer(w);
		return;
	}
	for (int i = 0; i < n; i++)
		h.orig_len += (uint32_t)iov[i].iov_len;
	h.ts_sec = (uint32_t)(wall / 1000000000);
	h.ts_nsec = (uint32_t)(wall % 1000000000);
	h.incl_len = MIN(h.orig_len, w->snaplen);
	fwrite(&h, sizeof(h), 1, w->file);
	uint32_t left = h.incl_len;
	for (int i = 0; i < n && left; i++) {
		uint32_t c = (uint32_t)MIN(iov[i].iov_len, (size_t)left);
		fwrite(iov[i].iov_base, 1, c, w->file);
		left -= c;
	}
}

int xmit_pcap_start(xmit_dev *dev, const char *path, unsigned snaplen)
{
	if (!path || snaplen > SNAPLEN_MOST) {
		errno = EINVAL;
		return -1;
	}
	struct pcap_writer *w = xmit_dev_alloc(dev, sizeof(*w));
	if (!w) {
		errno = ENOMEM;
		return -1;
	}
	w->dev = dev;
	w->snaplen = snaplen ? snaplen : SNAPLEN_MOST;
	w->to_wall_ns = (int64_t)(xmit_realtime(xmit_dev_net(dev)) - xmit_now(xmit_dev_net(dev)));
	w->file = fopen(path, "wb");
	if (!w->file) {
		int err = errno;
		xmit_dev_mem_free(dev, w);
		errno = err;
		return -1;
	}
	struct pcap_file_header h = {.magic = 0xa1b23c4d, .version_major = 2, .version_minor = 4, .snaplen = w->snaplen,
				     .linktype = xmit_dev_is_ethernet(dev) ? LINKTYPE_ETHERNET : LINKTYPE_RAW};
	fwrite(&h, sizeof(h), 1, w->file);
	return xmit_dev_tap(dev, write_frame, w);
}

int xmit_pcap_stop(xmit_dev *dev)
{
	return xmit_dev_tap(dev, NULL, NULL);
}
