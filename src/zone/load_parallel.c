/* SPDX-License-Identifier: BSD-2-Clause */
/* One large zone file, parsed by several threads, with the result that one thread would have had, to the last line number.
 *
 * An entry depends on what stands before it: origin, default TTL, the owner and TTL of the record before, an open parenthesis. So the file is cut at beginnings
 * of lines that look like a record with an owner, and each piece is parsed under a guess: that it begins outside parentheses, with the origin and default TTL
 * that were in force behind the first HEAD octets. The calling thread takes the pieces in order and knows by then what really came before: a piece whose guess was
 * wrong, that met something which depends on more than the guess ($INCLUDE, $GENERATE, an inherited TTL), or in which anything is an error, is thrown away, and
 * from there on the file is read by this one thread, from the true state. So problems are told by sequential parsing only, and a file with many $ORIGINs, as BIND
 * writes them by default, gains nothing and loses what the threads were at when the first piece did not fit.
 *
 * Pieces are contents of their own, appended to the zone's: 24 octets a record and as many an owner are copied, names and RDATA stay where they are. A thread goes
 * on in the memory that its last piece has left, whoever owns that by now: nothing of it is freed while threads run. At most twice as many pieces as threads are held. The calling thread parses too, so nothing depends on a thread having started. */
#include "base/err.h"
#include "zone/content_priv.h"
#include "zone/zonefile_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	HEAD = 64 << 10, /* octets */
	LOOK = 64 << 10, /* octets looked through for a place to cut */
	PIECES_MAX = 2 * LOAD_THREADS_MAX,
};

struct piece {
	struct zonefile_part part;
	struct content *content;
	struct diag diag;
	int err;
	bool done;
};

struct crew {
	struct load *load;
	struct zonefile_state start, guess; /* behind the head: all of it, for the first piece; what is taken for granted of the others */
	const char *file;
	int fd;
	uint64_t size, piece;
	unsigned limit; /* pieces held at once */
	pthread_mutex_t lock; /* of all below, but for what is in a piece between its beginning and its end */
	pthread_cond_t work, done;
	pthread_t threads[LOAD_THREADS_MAX];
	unsigned thread_count;
	struct content_room room; /* of the calling thread */
	bool stop;
	uint64_t next;         /* octets up to here are in pieces */
	unsigned first, begun; /* count up; piece by remainder */
	struct piece pieces[PIECES_MAX];
};

/* The beginning of a line with an owner, at `from` or behind it; the end of the file if none is near. */
static uint64_t find_cut(const struct crew *c, uint64_t from)
{
	char text[LOOK];
	ssize_t n = from < c->size ? pread(c->fd, text, sizeof(text), (off_t)from) : 0;

	for (ssize_t i = 1; i < n; i++)
		if (text[i - 1] == '\n' && text[i] && !strchr(" \t\r\n;()\"$\\", text[i]))
			return from + (uint64_t)i;
	return c->size;
}

/* The next piece to parse, or NULL. Locked. */
static struct piece *begin_piece(struct crew *c)
{
	struct piece *p = &c->pieces[c->begun % PIECES_MAX];

	if (c->stop || c->next >= c->size || c->begun - c->first >= c->limit)
		return NULL;
	*p = (struct piece){.content = p->content, .part = {.file = c->file, .fd = c->fd, .size = c->size, .from = c->next, .before = c->begun ? &c->guess : &c->start, .guess = true}};
	diag_init(&p->diag);
	p->diag.error_limit = 1; /* more are not needed to know that there are some */
	p->diag.warning_limit = c->load->diag->warning_limit;
	c->next = p->part.to = find_cut(c, c->next + c->piece);
	c->begun++;
	return p;
}

/* room: of this thread, from its last piece to this one and to the next. */
static void parse_piece(const struct crew *c, struct piece *p, struct content_room *room)
{
	struct load l = {.content = p->content ? p->content : content_new(c->load->content->apex.wire), .diag = &p->diag};
	struct zonefile_options o = {.origin = l.content ? l.content->apex.wire : NULL, .rclass = CLASS_IN, .on_record = load_record, .ctx = &l};

	p->content = l.content;
	p->err = ERR_NO_MEMORY;
	if (!l.content)
		return;
	/* Never what it has from before: another thread may be filling that. */
	l.content->room = *room;
	p->err = zonefile_parse_part(&p->part, &o, &p->diag);
	*room = l.content->room;
}

