/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/api_write.h"
#include "admin/status_drift.h"

unsigned api_drift(struct http_request *r, struct text *out)
{
	struct status_facts f = api_facts(r->view);

	return api_put(out, status_drift(&f));
}
