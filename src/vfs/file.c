/* SPDX-License-Identifier: MIT */
/*
 * file.c - the descriptor table and struct file (V1).
 *
 * Numbers start at config.first_fd and end max_files later; the lowest free one is given out, as POSIX wants.  The table is a
 * directory of chunks of 256 slots, made when first needed, each with a bitmap of the numbers in use; the directory has a bitmap of
 * chunks that are full.  So a look-up is two loads, and finding a number in a table of four million looks at 256 words.
 *
 * A struct file counts the descriptors that name it and the calls that are under way with it; epoll registrations and the list of ready
 * files do not count.  The last fput() releases what is behind it, so a callback may close the descriptor it was called for.
 */
#include "vfs/vfs_internal.h"
#include <limits.h>

static struct fd_chunk *chunk_of(const struct net *net, int fd, unsigned *index)
{
	const struct vfs *vfs = net->vfs;
	unsigned n = (unsigned)fd - (unsigned)vfs->first_fd; /* a negative fd ends up out of range too */

	*index = n % FDS_PER_CHUNK;
	return likely(n < vfs->max_files) ? vfs->chunk[n / FDS_PER_CHUNK] : NULL;
}

static bool test_bit(const uint64_t *map, unsigned i) { return map[i / 64] >> (i % 64) & 1; }
static void set_bit(uint64_t *map, unsigned i) { map[i / 64] |= UINT64_C(1) << (i % 64); }
static void clear_bit(uint64_t *map, unsigned i) { map[i / 64] &= ~(UINT64_C(1) << (i % 64)); }

/* The first clear bit at or after `from` of n; n if there is none. */
static unsigned find_clear(const uint64_t *map, unsigned n, unsigned from)
{
	for (unsigned w = from / 64; w * 64 < n; w++) {
		uint64_t free_bits = ~map[w];

		if (w == from / 64)
			free_bits &= ~UINT64_C(0) << (from % 64);
		if (free_bits)
			return MIN(w * 64 + (unsigned)__builtin_ctzll(free_bits), n);
	}
	return n;
}

/* The lowest free index at or after `from`, making its chunk; -EMFILE, -ENOMEM. */
static int find_free(struct net *net, unsigned from)
{
	struct vfs *vfs = net->vfs;

	while (from < vfs->max_files) {
		unsigned c = find_clear(vfs->full, vfs->nr_chunks, from / FDS_PER_CHUNK);

		if (c >= vfs->nr_chunks)
			break;
		if (c != from / FDS_PER_CHUNK)
			from = c * FDS_PER_CHUNK;
		if (!vfs->chunk[c]) {
			vfs->chunk[c] = net_zalloc(net, sizeof(struct fd_chunk), MEM_NORMAL);
			if (!vfs->chunk[c])
				return -ENOMEM;
		}
		unsigned i = find_clear(vfs->chunk[c]->used, FDS_PER_CHUNK, from % FDS_PER_CHUNK);
		from = c * FDS_PER_CHUNK + i;
		if (i < FDS_PER_CHUNK)
			return from < vfs->max_files ? (int)from : -EMFILE;
	}
	return -EMFILE;
}

static void mark_used(struct vfs *vfs, unsigned index, bool cloexec)
{
	struct fd_chunk *c = vfs->chunk[index / FDS_PER_CHUNK];
	unsigned i = index % FDS_PER_CHUNK;

	set_bit(c->used, i);
	cloexec ? set_bit(c->cloexec, i) : clear_bit(c->cloexec, i);
	vfs->nr_open++;
	if (find_clear(c->used, FDS_PER_CHUNK, 0) == FDS_PER_CHUNK)
		set_bit(vfs->full, index / FDS_PER_CHUNK);
}

int get_unused_fd(struct net *net, int lowest, bool cloexec)
{
	struct vfs *vfs = net->vfs;
	int index = find_free(net, lowest > vfs->first_fd ? (unsigned)(lowest - vfs->first_fd) : 0);

	if (index < 0)
		return index;
	mark_used(vfs, (unsigned)index, cloexec);
	return index + vfs->first_fd;
}

