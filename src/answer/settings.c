/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/settings.h"

#include "base/err.h"
#include "proc/role.h"

#include <string.h>

int settings_make(const struct config *config, const struct bundle *bundle, const char *node, unsigned workers, struct settings *out)
{
	static const enum engine_any anys[] = {
		[CONFIG_ANY_ONE] = ENGINE_ANY_ONE, [CONFIG_ANY_ALL] = ENGINE_ANY_ALL, [CONFIG_ANY_REFUSE] = ENGINE_ANY_REFUSE};
	const struct config_answer *a = &config->answer;
	const struct stream_limits streams = {
		.connections = a->tcp.connections, .per_client = a->tcp.per_client, .idle_ms = a->tcp.idle_ms, .memory = a->tcp.memory};
	size_t len = 0;
	const void *secrets = bundle_get(bundle, ROLE_ITEM_COOKIES, &len);
	struct settings s = {
		.engine = {.identity = {.nsid = node, .version = "zonecast " ZONECAST_VERSION},
	                   .udp_max = a->udp_size,
	                   .any = anys[a->any],
	                   .cookies_required = a->cookies.mode == CONFIG_COOKIES_REQUIRED,
	                   .report_agent = a->report_agent},
		.streams = stream_limits_share(&streams, workers),
	};

	if (!secrets || len != sizeof(s.cookies))
		return ERR_MALFORMED;
	memcpy(&s.cookies, secrets, len);
	*out = s;
	out->engine.cookies = &out->cookies;
	return 0;
}
