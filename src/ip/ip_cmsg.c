/* SPDX-License-Identifier: MIT */
/*
 * ip_cmsg.c - control messages of the IP level: what a send may ask for, what a receive tells (ip(7), RFC 3542's IPv4 kin).
 *
 * Numbers and layouts are Linux's, whatever the C library knows.  Called by the transports' sendmsg and recvmsg.
 */
#include "ip/error_queue.h"
#include "ip/ip_internal.h"

enum { CMSG_IP_TOS = 1, CMSG_IP_TTL = 2, CMSG_IP_RETOPTS = 7, CMSG_IP_PKTINFO = 8, CMSG_IP_PROTOCOL = 52, CMSG_SO_PRIORITY = 12, CMSG_SO_MARK = 36, CMSG_SCM_RIGHTS = 1, CMSG_SCM_CREDENTIALS = 2,
       CMSG_TIMESTAMPING_OLD = 37, CMSG_TIMESTAMPING_NEW = 65, CMSG_TS_OPT_ID = 81 };

struct ip_pktinfo { /* struct in_pktinfo */
	int32_t ifindex;
	be32 spec_dst; /* receive: the local address to answer from; send: source */
	be32 addr;     /* destination of the packet */
};

static size_t cmsg_align(size_t n)
{
	return ALIGN_UP(n, sizeof(size_t));
}
enum { CMSG_HEADER = ALIGN_UP(sizeof(struct cmsghdr), sizeof(size_t)) };

