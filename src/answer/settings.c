/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/settings.h"

#include "base/err.h"
#include "proc/role.h"

#include <string.h>

static uint32_t share(uint32_t figure, unsigned workers)
{
	return MAX(figure / workers, 1U);
}

int settings_make(const struct config *config, const struct bundle *bundle, const char *node, unsigned workers, struct settings *out)
{
	static const enum engine_any anys[] = {
		[CONFIG_ANY_ONE] = ENGINE_ANY_ONE, [CONFIG_ANY_ALL] = ENGINE_ANY_ALL, [CONFIG_ANY_REFUSE] = ENGINE_ANY_REFUSE};
	const struct config_answer *a = &config->answer;
	size_t len = 0;
	const void *secrets = bundle_get(bundle, ROLE_ITEM_COOKIES, &len);
	struct settings s = {
		.engine = {.identity = {.nsid = node, .version = "zonecast " ZONECAST_VERSION},
	                   .udp_max = a->udp_size,
	                   .any = anys[a->any],
	                   .cookies_required = a->cookies.mode == CONFIG_COOKIES_REQUIRED,
	                   .report_agent = a->report_agent},
		.tcp = a->tcp,
	};

	if (!secrets || len != sizeof(s.cookies))
		return ERR_MALFORMED;
	memcpy(&s.cookies, secrets, len);
	s.tcp.connections = share(a->tcp.connections, workers);
	s.tcp.memory = share(a->tcp.memory, workers);
	*out = s;
	out->engine.cookies = &out->cookies;
	return 0;
}
