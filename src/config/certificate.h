/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

/* Judge a certificate with its chain and a private key, both PEM octets of the files named: errors for what TLS could not be served with, warnings for
 * what clients that look closely will refuse. now_s: seconds since 1970. */
void certificate_check(const char *certificate_file, const void *certificate, size_t certificate_len,
                       const char *key_file, const void *key, size_t key_len, int64_t now_s, struct diag *diag);
/* Likewise authorities, by which others are known. */
void certificate_check_authorities(const char *file, const void *pem, size_t len, int64_t now_s, struct diag *diag);
