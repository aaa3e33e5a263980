/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/keyring.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "proc/bundle.h"
#include "proc/role.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static int make_key(const struct role *role, const struct config_key *conf, struct tsig_key **out, uint64_t *id)
{
	const struct tsig_algorithm *algorithm = tsig_algorithm_text(conf->algorithm);
	uint8_t secret[TSIG_SECRET_MAX];
	struct writer w = writer_of(secret, sizeof(secret));
	size_t len = 0;
	const char *text = role->bundle ? bundle_get(role->bundle, conf->secret_file, &len) : NULL;
	int err = !text ? ERR_NOT_FOUND : !algorithm ? ERR_UNSUPPORTED : tsig_secret_parse(text, len, &w);
	struct name lower;

	name_lower(&lower, conf->dname.wire);
	if (!err)
		err = tsig_key_new(lower.wire, algorithm, secret, w.pos, 0, out);
	if (!err)
		*id = hash_checksum(secret, w.pos, hash_checksum(lower.wire, lower.len, hash_checksum(algorithm->text, 1, algorithm->size))) | 1;
	OPENSSL_cleanse(secret, sizeof(secret));
	return err;
}

int keyring_new(const struct role *role, struct keyring **out)
{
	size_t count = role->config ? role->config->key_count : 0;
	struct keyring *k = calloc(1, sizeof(*k) + count * sizeof(struct tsig_key *));

	if (!k)
		return ERR_NO_MEMORY;
	k->ids = calloc(count + 1, sizeof(*k->ids));
	if (!k->ids) {
		free(k);
		return ERR_NO_MEMORY;
	}
	k->refs = 1;
	k->count = count;
	for (size_t i = 0; i < count; i++) {
		int err = make_key(role, &role->config->keys[i], &k->list[i], &k->ids[i]);

		if (err < 0)
			log_err("key=%s error=\"%s\"", role->config->keys[i].name, err_text(err));
	}
	*out = k;
	return 0;
}

struct keyring *keyring_ref(struct keyring *k)
{
	k->refs++;
	return k;
}

void keyring_unref(struct keyring *k)
{
	if (!k || --k->refs)
		return;
	for (size_t i = 0; i < k->count; i++)
		tsig_key_free(k->list[i]);
	free(k->ids);
	free(k);
}
