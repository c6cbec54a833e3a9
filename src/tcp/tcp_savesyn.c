/* SPDX-License-Identifier: MIT */
/*
 * tcp_savesyn.c - TCP_SAVE_SYN and TCP_SAVED_SYN: the headers of the SYN, kept for the program that accepts the connection.
 *
 * A listener with TCP_SAVE_SYN 1 keeps the IP and TCP headers with their options, with 2 the link header in front of them as well.  The
 * request carries them, the child takes them over; they are read once, which frees them.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"

/* 0; -ENOMEM: the SYN is served without being kept. */
int tcp_save_syn(const struct sock *listener, struct request_sock *req, const struct sk_buff *skb)
{
	unsigned mode = tcp_sk(listener)->save_syn, mac = 0, ip = ip_hdr(skb)->ihl * 4u, tcp = tcp_hdrlen_of(tcp_hdr(skb));
	struct saved_syn *saved;

	if (!mode || req->saved_syn)
		return 0;
	if (mode == 2 && skb->mac_header != 0xffff && skb->mac_header < skb->network_header)
		mac = skb->network_header - (unsigned)skb->mac_header;
	saved = net_alloc(req->net, sizeof(*saved) + mac + ip + tcp, MEM_NORMAL);
	if (!saved)
		return -ENOMEM;
	saved->mac_hdrlen = mac;
	saved->len = mac + ip + tcp;
	memcpy(saved->data, skb_network_header(skb) - mac, mac + ip);
	memcpy(saved->data + mac + ip, skb_transport_header(skb), tcp);
	req->saved_syn = saved;
	return 0;
}

/* The headers, or nothing (*len 0).  -EINVAL: no room for them; *len then says how much it takes. */
int tcp_get_saved_syn(struct sock *sk, void *val, socklen_t *len)
{
	struct tcp_ext *ext = tcp_sk(sk)->ext;
	struct saved_syn *saved = ext ? ext->saved_syn : NULL;

	if (!saved) {
		*len = 0;
		return 0;
	}
	if (*len < saved->len) {
		*len = saved->len;
		return -EINVAL;
	}
	*len = saved->len;
	memcpy(val, saved->data, saved->len);
	net_free(sock_net(sk), saved);
	ext->saved_syn = NULL;
	return 0;
}
