/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as the answer to the question for a SOA: what is taken for a serial is in an authoritative answer to that question, and stands in the message. */
#include "base/wire.h"
#include "dns/message.h"
#include "sync/soa_probe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t apex[] = "\7example";
	uint16_t id = size >= 2 ? get_u16(data) : 0;
	struct soa_probe_answer a = {0};
	bool stands = false;

	if (soa_probe_judge(data, size, apex, (uint16_t)(id + 1), &a) != SOA_PROBE_STRANGE)
		abort();
	if (soa_probe_judge(data, size, apex, id, &a) != SOA_PROBE_SERIAL)
		return 0;
	if (size < DNS_HEADER_LEN || !(get_u16(data + 2) & DNS_QR) || !(get_u16(data + 2) & DNS_AA) || (get_u16(data + 2) & (DNS_TC | 15)))
		abort();
	for (size_t i = DNS_HEADER_LEN; i + 4 <= size && !stands; i++)
		stands = get_u32(data + i) == a.serial;
	if (!stands)
		abort();
	return 0;
}
