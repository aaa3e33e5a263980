/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* A file that grows and is put aside: FILE is written, FILE.1 the one before, FILE.2 that before, and so on. What is put is written by a thread of libuv's, so a disk that stands still
 * stands in nobody's way. */
enum {
	FILE_OUT_BUFFER = 512 << 10,
	FILE_OUT_MARK = 64,
	FILE_OUT_PATH = 512,
	FILE_OUT_RETRY_MS = 1000,
	FILE_OUT_PATIENCE_MS = 1000,
};

struct file_out {
	uv_loop_t *loop;
	char path[FILE_OUT_PATH];
	uint64_t limit; /* octets; 0: none */
	unsigned keep;  /* files put aside */
	uint8_t begin[FILE_OUT_MARK], end[FILE_OUT_MARK];
	size_t begin_len, end_len;
	uint8_t *fill, *out; /* FILE_OUT_BUFFER each: what comes, what is being written */
	size_t fill_len, out_len, out_pos;
	uint64_t written;
	uint64_t total, rotations; /* ever */
	uint64_t retry_ms;
	int fd;    /* -1: not open */
	int error; /* of the last attempt; 0: none */
	bool anew;
	struct file_write *write; /* under way; NULL: none */
	void (*on_room)(void *ctx);
	void *ctx;
};

/* begin and end: octets that each file has first and last; NULL: none. ERR_NO_MEMORY. f stays where it is until file_out_close(). */
int file_out_open(struct file_out *f, uv_loop_t *loop, const char *path, uint64_t limit, unsigned keep) MUST_CHECK;
/* Octets that fit now. */
size_t file_out_room(const struct file_out *f);
void file_out_put(struct file_out *f, const void *octets, size_t len);
/* Write what there is; try again what failed. Every few milliseconds. */
void file_out_tick(struct file_out *f, uint64_t now_ms);
/* Somebody may have moved the file away: if so, begin another. */
void file_out_look(struct file_out *f);
/* Write all that is left, and wait for it; not for ever: a disk that stands still keeps what it has not taken. */
void file_out_close(struct file_out *f);
