/* SPDX-License-Identifier: BSD-2-Clause */
/* One BGP session driven from the command line and stdin, for tests against real routers. It does nothing but call bgp/session.h.
 *
 *   bgp_speaker remote=ADDR[:PORT] as=N peer-as=N router-id=A.B.C.D [local=ADDR] [hold=S] [families=4|6|46] [md5=KEY] [gtsm=1]
 *               [multihop=N] [nh4=ADDR] [nh6=ADDR] [role=N] [strict=1] [extended=1] [interface=NAME] [send-hold-ms=N]
 *
 * stdin:  announce PREFIX [prepend=N] [med=N] [pref=N] [nh=ADDR] [community=A:B]... [large=A:B:C]...   (replaces one of that prefix)
 *         withdraw PREFIX | withdraw all | start | stop [TEXT] | reset [TEXT] | status | quit
 * stdout: "MS state FROM TO", "MS notification-in TEXT", "MS notification-out TEXT", "MS error TEXT", "MS routes COUNT", "MS closed", and
 *         for status "status KEY=VALUE ..." with one "route TEXT" line before it for each announced prefix. MS is clock_ms().
 * End of stdin is quit: Cease, wait for the close, exit. */
#include "base/clock.h"
#include "base/err.h"
#include "bgp/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct speaker {
	uv_loop_t loop;
	uv_poll_t input;
	struct bgp_session *session;
	struct bgp_route routes[BGP_ROUTES_MAX];
	size_t count;
	char line[4096];
	size_t line_len;
	bool quitting;
};

static NORETURN void usage(const char *what)
{
	fprintf(stderr, "bgp_speaker: %s\n", what);
	exit(2);
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text)
		usage(text);
	return n;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	if (addr_parse(text, &a) != 0)
		usage(text);
	return a;
}

static void configure(struct bgp_neighbor_conf *c, char *arg)
{
	char *value = strchr(arg, '=');
	struct ip_addr id;

	if (!value)
		usage(arg);
	*value++ = '\0';
	if (strcmp(arg, "remote") == 0) {
		if (endpoint_parse(value, 0, &c->remote) != 0)
			usage(value);
	} else if (strcmp(arg, "local") == 0) {
		c->local = address(value);
	} else if (strcmp(arg, "as") == 0) {
		c->local_as = (uint32_t)number(value);
	} else if (strcmp(arg, "peer-as") == 0) {
		c->peer_as = (uint32_t)number(value);
	} else if (strcmp(arg, "router-id") == 0) {
		id = address(value);
		c->router_id = get_u32(id.bytes);
	} else if (strcmp(arg, "hold") == 0) {
		c->hold_s = (uint16_t)number(value);
	} else if (strcmp(arg, "families") == 0) {
		c->families = (uint8_t)((strchr(value, '4') ? BGP_IPV4 : 0) | (strchr(value, '6') ? BGP_IPV6 : 0));
	} else if (strcmp(arg, "md5") == 0) {
		c->md5_key = (const uint8_t *)value;
		c->md5_key_len = strlen(value);
	} else if (strcmp(arg, "gtsm") == 0) {
		c->ttl_security = number(value) != 0;
	} else if (strcmp(arg, "multihop") == 0) {
		c->multihop = (uint8_t)number(value);
	} else if (strcmp(arg, "nh4") == 0) {
		c->next_hop_v4 = address(value);
	} else if (strcmp(arg, "nh6") == 0) {
		c->next_hop_v6 = address(value);
	} else if (strcmp(arg, "role") == 0) {
		c->has_role = true;
		c->role = (enum bgp_role)number(value);
	} else if (strcmp(arg, "strict") == 0) {
		c->role_strict = number(value) != 0;
	} else if (strcmp(arg, "interface") == 0) {
		snprintf(c->interface, sizeof(c->interface), "%s", value);
	} else if (strcmp(arg, "extended") == 0) {
		c->extended_next_hop = number(value) != 0;
	} else if (strcmp(arg, "send-hold-ms") == 0) {
		c->send_hold_ms = (uint32_t)number(value);
	} else {
		usage(arg);
	}
}

