/* SPDX-License-Identifier: MIT */
/*
 * replay_main.c - runs a fuzz target over files (directories: over all in them) without libFuzzer.
 *
 * usage: fuzz_NAME FILE|DIRECTORY...     prints `ok - replay_NAME (N inputs)`, or which file broke it
 *
 * The inputs run in a child process: so this one lives to say which input it was.
 */
#include "fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT_MOST = 1 << 20, PATH_BYTES = 4096 };

struct progress { /* shared with the child */
	unsigned inputs;
	char file[PATH_BYTES];
};

static void run_file(struct progress *done, const char *path)
{
	FILE *f = fopen(path, "rb");

	snprintf(done->file, sizeof(done->file), "%s", path);
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	/* A buffer of just its size: reading past the input is found too. */
	uint8_t *all = malloc(INPUT_MOST);
	size_t n = all ? fread(all, 1, INPUT_MOST, f) : 0;
	uint8_t *data = malloc(n ? n : 1);
	if (!all || !data)
		exit(2);
	memcpy(data, all, n);
	free(all);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	done->inputs++;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int not_hidden(const struct dirent *d) { return d->d_name[0] != '.'; }

static void run_path(struct progress *done, const char *path)
{
	struct dirent **list;
	char file[PATH_BYTES];
	struct stat st;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		run_file(done, path);
		return;
	}
	int n = scandir(path, &list, not_hidden, by_name);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		run_file(done, file);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

int main(int argc, char **argv)
{
	struct progress *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
		return 2;
	}
	if (done == MAP_FAILED)
		return 2;
	pid_t child = fork();
	if (child < 0)
		return 2;
	if (!child) {
		for (int i = 1; i < argc; i++)
			run_path(done, argv[i]);
		exit(0);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && done->inputs) {
		printf("ok - replay_%s (%u inputs)\n", fuzz_name, done->inputs);
		return 0;
	}
	printf("not ok - replay_%s: %s\n", fuzz_name, done->inputs || done->file[0] ? done->file : "there are no inputs");
	return 1;
}
