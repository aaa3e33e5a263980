/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One journal in a folder of its own for each test of a program that includes this, after cmocka.h. */
#include "journal_kit.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const struct kit_zone zone = {.seed = 3, .names = 60, .calm = 10};
static struct text why;
static char *folder;
static struct journal *journal;

static inline struct journal *open_in(const char *where, const struct journal_options *o)
{
	struct journal *j = NULL;

	if (journal_open(where, o, &why, &j) != 0)
		fail_msg("%s", why.chars);
	return j;
}

static inline int setup(void **state)
{
	(void)state;
	text_init(&why);
	folder = kit_folder();
	journal = open_in(folder, NULL);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	journal_close(journal);
	journal = NULL;
	kit_folder_free(folder);
	text_done(&why);
	return 0;
}

static inline void put_whole(uint32_t serial)
{
	struct content *c = kit_content(&zone, serial);

	if (kit_put_whole(journal, c, &why) != 0)
		fail_msg("%s", why.chars);
	content_free(c);
}

static inline void put_change(uint32_t from, uint32_t to, const struct journal_keep *keep)
{
	struct journal_change *c = kit_change(&zone, from, to);

	if (kit_put_change(journal, c, keep, &why) != 0)
		fail_msg("%s", why.chars);
	kit_change_free(c);
}

/* The versions kept, as "5 6 7". */
static inline const char *kept(void)
{
	static char text[2000];
	uint32_t serials[200];
	int n = kit_serials(journal, serials, 200, &why);

	text[0] = 0;
	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? " %u" : "%u", serials[i]);
	return n < 0 ? why.chars : text;
}
