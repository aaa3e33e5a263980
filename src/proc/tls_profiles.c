/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/tls_profiles.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/wire.h"
#include "dns/base64.h"
#include "proc/bundle.h"
#include "proc/role.h"
#include "tls/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the bundle; false: it is named, and not there. */
static bool take(const struct role *role, const char *file, const void **bytes, size_t *len)
{
	if (file)
		*bytes = role->bundle ? bundle_get(role->bundle, file, len) : NULL;
	return !file || *bytes;
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t len)
{
	return hash_checksum(bytes, len, hash_checksum(&len, sizeof(len), sum));
}

static int make(const struct role *role, const struct config_tls_auth *conf, struct tls_client **out, uint64_t *id,
                char why[TLS_WHY_MAX])
{
	uint8_t pins[CONFIG_PINS_MAX][TLS_PIN_LEN];
	struct tls_client_settings s = {.opportunistic = conf->mode == CONFIG_TLS_OPPORTUNISTIC,
	                                .server_name = conf->server_name,
	                                .pins = (const uint8_t(*)[TLS_PIN_LEN])pins};
	uint64_t sum = conf->mode;
	int err;

	snprintf(why, TLS_WHY_MAX, "a file was not handed over");
	if (!take(role, conf->ca_file, &s.authorities, &s.authorities_len) ||
	    !take(role, conf->certificate_file, &s.certificate, &s.certificate_len) ||
	    !take(role, conf->key_file, &s.key, &s.key_len))
		return ERR_NOT_FOUND;
	for (; s.pin_count < conf->pin_count; s.pin_count++) {
		struct writer w = writer_of(pins[s.pin_count], TLS_PIN_LEN);

		snprintf(why, TLS_WHY_MAX, "a pin is no base64 of 32 octets");
		if (base64_get(conf->pins[s.pin_count], strlen(conf->pins[s.pin_count]), &w) < 0 ||
		    w.pos != TLS_PIN_LEN)
			return ERR_INVALID;
	}
	err = tls_client_new(&s, out, why);
	if (err < 0)
		return err;
	sum = mix(sum, s.server_name, s.server_name ? strlen(s.server_name) : 0);
	sum = mix(sum, s.authorities, s.authorities_len);
	sum = mix(sum, pins, s.pin_count * TLS_PIN_LEN);
	sum = mix(sum, s.certificate, s.certificate_len);
	*id = mix(sum, s.key, s.key_len) | 1;
	return 0;
}

int tls_profiles_new(const struct role *role, struct tls_profiles **out)
{
	size_t count = role->config ? role->config->tls_auth_count : 0;
	struct tls_profiles *p = calloc(1, sizeof(*p) + count * sizeof(struct tls_client *));

	if (!p)
		return ERR_NO_MEMORY;
	p->ids = calloc(count + 1, sizeof(*p->ids));
	if (!p->ids) {
		free(p);
		return ERR_NO_MEMORY;
	}
	p->refs = 1;
	p->count = count;
	for (size_t i = 0; i < count; i++) {
		char why[TLS_WHY_MAX];

		if (make(role, &role->config->tls_auth[i], &p->list[i], &p->ids[i], why) < 0)
			log_err("tls-auth=%s error=\"%s\"", role->config->tls_auth[i].name, why);
	}
	*out = p;
	return 0;
}

struct tls_profiles *tls_profiles_ref(struct tls_profiles *p)
{
	if (p)
		p->refs++;
	return p;
}

void tls_profiles_unref(struct tls_profiles *p)
{
	if (!p || --p->refs)
		return;
	for (size_t i = 0; i < p->count; i++)
		tls_client_free(p->list[i]);
	free(p->ids);
	free(p);
}
