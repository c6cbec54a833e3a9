/* SPDX-License-Identifier: MIT */
/*
 * tcp_chrono.c - where a sender's time goes: busy (it has data that is not acknowledged yet), of this held by the peer's window, of this held
 * by the application's send buffer.  TCP_INFO tells the three sums; the idea is RFC 4898's (tcpEStatsPerfSndLimTime*).
 *
 * One condition runs at a time: the one that matters most (enum tcp_chrono is in that order).  It begins with the first byte queued and
 * ends with the last one acknowledged.  What runs is attached (tcp_active), since it runs only while there is data; the sums are tcp_sock's, in
 * milliseconds, each the difference of two clock readings, so that many short spells add up to what they were.
 */
#include "tcp/tcp_internal.h"

static uint32_t elapsed_ms(const struct sock *sk, const struct tcp_active *act)
{
	return (uint32_t)(sk->sk_net->now_ns / NSEC_PER_MSEC - act->chrono_start_ns / NSEC_PER_MSEC);
}

static void set(struct sock *sk, enum tcp_chrono type)
{
	struct tcp_active *act = tcp_act(sk);

	if (act->chrono_type != TCP_CHRONO_UNSPEC)
		tcp_sk(sk)->chrono_ms[act->chrono_type - 1] += elapsed_ms(sk, act);
	act->chrono_start_ns = sk->sk_net->now_ns;
	act->chrono_type = (uint8_t)type;
}

void __tcp_chrono_start(struct sock *sk, enum tcp_chrono type) { set(sk, type); }

/* What held the sender no longer does: it is busy, or has nothing left to send. */
void __tcp_chrono_stop(struct sock *sk, enum tcp_chrono type)
{
	const struct tcp_active *act = tcp_act(sk);

	if (tcp_rtx_and_write_queues_empty(sk)) {
		if (act->chrono_type != TCP_CHRONO_UNSPEC)
			set(sk, TCP_CHRONO_UNSPEC);
	} else if (type == act->chrono_type && type != TCP_CHRONO_BUSY) {
		set(sk, TCP_CHRONO_BUSY);
	}
}

void tcp_chrono_read(const struct sock *sk, uint64_t us[4])
{
	const struct tcp_active *act = tcp_act(sk);

	us[TCP_CHRONO_UNSPEC] = 0;
	for (int i = TCP_CHRONO_BUSY; i <= TCP_CHRONO_SNDBUF_LIMITED; i++) {
		us[i] = tcp_sk(sk)->chrono_ms[i - 1] * UINT64_C(1000);
		if (act && act->chrono_type == i)
			us[i] += elapsed_ms(sk, act) * UINT64_C(1000);
	}
}
