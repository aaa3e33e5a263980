/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { HEADER = 12, FRESH_OCTETS = 8 };

uint64_t load_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint16_t type_of(const char *text)
{
	static const struct {
		const char *name;
		uint16_t code;
	} types[] = {{"A", 1},   {"NS", 2},    {"CNAME", 5}, {"SOA", 6},  {"PTR", 12},
		     {"MX", 15}, {"TXT", 16},  {"AAAA", 28}, {"DS", 43}, {"DNSKEY", 48}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(types[i].name, text) == 0)
			return types[i].code;
	errx(1, "%s: this type is not known here", text);
}

static size_t encode(uint8_t *out, const char *name, uint16_t type, bool dnssec)
{
	static const uint8_t opt[] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0x80, 0, 0, 0};
	uint8_t *p = out + HEADER;

	memset(out, 0, HEADER);
	out[5] = 1; /* one question */
	out[11] = dnssec;
	while (*name) {
		size_t len = strcspn(name, ".");

		if (len > 63 || p + len + 1 - out > HEADER + 254)
			errx(1, "%s: no name", name);
		if (len) {
			*p++ = (uint8_t)len;
			memcpy(p, name, len);
			p += len;
		}
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	*p++ = (uint8_t)(type >> 8);
	*p++ = (uint8_t)type;
	*p++ = 0;
	*p++ = 1;
	if (dnssec) {
		memcpy(p, opt, sizeof(opt));
		p += sizeof(opt);
	}
	return (size_t)(p - out);
}

void load_questions(struct load *l, const char *path, bool dnssec)
{
	size_t lines = 0, wire_size = 1 << 20;
	char line[512], name[256], type[16];
	FILE *f = fopen(path, "r");

	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f))
		lines++;
	rewind(f);
	l->at = calloc(lines + 1, sizeof(*l->at));
	l->wire = malloc(wire_size);
	while (l->at && l->wire && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s %15s", name, type) != 2)
			errx(1, "%s: a line is not NAME TYPE: %s", path, line);
		if (l->at[l->count] + (size_t)QUESTION_MAX > wire_size) {
			wire_size *= 2;
			l->wire = realloc(l->wire, wire_size);
			if (!l->wire)
				break;
		}
		l->at[l->count + 1] = l->at[l->count] + (uint32_t)encode(l->wire + l->at[l->count], name, type_of(type), dnssec);
		l->count++;
	}
	fclose(f);
	if (!l->at || !l->wire || !l->count)
		errx(1, "%s: no questions, or no memory", path);
}

/* Another label in each query of each run, so that nothing that remembers answers has seen it. */
static void freshen(uint8_t *query)
{
	static uint64_t state;

	if (!state)
		state = load_now_ns() | 1;
	state ^= state << 13; /* xorshift64 */
	state ^= state >> 7;
	state ^= state << 17;
	if (query[HEADER] < FRESH_OCTETS)
		errx(1, "the first label must have %d octets at least to be made new", FRESH_OCTETS);
	for (int i = 0; i < FRESH_OCTETS; i++)
		query[HEADER + 1 + i] = (uint8_t)("abcdefghijklmnopqrstuvwxyz012345"[state >> (i * 5) & 31]);
}

size_t load_next(struct load *l, uint16_t id, uint8_t *out)
{
	size_t len = l->at[l->next + 1] - l->at[l->next];

	memcpy(out, l->wire + l->at[l->next], len);
	l->next = l->next + 1 == l->count ? 0 : l->next + 1;
	id = htons(id);
	memcpy(out, &id, sizeof(id));
	if (l->fresh)
		freshen(out);
	return len;
}

uint64_t load_allowed(const struct load *l, uint64_t start_ns, uint64_t now_ns)
{
	if (!l->rate)
		return UINT64_MAX;
	return (uint64_t)((double)(now_ns - start_ns) * (double)l->rate / 1e9);
}

uint64_t load_due_ns(const struct load *l, uint64_t start_ns, uint64_t n)
{
	return start_ns + (uint64_t)((double)n * 1e9 / (double)l->rate);
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned doubling;

	if (ns < HISTOGRAM_STEPS)
		return (unsigned)ns;
	doubling = 63 - (unsigned)__builtin_clzll(ns);
	return (doubling - 4) * HISTOGRAM_STEPS + (unsigned)(ns >> (doubling - 5) & (HISTOGRAM_STEPS - 1));
}

static double bucket_ns(unsigned b)
{
	unsigned doubling = b / HISTOGRAM_STEPS + 4;

	if (b < HISTOGRAM_STEPS)
		return b;
	return (double)((uint64_t)(HISTOGRAM_STEPS + b % HISTOGRAM_STEPS) << (doubling - 5));
}

void load_count(struct load *l, const uint8_t *message, size_t len, uint64_t latency_ns)
{
	l->answered++;
	l->octets += len;
	l->rcodes[message[3] & 15]++;
	l->histogram[bucket_of(latency_ns)]++;
}

static double percentile_us(const struct load *l, double part)
{
	uint64_t wanted = (uint64_t)((double)l->answered * part), seen = 0;

	for (unsigned b = 0; b < sizeof(l->histogram) / sizeof(l->histogram[0]); b++) {
		seen += l->histogram[b];
		if (seen > wanted)
			return bucket_ns(b) / 1e3;
	}
	return 0;
}

void load_print(const struct load *l, double seconds)
{
	printf("{\"sent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"seconds\": %.4f, \"octets\": %" PRIu64
	       ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"rcodes\": [",
	       l->sent, l->answered, l->lost, seconds, l->octets, percentile_us(l, 0.5), percentile_us(l, 0.99), percentile_us(l, 0.999));
	for (int i = 0; i < 16; i++)
		printf("%s%" PRIu64, i ? ", " : "", l->rcodes[i]);
	printf("]}\n");
}
