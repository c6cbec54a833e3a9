/* SPDX-License-Identifier: MIT */
/* lex.c - the text of a script, character by character: blanks, comments, words, numbers; and the memory that the parsed script lives in. */
#include "pkt.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
	max_align_t data[];
};

void *script_alloc(struct script *s, size_t n)
{
	struct block *b = calloc(1, sizeof(*b) + n);

	if (!b) {
		fprintf(stderr, "pkt_run: no memory\n");
		exit(2);
	}
	b->next = s->memory;
	s->memory = b;
	return b->data;
}

void script_free(struct script *s)
{
	struct block *b = s->memory, *next;

	for (; b; b = next) {
		next = b->next;
		free(b);
	}
	s->memory = NULL;
}

void lex_fail(struct lexer *l, const char *format, ...)
{
	va_list ap;
	int n = snprintf(l->script->error, sizeof(l->script->error), "%s:%d: ", l->script->path, l->line);

	va_start(ap, format);
	vsnprintf(l->script->error + n, sizeof(l->script->error) - (size_t)n, format, ap);
	va_end(ap);
	longjmp(l->failed, 1);
}

static void skip_until(struct lexer *l, const char *end)
{
	size_t n = strlen(end);

	while (*l->p && strncmp(l->p, end, n) != 0) {
		if (*l->p == '\n')
			l->line++;
		l->p++;
	}
	if (*end != '\n' && *l->p)
		l->p += n;
}

void lex_space(struct lexer *l)
{
	for (;;) {
		if (*l->p == '\n')
			l->line++;
		if (isspace((unsigned char)*l->p))
			l->p++;
		else if (*l->p == '#' || !strncmp(l->p, "//", 2))
			skip_until(l, "\n");
		else if (!strncmp(l->p, "/*", 2))
			skip_until(l, "*/");
		else
			return;
	}
}

bool lex_is(struct lexer *l, const char *what)
{
	lex_space(l);
	return !strncmp(l->p, what, strlen(what));
}

bool lex_take(struct lexer *l, const char *what)
{
	if (!lex_is(l, what))
		return false;
	l->p += strlen(what);
	return true;
}

/* What stands here, for a message. */
static const char *here(struct lexer *l)
{
	static char text[24];
	size_t n = strcspn(l->p, "\n");

	snprintf(text, sizeof(text), "%.*s", (int)(n < 20 ? n : 20), l->p);
	return *l->p ? text : "the end";
}

void lex_expect(struct lexer *l, const char *what)
{
	if (!lex_take(l, what))
		lex_fail(l, "'%s' is expected here, not '%s'", what, here(l));
}

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

char *lex_word(struct lexer *l)
{
	size_t n = 0;

	lex_space(l);
	if (!isalpha((unsigned char)*l->p) && *l->p != '_')
		return NULL;
	while (word_char(l->p[n]))
		n++;
	char *word = script_alloc(l->script, n + 1);
	memcpy(word, l->p, n);
	l->p += n;
	for (const struct setting *d = l->define; d; d = d->next)
		if (!strcmp(d->name, word))
			return d->value;
	return word;
}

bool lex_take_word(struct lexer *l, const char *word)
{
	size_t n = strlen(word);

	if (!lex_is(l, word) || word_char(l->p[n]))
		return false;
	l->p += n;
	return true;
}

uint32_t lex_u32(struct lexer *l)
{
	char *end;

	lex_space(l);
	if (!isdigit((unsigned char)*l->p))
		lex_fail(l, "a number is expected here, not '%s'", here(l));
	int base = l->p[0] == '0' && (l->p[1] == 'x' || l->p[1] == 'X') ? 16 : 10;
	unsigned long long v = strtoull(l->p, &end, base);
	if (v > UINT32_MAX)
		lex_fail(l, "%llu does not fit in 32 bits", v);
	l->p = end;
	return (uint32_t)v;
}
