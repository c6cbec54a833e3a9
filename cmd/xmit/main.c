/* SPDX-License-Identifier: MIT */
/* main.c - the program `xmit`: finds the subcommand.  Each has a file of its own (run.c, help.c). */
#include "cmd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },
	{ "help", cmd_help },
};

int complain(const char *fmt, ...)
{
	va_list ap;

	fputs("xmit: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

/* Letters to change, insert or delete to turn a into b; words of up to 31 letters. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t n = strlen(b);

	if (n > 31)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0]++;
		for (size_t j = 1; j <= n; j++) {
			unsigned replace = diagonal + (a[i] != b[j - 1]);
			unsigned best = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
			diagonal = row[j];
			row[j] = replace < best ? replace : best;
		}
	}
	return row[n];
}

const char *nearest(const char *word, const char *const *list)
{
	const char *found = NULL;
	unsigned best = (unsigned)strlen(word) / 3 + 2;

	for (; *list; list++) {
		unsigned d = distance(word, *list);
		if (d < best) {
			best = d;
			found = *list;
		}
	}
	return found;
}

/* Where 0, 1 or 2 is closed it must not become a socket of ours, into which messages would go.  For the command it stays closed. */
static void occupy_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "run", "help", NULL };

	occupy_standard_fds();
	if (argc < 2) {
		help_usage(stderr);
		return EXIT_XMIT;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("xmit %s\n", xmit_version());
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(1, argv + 1);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	const char *near = nearest(argv[1], names);
	complain("there is no command '%s'%s%s%s; see xmit --help", argv[1], near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
	return EXIT_XMIT;
}
