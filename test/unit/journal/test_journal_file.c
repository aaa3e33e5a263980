/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's file: its space, growing, opening, damage, readers beside a writer. */
#include "journal_kit.h"

#include "base/err.h"
#include "journal/rows.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include <cmocka.h>

#include "journal_rig.h"

/* ---- the file ---- */

static int get_space(struct journal_txn *t, void *ctx)
{
	return journal_get_space(t, ctx);
}

/* Old versions leave no rows: what a thousand changes used is used again. */
static void test_space_is_used_again(void **state)
{
	const struct journal_keep keep = {.differences_max = 5, .octets_max = 1 << 20};
	struct journal_space early, late;

	(void)state;
	put_whole(1);
	for (uint32_t serial = 1; serial < 300; serial++) {
		if (serial == 60)
			assert_int_equal(journal_read(journal, get_space, &early, &why), 0);
		if (serial % 50 == 0)
			put_whole(serial + 1);
		else
			put_change(serial, serial + 1, &keep);
	}
	assert_int_equal(journal_read(journal, get_space, &late, &why), 0);
	assert_true(late.used_octets <= 2 * early.used_octets);
	assert_true(late.used_octets <= late.map_octets && late.free_octets < late.used_octets);
}

static void test_growing(void **state)
{
	const struct journal_options o = {.map_step = 1 << 17, .map_max = 1 << 21};
	const struct kit_zone large = {.seed = 8, .names = 900, .calm = 3, .text = 2000};
	struct journal_space space;
	struct content *c;
	uint32_t serial = 1;
	int err;

	(void)state;
	journal_close(journal);
	journal = open_in(folder, &o);
	for (;; serial++) {
		struct journal_change *change = serial > 1 ? kit_change(&large, serial - 1, serial) : NULL;

		c = kit_content(&large, serial);
		err = change ? kit_put_change(journal, change, NULL, &why) : kit_put_whole(journal, c, &why);
		content_free(c);
		if (change)
			kit_change_free(change);
		if (err)
			break;
	}
	/* It grew several times, and then was full, which is said. */
	assert_int_equal(err, ERR_LIMIT);
	assert_string_equal(why.chars, "zone zone.example.: the journal has reached its limit of 2097152 octets");
	assert_true(serial > 4);
	assert_int_equal(journal_read(journal, get_space, &space, &why), 0);
	assert_int_equal(space.map_octets, 1 << 21);
	assert_int_equal(kit_verify(journal, &large, &why), serial - 1);
	/* With more room it goes on; with less it can still be read. */
	journal_close(journal);
	journal = open_in(folder, &(struct journal_options){.map_step = 1 << 17});
	c = kit_content(&large, serial);
	assert_int_equal(kit_put_whole(journal, c, &why), 0);
	content_free(c);
	journal_close(journal);
	journal = open_in(folder, &(struct journal_options){.map_step = 1 << 17, .map_max = 1 << 17});
	assert_int_equal(kit_verify(journal, &large, &why), 1);
}

static void test_one_process(void **state)
{
	struct journal *second = NULL;

	(void)state;
	assert_int_equal(journal_open(folder, NULL, &why, &second), -EBUSY);
	assert_non_null(strstr(why.chars, "another process"));
	assert_null(second);
	text_clear(&why);
	assert_int_equal(journal_open("/proc/journal", NULL, &why, &second), -ENOENT);
	assert_true(why.len > 0);
}

