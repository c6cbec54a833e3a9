/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - has somebody said `ip tcp_metrics flush` in the namespace?
 *
 * The kernel tells no one, and its cache is empty as long as its own TCP is not used.  So we lay a mark: one connection of the kernel's over the
 * namespace's loopback leaves an entry for 127.0.0.1.  When the entry is gone, the cache was flushed, and a new mark is laid.  Where that is not
 * possible (no loopback that is up, no generic netlink family) nothing is ever found flushed.
 */
#include "adapter.h"
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/tcp_metrics.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { BUF_BYTES = 16384, DUMPS_MOST = 64, MARK_MS = 200 };

struct question {
	uint16_t family;  /* of tcp_metrics */
	bool marked;
};

/* --- the mark ---------------------------------------------------------------------------------------------------------- */

static int kernel_socket(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

static bool wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, MARK_MS) == 1;
}

/* The kernel writes the entry when a connection ends that has measured its round trip. */
static void lay_mark(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int l = kernel_socket(), c = kernel_socket(), s = -1;
	char byte = 0;

	if (l >= 0 && c >= 0 && bind(l, (struct sockaddr *)&addr, len) == 0 && listen(l, 1) == 0 && getsockname(l, (struct sockaddr *)&addr, &len) == 0) {
		connect(c, (struct sockaddr *)&addr, len); /* in progress, or done at once */
		s = wait_readable(l) ? accept(l, NULL, NULL) : -1;
	}
	if (s >= 0 && send(c, &byte, 1, MSG_NOSIGNAL) == 1 && wait_readable(s) && recv(s, &byte, 1, 0) == 1)
		shutdown(c, SHUT_WR);
	if (s >= 0) {
		wait_readable(s); /* the FIN */
		close(s);
		wait_readable(c);
	}
	if (c >= 0)
		close(c);
	if (l >= 0)
		close(l);
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static bool ask(struct mnl_socket *nl, uint16_t type, uint8_t cmd, uint8_t version, bool dump, const char *name, mnl_cb_t cb, void *data)
{
	char buf[BUF_BYTES];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int r = 1;

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK));
	h->nlmsg_seq = type;
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
	g->version = version;
	if (name)
		mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, name);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return false;
	for (int i = 0; i < DUMPS_MOST && r > MNL_CB_STOP; i++) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return false;
		r = mnl_cb_run(buf, (size_t)n, type, mnl_socket_get_portid(nl), cb, data);
	}
	return r == MNL_CB_STOP;
}

static int on_family(const struct nlmsghdr *h, void *data)
{
	struct question *q = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID && mnl_attr_get_payload_len(attr) == sizeof(uint16_t))
			q->family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int on_entry(const struct nlmsghdr *h, void *data)
{
	struct question *q = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == TCP_METRICS_ATTR_ADDR_IPV4 && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			q->marked |= mnl_attr_get_u32(attr) == htonl(INADDR_LOOPBACK);
	return MNL_CB_OK;
}

bool metrics_were_flushed(void)
{
	struct question q = {0};
	struct mnl_socket *nl = mnl_socket_open(NETLINK_GENERIC);
	bool told;

	if (!nl)
		return false;
	told = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	       ask(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, false, TCP_METRICS_GENL_NAME, on_family, &q) && q.family &&
	       ask(nl, q.family, TCP_METRICS_CMD_GET, TCP_METRICS_GENL_VERSION, true, NULL, on_entry, &q);
	mnl_socket_close(nl);
	if (!told || q.marked)
		return false;
	lay_mark();
	return true;
}
