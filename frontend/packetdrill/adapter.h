/* SPDX-License-Identifier: MIT */
/*
 * adapter.h - what the files of the packetdrill adapter share: the instance under test, its virtual clock, its descriptors.
 *
 * Standing on include/xmit/ alone, like every front end.  The instance is an ordinary one: it does not know that it is being tested.
 */
#ifndef XMIT_PACKETDRILL_ADAPTER_H
#define XMIT_PACKETDRILL_ADAPTER_H

#include "interface.h"
#include "xmit/control.h"
#include "xmit/dev.h"
#include "xmit/qdisc.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum {
	FDS_MOST = 1024,          /* host descriptors that may stand for a socket of ours */
	SETTINGS_MOST = 256,      /* sysctls that both the namespace and the instance have */
	SETTING_BYTES = 128,
	ADDRS_MOST = 8,
	ROUTES_MOST = 32,
	PACKETS_MOST = 16384,     /* sent by the stack and not yet asked for */
};
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* A packet that the stack sent. */
struct packet {
	struct packet *next;
	uint64_t sent_ns;
	size_t n;
	uint8_t bytes[];
};

/* A thread that waits inside a blocking call for the clock to move. */
struct sleeper {
	struct sleeper *next;
	uint64_t until_ns;
	int tid;
};

/* A setting of the namespace, as it was last read. */
struct setting {
	char name[64];            /* "net.ipv4.tcp_sack" */
	char value[SETTING_BYTES];
};

/* What --so_flags say. */
struct flags {
	char local[ADDRS_MOST][32]; /* "192.168.0.1/16"; the first one empty: not said */
	unsigned n_local;
	unsigned mtu;             /* 0: not said */
	char dev[16];             /* the namespace's interface to be like; "" : none */
	char cc[16];              /* congestion control that stands for one the instance has not; default cubic */
	uint64_t seed;
	char pcap[256];
};

/* What of the namespace's interface is copied to ours. */
struct likeness {
	unsigned mtu;
	char qdisc[16];
	unsigned qdisc_limit;
	unsigned n_routes;
	struct xmit_route route[ROUTES_MOST];
};

struct adapter {
	pthread_mutex_t lock;     /* held by whoever is inside the instance; a sleeper lets go of it */
	pthread_cond_t moved;     /* the clock moved, or packets came: sleepers look again */
	pthread_cond_t settled;   /* a woken sleeper sleeps again or has left its call */
	pthread_t driver;         /* packetdrill's main thread: it alone moves the clock */
	_Atomic uint64_t now_ns;
	struct sleeper *sleepers;
	unsigned woken;           /* sleepers told to look, which have not yet settled */
	int left_tid;             /* the one that last left a call in which it slept; 0: none */
	uint64_t round;           /* of waking */
	bool ending;

	struct flags flags;
	xmit_net *net;
	xmit_dev *dev;
	struct packet *first, **last; /* sent by the stack, in order */
	unsigned n_packets;
	uint64_t random;

	_Atomic uint8_t kind[FDS_MOST]; /* enum fd_kind, by host descriptor */
	int shown[FDS_MOST];      /* the kernel's listener that shows ours to the namespace's tools; 0: none */

	struct setting setting[SETTINGS_MOST];
	unsigned n_settings;
	struct likeness like;
	struct rusage children;   /* of which the namespace was last read: a command of the script changes it */
	bool found_dev;           /* the namespace has flags.dev: it was made for scripts */
	int netstat_fd, snmp_fd;  /* files that nstat reads instead of the kernel's; -1: none */
};

enum fd_kind { FD_HOST, FD_SOCKET, FD_EPOLL };

/* The one that packetdrill made, for the calls that come by libc's names (interpose.c); NULL: none. */
extern struct adapter *packetdrill_adapter;

/* --- clock.c --- */
void clock_init(struct adapter *a);
/* The beginning and end of each call into the instance.  leave() gives r back, with errno as it was. */
void enter(struct adapter *a);
long leave(struct adapter *a, long r);
/* Runs what is due and lets threads that wait see it.  By the driver only, inside. */
void settle(struct adapter *a);
/* Moves the clock to target_ns at most, stopping at each event; stops early when stop(a).  By the driver only, inside. */
void drive(struct adapter *a, uint64_t target_ns, bool (*stop)(struct adapter *a));
/* env.wait of the instance. */
int clock_wait(void *ctx, xmit_net *net, uint64_t until_ns);
uint64_t clock_now(void *ctx);
int pd_usleep(void *userdata, useconds_t usec);
int pd_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz);

/* --- flags.c --- */
/* "local=192.168.0.1/16,mtu=1500,...".  False with a sentence in why. */
bool flags_parse(struct flags *f, const char *text, char *why, size_t n);

/* --- netdev.c --- */
int interface_init(struct adapter *a);
void interface_free(struct adapter *a);
int pd_netdev_send(void *userdata, const void *packet, size_t n);
int pd_netdev_receive(void *userdata, void *buf, size_t *n, long long *usec);
/* Gives the interface an address if the flags named none. */
void interface_learn(struct adapter *a, struct in_addr addr);

/* --- namespace.c, likeness.c, metrics.c, counters.c --- */
void namespace_init(struct adapter *a);
void namespace_read(struct adapter *a);    /* settings and interface as they are now */
void namespace_look(struct adapter *a);    /* the same, if a command of the script ended since the last time */
bool likeness_read(const char *dev, struct likeness *like, struct in_addr *addr, unsigned *prefix_len);
void likeness_apply(struct adapter *a, const struct likeness *like);
bool metrics_were_flushed(void);           /* `ip tcp_metrics flush` since the last time */
void counters_init(struct adapter *a);
void counters_write(struct adapter *a);
void counters_free(struct adapter *a);

/* --- descriptors.c --- */
bool is_ours(const struct adapter *a, int fd);
/* Gives the instance's descriptor the number of a new host descriptor, which is the result; -1: errno, and fd is closed. */
int adopt(struct adapter *a, int fd, enum fd_kind kind);
int close_ours(struct adapter *a, int fd);
/* Lets the namespace's own tools (ss, /proc/net/tcp) see that there is a listener. */
void show_listener(struct adapter *a, int fd);

/* --- calls.c, transfer.c --- */
void calls_fill(struct packetdrill_interface *t);
void transfers_fill(struct packetdrill_interface *t);

#endif