void put_unused_fd(struct net *net, int fd)
{
	unsigned i;
	struct fd_chunk *c = chunk_of(net, fd, &i);

	c->slot[i] = NULL;
	clear_bit(c->used, i);
	clear_bit(net->vfs->full, (unsigned)(fd - net->vfs->first_fd) / FDS_PER_CHUNK);
	net->vfs->nr_open--;
}

void fd_install(struct net *net, int fd, struct file *f)
{
	unsigned i;

	chunk_of(net, fd, &i)->slot[i] = f;
}

int fd_install_new(struct net *net, struct file *f, int lowest)
{
	int fd = get_unused_fd(net, lowest, false);

	if (fd >= 0)
		fd_install(net, fd, f);
	return fd;
}

static struct file *fd_file(const struct net *net, int fd)
{
	unsigned i;
	struct fd_chunk *c = chunk_of(net, fd, &i);

	return likely(c) ? c->slot[i] : NULL;
}

struct file *fget(struct net *net, int fd)
{
	struct file *f = fd_file(net, fd);

	if (likely(f))
		f->count++;
	return f;
}

bool fd_get_cloexec(struct net *net, int fd)
{
	unsigned i;
	struct fd_chunk *c = chunk_of(net, fd, &i);

	return test_bit(c->cloexec, i);
}

void fd_set_cloexec(struct net *net, int fd, bool on)
{
	unsigned i;
	struct fd_chunk *c = chunk_of(net, fd, &i);

	on ? set_bit(c->cloexec, i) : clear_bit(c->cloexec, i);
}

void fput(struct file *f)
{
	struct net *net = f->net;

	if (likely(--f->count))
		return;
	eventpoll_release_file(f);
	ready_forget(f);
	if (f->ops->release)
		f->ops->release(f);
	kmem_cache_free(net->vfs->file_cache, f);
}

int close_fd(struct net *net, int fd)
{
	struct file *f = fd_file(net, fd);

	if (!f)
		return -EBADF;
	put_unused_fd(net, fd);
	if (f->cb && f->cb_fd == fd)
		ready_forget(f);
	fput(f);
	return 0;
}

struct file *alloc_file(struct net *net, const struct file_operations *ops, void *priv, uint32_t flags)
{
	struct file *f = kmem_cache_zalloc(net->vfs->file_cache, MEM_NORMAL);

	if (!f)
		return NULL;
	f->ops = ops;
	f->private_data = priv;
	f->net = net;
	f->count = 1;
	f->flags = flags;
	f->cb_fd = -1;
	list_init(&f->ready_node);
	return f;
}

/* --- the calls that are about descriptors alone ------------------------------------------------------------------- */

int xmit_close(xmit_net *net, int fd)
{
	net_clock_update(net);
	return sys_result_int(close_fd(net, fd));
}

static int do_dup(struct net *net, int fd, int lowest, bool cloexec)
{
	struct file *f = fget(net, fd);

	if (!f)
		return -EBADF;
	int newfd = get_unused_fd(net, lowest, cloexec);
	if (newfd < 0)
		fput(f);
	else
		fd_install(net, newfd, f);
	return newfd;
}

int xmit_dup(xmit_net *net, int fd) { return sys_result_int(do_dup(net, fd, 0, false)); }

/* newfd becomes a name of the file, whatever it was before; -EBADF when it is out of the table's range. */
static int do_dup2(struct net *net, int fd, int newfd)
{
	struct vfs *vfs = net->vfs;
	struct file *f = fget(net, fd);

	if (!f)
		return -EBADF;
	int err = -EBADF;
	if (newfd < vfs->first_fd || (unsigned)(newfd - vfs->first_fd) >= vfs->max_files)
		goto put_file;
	err = newfd;
	if (newfd == fd)
		goto put_file;
	unsigned index = (unsigned)(newfd - vfs->first_fd);
	struct fd_chunk **c = &vfs->chunk[index / FDS_PER_CHUNK];
	if (!*c)
		*c = net_zalloc(net, sizeof(**c), MEM_NORMAL);
	err = -ENOMEM;
	if (!*c)
		goto put_file;
	err = -EBUSY; /* reserved by a call under way, as Linux says it */
	if (test_bit((*c)->used, index % FDS_PER_CHUNK) && close_fd(net, newfd))
		goto put_file;
	mark_used(vfs, index, false);
	fd_install(net, newfd, f);
	return newfd;

put_file:
	fput(f);
	return err;
}

