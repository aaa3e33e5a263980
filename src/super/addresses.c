/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/addresses.h"

#include "base/err.h"
#include "base/log.h"
#include "net/loaddr.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_ours(const struct addresses *a, const struct ip_addr *addr)
{
	for (size_t i = 0; i < a->count; i++)
		if (addr_equal(&a->ours[i], addr))
			return true;
	return false;
}

static void save(const struct addresses *a)
{
	char tmp[sizeof(a->record) + 8], text[ADDR_TEXT_MAX];
	FILE *f;

	if (!a->count) {
		unlink(a->record);
		return;
	}
	snprintf(tmp, sizeof(tmp), "%s.new", a->record);
	f = fopen(tmp, "we");
	if (!f) {
		log_warn("addresses file=%s error=\"cannot write\"", tmp);
		return;
	}
	for (size_t i = 0; i < a->count; i++)
		fprintf(f, "%s\n", addr_text(&a->ours[i], text));
	if (fclose(f) != 0 || rename(tmp, a->record) < 0)
		log_warn("addresses file=%s error=\"cannot write\"", a->record);
}

void addresses_init(struct addresses *a, const char *run_dir)
{
	char line[128];
	FILE *f;

	memset(a, 0, sizeof(*a));
	snprintf(a->record, sizeof(a->record), "%s/addresses", run_dir);
	f = fopen(a->record, "re");
	while (f && a->count < ADDRESSES_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (addr_parse(line, &a->ours[a->count]) == 0)
			a->count++;
	}
	if (f)
		fclose(f);
}

int addresses_add(struct addresses *a, const struct ip_addr *addr)
{
	char text[ADDR_TEXT_MAX];
	int err;

	if (a->count == ADDRESSES_MAX)
		return ERR_LIMIT;
	err = loaddr_add(addr);
	if (err == ERR_EXISTS) {
		if (!is_ours(a, addr))
			log_info("address=%s on=lo note=\"was there already; it will be left there\"", addr_text(addr, text));
		return 0;
	}
	if (err < 0)
		return err;
	if (!is_ours(a, addr))
		a->ours[a->count++] = *addr;
	save(a);
	log_notice("address=%s on=lo action=added", addr_text(addr, text));
	return 0;
}

int addresses_remove(struct addresses *a, const struct ip_addr *addr)
{
	char text[ADDR_TEXT_MAX];
	int err;

	if (!is_ours(a, addr))
		return 0;
	err = loaddr_remove(addr);
	if (err < 0)
		return err;
	for (size_t i = 0; i < a->count; i++)
		if (addr_equal(&a->ours[i], addr)) {
			a->ours[i] = a->ours[--a->count];
			break;
		}
	save(a);
	log_notice("address=%s on=lo action=removed", addr_text(addr, text));
	return 0;
}

void addresses_keep_only(struct addresses *a, const struct ip_addr *wanted, size_t count)
{
	for (size_t i = a->count; i-- > 0;) {
		struct ip_addr addr = a->ours[i];
		char text[ADDR_TEXT_MAX];
		bool keep = false;
		int err;

		for (size_t k = 0; k < count; k++)
			keep |= addr_equal(&wanted[k], &addr);
		err = keep ? 0 : addresses_remove(a, &addr);
		if (err < 0)
			log_err("address=%s on=lo action=remove error=\"%s\"", addr_text(&addr, text), err_text(err));
	}
}
