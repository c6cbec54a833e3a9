/* SPDX-License-Identifier: MIT */
/*
 * tcp_window.c - the receive window that we announce (T8).
 *
 * tcp_select_window() runs for each segment sent after the SYN.  The right edge announced once never moves left (RFC 9293 3.8.6, "shrinking
 * the window"), and it moves right only in useful steps (silly window avoidance, RFC 9293 3.8.6.2.2).  The space itself follows from
 * the receive buffer by tcp_space() and is held down by rcv_ssthresh, which the input side lets grow as the peer proves to send large
 * segments, and pulls in under memory pressure.
 */
#include "tcp/tcp_internal.h"

static uint32_t round_down_to(uint32_t n, uint32_t unit) { return n - n % unit; }
static uint32_t round_up_to_scale(uint32_t n, unsigned scale) { return (n + (1u << scale) - 1) >> scale << scale; }

/* Whole multiple of the scale; a window that rounds to nothing although there is a byte of room would look closed. */
static uint32_t scaled_window(uint32_t free_space, unsigned scale) { return round_up_to_scale(free_space, scale); }

/* Without scaling: keep the old offer unless it is out of date by a segment, so that the edge moves in whole segments. */
static uint32_t unscaled_window(const struct tcp_sock *tp, int free_space, int full_space, int mss)
{
	int window = (int)tp->rcv_wnd;

	if (window <= free_space - mss || window > free_space)
		return round_down_to((uint32_t)free_space, (uint32_t)mss);
	if (mss == full_space && free_space > window + (full_space >> 1))
		return (uint32_t)free_space;
	return (uint32_t)window;
}

/* net.ipv4.tcp_shrink_window: memory decides, and the right edge may move left (which RFC 9293 3.8.6 discourages). */
static bool may_shrink(const struct sock *sk) { return unlikely(sock_net(sk)->tcp->sysctl_tcp_shrink_window) && tcp_sk(sk)->rx_opt.rcv_wscale; }

uint32_t __tcp_select_window(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	unsigned scale = tp->rx_opt.rcv_wscale;
	int allowed = tcp_full_space(sk), free_space = tcp_space(sk);
	int full_space = MIN((int)MIN(tp->window_clamp, 0x7fffffffu), allowed);
	int mss = MIN((int)icsk->icsk_ack.rcv_mss, full_space);

	if (unlikely(mss <= 0))
		return 0;
	if (free_space < (full_space >> 1)) {
		icsk->icsk_ack.quick = 0;
		if (sk_under_memory_pressure(sk))
			tp->rcv_ssthresh = MIN(tp->rcv_ssthresh, 4u * tp->advmss);
		if (free_space < 0)
			return 0;
		free_space = free_space >> scale << scale;
		/* Less than a segment, or a sixteenth of what could be: better closed than silly. */
		if ((free_space < (allowed >> 4) || free_space < mss) && !PROVE_BREAKS("MUST-39"))
			return 0;
	}
	if (free_space > (int)tp->rcv_ssthresh)
		free_space = (int)tp->rcv_ssthresh;
	else if (may_shrink(sk)) /* a limit of memory: not rounded up beyond it */
		return free_space < 1 << scale ? 0 : (uint32_t)(free_space >> scale << scale);
	if (scale)
		return scaled_window((uint32_t)free_space, scale);
	return unscaled_window(tp, free_space, full_space, mss);
}

static void count_zero_window(struct sock *sk, uint32_t old_win, uint32_t field)
{
	if (field == 0) {
		tcp_sk(sk)->pred_flags = 0; /* what comes now is no longer the expected segment */
		if (old_win)
			NET_INC_STATS(sock_net(sk), TCPToZeroWindowAdv);
	} else if (old_win == 0) {
		NET_INC_STATS(sock_net(sk), TCPFromZeroWindowAdv);
	}
}

/* The window field of a segment that goes out now, host order, scaled; remembers what it promises. */
uint16_t tcp_select_window(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned scale = tp->rx_opt.rcv_wscale;
	uint32_t old_win = tp->rcv_wnd, cur_win = tcp_receive_window(tp), new_win = 0, most;

	if (unlikely(inet_csk(sk)->icsk_ack.pending & ICSK_ACK_NOMEM)) { /* what came was dropped: no promise can be kept */
		tp->pred_flags = 0;
		tp->rcv_wnd = 0;
		tp->rcv_wup = tp->rcv_nxt;
		return 0;
	}
	new_win = __tcp_select_window(sk);
	if (new_win < cur_win && !PROVE_BREAKS("SHLD-14") && !may_shrink(sk)) {
		if (new_win == 0)
			NET_INC_STATS(sock_net(sk), TCPWantZeroWindowAdv);
		new_win = round_up_to_scale(cur_win, scale);
	}
	tp->rcv_wnd = new_win;
	tp->rcv_wup = tp->rcv_nxt;
	most = !scale && sock_net(sk)->tcp->sysctl_tcp_workaround_signed_windows ? (uint32_t)MAX_TCP_WINDOW : 0xffffu << scale;
	new_win = MIN(new_win, most) >> scale;
	count_zero_window(sk, old_win, new_win);
	return (uint16_t)new_win;
}

/*
 * At the handshake: from `space` bytes of buffer the first window, its upper clamp and the scale (RFC 7323 2.3) that can express the largest
 * buffer that auto-tuning may ever reach.  *window_clamp 0 means none yet; init_rcv_wnd: segments, 0: no limit (RTAX_INITRWND).
 */
void tcp_select_initial_window(const struct sock *sk, int space_in, uint32_t mss, uint32_t *rcv_wnd, uint32_t *window_clamp, int wscale_ok,
			       uint8_t *rcv_wscale, uint32_t init_rcv_wnd)
{
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	uint32_t space = space_in < 0 ? 0 : (uint32_t)space_in;
	unsigned scale = 0;

	if (!*window_clamp)
		*window_clamp = 0xffffu << TCP_MAX_WSCALE;
	space = MIN(space, *window_clamp);
	if (mss && space > mss)
		space = round_down_to(space, mss);
	*rcv_wnd = MIN(space, ns->sysctl_tcp_workaround_signed_windows ? (uint32_t)MAX_TCP_WINDOW : 0xffffu);
	if (init_rcv_wnd && (uint64_t)init_rcv_wnd * mss < *rcv_wnd)
		*rcv_wnd = init_rcv_wnd * mss;
	if (wscale_ok) {
		space = MAX(space, (uint32_t)MAX(ns->sysctl_tcp_rmem[2], sk->sk_net->sysctl_rmem_max)); /* what it may be set to later */
		space = MIN(space, *window_clamp);
		while (scale < TCP_MAX_WSCALE && (space >> scale) > 0xffff)
			scale++;
	}
	*rcv_wscale = (uint8_t)scale;
	*window_clamp = MIN(0xffffu << scale, *window_clamp);
}