static void on_event(void *ctx, struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct speaker *sp = ctx;
	struct bgp_session_status st;
	unsigned long long now = clock_ms();

	switch (ev->type) {
	case BGP_SESSION_STATE:
		printf("%llu state %s %s\n", now, bgp_state_text(ev->from), bgp_state_text(ev->to));
		break;
	case BGP_SESSION_NOTIFICATION_IN:
		printf("%llu notification-in %s\n", now, ev->text);
		break;
	case BGP_SESSION_NOTIFICATION_OUT:
		printf("%llu notification-out %s\n", now, ev->text);
		break;
	case BGP_SESSION_ERROR:
		printf("%llu error %s\n", now, ev->text);
		break;
	case BGP_SESSION_ROUTES:
		bgp_session_status(s, &st);
		printf("%llu routes %zu\n", now, st.rib->told);
		break;
	case BGP_SESSION_UPDATE:
		break;
	case BGP_SESSION_CLOSED:
		printf("%llu closed\n", now);
		if (sp->quitting)
			uv_stop(&sp->loop);
		break;
	}
	fflush(stdout);
}

static bool route_option(struct bgp_route *r, char *word)
{
	unsigned a, b, c;

	if (sscanf(word, "community=%u:%u", &a, &b) == 2)
		return bgp_route_add_community(r, (a << 16) | (b & 0xffff));
	if (sscanf(word, "large=%u:%u:%u", &a, &b, &c) == 3 && r->large_count < BGP_LARGE_COMMUNITIES_MAX) {
		r->large[r->large_count++] = (struct bgp_large_community){a, b, c};
		return true;
	}
	if (sscanf(word, "prepend=%u", &a) == 1) {
		r->prepend = (uint8_t)a;
		return true;
	}
	if (sscanf(word, "med=%u", &a) == 1) {
		r->has_med = true;
		r->med = a;
		return true;
	}
	if (sscanf(word, "pref=%u", &a) == 1) {
		r->has_local_pref = true;
		r->local_pref = a;
		return true;
	}
	return strncmp(word, "nh=", 3) == 0 && addr_parse(word + 3, &r->next_hop) == 0;
}

static void drop(struct speaker *sp, const struct ip_prefix *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < sp->count; i++)
		if (sp->routes[i].prefix.len != p->len || !addr_equal(&sp->routes[i].prefix.addr, &p->addr))
			sp->routes[kept++] = sp->routes[i];
	sp->count = kept;
}

static void apply(struct speaker *sp)
{
	int err = bgp_session_want(sp->session, sp->routes, sp->count);

	if (err) {
		printf("refused %s\n", err_text(err));
		fflush(stdout);
	}
}

static void announce(struct speaker *sp, char *rest)
{
	struct bgp_route r = {0};
	char *word = strtok(rest, " ");

	if (!word || prefix_parse(word, &r.prefix) != 0)
		usage("announce: bad prefix");
	while ((word = strtok(NULL, " ")) != NULL)
		if (!route_option(&r, word))
			usage(word);
	drop(sp, &r.prefix);
	if (sp->count == BGP_ROUTES_MAX)
		usage("announce: too many");
	sp->routes[sp->count++] = r;
	apply(sp);
}

