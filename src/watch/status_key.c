/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/status_key.h"

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "proc/bundle.h"
#include "proc/role.h"

#include <openssl/crypto.h>

void status_key_load(const struct role *role, struct status_key *out)
{
	const struct config_key *conf = role->config ? config_status_key(role->config) : NULL;
	const struct tsig_algorithm *algorithm;
	uint8_t secret[TSIG_SECRET_MAX];
	struct writer w = writer_of(secret, sizeof(secret));
	struct name lower;
	const char *text;
	size_t len = 0;
	int err;

	*out = (struct status_key){.wanted = conf != NULL};
	if (!conf)
		return;
	algorithm = tsig_algorithm_text(conf->algorithm);
	text = role->bundle ? bundle_get(role->bundle, conf->secret_file, &len) : NULL;
	err = !text ? ERR_NOT_FOUND : !algorithm ? ERR_UNSUPPORTED : tsig_secret_parse(text, len, &w);
	name_lower(&lower, conf->dname.wire);
	if (!err)
		err = tsig_key_new(lower.wire, algorithm, secret, w.pos, 0, &out->key);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (err < 0)
		log_err("key=%s error=\"%s\" action=\"this node asks no other about its status, and tells none\"",
		        conf->name, err_text(err));
}

void status_key_done(struct status_key *k)
{
	tsig_key_free(k->key);
	*k = (struct status_key){0};
}
