/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When is which zone asked for at its primaries: see secondary.c. Pure: time is an argument, milliseconds of a clock that is never stepped; what lies
 * before its beginning is negative. One owner, one thread. */
enum {
	SECONDARY_ACTIVE_MAX = 128,        /* zones asked for or transferred at a time */
	SECONDARY_ACTIVE_PER_SOURCE = 32,  /* of them from one primary */
	SECONDARY_ROUTINE_PER_S = 1000,    /* refreshes begun in a second, beside NOTIFY, orders and zones without data */
	SECONDARY_PRIMARIES_MAX = 64,
	SECONDARY_MIN_S = 1,               /* bounds of SOA fields, whatever a zone says: a zone of 0 s must not keep us busy */
	SECONDARY_REFRESH_MAX_S = 28 * 86400,
	SECONDARY_RETRY_MAX_S = 14 * 86400,
	SECONDARY_EXPIRE_MAX_S = 26 * 7 * 86400,
	SECONDARY_EMPTY_RETRY_MAX_S = 60,  /* between two attempts at a zone that has no data */
	SECONDARY_START_SPREAD_MS = 900000, /* at most: refreshes overdue at start are spread, 5 ms a zone */
	SECONDARY_NETWORKS_MAX = 64,       /* that are told apart: secondary_currency() */
	SECONDARY_SULK_MS = 1000,          /* a NOTIFY after a failure waits until this long after it */
};

struct secondary_set;
struct secondary_source;

enum secondary_phase { SECONDARY_WAITING, SECONDARY_QUEUED, SECONDARY_BUSY };

/* A zone that is held by transfer; lives as long as the set. To be changed by the functions below only. */
struct secondary {
	const uint8_t *apex;               /* lower case */
	const struct endpoint *primaries;
	uint16_t primary_count;
	uint16_t primary;                  /* index of the one that answered last */
	uint32_t key;                      /* index of the TSIG key in the configuration; UINT32_MAX: none */
	uint64_t key_id;                   /* tells keys apart, secrets too: another one is another zone */
	bool serve_expired;
	bool has_version;                  /* served; serial and the SOA's timers are valid */
	bool expired;
	bool has_refreshed, has_primary_serial;
	uint8_t phase;                     /* enum secondary_phase */
	bool urgent, again, whole, force;  /* wishes: before others; once more after this; all of it; even if older */
	bool again_has_serial;
	bool direct;                       /* `primary` has told that it has direct_serial, which is newer: no need to ask for serials */
	uint16_t again_primary;            /* index of the one that has again_serial, UINT16_MAX: not known */
	uint32_t again_serial, direct_serial;
	uint32_t serial, refresh_s, retry_s, expire_s;
	uint32_t primary_serial;
	uint32_t failures;                 /* since it was last refreshed */
	uint32_t turns;                    /* for jitter */
	int64_t refreshed_ms, due_ms, expire_at_ms, failed_ms;
	char *error;                       /* of the last failure since, or NULL */
	struct secondary_source *source;
	struct secondary *next; /* in a queue */
	size_t heap_at;         /* SIZE_MAX: not in it */
	uint8_t counted;        /* as what: secondary_survey.c */
	bool noted;             /* the owner's: its timers wait for the disk */
	bool gone, unlisted;    /* taken out of the set; freed when it has left list and queue */
	bool excused;           /* the owner's: see secondaries.c */
	uint64_t origin;        /* the owner's: what it was made by; 0: the configuration */
	uint32_t network;       /* the owner's; not changed once the zone is admitted */
	uint64_t octets;        /* the owner's: of the version in the store; 0: not known */
	uint32_t max_records;   /* as configured */
};

/* seed: any number; nodes with different ones do not ask at the same moments. NULL: out of memory. */
struct secondary_set *secondary_set_new(uint64_t seed);
void secondary_set_free(struct secondary_set *set);

struct secondary_config {
	const uint8_t *apex;               /* copied, as the primaries are; the zones of a set differ */
	const struct endpoint *primaries;  /* at least one; SECONDARY_PRIMARIES_MAX are looked at */
	size_t primary_count;
	uint32_t key;
	uint64_t key_id;
	bool serve_expired; /* an expired zone is answered on */
	uint64_t origin;
	uint32_t network;
	uint32_t max_records; /* kept for the owner */
};

/* What is known of a zone from before, in the set's clock. */
struct secondary_past {
	bool has_version, has_refreshed, has_primary_serial, expired;
	uint32_t serial, refresh_s, retry_s, expire_s, primary_serial, failures;
	int64_t refreshed_ms, due_ms, expire_at_ms;
	uint16_t primary;
	const char *error;                 /* copied */
};

/* Zones are added, and their past told, before secondary_begin(); then come the questions. ERR_NO_MEMORY. */
int secondary_add(struct secondary_set *set, const struct secondary_config *c, struct secondary **out) MUST_CHECK;
void secondary_recall(struct secondary_set *set, struct secondary *z, const struct secondary_past *past);
/* The zone of an earlier set, from the same primaries with the same key: it goes on as it was, busy too. False: it is another, and begins anew but for
 * its version. */