int put_cmsg(struct msghdr_k *msg, int level, int type, const void *data, size_t len)
{
	size_t room = msg->controllen - MIN(msg->control_used, msg->controllen), n = CMSG_HEADER + len;
	struct cmsghdr h;

	if (!msg->control || room < sizeof(h)) {
		msg->flags |= MSG_CTRUNC;
		return -EMSGSIZE;
	}
	if (room < n) {
		msg->flags |= MSG_CTRUNC;
		n = room;
	}
	uint8_t *at = (uint8_t *)msg->control + msg->control_used;
	memset(&h, 0, sizeof(h));
	h.cmsg_len = (__typeof__(h.cmsg_len))n;
	h.cmsg_level = level;
	h.cmsg_type = type;
	memset(at, 0, MIN(cmsg_align(n), room));
	memcpy(at, &h, sizeof(h));
	if (n > CMSG_HEADER)
		memcpy(at + CMSG_HEADER, data, n - CMSG_HEADER);
	msg->control_used += MIN(cmsg_align(n), room);
	return 0;
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

/* In place of the socket's own; of what is too long the first 40 bytes. */
static int take_options(const uint8_t *data, size_t len, struct ipcm_cookie *ipc)
{
	int err = 0;

	ipc->opt = NULL;
	if (len && !ipc->room)
		return -EINVAL;
	if (len)
		err = ip_options_parse(data, MIN(len, (size_t)IP_OPTIONS_MAX), ipc->room);
	if (len && !err)
		ipc->opt = ipc->room;
	return err;
}

static int send_ip_option(int type, const uint8_t *data, size_t len, struct ipcm_cookie *ipc)
{
	struct ip_pktinfo info;
	int v;

	switch (type) {
	case CMSG_IP_PKTINFO:
		if (len != sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		if (info.ifindex)
			ipc->oif = info.ifindex;
		ipc->saddr = info.spec_dst;
		return 0;
	case CMSG_IP_TTL:
		if (len != sizeof(v))
			return -EINVAL;
		memcpy(&v, data, sizeof(v));
		if (v < 1 || v > 255)
			return -EINVAL;
		ipc->ttl = (int16_t)v;
		return 0;
	case CMSG_IP_TOS:
		if (len == sizeof(v))
			memcpy(&v, data, sizeof(v));
		else if (len == 1)
			v = *data;
		else
			return -EINVAL;
		if (v < 0 || v > 255)
			return -EINVAL;
		ipc->tos = (int16_t)v;
		ipc->priority = ip_tos2priority((uint8_t)v);
		return 0;
	case CMSG_IP_RETOPTS:
		return take_options(data, len, ipc);
	case CMSG_IP_PROTOCOL: /* of a raw socket: what a policy would look for, and there is none */
		if (len != sizeof(v))
			return -EINVAL;
		memcpy(&v, data, sizeof(v));
		return v < 1 || v > 255 ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* SCM_TS_OPT_ID: the identifier of this message's stamps, where the socket has them count. */
static int take_opt_id(const struct sock *sk, const uint8_t *data, size_t len, struct ipcm_cookie *ipc)
{
	if (len != sizeof(ipc->ts_opt_id) || !sk->sk_ext || !(sk->sk_ext->tsflags & SOF_TIMESTAMPING_OPT_ID_))
		return -EINVAL;
	memcpy(&ipc->ts_opt_id, data, len);
	ipc->has_ts_opt_id = true;
	return 0;
}

static int send_socket_option(const struct sock *sk, int type, const uint8_t *data, size_t len, struct ipcm_cookie *ipc)
{
	switch (type) {
	case CMSG_SO_MARK:
		if (len != sizeof(uint32_t))
			return -EINVAL;
		memcpy(&ipc->mark, data, sizeof(ipc->mark));
		return 0;
	case CMSG_SO_PRIORITY:
		if (len != sizeof(uint32_t))
			return -EINVAL;
		memcpy(&ipc->priority, data, sizeof(ipc->priority));
		return 0;
	case CMSG_TIMESTAMPING_OLD:
	case CMSG_TIMESTAMPING_NEW:
		return ip_cmsg_timestamping(data, len, &ipc->tsflags);
	case CMSG_TS_OPT_ID:
		return take_opt_id(sk, data, len, ipc);
	case CMSG_SCM_RIGHTS:
	case CMSG_SCM_CREDENTIALS: /* mean nothing here, and do no harm */
		return 0;
	default:
		return -EINVAL;
	}
}

int ip_cmsg_send(struct sock *sk, const void *control, size_t len, struct ipcm_cookie *ipc)
{
	const uint8_t *at = control;
	struct cmsghdr h;

	while (len >= sizeof(h)) {
		memcpy(&h, at, sizeof(h));
		size_t n = (size_t)h.cmsg_len;
		if (n < CMSG_HEADER || n > len)
			return -EINVAL;
		int err = 0;
		if (h.cmsg_level == SOL_SOCKET)
			err = send_socket_option(sk, h.cmsg_type, at + CMSG_HEADER, n - CMSG_HEADER, ipc);
		else if (h.cmsg_level == IPPROTO_IP && sk->sk_type != SOCK_STREAM)
			err = send_ip_option(h.cmsg_type, at + CMSG_HEADER, n - CMSG_HEADER, ipc);
		if (err)
			return err;
		n = MIN(cmsg_align(n), len);
		at += n;
		len -= n;
	}
	return 0;
}

/* --- receiving ------------------------------------------------------------------------------------------------------- */

void ip_cmsg_recv_packet(struct msghdr_k *msg, struct sock *sk, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (sock_flag(sk, SOCK_F_PKTINFO)) {
		struct ip_pktinfo info = {.ifindex = skb->skb_iif, .spec_dst = fib_compute_spec_dst(skb), .addr = iph->daddr};
		put_cmsg(msg, IPPROTO_IP, CMSG_IP_PKTINFO, &info, sizeof(info));
	}
	if (sock_flag(sk, SOCK_F_RECVTTL)) {
		int ttl = iph->ttl;
		put_cmsg(msg, IPPROTO_IP, CMSG_IP_TTL, &ttl, sizeof(ttl));
	}
	if (sock_flag(sk, SOCK_F_RECVTOS))
		put_cmsg(msg, IPPROTO_IP, CMSG_IP_TOS, &iph->tos, sizeof(iph->tos));
}

void ip_cmsg_recv(struct msghdr_k *msg, struct sock *sk, struct sk_buff *skb)
{
	const uint32_t wanted = 1u << SOCK_F_TIMESTAMP | 1u << SOCK_F_TIMESTAMPNS | 1u << SOCK_F_PKTINFO | 1u << SOCK_F_RECVTTL | 1u << SOCK_F_RECVTOS;

	if (likely(!(sk->sk_flags & wanted) && !(sk->sk_ext && sk->sk_ext->tsflags)))
		return;
	ip_recv_stamp(msg, sk, skb->tstamp_ns, false);
	ip_cmsg_recv_packet(msg, sk, skb);
}
