/* SPDX-License-Identifier: MIT */
/*
 * supervisor.h - what the files of the front end share: the supervisor, its objects, and a trapped call.
 *
 * An object stands for one socket of the program.  It has three parts: the placeholder (an AF_UNIX socket that the program holds as its
 * descriptor), `end` (the supervisor's end of the same connection) and `sfd` (the socket in the stack).  The supervisor holds no
 * descriptor of the placeholder: it fetches a duplicate from the program (pidfd_getfd) while it works on a call and closes it after.
 */
#ifndef XMIT_FRONTEND_SUPERVISOR_H
#define XMIT_FRONTEND_SUPERVISOR_H

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "frontend.h"
#include "lib/list.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"

#define OBJECT_BUCKETS 4096u       /* a power of two */
#define PIDFD_CACHE 256u           /* threads whose pidfd is kept */
#define BOUNCE_BYTES (128u << 10)  /* scratch memory of the supervisor, twice: for a call, for pumping; each holds any datagram */
#define ROUND_BYTES (256u << 10)   /* moved in one direction of one connection before the others have their turn */
#define SNDBUF_TO_PROGRAM (1 << 20)
#define SNDBUF_FROM_PROGRAM (512 << 10)
#define DEAD_KEPT 512u             /* closed connections that may still be asked for their names and error */
#define OFFERED_MAX 16u            /* accepted by the stack, not yet by the program, per listener; the rest waits in the stack */
#define ORIGINS_MAX 4096u          /* datagrams whose sender is remembered: more than the pair's buffer can hold */
#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

struct supervisor;
struct trace_out;

/* Something that epoll reports. */
struct source {
	void (*ready)(struct supervisor *sup, struct source *src, uint32_t events);
};

enum object_kind { OBJ_STREAM, OBJ_DGRAM, OBJ_NETLINK };

enum object_state {
	ST_FRESH,      /* no connection.  end: -1 for a stream; datagram and netlink objects stay here */
	ST_CONNECTING, /* the stack connects.  end: -1 while the caller is held, else full of plug bytes */
	ST_LISTEN,     /* end: -1 */
	ST_OFFERED,    /* accepted by the stack, waiting in the placeholder's queue of its listener; no cookie yet */
	ST_LINKED,     /* bytes flow */
	ST_FAILED,     /* a non-blocking connect failed: the placeholder is spent, the stack's socket lives.  end: -1 */
	ST_DEAD,       /* the stack's socket is gone too: sfd and end are -1; names and error are answered from memory */
};

/* Where a datagram in the pair came from (datagram and netlink objects). */
struct origin {
	struct origin *next;
	size_t len;                    /* bytes of the datagram in the pair */
	int error;                     /* not 0: no datagram but an error report, errno */
	socklen_t addr_len;
	struct sockaddr_storage addr;
	size_t control_len;
	unsigned char control[];
};

struct object {
	struct source src;             /* of `end` */
	struct hlist_node hash_node;   /* by cookie, once known */
	struct list_head all_node, work_node, named_node, offered_node;
	struct supervisor *sup;
	struct list_head waiters;      /* struct held: callers that wait for this object */
	uint64_t cookie;               /* SO_COOKIE of the placeholder */
	uint64_t name;                 /* serial of the placeholder's own abstract name; 0: it has none (accepted) */
	uint64_t end_name;             /* ST_OFFERED: serial of the name of `end`, which identifies the connection */
	uint64_t inode;                /* of the placeholder, to find a holder in /proc; 0: unknown */
	pid_t last_tid;                /* who last called with it, and the number there */
	int last_fd;
	int sfd, end;
	int domain, type, protocol;
	int err;                       /* what SO_ERROR owes the program */
	enum object_kind kind;
	enum object_state state;
	bool gone;                     /* in the graveyard */

	/* Streams. */
	bool in_ready;                 /* `end` may have bytes of the program */
	bool in_eof, in_reset;         /* its stream ended; it closed with unread bytes */
	bool hup;                      /* it closed, or shut both ways */
	bool odd;                      /* events that make a short read inconclusive were seen (RDHUP, HUP, PRI) */
	bool up_blocked, up_done;      /* no room in the stack; FIN was sent */
	bool stack_in, stack_err;      /* the stack may have bytes; it reported an error */
	bool down_blocked, down_done;  /* no room in the pair; the peer's FIN was passed on */
	bool linger0;                  /* SO_LINGER with 0 seconds: a close is a reset */
	bool urgent;                   /* the stack has told of urgent data: the next mark is looked for */
	bool has_options;              /* SO_RCVTIMEO and its like were set on the placeholder: accepted sockets inherit */
	uint32_t plug_bytes;           /* ST_CONNECTING: bytes that fill the pair */
	uint32_t up_bytes;             /* stream offset of the next byte to the stack */
	uint64_t seen_ns;              /* when the placeholder was reported readable */
	uint64_t trace_cookie;
	int accepting;                 /* the program's end while accept() is being answered, else -1 */
	struct object *listener;       /* ST_OFFERED */
	struct list_head offered;      /* ST_LISTEN: objects in ST_OFFERED, oldest first */
	unsigned n_offered;

