/* SPDX-License-Identifier: MIT */
/*
 * pkt.h - what the parts of the runner share: the script as it was read, and the run of it.  README.md describes the language.
 *
 * parse*.c turn text into a struct script; run.c plays it against an instance of the stack on a virtual clock; wire.c makes and reads packets,
 * flow.c translates between the script's numbers and those on the wire, match.c compares and prints; calls*.c make the system calls;
 * shell.c does what `...` blocks ask, check.c what %{ ... }% blocks assert.
 *
 * Times are microseconds since the script's start (struct run: base_us) unless named _ns.
 */
#ifndef XMIT_TESTS_PKT_H
#define XMIT_TESTS_PKT_H

#include "xmit/control.h"
#include "xmit/dev.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OPTIONS_MOST = 40,      /* options of a segment: 40 bytes of NOPs */
	BLOCKS_MOST = 4,
	COOKIE_MOST = 38,
	CONNS_MOST = 64,
	PACKET_MOST = 65536,
	MESSAGE_MOST = 4096,
	FDS_MOST = 1024,
};

/* --- the script ------------------------------------------------------------------------------------------------------- */

/* An expression, or a member of a struct. */
enum value_kind { V_ANY /* ... */, V_INT, V_WORD, V_STRING, V_LIST /* [a, b] */, V_STRUCT /* {a=1, b} */, V_CALL /* htons(1) */, V_OR /* a | b */,
		  V_MEMBER /* name=value or name(n)=value */ };
struct value {
	enum value_kind kind;
	int64_t num;
	const char *text;       /* of words, strings, calls, members */
	size_t text_len;
	struct value **item;
	int items;
};

/* When something happens: at a time since the start, or since the event before; a range of them; or any time. */
struct when {
	enum { AT_ONE, AT_RANGE, AT_ANY } kind;
	bool relative;
	int64_t us, end_us;
};

enum opt_kind { O_EOL = 0, O_NOP = 1, O_MSS = 2, O_WSCALE = 3, O_SACKOK = 4, O_SACK = 5, O_TS = 8, O_MD5 = 19, O_FO = 34, O_ACCECN0 = 172, O_ACCECN1 = 174,
		O_EXP = 254 };
struct tcp_opt {
	uint8_t kind;
	uint8_t n;                              /* blocks; bytes of a cookie or digest; counters of AccECN */
	uint32_t val, ecr;                      /* also MSS, scale */
	uint32_t block[BLOCKS_MOST][2];
	uint8_t bytes[COOKIE_MOST];
};

enum { F_FIN = 1, F_SYN = 2, F_RST = 4, F_PSH = 8, F_ACK = 16, F_URG = 32, F_ECE = 64, F_CWR = 128, F_AE = 256 };
enum check_tos { TOS_NONE, TOS_ECN, TOS_ECT01, TOS_ALL };

/* A packet of a script, and one from the wire in the script's numbers. */
struct packet {
	bool in;
	uint8_t protocol;
	enum check_tos check_tos;
	uint8_t tos, ttl;                       /* ttl 0: not said */
	bool df, said_df;
	uint16_t local_port, remote_port;       /* 0: those of the current connection */
	uint16_t flags;
	bool ace_said;
	uint32_t seq, payload;                  /* seq + payload is what stands behind the colon */
	uint32_t ack;
	uint16_t win, urg;
	bool said_ack, said_win, said_urg, any_options;
	struct tcp_opt opt[OPTIONS_MOST];
	int opts;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_mtu, icmp_id;
	bool echo_said;                         /* ICMP: [seq:end(len)] or [udp (len)] of the packet it answers */
	uint8_t echo_protocol;
	uint32_t stream;                        /* offset of the first payload byte in its stream */
	const uint8_t *data;                    /* payload of a packet from the wire */
};

enum event_kind { E_PACKET, E_CALL, E_SHELL, E_CODE };
struct event {
	int line;
	enum event_kind kind;
	struct when when;
	struct packet *packet;
	/* a system call */
	const char *name;
	struct value **arg;
	int args;
	bool blocks;                            /* name ... end: it returns at end_us */
	int64_t end_us;
	struct value *result;
	const char *error;                      /* errno's name, NULL: none is said */
	/* a block of shell or code */
	const char *text;
};

struct setting {
	struct setting *next;
	char *name, *value;
};

struct script {
	const char *path;
	char *text;
	struct event *event;
	int events;
	struct setting *options;                /* --name=value of the script, the first first */
	void *memory;                           /* of all that hangs here */
	char error[MESSAGE_MOST];
};

/* Reads the file; false: s->error says why.  define: NAME=VALUE replacements of words (may be NULL). */
bool script_read(struct script *s, const char *path, const struct setting *define);
void script_free(struct script *s);
/* Zeroed memory that lives as long as the script. */
void *script_alloc(struct script *s, size_t n);

/* --- parsing ---------------------------------------------------------------------------------------------------------- */

