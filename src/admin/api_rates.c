/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/rates.h"

unsigned api_rates(struct http_request *r, struct text *out)
{
	const struct rates *rates = r->view->rates;
	uint64_t from = rates->count > RATES_POINTS ? rates->count - RATES_POINTS : 0;

	text_str(out, "{\"points\":[");
	for (uint64_t i = from; i < rates->count; i++) {
		if (i > from)
			text_char(out, ',');
		rates_point_text(rates, i, out);
	}
	text_str(out, "]}\n");
	return 200;
}