static void write_at(const char *name, long at, const void *bytes, size_t len)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Another program's row of format in the same place. */
static void put_format(uint32_t format)
{
	const struct row_key key = row_key_format();
	uint8_t value[ROWS_SEAL + 100];
	struct writer w = writer_of(value + ROWS_SEAL, 100);
	char path[600];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.bytes}, v = {.mv_data = value};

	row_format_put(&w, &(struct row_format){.format = format, .next_id = 1});
	writer_u32(&w, 0x12345678); /* more than this one knows */
	v.mv_size = ROWS_SEAL + w.pos;
	row_seal(key.bytes, key.len, value, v.mv_size);
	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void test_damaged_files(void **state)
{
	static const struct {
		const char *title;
		long at, cut; /* a place to write 16 octets of 0xff, or the length that is left */
		int want;
		const char *says;
	} cases[] = {
	        {"no meta page", 0, -1, ERR_UNSUPPORTED, "no LMDB file"},
	        {"empty", -1, 0, ERR_MALFORMED, "cut short"},
	        {"one page", -1, 4096, ERR_MALFORMED, "cut short"},
	        {"half", -1, 20000, ERR_MALFORMED, "cut short"},
	        {"pages of the tree", 4096 * 2 + 8, -1, ERR_MALFORMED, "page "},
	};
	struct journal *j;
	char path[600];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t ones[16];
		int err;

		memset(ones, 0xff, sizeof(ones));
		put_whole(1);
		for (uint32_t serial = 1; serial < 40; serial++)
			put_change(serial, serial + 1, NULL);
		journal_close(journal);
		snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
		assert_int_equal(stat(path, &st), 0);
		if (cases[i].cut >= 0) {
			assert_int_equal(truncate(path, cases[i].cut), 0);
		} else if (cases[i].at) {
			/* Every page from there on, one of which is in use. */
			for (long at = cases[i].at; at < st.st_size; at += 4096)
				write_at("journal.lmdb", at, ones, sizeof(ones));
		} else {
			write_at("journal.lmdb", 0, ones, sizeof(ones));
		}
		text_clear(&why);
		journal = NULL;
		err = journal_open(folder, NULL, &why, &j);
		if (err != cases[i].want || !strstr(why.chars, cases[i].says))
			fail_msg("%s: %d, %s", cases[i].title, err, why.chars);
		/* What the operator's program does then. */
		assert_int_equal(journal_set_aside(folder), 0);
		journal = open_in(folder, NULL);
		assert_string_equal(kept(), "zone zone.example.: no version is kept");
		snprintf(path, sizeof(path), "%s/journal.damaged", folder);
		assert_int_equal(stat(path, &st), 0);
	}
	journal_close(journal);
	journal = NULL;
	put_format(ROWS_FORMAT + 1);
	text_clear(&why);
	assert_int_equal(journal_open(folder, NULL, &why, &j), ERR_STALE);
	assert_non_null(strstr(why.chars, "format 2, this program reads 1"));
}

/* ---- threads ---- */

struct reader_thread {
	pthread_t thread;
	unsigned reads;
	bool failed;
	const bool *stop;
};

static void *read_on(void *ctx)
{
	struct reader_thread *r = ctx;

	while (!__atomic_load_n(r->stop, __ATOMIC_ACQUIRE)) {
		struct journal_zone z;
		struct content *got, *want;

		/* The newest may be gone by the time it is asked for; what comes must be right. */
		if (kit_get_zone(journal, &z) != 0 || kit_get_content(journal, z.newest, &got, NULL) != 0)
			continue;
		want = kit_content(&zone, z.newest);
		if (kit_sum(got) != kit_sum(want))
			r->failed = true;
		content_free(got);
		content_free(want);
		__atomic_fetch_add(&r->reads, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_readers_beside_a_writer(void **state)
{
	const struct journal_keep keep = {.differences_max = 3, .octets_max = 1 << 20};
	const struct journal_options o = {.map_step = 1 << 16};
	struct reader_thread readers[3];
	bool stop = false;
	uint32_t serial = 1;

	(void)state;
	journal_close(journal);
	journal = open_in(folder, &o); /* small steps: it grows while they read */
	put_whole(serial);
	for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
		readers[i] = (struct reader_thread){.stop = &stop};
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (;; serial++) {
		bool enough = serial >= 150;

		for (unsigned i = 0; i < ARRAY_LEN(readers); i++)
			enough &= __atomic_load_n(&readers[i].reads, __ATOMIC_RELAXED) >= 10;
		if (enough || serial == 20000)
			break;
		put_change(serial, serial + 1, &keep);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
		pthread_join(readers[i].thread, NULL);
		assert_false(readers[i].failed);
		assert_true(readers[i].reads >= 10);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        CASE(test_space_is_used_again), CASE(test_growing), CASE(test_one_process), CASE(test_damaged_files),
	        CASE(test_readers_beside_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
