/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the server takes the one who asks for; a browser's way in and out. */
#include "admin/api.h"

#include "admin/api_write.h"
#include "admin/http_priv.h"
#include "base/log.h"

#include <jansson.h>
#include <openssl/crypto.h>

static unsigned tell(const struct http_request *r, const struct http_who *who, struct text *out)
{
	static const char *const words[] = {"nobody", "anybody", "token", "session", "certificate"};
	const struct http *h = r->http;
	json_t *o = json_pack("{s:s, s:b, s:s, s:s, s:b, s:b}", "node", r->view->node_name, "reads", who->by != HTTP_NOBODY, "by", words[who->by], "name",
	                      who->name, "changes", (int)who->changes, "tokens", h->tokens.count > 0);

	return api_put(out, o);
}

unsigned api_session(struct http_request *r, struct text *out)
{
	return tell(r, &r->who, out);
}

unsigned api_login(struct http_request *r, struct text *out)
{
	json_t *o = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL), *token = json_object_get(o, "token");
	struct http_who who;
	bool good = json_is_string(token) && http_access_login(r->http, json_string_value(token), json_string_length(token), &who, r->set_cookie,
	                                                        sizeof(r->set_cookie));

	json_decref(o);
	board_add(good ? &r->http->count->logins : &r->http->count->login_failed, 1);
	if (!good)
		return http_problem(out, 401, "there is no such token");
	log_info("http login=%s client=%s changes=%s", who.name, r->client, who.changes ? "yes" : "no");
	return tell(r, &who, out);
}

unsigned api_logout(struct http_request *r, struct text *out)
{
	struct http_who nobody = {.by = HTTP_NOBODY};

	http_access_logout(r->http, http_request_conn(r));
	snprintf(r->set_cookie, sizeof(r->set_cookie), HTTP_COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
	return tell(r, &nobody, out);
}