	/* Datagrams. */
	struct origin *origins, **origins_tail;
	unsigned n_origins;
	unsigned char *parked;         /* one datagram of the program that the stack had no room for */
	size_t parked_len;
	struct origin *undelivered;    /* one datagram of the stack that the pair had no room for, */
	unsigned char *undelivered_data; /* and its bytes */

	/* What is told after the stack's socket is gone. */
	struct sockaddr_storage local, peer;
	socklen_t local_len, peer_len;

	/* Netlink. */
	uint32_t nl_pid, nl_groups;
};

/* A trapped call being worked on. */
struct call {
	struct seccomp_notif req;
	struct object *obj;            /* of the first argument */
	int dup;                       /* duplicate of that descriptor, -1: none; closed by the dispatcher */
	bool nonblock;                 /* O_NONBLOCK on it */
	struct held *held;             /* not NULL: this is a repetition of a call that was held */
	uint64_t timeout_ns;           /* with CALL_HOLD: how long at most; 0: no limit */
	int timeout_error;             /* and the errno when that is over */
	size_t done;                   /* bytes that the call has sent already: its result, if it ends before all are */
};

/* A call that waits for its object. */
struct held {
	struct list_head all_node, wait_node;
	struct seccomp_notif req;
	struct object *obj;
	uint64_t deadline_ns;          /* XMIT_NEVER: none */
	int timeout_error;
	size_t done;                   /* as in struct call */
	unsigned looks;                /* for signals, so far */
	int status_fd;                 /* /proc/TID/status, opened at the first look for signals; -1 */
};

/* What a handler of a call returns beside a result >= 0 or -errno. */
enum {
	CALL_CONTINUE = -5000,         /* let the kernel do it */
	CALL_DONE = -5001,             /* answered already */
	CALL_HOLD = -5002,             /* to be repeated when the object changed */
};

/* A connection closed by the program, until what it sent is acknowledged. */
struct closing {
	struct list_head node;
	int sfd;
};

struct supervisor {
	xmit_net *net;
	const struct frontend_config *config;
	struct source notify_src, signal_src, device_src;
	int epoll_fd, notify_fd, signal_fd;
	int link_fd;                   /* the listener to which placeholders are connected */
	int scratch_fd;                /* an unbound socket for the liveness test, -1: make one */
	int info_fd;                   /* a datagram socket of the stack, for SIOCGIF* on any descriptor */
	struct pollfd device_fds[16];
	int n_device_fds;
	uint64_t key[2];               /* makes our abstract names unguessable */
	uint64_t next_name;
	struct hlist_head objects[OBJECT_BUCKETS];
	struct list_head all, work, named, dead, graveyard, held, closing;
	unsigned n_dead, n_listeners;
	struct { pid_t tid; int fd; } pidfds[PIDFD_CACHE];
	uint64_t now_ns;               /* CLOCK_MONOTONIC, of this round */
	uint64_t next_signal_look_ns, next_sweep_ns, last_listener_test_ns, next_walk_ns;
	struct seccomp_notif *notif;   /* of the kernel's sizes */
	struct seccomp_notif_resp *resp;
	size_t notif_size, resp_size;
	unsigned char *bounce, *pump_bounce;
	uint64_t until_ns;             /* at the end: when to give up waiting; else XMIT_NEVER */
	uint64_t walk_cookie;          /* the connection whose walk is wanted; 0: none yet */
	unsigned walk_tries;
	char *walk_text;
	struct trace_out *trace;       /* NULL: not wanted */
	uint32_t nl_next_pid;
	pid_t command;                 /* the command's process; 0 once it was reaped */
	int wait_status;
	bool command_gone, ending, warned_eperm;
};