static void status(struct speaker *sp)
{
	struct bgp_session_status st;
	char text[BGP_ROUTE_TEXT_MAX], addr[ADDR_TEXT_MAX];

	bgp_session_status(sp->session, &st);
	for (size_t i = 0; i < st.rib->count; i++)
		if (st.rib->entries[i].told)
			printf("route %s\n",
			       bgp_route_text(&st.rib->entries[i].have, &st.rib->peering, text, sizeof(text)));
	printf("status state=%s established=%llu hold=%u families=%u garbage=%llu notify-in=%llu notify-out=%llu queued=%zu "
	       "updates-out=%llu updates-in=%llu keepalives-in=%llu refreshes-in=%llu told=%zu local=%s last-error=%s\n",
	       bgp_state_text(st.state), (unsigned long long)st.established_count, st.hold_s, st.families,
	       (unsigned long long)st.garbage, (unsigned long long)st.notify_in, (unsigned long long)st.notify_out, st.queued,
	       (unsigned long long)st.messages_out[BGP_UPDATE], (unsigned long long)st.messages_in[BGP_UPDATE],
	       (unsigned long long)st.messages_in[BGP_KEEPALIVE], (unsigned long long)st.messages_in[BGP_ROUTE_REFRESH],
	       st.rib->told, st.local.family ? addr_text(&st.local, addr) : "-", st.last_error);
	fflush(stdout);
}

static void quit(struct speaker *sp)
{
	uv_poll_stop(&sp->input);
	sp->quitting = true;
	bgp_session_stop(sp->session, BGP_CEASE_SHUTDOWN, "bgp_speaker quits");
	if (bgp_session_closed(sp->session))
		uv_stop(&sp->loop);
}

static void command(struct speaker *sp, char *line)
{
	char *rest = strchr(line, ' ');
	struct ip_prefix p;

	if (rest)
		*rest++ = '\0';
	if (strcmp(line, "announce") == 0 && rest) {
		announce(sp, rest);
	} else if (strcmp(line, "withdraw") == 0 && rest) {
		if (strcmp(rest, "all") == 0)
			sp->count = 0;
		else if (prefix_parse(rest, &p) == 0)
			drop(sp, &p);
		else
			usage(rest);
		apply(sp);
	} else if (strcmp(line, "start") == 0) {
		bgp_session_start(sp->session);
	} else if (strcmp(line, "stop") == 0) {
		bgp_session_stop(sp->session, BGP_CEASE_SHUTDOWN, rest);
	} else if (strcmp(line, "reset") == 0) {
		bgp_session_reset(sp->session, BGP_CEASE_RESET, rest);
	} else if (strcmp(line, "status") == 0) {
		status(sp);
	} else if (strcmp(line, "quit") == 0) {
		quit(sp);
	} else {
		usage(line);
	}
}

static void on_input(uv_poll_t *h, int status_code, int events)
{
	struct speaker *sp = h->data;
	ssize_t n = read(STDIN_FILENO, sp->line + sp->line_len, sizeof(sp->line) - 1 - sp->line_len);
	char *end;

	(void)status_code;
	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		quit(sp);
		return;
	}
	sp->line_len += (size_t)n;
	sp->line[sp->line_len] = '\0';
	while ((end = strchr(sp->line, '\n')) != NULL) {
		*end = '\0';
		command(sp, sp->line);
		sp->line_len -= (size_t)(end + 1 - sp->line);
		memmove(sp->line, end + 1, sp->line_len + 1);
	}
	if (sp->line_len == sizeof(sp->line) - 1)
		usage("line too long");
}

int main(int argc, char **argv)
{
	static struct speaker sp;
	struct bgp_neighbor_conf conf = {.hold_s = BGP_HOLD_DEFAULT_S, .families = BGP_IPV4 | BGP_IPV6};
	int err;

	for (int i = 1; i < argc; i++)
		configure(&conf, argv[i]);
	uv_loop_init(&sp.loop);
	err = bgp_session_new(&sp.loop, &conf, on_event, &sp, &sp.session);
	if (err)
		usage(err_text(err));
	uv_poll_init(&sp.loop, &sp.input, STDIN_FILENO);
	sp.input.data = &sp;
	uv_poll_start(&sp.input, UV_READABLE, on_input);
	uv_run(&sp.loop, UV_RUN_DEFAULT);

	bgp_session_free(sp.session);
	uv_close((uv_handle_t *)&sp.input, NULL);
	uv_run(&sp.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&sp.loop) == 0 ? 0 : 1;
}
