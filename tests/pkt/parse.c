/* SPDX-License-Identifier: MIT */
/* parse.c - a script's events: times, system calls with their expressions, blocks.  Packets are parse_packet.c's.  The language: README.md. */
#include "pkt.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRIPT_MOST = 1 << 20, ITEMS_MOST = 256, DEPTH_MOST = 16 };

/* --- times -------------------------------------------------------------------------------------------------------------- */

/* Seconds with a fraction, to microseconds.  "0...5" is 0, then an ellipsis. */
static int64_t parse_seconds(struct lexer *l)
{
	int64_t us = 0, unit = 100000;

	lex_space(l);
	if (!isdigit((unsigned char)*l->p) && !(l->p[0] == '.' && isdigit((unsigned char)l->p[1])))
		lex_fail(l, "a time in seconds is expected here");
	for (; isdigit((unsigned char)*l->p) && us < INT64_C(1000000000000); l->p++)
		us = us * 10 + (*l->p - '0');
	us *= 1000000;
	if (l->p[0] != '.' || !isdigit((unsigned char)l->p[1]))
		return us;
	for (l->p++; isdigit((unsigned char)*l->p); l->p++, unit /= 10)
		us += unit * (*l->p - '0');
	return us;
}

static struct when parse_when(struct lexer *l)
{
	struct when w = {.kind = AT_ONE};

	if (lex_is(l, "`")) {
		w.relative = true; /* a block without a time follows what stands before it */
		return w;
	}
	if (lex_take(l, "*")) {
		w.kind = AT_ANY;
		return w;
	}
	w.relative = lex_take(l, "+");
	w.us = w.end_us = parse_seconds(l);
	if (lex_take(l, "~")) {
		w.kind = AT_RANGE;
		if (lex_take(l, "+") != w.relative)
			lex_fail(l, "both times of a range are relative (+), or none is");
		w.end_us = parse_seconds(l);
		if (w.end_us < w.us)
			lex_fail(l, "the range ends before it starts");
	}
	return w;
}

/* --- expressions -------------------------------------------------------------------------------------------------------- */

static struct value *parse_value(struct lexer *l, bool in_struct, int depth);

static struct value *new_value(struct lexer *l, enum value_kind kind)
{
	struct value *v = script_alloc(l->script, sizeof(*v));

	v->kind = kind;
	return v;
}

/* Values between the opening bracket, which is taken already, and the closing one. */
static void parse_items(struct lexer *l, struct value *v, const char *end, bool in_struct, int depth)
{
	struct value *item[ITEMS_MOST];

	while (!lex_take(l, end)) {
		if (v->items)
			lex_expect(l, ",");
		if (v->items == ITEMS_MOST)
			lex_fail(l, "more than %d values in a list", ITEMS_MOST);
		item[v->items++] = parse_value(l, in_struct, depth + 1);
	}
	v->item = script_alloc(l->script, sizeof(*item) * (size_t)(v->items + 1));
	memcpy(v->item, item, sizeof(*item) * (size_t)v->items);
}

static char escaped(struct lexer *l)
{
	char c = *l->p++;

	if (c == 'x' && isxdigit((unsigned char)l->p[0]) && isxdigit((unsigned char)l->p[1])) {
		char hex[3] = {l->p[0], l->p[1], 0};
		l->p += 2;
		return (char)strtoul(hex, NULL, 16);
	}
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == '0' ? '\0' : c;
}

static struct value *parse_string(struct lexer *l)
{
	struct value *v = new_value(l, V_STRING);
	char *text = script_alloc(l->script, strcspn(l->p, "\n") + 1);

	for (l->p++; *l->p != '"';) {
		if (!*l->p || *l->p == '\n')
			lex_fail(l, "the string does not end");
		if (*l->p == '\\') {
			l->p++;
			text[v->text_len++] = escaped(l);
		} else {
			text[v->text_len++] = *l->p++;
		}
	}
	l->p++;
	v->text = text;
	return v;
}

static struct value *parse_int(struct lexer *l)
{
	struct value *v = new_value(l, V_INT);
	bool minus = lex_take(l, "-");
	char *end;

	lex_space(l);
	if (!isdigit((unsigned char)*l->p))
		lex_fail(l, "a value is expected here");
	errno = 0;
	unsigned long long n = strtoull(l->p, &end, l->p[0] == '0' && (l->p[1] | 32) == 'x' ? 16 : 10);
	if (errno)
		lex_fail(l, "the number is too large");
	l->p = end;
	v->num = minus ? -(int64_t)n : (int64_t)n;
	return v;
}

static struct value *parse_member(struct lexer *l, const char *name, struct value *count, int depth)
{
	struct value *v = new_value(l, V_MEMBER);

	v->text = name;
	v->num = count && count->items == 1 ? count->item[0]->num : 0;
	v->items = 1;
	v->item = script_alloc(l->script, sizeof(*v->item));
	v->item[0] = parse_value(l, false, depth + 1);
	return v;
}

static struct value *parse_named(struct lexer *l, bool in_struct, int depth)
{
	const char *name = lex_word(l);
	struct value *v;

	if (!name)
		return parse_int(l);
	if (isdigit((unsigned char)*name)) {
		v = new_value(l, V_INT); /* --define gave the word a number */
		v->num = strtoll(name, NULL, 0);
		return v;
	}
	v = new_value(l, V_WORD);
	if (lex_take(l, "(")) {
		v->kind = V_CALL;
		parse_items(l, v, ")", false, depth);
	}
	v->text = name;
	if (in_struct && lex_take(l, "="))
		return parse_member(l, name, v, depth);
	return v;
}

static struct value *parse_primary(struct lexer *l, bool in_struct, int depth)
{
	struct value *v;

