/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone sign-variants`: signatures of all that steered names can be answered with, put into a zone before it is signed as a whole; and whether a signed zone has them. Where the keys
 * are, offline; it talks to no node. See dnssec/variants.c for why. */
#include "cli/cli.h"

#include "base/err.h"
#include "cli/variants_out.h"
#include "config/config.h"
#include "dns/rr.h"
#include "dnssec/variants.h"
#include "zone/content.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	VALID_S = 14 * 86400,
	VALID_MIN_S = 3600,
	VALID_MAX_S = 400 * 86400, /* what was right once can be replayed until its signature ends */
	INCEPTION_S = 3600,        /* for clocks that are behind */
	INCEPTION_MAX_S = 30 * 86400,
	TELL_MAX = 20,             /* sets that are named one by one in --check */
	SET_OCTETS_MAX = 65535,    /* what a message can hold of one set */
};

const char help_zone_sign_variants[] =
	"usage: zonecast zone sign-variants ZONE --key FILE... [--in FILE] [--out FILE] [--records] [--valid TIME] [--inception TIME] [--config FILE]...\n"
	"       zonecast zone sign-variants ZONE --check [--in FILE] [--config FILE]... [--json]\n"
	"\n"
	"Sign every set of records that the zone's steered names can be answered with, and write the zone with these signatures in it (VARIANT records), to be signed as\n"
	"a whole by your signer afterwards. Nodes then give steered answers that resolvers validate, and need no keys.\n"
	"\n"
	"  --key FILE        private key of the zone, as BIND has it (Kzone.+013+12345.private, with its .key beside it) or PEM; once for each algorithm of the zone\n"
	"  --in FILE         the zone before it is signed (default: its file in the fleet file)\n"
	"  --out FILE        where to (default: standard output); replaced when all of it is there\n"
	"  --records         only the VARIANT records, for $INCLUDE\n"
	"  --valid TIME      how long signatures are good (14d)\n"
	"  --inception TIME  how long before now they begin (1h)\n"
	"  --config FILE     the fleet file (default " CLI_CONFIG_DEFAULT "); several: the sets of all are signed, to go from one to the next\n"
	"  --check           sign nothing: has the zone, signed as it is served, a good signature for every set? Prints when the first one ends\n"
	"  --json            with --check: one JSON object\n";

struct job {
	struct config *configs[VARIANTS_CONFIGS_MAX];
	size_t config_count;
	const char *config_paths[VARIANTS_CONFIGS_MAX];
	const char *key_paths[VARIANTS_KEYS_MAX];
	struct dnssec_key keys[VARIANTS_KEYS_MAX]; /* to sign with, or of the zone's DNSKEY set */
	size_t key_path_count, key_count;
	struct name zone;
	struct content *content;
	struct diag diag;
	uint32_t now, inception, expiration;
	/* of --check */
	size_t missing, stale, wrong;
	bool any_end;
	uint32_t end;
	/* of signing */
	struct variants_out out;
	struct name at;   /* whose VARIANT records are being made */
	size_t at_octets;
};

static int add_config(void *ctx, const char *value)
{
	struct job *j = ctx;

	if (j->config_count == VARIANTS_CONFIGS_MAX) {
		cli_error("zone sign-variants: at most %d fleet files", VARIANTS_CONFIGS_MAX);
		return CLI_USAGE;
	}
	j->config_paths[j->config_count++] = value;
	return 0;
}

static int add_key(void *ctx, const char *value)
{
	struct job *j = ctx;

	if (j->key_path_count == VARIANTS_KEYS_MAX) {
		cli_error("zone sign-variants: at most %d keys", VARIANTS_KEYS_MAX);
		return CLI_USAGE;
	}
	j->key_paths[j->key_path_count++] = value;
	return 0;
}

/* ---- keys ---- */

/* The whole file; *out is the caller's, of *len octets. */
static int read_file(const char *path, size_t max, char **out, size_t *len, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	char *text = NULL;
	ssize_t n = 0;
	size_t have = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		err = -errno;
	else if (!S_ISREG(st->st_mode) || st->st_size > (off_t)max)
		err = ERR_LIMIT;
	else if (!(text = malloc(max + 1)))
		err = ERR_NO_MEMORY;
	while (!err && have < max && (n = read(fd, text + have, max - have)) > 0)
		have += (size_t)n;
	if (n < 0 && !err)
		err = -errno;
	close(fd);
	if (err) {
		free(text);
		return err;
	}
	*out = text;
	*len = have;
	return 0;
}

struct beside {
	struct job *j;
	struct dnssec_key *key;
	const char *path;
	bool found;
};

static int on_dnskey(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct beside *b = ctx;

	(void)place;
	if (rr->type == RR_DNSKEY && name_equal(rr->owner, b->j->zone.wire) && dnssec_key_adopt(b->key, rr->rdata, rr->rdlen))
		b->found = true;
	return 0;
}

/* The record in the .key file that BIND's and ldns' tools write beside the private one. */
static bool find_beside(struct job *j, struct dnssec_key *key, const char *path)
{
	struct beside b = {.j = j, .key = key, .path = path};
	size_t len = strlen(path), cut = len > 8 && strcmp(path + len - 8, ".private") == 0 ? 8 : len > 4 && strcmp(path + len - 4, ".pem") == 0 ? 4 : 0;
	struct zonefile_options o = {.origin = j->zone.wire, .rclass = CLASS_IN, .on_record = on_dnskey, .ctx = &b};
	char beside[4096];
	struct diag diag;

	if ((size_t)snprintf(beside, sizeof(beside), "%.*s.key", (int)(len - cut), path) >= sizeof(beside) || access(beside, R_OK) < 0)
		return false;
	diag_init(&diag);
	if (zonefile_parse(beside, &o, &diag) < 0)
		b.found = false;
	diag_done(&diag);
	return b.found;
}

static bool find_in_zone(struct job *j, struct dnssec_key *key, bool *any)
{
	const struct content_rrset *set = content_lookup(j->content, j->zone.wire, RR_DNSKEY);

	*any = set != NULL;
	for (uint32_t i = 0; set && i < set->count; i++)
		if (dnssec_key_adopt(key, set->records[i].rdata, set->records[i].rdlen))
			return true;
	return false;
}

/* The path as given, or what BIND's tools call the key: without ".private", or with ".key". */
static int read_private(const char *given, char *path, size_t cap, char **text, size_t *len, struct stat *st)
{
	size_t n = strlen(given);
	int err;

	if (n > 4 && strcmp(given + n - 4, ".key") == 0)
		snprintf(path, cap, "%.*s.private", (int)(n - 4), given);
	else
		snprintf(path, cap, "%s", given);
	err = read_file(path, DNSSEC_KEY_FILE_MAX, text, len, st);
	if (err == -ENOENT && n + sizeof(".private") <= cap) {
		snprintf(path, cap, "%s.private", given);
		err = read_file(path, DNSSEC_KEY_FILE_MAX, text, len, st);
		if (err)
			snprintf(path, cap, "%s", given);
	}
	return err;
}

static int read_key(struct job *j, const char *given)
{
	struct dnssec_key *key = &j->keys[j->key_count];
	char path[4096], why[DNSSEC_WHY_MAX], *text;
	bool in_zone, any;
	struct stat st;
	size_t len;
	int err = read_private(given, path, sizeof(path), &text, &len, &st);

	if (err < 0) {
		cli_error("%s: %s", path, err_text(err));
		return err;
	}
	err = dnssec_key_private(text, len, key, why);
	OPENSSL_cleanse(text, len);
	free(text);
	if (err < 0) {
		cli_error("%s: %s", path, why);
		return err;
	}
	j->key_count++;
	if (st.st_mode & S_IROTH)
		diag_add(&j->diag, DIAG_WARNING, path, 0, 0, "everybody can read this private key: chmod 600");
	in_zone = find_in_zone(j, key, &any);
	if (!in_zone && any) {
		cli_error("%s: the zone's DNSKEY set has not this key, so nobody would believe its signatures", path);
		return ERR_INVALID;
	}
	if (!in_zone && !find_beside(j, key, path)) {
		cli_error("%s: neither the zone nor a file .key beside it has the DNSKEY record of this key", path);
		return ERR_INVALID;
	}
	if (!(key->flags & DNSSEC_FLAG_ZONE) || key->flags & DNSSEC_FLAG_REVOKED) {
		cli_error("%s: no key to sign zones with, by its flags (%u)", path, key->flags);
		return ERR_INVALID;
	}
	if (dnssec_try(key, j->zone.wire) < 0) {
		cli_error("%s: what it signs is wrong: its private numbers do not belong to its public ones", path);
		return ERR_INVALID;
	}
	if (!in_zone)
		diag_add(&j->diag, DIAG_WARNING, path, 0, 0, "the zone has no DNSKEY records yet: this key (%s, %u) has to be among those that your signer publishes",
		         dnssec_algorithm_text(key->algorithm), key->tag);
	return 0;
}

/* RFC 4035 2.2: a set has a signature of each algorithm that the zone's keys have. */
static void check_algorithms(struct job *j)
{
	const struct content_rrset *set = content_lookup(j->content, j->zone.wire, RR_DNSKEY);
	bool told[256] = {false};

	for (uint32_t i = 0; set && i < set->count; i++) {
		uint8_t algorithm = set->records[i].rdlen > 3 ? set->records[i].rdata[3] : 0;
		bool have = told[algorithm] || (set->records[i].rdlen > 3 && !(get_u16(set->records[i].rdata) & DNSSEC_FLAG_ZONE));

		for (size_t k = 0; k < j->key_count; k++)
			have |= j->keys[k].algorithm == algorithm;
		if (!have)
			diag_add(&j->diag, DIAG_WARNING, NULL, 0, 0, "the zone has a key of algorithm %u (%s), for which there is no --key: give one of each algorithm", algorithm,
			         dnssec_algorithm_text(algorithm));
		told[algorithm] = true;
	}
}

/* ---- the two things to do ---- */

/* BIND neither loads nor signs a set that no message can hold; others do, and so do nodes, which look into it. */
static void count_octets(struct job *j, const uint8_t *at, size_t len)
{
	char name[NAME_TEXT_MAX];
	size_t before;

	if (!name_equal(j->at.wire, at)) {
		name_copy(&j->at, at);
		j->at_octets = 0;
	}
	before = j->at_octets;
	j->at_octets += len + 2;
	if (before > SET_OCTETS_MAX || j->at_octets <= SET_OCTETS_MAX)
		return;
	name_to_text(at, name);
	diag_add(&j->diag, DIAG_WARNING, NULL, 0, 0, "%s: its VARIANT records are more than 64 KiB, which BIND does not take, to sign or to serve; Knot, NSD and ldns do", name);
}

static int on_sign(void *ctx, const struct variants_set *s)
{
	struct job *j = ctx;
	uint8_t rdata[VARIANT_RDATA_MAX];
	size_t len;
	int err = 0;

	for (size_t i = 0; i < j->key_count && !err; i++) {
		err = variants_sign(s, j->zone.wire, &j->keys[i], j->inception, j->expiration, rdata, &len);
		if (!err)
			count_octets(j, s->at, len);
		if (!err)
			err = variants_out_record(&j->out, s->at, s->at_ttl, RR_VARIANT, rdata, len);
	}
	return err;
}

static int sign(struct job *j, const char *to, bool records)
{
	struct variants_count count;
	int err = 0;

	for (size_t i = 0; i < j->key_path_count && !err; i++)
		err = read_key(j, j->key_paths[i]);
	if (err)
		return err;
	check_algorithms(j);
	err = variants_out_open(&j->out, to, records ? NULL : j->content, &j->diag);
	if (err)
		return err;
	variants_out_heading(&j->out, j->expiration);
	err = variants_each(j->content, (const struct config *const *)j->configs, j->config_count, &j->diag, on_sign, j, &count);
	if (!err && !count.owners)
		diag_add(&j->diag, DIAG_WARNING, NULL, 0, 0, "no name of this zone is steered: nothing was signed");
	err = variants_out_close(&j->out, err);
	cli_diag_print(stderr, &j->diag);
	if (!err)
		fprintf(stderr, "%zu sets of %zu steered names and types signed by %zu key%s, good until %s; sign the zone as a whole now\n", count.sets, count.owners, j->key_count,
		        j->key_count > 1 ? "s" : "", variants_time(j->expiration).text);
	else if (!j->diag.errors)
		cli_error("zone sign-variants: %s", err_text(err));
	return err;
}

static int on_check(void *ctx, const struct variants_set *s)
{
	struct job *j = ctx;
	char why[DNSSEC_WHY_MAX], name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct text set;
	uint32_t end;
	int err = variants_verify(j->content, s, j->keys, j->key_count, j->now, &end, why);

	if (!err) {
		if (!j->any_end || (int32_t)(end - j->end) < 0)
			j->end = end;
		j->any_end = true;
		return 0;
	}
	*(err == ERR_NOT_FOUND ? &j->missing : err == ERR_STALE ? &j->stale : &j->wrong) += 1;
	if (j->missing + j->stale + j->wrong > TELL_MAX)
		return 0;
	text_init(&set);
	for (size_t i = 0; i < s->set.count; i++) {
		text_str(&set, i ? ", " : "");
		rdata_to_text(s->set.type, s->set.records[i].octets, s->set.records[i].len, &set);
	}
	name_to_text(s->set.owner, name);
	/* No error of the diag's: it takes few, and the count is what matters. */
	diag_add(&j->diag, DIAG_WARNING, NULL, 0, 0, "%s %s {%s}, policy \"%s\": %s", name, rrtype_text(s->set.type, type), set.chars, s->policy, why);
	text_done(&set);
	return 0;
}

static int check(struct job *j, bool json)
{
	const struct content_rrset *set = content_lookup(j->content, j->zone.wire, RR_DNSKEY);
	struct variants_count count;
	size_t bad;
	int err;

	for (uint32_t i = 0; set && i < set->count && j->key_count < VARIANTS_KEYS_MAX; i++)
		if (dnssec_key_public(set->records[i].rdata, set->records[i].rdlen, &j->keys[j->key_count]) == 0)
			j->key_count++;
	if (!j->key_count)
		diag_add(&j->diag, DIAG_ERROR, NULL, 0, 0, "the zone has no DNSKEY record of an algorithm that is known here: is this the signed zone?");
	err = variants_each(j->content, (const struct config *const *)j->configs, j->config_count, &j->diag, on_check, j, &count);
	if (err && err != ERR_INVALID) {
		cli_error("zone sign-variants: %s", err_text(err));
		return err;
	}
	bad = j->missing + j->stale + j->wrong;
	if (json) {
		json_t *o = cli_diag_json(&j->diag);

		json_object_update_new(o, json_pack("{sI sI sI sI sI}", "owners", (json_int_t)count.owners, "sets", (json_int_t)count.sets, "missing", (json_int_t)j->missing, "stale",
		                                    (json_int_t)j->stale, "wrong", (json_int_t)j->wrong));
		if (j->any_end)
			json_object_set_new(o, "end", json_string(variants_time(j->end).text));
		return cli_json_print(o) == CLI_OK && !err && !bad ? 0 : ERR_INVALID;
	}
	cli_diag_print(stdout, &j->diag);
	printf("%zu sets of %zu steered names and types: %zu signed, %zu without a signature, %zu not good now, %zu wrong", count.sets, count.owners, count.sets - bad, j->missing, j->stale, j->wrong);
	if (j->any_end)
		printf("; the first ends %s", variants_time(j->end).text);
	printf("\n");
	return err || bad ? ERR_INVALID : 0;
}

/* ---- */

static bool parse_time(const char *option, const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	if (ttl_from_text(text, strlen(text), max, out) == 0 && *out >= min)
		return true;
	cli_error("zone sign-variants: %s %s: a time as 36h or 14d, from %us to %ud", option, text, min, max / 86400);
	return false;
}

/* The fleet files, and the zone's file where no other is named. */
static int load_configs(struct job *j, const char **in)
{
	const struct config_zone *z = NULL;

	if (!j->config_count)
		j->config_paths[j->config_count++] = CLI_CONFIG_DEFAULT;
	for (size_t i = 0; i < j->config_count; i++) {
		struct diag diag;
		int err;

		diag_init(&diag);
		err = config_load(j->config_paths[i], &diag, &j->configs[i]);
		if (err < 0)
			cli_diag_print(stderr, &diag);
		diag_done(&diag);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < j->configs[0]->zone_count && !z; i++)
		if (name_equal(j->configs[0]->zones[i].apex, j->zone.wire))
			z = &j->configs[0]->zones[i];
	if (!*in && (!z || !z->file)) {
		cli_error("zone sign-variants: %s has no such zone with a file: name the zone's file with --in", j->config_paths[0]);
		return ERR_NOT_FOUND;
	}
	*in = *in ? *in : z->file;
	return 0;
}

static int load_zone(struct job *j, const char *in)
{
	struct diag diag;
	int err;

	diag_init(&diag);
	err = zone_load_file(in, j->zone.wire, NULL, &diag, &j->content);
	if (err < 0) { /* else warnings are for `zone check` */
		cli_diag_print(stderr, &diag);
		if (!diag.errors)
			cli_error("%s: %s", in, err_text(err));
	}
	diag_done(&diag);
	return err;
}

int cmd_zone_sign_variants(int argc, char **argv)
{
	static const uint8_t root[1] = {0};
	static struct job j;
	const char *in = NULL, *out = NULL, *valid = NULL, *before = NULL;
	bool records = false, checks = false, json = false;
	const struct cli_option rows[] = {{"config", .each = add_config, .ctx = &j}, {"key", .each = add_key, .ctx = &j}, {"in", .value = &in},
	                                  {"out", .value = &out},                    {"valid", .value = &valid},          {"inception", .value = &before},
	                                  {"records", .flag = &records},             {"check", .flag = &checks},          {"json", .flag = &json}};
	uint32_t valid_s = VALID_S, before_s = INCEPTION_S;
	int at, err, code = cli_parse(cli_verb_find(cli_zone_verbs, cli_zone_verb_count, "sign-variants"), rows, ARRAY_LEN(rows), argc, argv, 1, 1, &at);

	if (code >= 0)
		return code;
	if (name_from_text(argv[at], strlen(argv[at]), root, &j.zone) < 0) {
		cli_error("zone sign-variants: \"%s\" is no domain name", argv[at]);
		return CLI_USAGE;
	}
	if (checks ? j.key_path_count || out || records || valid || before : !j.key_path_count || json) {
		cli_error(checks ? "zone sign-variants: --check goes with --in, --config and --json only" : "zone sign-variants: give --key, or --check, which alone goes with --json");
		return CLI_USAGE;
	}
	if ((valid && !parse_time("--valid", valid, VALID_MIN_S, VALID_MAX_S, &valid_s)) || (before && !parse_time("--inception", before, 0, INCEPTION_MAX_S, &before_s)))
		return CLI_USAGE;
	j.now = (uint32_t)time(NULL);
	j.inception = j.now - before_s;
	j.expiration = j.now + valid_s;
	diag_init(&j.diag);
	err = load_configs(&j, &in);
	if (!err)
		err = load_zone(&j, in);
	if (!err)
		err = checks ? check(&j, json) : sign(&j, out, records);
	for (size_t i = 0; i < j.key_count; i++)
		dnssec_key_done(&j.keys[i]);
	for (size_t i = 0; i < j.config_count; i++)
		config_free(j.configs[i]);
	content_free(j.content);
	diag_done(&j.diag);
	return err ? CLI_FAILED : CLI_OK;
}
