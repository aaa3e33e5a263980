/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/api_write.h"
#include "admin/status_endpoints.h"

unsigned api_endpoints(struct http_request *r, struct text *out)
{
	struct status_facts f = api_facts(r->view);

	return api_put(out, status_endpoints(&f));
}