	if (depth > DEPTH_MOST)
		lex_fail(l, "values lie in more than %d brackets", DEPTH_MOST);
	if (lex_take(l, "..."))
		return new_value(l, V_ANY);
	if (lex_is(l, "\"")) {
		v = parse_string(l);
		lex_take(l, "...");
		return v;
	}
	bool list = lex_take(l, "[");
	if (list || lex_take(l, "{")) {
		v = new_value(l, list ? V_LIST : V_STRUCT);
		parse_items(l, v, list ? "]" : "}", !list, depth);
		return v;
	}
	return parse_named(l, in_struct, depth);
}

static struct value *parse_value(struct lexer *l, bool in_struct, int depth)
{
	struct value *left = parse_primary(l, in_struct, depth);

	while (lex_take(l, "|")) {
		struct value *v = new_value(l, V_OR);
		v->items = 2;
		v->item = script_alloc(l->script, 2 * sizeof(*v->item));
		v->item[0] = left;
		v->item[1] = parse_primary(l, in_struct, depth);
		left = v;
	}
	return left;
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

/* "(Operation now in progress)": for readers. */
static void parse_note(struct lexer *l)
{
	if (!lex_take(l, "("))
		return;
	while (*l->p && *l->p != ')' && *l->p != '\n')
		l->p++;
	lex_expect(l, ")");
}

static void parse_call(struct lexer *l, struct event *e)
{
	struct value args = {0};

	e->kind = E_CALL;
	if (lex_take(l, "...")) {
		e->blocks = true;
		e->end_us = parse_seconds(l);
		if (e->when.kind != AT_ONE || e->end_us < e->when.us)
			lex_fail(l, "a blocking call starts at one time and returns at or after it");
	}
	e->name = lex_word(l);
	if (!e->name)
		lex_fail(l, "a system call, a packet ('<' or '>'), `shell` or %%{ code }%% is expected here");
	lex_expect(l, "(");
	parse_items(l, &args, ")", false, 0);
	e->arg = args.item;
	e->args = args.items;
	lex_expect(l, "=");
	e->result = parse_value(l, false, 0);
	lex_space(l);
	if (*l->p == 'E') {
		e->error = lex_word(l);
		if (!errno_of_name(e->error))
			lex_fail(l, "no error is called %s", e->error);
	}
	parse_note(l);
}

static void parse_block(struct lexer *l, struct event *e, const char *end)
{
	const char *stop = strstr(l->p, end);

	if (!stop)
		lex_fail(l, "the block does not end with %s", end);
	char *text = script_alloc(l->script, (size_t)(stop - l->p) + 1);
	memcpy(text, l->p, (size_t)(stop - l->p));
	for (; l->p != stop; l->p++)
		l->line += *l->p == '\n';
	l->p += strlen(end);
	e->text = text;
}

static void parse_event(struct lexer *l, struct event *e)
{
	lex_space(l);
	e->line = l->line;
	e->when = parse_when(l);
	if (lex_is(l, "<") || lex_is(l, ">")) {
		e->kind = E_PACKET;
		e->packet = parse_packet(l);
	} else if (lex_take(l, "`")) {
		e->kind = E_SHELL;
		parse_block(l, e, "`");
	} else if (lex_take(l, "%{")) {
		e->kind = E_CODE;
		parse_block(l, e, "}%");
	} else {
		parse_call(l, e);
	}
	if (e->when.kind != AT_ONE && !(e->kind == E_PACKET && !e->packet->in))
		lex_fail(l, "only packets that are expected may come at any time or within a range");
}

static void parse_option(struct lexer *l, struct setting ***tail)
{
	size_t n = strcspn(l->p, "= \t\r\n"), v = 0;
	struct setting *s = script_alloc(l->script, sizeof(*s));

	s->name = script_alloc(l->script, n + 1);
	memcpy(s->name, l->p, n);
	l->p += n;
	if (*l->p == '=')
		v = strcspn(++l->p, " \t\r\n");
	s->value = script_alloc(l->script, v + 1);
	memcpy(s->value, l->p, v);
	l->p += v;
	**tail = s;
	*tail = &s->next;
}

static void parse_script(struct lexer *l)
{
	struct script *s = l->script;
	struct setting **tail = &s->options;
	int room = 0;

	while (lex_take(l, "--"))
		parse_option(l, &tail);
	for (lex_space(l); *l->p; lex_space(l)) {
		if (s->events == room) {
			struct event *more = script_alloc(s, sizeof(*more) * (size_t)(room = room * 2 + 64));
			if (s->events)
				memcpy(more, s->event, sizeof(*more) * (size_t)s->events);
			s->event = more;
		}
		parse_event(l, &s->event[s->events++]);
	}
	if (!s->events)
		lex_fail(l, "there is nothing in this script");
}

static bool read_text(struct script *s)
{
	FILE *f = fopen(s->path, "r");

	if (!f) {
		snprintf(s->error, sizeof(s->error), "%s: %s", s->path, strerror(errno));
		return false;
	}
	s->text = script_alloc(s, SCRIPT_MOST + 1);
	size_t n = fread(s->text, 1, SCRIPT_MOST + 1, f);
	bool read_failed = ferror(f);
	fclose(f);
	if (read_failed || n > SCRIPT_MOST || memchr(s->text, 0, n)) {
		snprintf(s->error, sizeof(s->error), "%s: not a script (larger than 1 MiB, or binary)", s->path);
		return false;
	}
	return true;
}

bool script_read(struct script *s, const char *path, const struct setting *define)
{
	struct lexer l = {.script = s, .line = 1, .define = define};

	s->path = path;
	if (!read_text(s))
		return false;
	l.p = s->text;
	if (setjmp(l.failed))
		return false;
	parse_script(&l);
	return true;
}
