/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/* Files of the web server that are built in (tools/embed-web, src/admin/meson.build). */
struct http_file {
	const char *path, *type, *etag; /* the tag with its quotes */
	const unsigned char *bytes;
	size_t len;
	const unsigned char *gzip;      /* NULL: not worth it */
	size_t gzip_len;
};
extern const struct http_file http_files[];
extern const size_t http_file_count;