/* supervisor.c */
uint64_t monotonic_ns(void);
int source_add(struct supervisor *sup, int fd, uint32_t events, struct source *src);
void source_del(struct supervisor *sup, int fd);
void schedule(struct supervisor *sup, struct object *o); /* pump() and its waiters run soon */
void end_changed(struct supervisor *sup, struct object *o, uint32_t events); /* epoll told this of its end */
void warn_once(bool *done, const char *text);

/* notify.c */
int notify_open(struct supervisor *sup, int listener_fd);
void notify_ready(struct supervisor *sup, struct source *src, uint32_t events);
uint64_t socket_timeout(int fd, int option);                /* SO_RCVTIMEO or SO_SNDTIMEO in ns, 0: none */
/* Nothing to be had now: -EAGAIN for a non-blocking call, else CALL_HOLD with the socket's time-out. */
long call_again(struct call *c, int flags, int option);
bool notify_valid(struct supervisor *sup, const struct call *c);
/* Puts fd into the caller and answers its call with the number.  The number, or -errno (-ENOENT: the caller is gone). */
int notify_addfd(struct supervisor *sup, struct call *c, int fd, bool cloexec);
/* Puts fd into the caller in place of its descriptor `number`; the call stays open.  0 or -errno. */
int notify_replace_fd(struct supervisor *sup, struct call *c, int fd, int number, bool cloexec);
void held_retry(struct supervisor *sup, struct object *o);  /* repeats the calls that wait for o */
void held_fail(struct supervisor *sup, struct object *o, int error);
void held_expire(struct supervisor *sup);                   /* deadlines */
void held_look_for_signals(struct supervisor *sup);
uint64_t held_next_deadline(const struct supervisor *sup);
void held_free_all(struct supervisor *sup);

/* mem.c: the caller's memory.  0 or -EFAULT (-ESRCH: the caller is gone). */
int mem_read(struct supervisor *sup, const struct call *c, uint64_t addr, void *buf, size_t n);
int mem_write(struct supervisor *sup, const struct call *c, uint64_t addr, const void *buf, size_t n);
/* Gathers at most max bytes of the caller's n pieces: bytes, or -errno. */
ssize_t mem_gather(struct supervisor *sup, const struct call *c, const struct iovec *remote, size_t n, void *buf, size_t max);
int mem_scatter(struct supervisor *sup, const struct call *c, const struct iovec *remote, size_t n, const void *buf, size_t len);
/* A socket address argument: 0, -EINVAL, -EFAULT. */
int mem_read_addr(struct supervisor *sup, const struct call *c, uint64_t addr, uint64_t len, struct sockaddr_storage *ss);
/* An address result with its value-result length at len_addr, as the kernel's move_addr_to_user does it. */
int mem_write_addr(struct supervisor *sup, const struct call *c, uint64_t addr, uint64_t len_addr, const void *ss, socklen_t len);

/* object.c */
struct object *object_new(struct supervisor *sup, enum object_kind kind, int sfd);
void object_free(struct supervisor *sup, struct object *o); /* closes what it has; memory goes at the end of the round */
void listen_ended(struct supervisor *sup, struct object *o); /* o listens no more: resets what was offered */
void object_bury(struct supervisor *sup);
void object_set_cookie(struct supervisor *sup, struct object *o, int fd);
struct object *object_by_cookie(struct supervisor *sup, uint64_t cookie);
void object_rehash(struct supervisor *sup, struct object *o, int fd); /* another placeholder took the place of the first */
/* Fetches the descriptor of the call's first argument and finds its object.  0 or -errno; c->obj NULL: not ours. */
int object_of_call(struct supervisor *sup, struct call *c);
int object_fetch(struct supervisor *sup, struct object *o); /* a duplicate of the placeholder from whoever holds it, or -1 */
int fetch_fd(struct supervisor *sup, pid_t tid, int fd);    /* a duplicate of a thread's descriptor, or -errno */
socklen_t abstract_name(const struct supervisor *sup, char what, uint64_t serial, struct sockaddr_un *un);
uint64_t abstract_serial(const struct supervisor *sup, char what, const struct sockaddr_un *un, socklen_t len); /* 0: not ours */
int placeholder_new(struct supervisor *sup, struct object *o, int flags); /* a named stream placeholder, or -errno */
bool placeholder_alive(struct supervisor *sup, struct object *o);
void object_close_end(struct object *o);
void sweep_named(struct supervisor *sup, bool listeners_only); /* frees objects whose placeholder was closed */
void set_sndbuf(int fd, int bytes);

