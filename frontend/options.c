/* SPDX-License-Identifier: MIT */
/*
 * options.c - names, options and ioctls: forwarded to the stack's socket, which knows and refuses them as Linux does.
 *
 * Few touch the placeholder too: the time-outs and SO_RCVLOWAT (reads of the program block there); SO_OOBINLINE and SO_PEEK_OFF of a stream touch
 * nothing else; never the buffer sizes, which are the stack's affair.  SO_ERROR of a connection that died: the stack's code, but only while the
 * placeholder's own error is still there, that is until a read has reported it.  Of a socket that is gone from the stack the answers come from what was kept.
 *
 * The SIOCGIF* requests are answered by the stack on any socket, AF_UNIX too: the program's interfaces are the stack's.
 */
#include "supervisor.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define OPTION_MAX 4096
#define SO_RCVTIMEO_64 66 /* of programs with 64-bit time on 32-bit longs; on 64-bit machines both mean the same */
#define SO_SNDTIMEO_64 67

long sys_bind(struct supervisor *sup, struct call *c)
{
	struct sockaddr_storage ss;
	struct object *o = c->obj;
	int rc = mem_read_addr(sup, c, c->req.data.args[1], c->req.data.args[2], &ss);

	if (rc)
		return rc;
	if (o->kind == OBJ_NETLINK)
		return netlink_bind(sup, c);
	if (o->sfd < 0)
		return -EINVAL;
	socklen_t len = (socklen_t)c->req.data.args[2];
	if (xmit_bind(sup->net, o->sfd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	sweep_named(sup, false); /* whoever has it may have been closed without a word */
	return xmit_bind(sup->net, o->sfd, (struct sockaddr *)&ss, len) == 0 ? 0 : -errno;
}

static long write_name(struct supervisor *sup, struct call *c, const struct sockaddr_storage *ss, socklen_t len)
{
	return mem_write_addr(sup, c, c->req.data.args[1], c->req.data.args[2], ss, len);
}

long sys_getsockname(struct supervisor *sup, struct call *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (c->obj->kind == OBJ_NETLINK)
		return netlink_getsockname(sup, c);
	if (c->obj->sfd < 0)
		return write_name(sup, c, &c->obj->local, c->obj->local_len);
	if (xmit_getsockname(sup->net, c->obj->sfd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return write_name(sup, c, &ss, len);
}

long sys_getpeername(struct supervisor *sup, struct call *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (c->obj->sfd < 0)
		return -ENOTCONN;
	if (xmit_getpeername(sup->net, c->obj->sfd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	return write_name(sup, c, &ss, len);
}

/* --- options --- */

static bool for_placeholder(int level, int name)
{
	if (level != SOL_SOCKET)
		return false;
	return name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_RCVTIMEO_64 || name == SO_SNDTIMEO_64 || name == SO_RCVLOWAT;
}

/* How a stream's bytes are read: the placeholder's affair altogether.  It has all of them, the urgent ones as such. */
static bool placeholders_own(const struct object *o, int level, int name)
{
	return o->kind == OBJ_STREAM && level == SOL_SOCKET && (name == SO_OOBINLINE || name == SO_PEEK_OFF);
}

static int canonical(int level, int name)
{
	if (level == SOL_SOCKET && sizeof(long) == 8 && name == SO_RCVTIMEO_64)
		return SO_RCVTIMEO;
	if (level == SOL_SOCKET && sizeof(long) == 8 && name == SO_SNDTIMEO_64)
		return SO_SNDTIMEO;
	return name;
}

/* Options that only the calls which the program makes on its placeholder could honour: refused, not taken in vain. */
static int cannot_hold(const struct object *o, int level, int name)
{
	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		return -EOPNOTSUPP; /* no completion would ever come */
	if (o->kind == OBJ_STREAM && level == IPPROTO_TCP && (name == XMIT_TCP_INQ || name == XMIT_TCP_FASTOPEN_CONNECT))
		return -ENOPROTOOPT;
	if (level == SOL_SOCKET && (name == SO_TIMESTAMPING || name == 65)) /* 65: SO_TIMESTAMPING_NEW */
		return -ENOPROTOOPT; /* no stamp would ever come */
	if (o->kind == OBJ_DGRAM && o->type == SOCK_DGRAM && o->protocol != IPPROTO_ICMP && level == SOL_SOCKET && name == SO_PEEK_OFF)
		return -ENOPROTOOPT; /* some peeks are the placeholder's, some are trapped */
	return 0;
}

/* What was written before an option is set goes by the old value. */
static void move_on(struct supervisor *sup, struct object *o)
{
	if (o->kind == OBJ_DGRAM) {
		dgram_drain(sup, o);
	} else if (o->kind == OBJ_STREAM && o->state == ST_LINKED) {
		o->in_ready = true;
		stream_pump(sup, o);
	}
}

long sys_setsockopt(struct supervisor *sup, struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->req.data.args;
	int level = (int)a[1], name = canonical(level, (int)a[2]), len = (int)a[4];
	struct object *o = c->obj;
	_Alignas(16) unsigned char val[OPTION_MAX];

	if (len < 0)
		return -EINVAL;
	if (len > OPTION_MAX)
		return -ENOBUFS;
	int rc = mem_read(sup, c, a[3], val, (size_t)len);
	if (!rc)
		rc = cannot_hold(o, level, name);
	if (rc)
		return rc;
	if (placeholders_own(o, level, name)) {
		o->has_options = true;
		return setsockopt(c->dup, level, name, val, (socklen_t)len) < 0 ? -errno : 0;
	}
	move_on(sup, o);
	if (o->sfd < 0)
		return 0; /* netlink: there is nothing to set; gone from the stack: it has no effect any more */
	if (xmit_setsockopt(sup->net, o->sfd, level, name, val, (socklen_t)len) < 0)
		return -errno;
	if (for_placeholder(level, name)) {
		(void)setsockopt(c->dup, level, name, val, (socklen_t)len);
		o->has_options = true;
	}
	if (level == SOL_SOCKET && name == SO_LINGER && len >= (int)sizeof(struct linger)) {
		const struct linger *l = (const struct linger *)val;
		o->linger0 = l->l_onoff && l->l_linger == 0;
	}
	return 0;
}

int take_error(struct supervisor *sup, struct call *c)
{
	struct object *o = c->obj;
	int own = 0, err = 0;
	socklen_t len = sizeof(int);

	if (o->kind == OBJ_STREAM)
		(void)getsockopt(c->dup, SOL_SOCKET, SO_ERROR, &own, &len);
	else
		dgram_forget_reports(o, c->dup);
	if (o->state == ST_DEAD) {
		err = own ? (o->err ? o->err : own) : 0;
		o->err = 0;
		return err;
	}
	if (o->err) {
		err = o->err;
		o->err = 0;
		return err;
	}
	len = sizeof(int);
	if (o->sfd < 0 || xmit_getsockopt(sup->net, o->sfd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return 0;
	if (err && o->state == ST_LINKED) { /* the stack has told it now: the rest of the news is ours to bring */
		stream_error(sup, o, err);
		len = sizeof(int);
		(void)getsockopt(c->dup, SOL_SOCKET, SO_ERROR, &own, &len);
		o->err = 0;
	}
	return err;
}

/* Options of what is not (or no longer) in the stack: the length, or -ENOPROTOOPT. */
static int kept_option(const struct object *o, int level, int name, void *val)
{
	int v;

	if (level != SOL_SOCKET && o->kind == OBJ_NETLINK)
		return -ENOPROTOOPT;
	if (level == IPPROTO_TCP && name == XMIT_TCP_INFO) {
		struct xmit_tcp_info info = { .tcpi_state = 7 /* TCP_CLOSE */ };
		memcpy(val, &info, sizeof(info));
		return (int)sizeof(info);
	}
	v = level != SOL_SOCKET ? 0 : name == SO_TYPE ? o->type : name == SO_DOMAIN ? o->domain : name == SO_PROTOCOL ? o->protocol :
	    name == SO_SNDBUF || name == SO_RCVBUF ? 212992 : 0;
	memcpy(val, &v, sizeof(v));
	return (int)sizeof(v);
}

long sys_getsockopt(struct supervisor *sup, struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->req.data.args;
	int level = (int)a[1], name = canonical(level, (int)a[2]), room;
	struct object *o = c->obj;
	_Alignas(16) unsigned char val[OPTION_MAX];
	socklen_t len;
	int rc = mem_read(sup, c, a[4], &room, sizeof(room));

	if (rc)
		return rc;
	if (room < 0)
		return -EINVAL;
	len = (socklen_t)MIN(room, OPTION_MAX);
	if (level == SOL_SOCKET && name == SO_ERROR) {
		int err = take_error(sup, c);
		len = MIN(len, (socklen_t)sizeof(err));
		memcpy(val, &err, sizeof(err));
	} else if (placeholders_own(o, level, name)) {
		if (getsockopt(c->dup, level, name, val, &len) < 0)
			return -errno;
	} else if (o->sfd < 0) {
		rc = kept_option(o, level, name, val);
		if (rc < 0)
			return rc;
		len = MIN(len, (socklen_t)rc);
	} else if (xmit_getsockopt(sup->net, o->sfd, level, name, val, &len) < 0) {
		return -errno;
	}
	rc = mem_write(sup, c, a[3], val, len);
	return rc ? rc : mem_write(sup, c, a[4], &len, sizeof(len));
}

/* --- ioctl --- */

static long write_int(struct supervisor *sup, struct call *c, int value)
{
	return mem_write(sup, c, c->req.data.args[2], &value, sizeof(value));
}

/* SIOCOUTQ, SIOCOUTQNSD: what waits in the pair is neither acknowledged nor sent. */
static long unsent(struct supervisor *sup, struct call *c, unsigned cmd)
{
	struct object *o = c->obj;
	int in_stack = 0, in_pair = 0;

	if (!o)
		return CALL_CONTINUE;
	if (o->state == ST_LISTEN)
		return -EINVAL;
	if (o->sfd >= 0)
		(void)xmit_ioctl(sup->net, o->sfd, cmd, &in_stack);
	if (o->end >= 0)
		(void)ioctl(o->end, SIOCINQ, &in_pair);
	return write_int(sup, c, in_stack + in_pair - (o->state == ST_CONNECTING ? (int)o->plug_bytes : 0));
}

static long list_interfaces(struct supervisor *sup, struct call *c)
{
	struct ifconf user, own;
	int rc = mem_read(sup, c, c->req.data.args[2], &user, sizeof(user));

	if (rc)
		return rc;
	own.ifc_len = MIN(MAX(user.ifc_len, 0), (int)BOUNCE_BYTES); /* without a buffer it is asked for: Java leaves any number there */
	own.ifc_buf = user.ifc_buf ? (char *)sup->bounce : NULL;
	if (xmit_ioctl(sup->net, sup->info_fd, SIOCGIFCONF, &own) < 0)
		return -errno;
	if (user.ifc_buf)
		rc = mem_write(sup, c, (uintptr_t)user.ifc_buf, own.ifc_buf, (size_t)own.ifc_len);
	user.ifc_len = own.ifc_len;
	return rc ? rc : mem_write(sup, c, c->req.data.args[2], &user, sizeof(user));
}

/* Requests whose argument is one struct ifreq without a pointer in it. */
static bool asks_about_interface(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFNAME: case SIOCGIFFLAGS: case SIOCGIFADDR: case SIOCGIFDSTADDR: case SIOCGIFBRDADDR: case SIOCGIFNETMASK:
	case SIOCGIFMETRIC: case SIOCGIFMTU: case SIOCGIFHWADDR: case SIOCGIFINDEX: case SIOCGIFTXQLEN:
		return true;
	default:
		return false;
	}
}

static long ask_about_interface(struct supervisor *sup, struct call *c, unsigned cmd)
{
	struct ifreq ifr;
	int rc = mem_read(sup, c, c->req.data.args[2], &ifr, sizeof(ifr));

	if (rc)
		return rc;
	if (xmit_ioctl(sup->net, sup->info_fd, cmd, &ifr) < 0)
		return -errno;
	return mem_write(sup, c, c->req.data.args[2], &ifr, sizeof(ifr));
}

static bool is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

long sys_ioctl(struct supervisor *sup, struct call *c)
{
	unsigned cmd = (unsigned)c->req.data.args[1];

	if (cmd == SIOCOUTQ || (cmd == SIOCOUTQNSD && c->obj && c->obj->kind == OBJ_STREAM))
		return unsent(sup, c, cmd);
	if (cmd >= FIOSETOWN && cmd <= SIOCGPGRP) /* who gets SIGIO and SIGURG: the placeholder's own affair */
		return CALL_CONTINUE;
	if (!c->obj && !is_socket(c->dup))
		return CALL_CONTINUE;
	if (cmd == SIOCGIFCONF)
		return list_interfaces(sup, c);
	if (asks_about_interface(cmd))
		return ask_about_interface(sup, c, cmd);
	if (!c->obj)
		return CALL_CONTINUE;
	if (cmd == SIOCATMARK && c->obj->kind == OBJ_STREAM)
		return CALL_CONTINUE;
	if (cmd == 0x8906 || cmd == 0x8907) /* SIOCGSTAMP, SIOCGSTAMPNS */
		return -ENOENT;
	if (cmd == SIOCETHTOOL)
		return -EOPNOTSUPP;
	return cmd >= SIOCADDRT && cmd <= SIOCSIFTXQLEN ? -EPERM : -ENOTTY; /* the network is set up by xmit's options */
}