bool secondary_inherit(struct secondary_set *set, struct secondary *z, const struct secondary *old);
/* ERR_NO_MEMORY. */
int secondary_begin(struct secondary_set *set, int64_t now_ms) MUST_CHECK;

/* Zones that are added later are part of the set with this; costs what they cost, and a pass over pointers. ERR_NO_MEMORY: some of them wait for the next call. */
int secondary_admit(struct secondary_set *set, int64_t now_ms) MUST_CHECK;
/* Out of the set: z is nobody's after this, and no question about it is to be answered. Its memory is kept until secondary_admit() or longer. */
void secondary_remove(struct secondary_set *set, struct secondary *z);

struct secondary *secondary_find(const struct secondary_set *set, const uint8_t *apex);
/* In canonical order of names: the first after apex, or of all (NULL). */
struct secondary *secondary_after(const struct secondary_set *set, const uint8_t *apex);
size_t secondary_count(const struct secondary_set *set);

enum secondary_what { SECONDARY_ASK, SECONDARY_EXPIRE };
struct secondary_action {
	enum secondary_what what;
	struct secondary *zone; /* SECONDARY_ASK: busy until one of the three functions below is called */
	bool whole;             /* as AXFR */
	bool force;             /* whatever its serial */
	bool direct;            /* zone->primary has said by NOTIFY that it has a newer serial */
};
/* The next thing to do now; call until false. */
bool secondary_next(struct secondary_set *set, int64_t now_ms, struct secondary_action *out);
/* When to call that again at the latest, should nothing happen before; INT64_MAX: never. */
int64_t secondary_wake_ms(const struct secondary_set *set, int64_t now_ms);

struct secondary_news {
	uint16_t primary;                  /* index */
	uint32_t serial, refresh_s, retry_s, expire_s; /* of the SOA as sent */
	bool has_expire;                   /* EXPIRE option, RFC 7314 */
	uint32_t option_s;
};
/* A primary has the version that is held; only serial and the option of news count. */
void secondary_confirmed(struct secondary_set *set, struct secondary *z, const struct secondary_news *news, int64_t now_ms);
/* A version has come and is served. */
void secondary_arrived(struct secondary_set *set, struct secondary *z, const struct secondary_news *news, int64_t now_ms);
/* No primary confirmed or sent a good version. error: one line, copied. */
void secondary_failed(struct secondary_set *set, struct secondary *z, const char *error, int64_t now_ms);
/* It is busy no more, and nothing was learnt: ask again at once, for the whole zone where `whole`. */
void secondary_redo(struct secondary_set *set, struct secondary *z, bool whole, int64_t now_ms);
/* The version held is gone from the store. */
void secondary_lost(struct secondary_set *set, struct secondary *z);
/* A primary said that it has this serial, in passing. */
void secondary_seen(struct secondary *z, uint32_t serial);

enum secondary_heard { SECONDARY_HEARD, SECONDARY_OLD_NEWS, SECONDARY_STRANGER };
/* A NOTIFY for z (RFC 1996) from an address, with the zone's key or not. */
enum secondary_heard secondary_notified(struct secondary_set *set, struct secondary *z, const struct ip_addr *from, bool good_key, bool has_serial,
                                        uint32_t serial);
/* An operator wants it now. */
void secondary_demand(struct secondary_set *set, struct secondary *z, bool whole, bool force);

/* How long a version lives that nobody confirms, by its SOA. */
int64_t secondary_life_ms(uint32_t refresh_s, uint32_t retry_s, uint32_t expire_s);

struct secondary_counts {
	size_t zones, serving, expired, failing, empty, queued, busy;
};
/* Costs nothing, however many zones there are. */
void secondary_counts(const struct secondary_set *set, struct secondary_counts *out);

/* How current the data of a network is. */
struct secondary_currency {
	size_t held;          /* zones with data */
	size_t failing;       /* of these: not refreshed by the last attempt */
	bool has_refreshed;
	int64_t refreshed_ms; /* the last of all refreshes */
};
/* network: below SECONDARY_NETWORKS_MAX. Costs nothing. */
void secondary_currency(const struct secondary_set *set, uint32_t network, struct secondary_currency *out);

/* How many zones of a network are near the end of their lives: with less than near_percent of it left, or expired and served. */
struct secondary_near {
	size_t count;
	int64_t at_ms;        /* where there are any: the first end of those, */
	const uint8_t *apex;  /* of this zone; valid until the set changes */
};
/* Zones with network below count are looked at, the others passed over. Costs a pass over all zones, some 20 ns each: not to be made each second. */
void secondary_near(const struct secondary_set *set, const uint8_t *near_percent, struct secondary_near *out, size_t count, int64_t now_ms);
/* The zones of a network in turn, round and round: the first after the name (NULL: of all) that has data and is not busy. NULL: there is none. */
struct secondary *secondary_turn(const struct secondary_set *set, const uint8_t *after, uint32_t network);
/* The primary of z answers again: its zones that failed are asked for soon, spread as at start. */
void secondary_retry(struct secondary_set *set, const struct secondary *z, int64_t now_ms);