/* stream.c */
void stream_linked(struct supervisor *sup, struct object *o, int end);
void stream_pump(struct supervisor *sup, struct object *o);
void stream_stack_event(xmit_net *net, int fd, uint32_t events, void *ctx);
void stream_end_ready(struct supervisor *sup, struct source *src, uint32_t events);
void stream_error(struct supervisor *sup, struct object *o, int error); /* the connection died: tells the program */
void stream_dead(struct supervisor *sup, struct object *o);             /* to ST_DEAD; sfd was dealt with */
void closing_add(struct supervisor *sup, int sfd);
void closing_check(struct supervisor *sup);
void closing_free_all(struct supervisor *sup);
void walk_check(struct supervisor *sup);

/* connect.c, listen.c, dgram.c, options.c, netlink.c: calls */
long sys_connect(struct supervisor *sup, struct call *c);
void connect_progress(struct supervisor *sup, struct object *o);
void connect_left(struct supervisor *sup, struct object *o); /* the caller of a blocking connect() is sent away */
long sys_listen(struct supervisor *sup, struct call *c);
long sys_accept(struct supervisor *sup, struct call *c);
void listen_offer(struct supervisor *sup, struct object *o);
long sys_socket(struct supervisor *sup, struct call *c);
long sys_sendto(struct supervisor *sup, struct call *c);
long sys_recvfrom(struct supervisor *sup, struct call *c);
long sys_sendmsg(struct supervisor *sup, struct call *c);
long sys_recvmsg(struct supervisor *sup, struct call *c);
long sys_sendmmsg(struct supervisor *sup, struct call *c);
long sys_recvmmsg(struct supervisor *sup, struct call *c);
long sys_bind(struct supervisor *sup, struct call *c);
long sys_getsockname(struct supervisor *sup, struct call *c);
long sys_getpeername(struct supervisor *sup, struct call *c);
long sys_setsockopt(struct supervisor *sup, struct call *c);
long sys_getsockopt(struct supervisor *sup, struct call *c);
int take_error(struct supervisor *sup, struct call *c); /* SO_ERROR: what the program is owed (errno or 0), once */
long sys_ioctl(struct supervisor *sup, struct call *c);

/* message.c: one message, in our memory */
struct message {
	unsigned char *data;           /* bounce memory */
	size_t len;                    /* of the data */
	bool has_addr;
	socklen_t addr_len;
	struct sockaddr_storage addr;
	size_t control_len;
	unsigned char control[1024];
	int flags;                     /* result: MSG_TRUNC, MSG_CTRUNC */
};
/* Receives into m (at most `size` bytes of data): the length as the call returns it, or -errno, or CALL_HOLD. */
long message_recv(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags);

/* dgram.c */
int dgram_new(struct supervisor *sup, struct call *c, enum object_kind kind, int sfd, int flags);
void dgram_pump(struct supervisor *sup, struct object *o);
void dgram_drain(struct supervisor *sup, struct object *o);      /* what the program wrote without an address goes first */
bool dgram_deliver(struct object *o, struct origin *from, const void *data); /* takes `from` unless it returns false (no room) */
void dgram_stack_event(xmit_net *net, int fd, uint32_t events, void *ctx);
long dgram_send(struct supervisor *sup, struct call *c, struct message *m, int flags);
long dgram_recv(struct supervisor *sup, struct call *c, struct message *m, size_t size, int flags);
void dgram_forget_reports(struct object *o, int fd); /* an error was told: the datagrams that announce it go; fd: the program's end */
void dgram_free(struct object *o);

/* netlink.c */
long netlink_socket(struct supervisor *sup, struct call *c);
void netlink_request(struct supervisor *sup, struct object *o, const void *data, size_t len);
long netlink_bind(struct supervisor *sup, struct call *c);
long netlink_getsockname(struct supervisor *sup, struct call *c);

/* launch.c */
int launch(struct supervisor *sup, char *const *argv, struct frontend_result *result, char *why, size_t why_len);
void launch_signals_ready(struct supervisor *sup, struct source *src, uint32_t events);
void launch_restore_signals(void);

/* trace_out.c */
int trace_out_open(struct supervisor *sup); /* 0 or -errno */
void trace_out_round(struct supervisor *sup);
uint64_t trace_out_next_look(const struct supervisor *sup); /* XMIT_NEVER: all is written */
uint64_t trace_out_close(struct supervisor *sup); /* the number of the first record that is not written */

/* filter.c */
struct sock_filter;
int filter_build(struct sock_filter **insns, unsigned short *n); /* malloced; 0 or -errno */

#endif
