/* SPDX-License-Identifier: MIT */
#include "media.h"

#include <stdbool.h>
#include <string.h>

struct medium {
	const unsigned char *data;
	size_t size;
	const char *what;
	inf_error *err;
};

static uint32_t big(const unsigned char *p, int bytes)
{
	uint32_t n = 0;
	for (int i = 0; i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

static uint32_t little(const unsigned char *p, int bytes)
{
	uint32_t n = 0;
	for (int i = bytes; i-- > 0;)
		n = n << 8 | p[i];
	return n;
}

static bool has(const struct medium *m, size_t at, const char *bytes, size_t len)
{
	return at <= m->size && len <= m->size - at && memcmp(m->data + at, bytes, len) == 0;
}

static inf_status truncated(const struct medium *m, const char *format)
{
	return inf_fail(m->err, INF_E_INVALID, "media_truncated", "%s: the %s is cut off: it ends after %zu bytes, before its "
			"end is reached", m->what, format, m->size);
}

static inf_status check_sides(const struct medium *m, uint32_t width, uint32_t height)
{
	if (!width || !height)
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the image has %u x %u pixels", m->what, width,
				height);
	if (width > GR_MEDIA_SIDE_MAX || height > GR_MEDIA_SIDE_MAX || (uint64_t)width * height > GR_MEDIA_PIXELS_MAX)
		return inf_fail(m->err, INF_E_INVALID, "media_size", "%s: the image has %u x %u pixels, more than %d on a side or %d "
				"in all: make it smaller", m->what, width, height, GR_MEDIA_SIDE_MAX, GR_MEDIA_PIXELS_MAX);
	return INF_OK;
}

/* ---- PNG ------------------------------------------------------------------------------------------------------- */
enum { PNG_SIGNATURE = 8, PNG_CHUNK = 12, PNG_IHDR = 13 };	/* length, type and checksum; IHDR's content */

/* Chunks one after the other up to IEND. */
static inf_status walk_png(const struct medium *m)
{
	size_t at = PNG_SIGNATURE;
	bool pixels = false;
	while (m->size - at >= PNG_CHUNK) {
		uint32_t len = big(m->data + at, 4);
		if (len > m->size - at - PNG_CHUNK)
			break;
		pixels = pixels || has(m, at + 4, "IDAT", 4);
		if (has(m, at + 4, "IEND", 4))
			return pixels ? INF_OK :
					inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the PNG has no pixels", m->what);
		at += PNG_CHUNK + len;
	}
	return truncated(m, "PNG");
}

static inf_status check_png(const struct medium *m)
{
	const unsigned char *header = m->data + PNG_SIGNATURE + 8;
	if (m->size < PNG_SIGNATURE + PNG_CHUNK + PNG_IHDR)
		return truncated(m, "PNG");
	if (big(m->data + PNG_SIGNATURE, 4) != PNG_IHDR || !has(m, PNG_SIGNATURE + 4, "IHDR", 4))
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the PNG does not begin with its header", m->what);
	inf_status st = check_sides(m, big(header, 4), big(header + 4, 4));
	return st == INF_OK ? walk_png(m) : st;
}

/* ---- JPEG ------------------------------------------------------------------------------------------------------ */
enum jpeg_marker { JPEG_SOF0 = 0xc0, JPEG_SOF2 = 0xc2, JPEG_RST0 = 0xd0, JPEG_SOI = 0xd8, JPEG_EOI = 0xd9, JPEG_SOS = 0xda,
		   JPEG_TEM = 1 };
enum { JPEG_SOF_MIN = 8 };			/* length, precision, height, width, components */

/* The next marker at or after *at, which then is behind it; -1 = none. Between markers lie compressed data, in which 0xff
 * is followed by 0, and here and there a few bytes that should not be. */
static int next_marker(const struct medium *m, size_t *at)
{
	for (size_t i = *at; i + 1 < m->size; i++) {
		if (m->data[i] != 0xff || m->data[i + 1] == 0 || m->data[i + 1] == 0xff)
			continue;
		*at = i + 2;
		return m->data[i + 1];
	}
	return -1;
}

/* A start of frame says how the image is coded; C4, C8 and CC among its numbers are something else. */
static bool is_frame(int marker)
{
	return marker >= JPEG_SOF0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static bool stands_alone(int marker)
{
	return (marker >= JPEG_RST0 && marker <= JPEG_SOI) || marker == JPEG_TEM;
}

static inf_status check_frame(const struct medium *m, int marker, size_t at, uint32_t len)
{
	if (marker > JPEG_SOF2)
		return inf_fail(m->err, INF_E_UNSUPPORTED, "media_format", "%s: the JPEG is coded in a rare way (SOF%d): save it as "
				"a baseline or progressive one", m->what, marker - JPEG_SOF0);
	if (len < JPEG_SOF_MIN)
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the JPEG's header is too short", m->what);
	return check_sides(m, big(m->data + at + 5, 2), big(m->data + at + 3, 2));
}

static inf_status check_jpeg(const struct medium *m)
{
	bool framed = false, scanned = false;
	size_t at = 2;
	for (int marker; (marker = next_marker(m, &at)) >= 0;) {
		if (marker == JPEG_EOI)
			return framed && scanned ? INF_OK : inf_fail(m->err, INF_E_INVALID, "media_format",
								     "%s: the JPEG has no pixels", m->what);
		if (stands_alone(marker))
			continue;
		if (m->size - at < 2)
			break;
		uint32_t len = big(m->data + at, 2);
		if (len < 2)
			return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the JPEG has a part of length %u", m->what, len);
		if (len > m->size - at)
			break;
		inf_status st = is_frame(marker) ? check_frame(m, marker, at, len) : INF_OK;
		if (st != INF_OK)
			return st;
		framed = framed || is_frame(marker);
		scanned = scanned || marker == JPEG_SOS;
		at += len;
	}
	return truncated(m, "JPEG");
}

static inf_status check_image(const struct medium *m)
{
	if (has(m, 0, "\x89PNG\r\n\x1a\n", PNG_SIGNATURE))
		return check_png(m);
	if (has(m, 0, "\xff\xd8\xff", 3))
		return check_jpeg(m);
	return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the image is neither a PNG nor a JPEG", m->what);
}

/* ---- WAV ------------------------------------------------------------------------------------------------------- */
enum { RIFF_HEAD = 12, RIFF_CHUNK = 8, WAV_FORMAT = 16, WAV_PCM = 1 };

static inf_status check_format(const struct medium *m, size_t at, uint32_t len)
{
	const unsigned char *f = m->data + at;
	if (len < WAV_FORMAT)
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the WAV's format is too short", m->what);
	uint32_t format = little(f, 2), channels = little(f + 2, 2), rate = little(f + 4, 4), bits = little(f + 14, 2);
	if (format == WAV_PCM && channels == 1 && rate == GR_MEDIA_AUDIO_RATE && bits == 16 && little(f + 12, 2) == 2)
		return INF_OK;
	return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the WAV has format %u, %u channels, %u Hz and %u bits; "
			"16-bit PCM (1), 1 channel and %d Hz are needed", m->what, format, channels, rate, bits,
			GR_MEDIA_AUDIO_RATE);
}

static inf_status check_samples(const struct medium *m, uint32_t len, bool formatted)
{
	if (!formatted)
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the WAV does not say its format", m->what);
	if (len / 2 < GR_MEDIA_AUDIO_MIN_SAMPLES)
		return inf_fail(m->err, INF_E_INVALID, "media_size", "%s: the WAV has %u samples, %d are the least", m->what, len / 2,
				GR_MEDIA_AUDIO_MIN_SAMPLES);
	return INF_OK;
}

static inf_status check_wav(const struct medium *m)
{
	bool formatted = false;
	size_t at = RIFF_HEAD;
	if (!has(m, 0, "RIFF", 4) || !has(m, 8, "WAVE", 4))
		return inf_fail(m->err, INF_E_INVALID, "media_format", "%s: the sound is not a WAV file", m->what);
	while (m->size - at >= RIFF_CHUNK) {
		size_t content = at + RIFF_CHUNK;
		uint32_t len = little(m->data + at + 4, 4);
		if (len > m->size - content)
			break;
		if (has(m, at, "data", 4))
			return check_samples(m, len, formatted);
		if (has(m, at, "fmt ", 4)) {
			inf_status st = check_format(m, content, len);
			if (st != INF_OK)
				return st;
			formatted = true;
		}
		at = content + len;
		if (len % 2 && at < m->size)
			at++;			/* chunks begin at even places */
	}
	return truncated(m, "WAV file");
}

inf_status gr_media_check(int32_t kind, const void *data, size_t size, const char *what, inf_error *err)
{
	const struct medium m = { data, size, what, err };
	if (kind != INF_MEDIA_IMAGE && kind != INF_MEDIA_AUDIO && kind != INF_MEDIA_VIDEO_FRAME)
		return inf_fail(err, INF_E_UNSUPPORTED, "media_kind", "%s: kind %d is not known", what, (int)kind);
	if (!data || !size || size > GR_MEDIA_BYTES_MAX)
		return inf_fail(err, INF_E_INVALID, "media_size", "%s: there are %zu bytes of it, 1..%d are possible", what,
				data ? size : 0, GR_MEDIA_BYTES_MAX);
	return kind == INF_MEDIA_AUDIO ? check_wav(&m) : check_image(&m);
}