static void *thread(void *arg)
{
	struct content_room room = {.next = CONTENT_BLOCK_MIN};
	struct crew *c = arg;

	pthread_mutex_lock(&c->lock);
	while (!c->stop && c->next < c->size) {
		struct piece *p = begin_piece(c);

		if (!p) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		parse_piece(c, p, &room);
		pthread_mutex_lock(&c->lock);
		p->done = true;
		pthread_cond_signal(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* The first piece, parsed; there is one, or one can be begun. */
static struct piece *take_first(struct crew *c)
{
	struct piece *first = &c->pieces[c->first % PIECES_MAX];

	pthread_mutex_lock(&c->lock);
	while (c->first == c->begun || !first->done) {
		struct piece *p = begin_piece(c);

		if (!p) {
			pthread_cond_wait(&c->done, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		parse_piece(c, p, &c->room);
		pthread_mutex_lock(&c->lock);
		p->done = true;
	}
	pthread_mutex_unlock(&c->lock);
	return first;
}

static void release_first(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	diag_done(&c->pieces[c->first % PIECES_MAX].diag);
	c->first++; /* the content is used again */
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
}

static void stop_crew(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->thread_count; i++)
		pthread_join(c->threads[i], NULL);
	for (; c->first != c->begun; c->first++)
		diag_done(&c->pieces[c->first % PIECES_MAX].diag);
	for (unsigned i = 0; i < PIECES_MAX; i++)
		content_free(c->pieces[i].content);
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->work);
	pthread_mutex_destroy(&c->lock);
}

/* Was what the piece took for granted so, and did that suffice? */
static bool is_right(const struct crew *c, const struct piece *p, uint64_t at, const struct zonefile_state *now)
{
	return !p->err && !p->part.unsure && p->part.from == at && now->origin.len == c->guess.origin.len &&
	       memcmp(now->origin.wire, c->guess.origin.wire, now->origin.len) == 0 && now->has_default_ttl == c->guess.has_default_ttl &&
	       now->default_ttl == c->guess.default_ttl;
}

/* What is in force behind the piece, of which the piece itself knows only what it saw. */
static void move_on(struct zonefile_state *now, const struct zonefile_state *after)
{
	now->origin = after->origin;
	now->has_default_ttl = after->has_default_ttl;
	now->default_ttl = after->default_ttl;
	if (after->has_owner || after->bad_owner) {
		now->owner = after->owner;
		now->has_owner = after->has_owner;
		now->bad_owner = after->bad_owner;
	}
	if (after->has_last_ttl) {
		now->has_last_ttl = true;
		now->last_ttl = after->last_ttl;
	}
	now->line += after->line - 1;
}

/* The piece's warnings, at their places in the file. */
static void pass_warnings(const struct piece *p, struct diag *diag, unsigned lines)
{
	for (const struct diag_entry *e = p->diag.first; e; e = e->next)
		diag_add(diag, e->severity, e->file, e->line ? e->line + lines : 0, e->column, "%s", e->text);
	diag->warnings += p->diag.dropped;
	diag->dropped += p->diag.dropped;
}

/* Entries from `from` up to `to`, by this thread and from what came before. */
static int parse_here(const struct crew *c, uint64_t from, uint64_t to, const struct zonefile_state *before, struct zonefile_part *part)
{
	struct load *l = c->load;
	struct zonefile_options o = {.origin = l->content->apex.wire, .rclass = CLASS_IN, .on_record = load_record, .ctx = l};

	l->content->last_file = NULL; /* names of the parse before are gone */
	if (l->o && l->o->on_progress)
		o.on_progress = load_progress;
	*part = (struct zonefile_part){.file = c->file, .fd = c->fd, .size = c->size, .from = from, .to = to, .before = before};
	return zonefile_parse_part(part, &o, l->diag);
}

static int take_pieces(struct crew *c, struct zonefile_state *now, uint64_t *at)
{
	struct load *l = c->load;
	int err = 0;

	while (!err && *at < c->size) {
		struct piece *p = take_first(c);
		unsigned lines = now->line - 1;

		if (!is_right(c, p, *at, now))
			break;
		err = content_append(l->content, p->content, lines);
		pass_warnings(p, l->diag, lines);
		move_on(now, &p->part.after);
		*at = p->part.end;
		release_first(c);
		if (l->o && l->o->on_progress)
			l->o->on_progress(l->o->ctx, *at, c->size);
	}
	return err;
}

static int run(struct crew *c, unsigned threads)
{
	struct zonefile_part part = {0};
	int head = parse_here(c, 0, MIN(HEAD, c->piece), NULL, &part), err;
	struct zonefile_state now = part.after;
	uint64_t at = part.end;

	if ((head && head != ERR_INVALID) || at >= c->size)
		return head;
	if (head) { /* there are errors: what follows is read for more of them only */
		err = parse_here(c, at, c->size, &now, &part);
		return err ? err : head;
	}
	c->start = now;
	c->guess.origin = now.origin;
	c->guess.has_default_ttl = now.has_default_ttl;
	c->guess.default_ttl = now.default_ttl;
	c->next = at;
	c->limit = 2 * threads;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->done, NULL);
	while (c->thread_count + 1 < threads && pthread_create(&c->threads[c->thread_count], NULL, thread, c) == 0)
		c->thread_count++;
	err = take_pieces(c, &now, &at);
	stop_crew(c);
	return !err && at < c->size ? parse_here(c, at, c->size, &now, &part) : err;
}

int load_parallel(struct load *l, const char *path, int fd, uint64_t size, unsigned threads)
{
	struct crew *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return ERR_NO_MEMORY;
	c->room.next = CONTENT_BLOCK_MIN;
	c->load = l;
	c->file = path;
	c->fd = fd;
	c->size = size;
	c->piece = l->o && l->o->piece ? l->o->piece : LOAD_PIECE;
	err = run(c, MIN(threads, (unsigned)LOAD_THREADS_MAX));
	free(c);
	return err;
}