int xmit_dup2(xmit_net *net, int fd, int newfd)
{
	net_clock_update(net);
	return sys_result_int(do_dup2(net, fd, newfd));
}

enum { SETFL_MASK = O_NONBLOCK | O_APPEND };

static int do_fcntl(struct net *net, int fd, int cmd, long arg)
{
	struct file *f = fd_file(net, fd);

	if (!f)
		return -EBADF;
	switch (cmd) {
	case F_GETFL:
		return (int)f->flags | O_RDWR;
	case F_SETFL:
		f->flags = (f->flags & ~(uint32_t)SETFL_MASK) | ((uint32_t)arg & SETFL_MASK);
		return 0;
	case F_GETFD:
		return fd_get_cloexec(net, fd) ? FD_CLOEXEC : 0;
	case F_SETFD:
		fd_set_cloexec(net, fd, arg & FD_CLOEXEC);
		return 0;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg < 0 || arg >= (long)net->vfs->first_fd + (long)net->vfs->max_files)
			return -EINVAL;
		return do_dup(net, fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	default:
		return -EINVAL;
	}
}

int xmit_fcntl(xmit_net *net, int fd, int cmd, long arg) { return sys_result_int(do_fcntl(net, fd, cmd, arg)); }

/* --- start and end ------------------------------------------------------------------------------------------------- */

/* The directory may be larger than what net_alloc() gives; it is made once. */
static int alloc_table(struct net *net, struct vfs *vfs)
{
	vfs->chunk = net_alloc_table(net, vfs->nr_chunks * sizeof(*vfs->chunk));
	vfs->full = net_alloc_table(net, DIV_ROUND_UP(vfs->nr_chunks, 64u) * sizeof(*vfs->full));
	return vfs->chunk && vfs->full ? 0 : -ENOMEM;
}

static void free_vfs(struct net *net)
{
	struct vfs *vfs = net->vfs;

	if (vfs->epitem_cache)
		kmem_cache_destroy(vfs->epitem_cache);
	if (vfs->epoll_cache)
		kmem_cache_destroy(vfs->epoll_cache);
	if (vfs->file_cache)
		kmem_cache_destroy(vfs->file_cache);
	for (unsigned i = 0; vfs->chunk && i < vfs->nr_chunks; i++)
		net_free(net, vfs->chunk[i]);
	if (vfs->chunk)
		net_free_table(net, vfs->chunk, vfs->nr_chunks * sizeof(*vfs->chunk));
	if (vfs->full)
		net_free_table(net, vfs->full, DIV_ROUND_UP(vfs->nr_chunks, 64u) * sizeof(*vfs->full));
	net_free(net, vfs);
	net->vfs = NULL;
}

int vfs_init(struct net *net)
{
	struct vfs *vfs = net_zalloc(net, sizeof(*vfs), MEM_NORMAL);

	if (!vfs)
		return -ENOMEM;
	net->vfs = vfs;
	vfs->first_fd = net->first_fd;
	vfs->max_files = MIN(net->max_files, (unsigned)INT_MAX - (unsigned)net->first_fd);
	vfs->nr_chunks = DIV_ROUND_UP(vfs->max_files, (unsigned)FDS_PER_CHUNK);
	list_init(&vfs->ready);
	int err = alloc_table(net, vfs);
	if (err)
		goto free_vfs;
	err = -ENOMEM;
	vfs->file_cache = kmem_cache_create(net, "file", sizeof(struct file), 0);
	if (!vfs->file_cache)
		goto free_vfs;
	err = eventpoll_init(net);
	if (err)
		goto free_vfs;
	err = ready_init(net);
	if (err)
		goto free_vfs;
	return 0;

free_vfs:
	free_vfs(net);
	return err;
}

void vfs_exit(struct net *net)
{
	struct vfs *vfs = net->vfs;

	for (unsigned c = 0; c < vfs->nr_chunks; c++)
		for (unsigned i = 0; vfs->chunk[c] && i < FDS_PER_CHUNK; i++)
			if (vfs->chunk[c]->slot[i])
				close_fd(net, (int)(c * FDS_PER_CHUNK + i) + vfs->first_fd);
	free_vfs(net);
}
