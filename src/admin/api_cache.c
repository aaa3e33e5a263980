/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/api_write.h"
#include "admin/backend_cache.h"

unsigned api_cache(struct http_request *r, struct text *out)
{
	return api_put(out, backend_cache_status(r->view->cache, r->view->board));
}