struct lexer {
	struct script *script;
	const char *p;
	int line;
	const struct setting *define;
	jmp_buf failed;
};
_Noreturn void lex_fail(struct lexer *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lex_space(struct lexer *l);                        /* past blanks and comments */
bool lex_is(struct lexer *l, const char *what);         /* looks, after blanks */
bool lex_take(struct lexer *l, const char *what);       /* takes it if it is there */
void lex_expect(struct lexer *l, const char *what);
char *lex_word(struct lexer *l);                        /* [A-Za-z_][A-Za-z0-9_]*, in the script's memory; NULL: none */
bool lex_take_word(struct lexer *l, const char *word);  /* that whole word */
uint32_t lex_u32(struct lexer *l);
struct packet *parse_packet(struct lexer *l);           /* at '<' or '>' */

/* --- the run ---------------------------------------------------------------------------------------------------------- */

struct config {                                         /* from the command line and the script's options */
	int64_t tolerance_us;
	double tolerance_percent;
	int64_t ts_tick_us;
	bool ts_ecr_scaled, mapped, strict, verbose, leftovers_allowed;
	unsigned mtu, mss;
	uint16_t bind_port, connect_port;
	uint32_t local_ip, remote_ip, gateway_ip;       /* host order */
	unsigned prefix_len;
};

struct captured;

/* A connection as both ends name it; flow.c. */
struct conn {
	int protocol;
	int script_fd;                                  /* of its socket; -1 once forgotten */
	bool listening, open, accepted;                 /* open: the addresses are known */
	uint16_t local_port, remote_port;               /* on the wire; 0: not known yet */
	uint32_t local_isn, remote_isn;                 /* wire; the script counts from 0 (local), from the SYN's number (remote) */
	uint32_t script_local_isn, script_remote_isn;
	bool local_known, remote_known, remote_syn_sent, script_isn_said;
	bool ts_known;                                  /* local timestamps: wire value ts_wire is the script's ts_script */
	uint32_t ts_wire, ts_script;
	int64_t ts_us;
	struct ts_pair { uint32_t script, wire; } *ts;  /* all pairs seen, by order */
	int ts_pairs, ts_room;
};

struct captured {                                       /* a packet that the stack sent */
	struct captured *next;
	int64_t us;
	struct packet packet;                           /* in the script's numbers */
	struct conn *conn;                              /* NULL: of none */
	size_t n;
	bool partial_sum;                               /* its transport checksum is the device's to complete */
	uint8_t data[];
};

struct run {
	struct script *script;
	struct config config;
	xmit_net *net;
	xmit_dev *dev;
	uint64_t now_ns, start_ns, random;
	int next;                                       /* event */
	int64_t base_us;                                /* when the last event happened */
	uint32_t part;                                  /* bytes of the expected packet that have come already, in smaller packets */
	struct captured *first, **last;
	struct conn conn[CONNS_MOST];
	int conns;
	struct conn *current;
	uint16_t next_port;
	int fd[FDS_MOST];                               /* script's number to the instance's; -1: none */
	bool fd_host[FDS_MOST];                         /* it is a descriptor of the host (a file) */
	const struct event *blocked;                    /* the call that is being waited for */
	int64_t blocked_from_us;
	uint64_t steps;
	struct setting *variables;                      /* of code blocks */
	bool own_bytes;                                 /* the script wrote bytes of its own, or from a file: contents are not compared */
	uint32_t written[FDS_MOST];                     /* by script's descriptor: stream offsets of the next byte in each direction */
	uint32_t read[FDS_MOST];
	bool urgent;                                    /* urgent data went in: what is read is not compared */
	bool failed;
	char message[MESSAGE_MOST];
	char difference[256];
};

/* Plays the script; false: message says what went wrong and where. */
bool run_script(struct script *s, const struct config *config, char *message, size_t n);
void run_fail(struct run *r, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
int64_t run_now_us(const struct run *r);
/* Is the difference between two times what the script tolerates? */
bool run_in_time(const struct run *r, int64_t expected_us, int64_t actual_us);

/* wire.c: bytes.  A packet in wire numbers to bytes (returns the length); bytes to a packet (NULL: fine, else what is wrong). */
size_t wire_build(const struct run *r, const struct packet *p, uint8_t *out, const struct packet *echoed);
const char *wire_parse(const struct captured *c, struct packet *p);
uint8_t wire_pattern(uint32_t offset); /* what byte stands at that offset of a stream */

/* flow.c */
struct conn *flow_new_socket(struct run *r, int script_fd, int protocol);
void flow_bound(struct run *r, int script_fd, uint16_t port);
void flow_listening(struct run *r, int script_fd);
void flow_connecting(struct run *r, int script_fd, uint16_t port);
void flow_accepted(struct run *r, int script_fd, uint16_t remote_port); /* 0: the oldest */
/* The connection a script's packet belongs to; NULL: there is none. */
struct conn *flow_of_script(struct run *r, const struct packet *p);
/* The connection of a packet from the wire (ports as in p). */
struct conn *flow_of_wire(struct run *r, const struct packet *p);
/* A script's packet in wire numbers. */
void flow_to_wire(struct run *r, struct conn *c, const struct packet *script, struct packet *wire);
/* A packet from the wire in the script's numbers. */
void flow_to_script(struct conn *c, struct packet *p);
/* What a connection learns from a packet that the stack sent, and from one matched. */
void flow_learn(struct conn *c, const struct packet *wire);
void flow_learn_ts(struct run *r, struct conn *c, const struct packet *script, const struct packet *wire, int64_t us);

/* match.c: NULL, or what differs (in a buffer of the run). */
const char *match_packet(struct run *r, struct conn *c, const struct packet *want, const struct packet *got, bool last);
void packet_print(const struct packet *p, int64_t us, char *buf, size_t n);
const struct tcp_opt *packet_opt(const struct packet *p, unsigned kind);
unsigned tcp_opt_len(const struct tcp_opt *o);          /* parse_packet.c: bytes on the wire */

/* calls.c: makes the call and compares; run_fail() if it is not as said. */
void call_make(struct run *r, const struct event *e);
int64_t value_int(struct run *r, const struct event *e, const struct value *v);
void host_close(int fd);                                /* a descriptor of the host: a file of open() */
bool name_value(const char *name, int64_t *value);      /* names.c */
int errno_of_name(const char *name);                    /* 0: there is none */
const char *errno_name(int error);

/* shell.c, check.c */
void shell_run(struct run *r, const struct event *e);
void check_run(struct run *r, const struct event *e);

#endif
