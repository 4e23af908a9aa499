/* SPDX-License-Identifier: MIT */
#include "media_build.h"

#include <stdlib.h>
#include <string.h>

void media_build_release(struct media_build *self)
{
	free(self->data);
	*self = (struct media_build){ 0 };
}

static void put(struct media_build *self, const void *bytes, size_t len)
{
	self->data = realloc(self->data, self->len + len + 1);
	if (!self->data)
		abort();
	if (len)
		memcpy(self->data + self->len, bytes, len);
	self->len += len;
}

static void put_big(struct media_build *self, uint32_t n)
{
	const unsigned char bytes[] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
					(unsigned char)n };
	put(self, bytes, sizeof bytes);
}

static void put_little(struct media_build *self, uint32_t n, size_t size)
{
	const unsigned char bytes[] = { (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
					(unsigned char)(n >> 24) };
	put(self, bytes, size);
}

/* ---- PNG ------------------------------------------------------------------------------------------------------- */
static uint32_t crc32_of(const unsigned char *bytes, size_t len)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static uint32_t adler32_of(const unsigned char *bytes, size_t len)
{
	uint32_t a = 1, b = 0;
	for (size_t i = 0; i < len; i++) {
		a = (a + bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static void put_chunk(struct media_build *self, const char *type, const struct media_build *content)
{
	put_big(self, (uint32_t)content->len);
	size_t begin = self->len;
	put(self, type, 4);
	put(self, content->data, content->len);
	put_big(self, crc32_of(self->data + begin, self->len - begin));
}

/* Blocks that are stored as they are. */
static void put_stored(struct media_build *self, const struct media_build *raw)
{
	enum { BLOCK = 65535 };
	put(self, "\x78\x01", 2);
	for (size_t at = 0; at < raw->len; at += BLOCK) {
		size_t len = raw->len - at < BLOCK ? raw->len - at : BLOCK;
		put_little(self, at + len == raw->len, 1);
		put_little(self, (uint32_t)len, 2);
		put_little(self, ~(uint32_t)len, 2);
		put(self, raw->data + at, len);
	}
	put_big(self, adler32_of(raw->data, raw->len));
}

struct media_build media_build_png(uint32_t width, uint32_t height, uint32_t colour)
{
	const unsigned char rgb[] = { (unsigned char)(colour >> 16), (unsigned char)(colour >> 8), (unsigned char)colour };
	struct media_build png = { 0 }, header = { 0 }, raw = { 0 }, pixels = { 0 }, none = { 0 };
	for (uint32_t y = 0; y < height; y++) {
		put(&raw, "", 1);
		for (uint32_t x = 0; x < width; x++)
			put(&raw, rgb, sizeof rgb);
	}
	put_stored(&pixels, &raw);
	put_big(&header, width);
	put_big(&header, height);
	put(&header, "\x08\x02\0\0\0", 5);
	put(&png, "\x89PNG\r\n\x1a\n", 8);
	put_chunk(&png, "IHDR", &header);
	put_chunk(&png, "IDAT", &pixels);
	put_chunk(&png, "IEND", &none);
	media_build_release(&header);
	media_build_release(&raw);
	media_build_release(&pixels);
	return png;
}

/* ---- JPEG ------------------------------------------------------------------------------------------------------ */
struct media_build media_build_jpeg(int bright)
{
	/* One code each: a difference of eight bits, and the end of the block. */
	static const unsigned char frame[] = { 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0 };
	static const unsigned char dc[] = { 0xff, 0xc4, 0, 20, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8 };
	static const unsigned char ac[] = { 0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	static const unsigned char scan[] = { 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0 };
	/* 0, the difference, 0, and ones: -180 or 180, of which each is half a shade. */
	uint32_t bits = (bright ? 180u : (uint32_t)(255 - 180)) << 7 | 0x3f;
	unsigned char quantisation[69] = { 0xff, 0xdb, 0, 67, 0 };
	const unsigned char data[] = { (unsigned char)(bits >> 8), (unsigned char)bits };
	struct media_build jpeg = { 0 };
	memset(quantisation + 5, 4, 64);
	put(&jpeg, "\xff\xd8", 2);
	put(&jpeg, quantisation, sizeof quantisation);
	put(&jpeg, frame, sizeof frame);
	put(&jpeg, dc, sizeof dc);
	put(&jpeg, ac, sizeof ac);
	put(&jpeg, scan, sizeof scan);
	put(&jpeg, data, sizeof data);
	put(&jpeg, "\xff\xd9", 2);
	return jpeg;
}

/* ---- WAV ------------------------------------------------------------------------------------------------------- */
struct media_build media_build_wav(uint32_t samples, uint32_t period)
{
	enum { RATE = 16000, LOUD = 8000 };
	struct media_build wav = { 0 };
	put(&wav, "RIFF", 4);
	put_little(&wav, WAV_AT_DATA + samples * 2, 4);
	put(&wav, "WAVEfmt ", 8);
	put_little(&wav, 16, 4);
	put_little(&wav, 1, 2);
	put_little(&wav, 1, 2);
	put_little(&wav, RATE, 4);
	put_little(&wav, RATE * 2, 4);
	put_little(&wav, 2, 2);
	put_little(&wav, 16, 2);
	put(&wav, "data", 4);
	put_little(&wav, samples * 2, 4);
	for (uint32_t i = 0; i < samples; i++)
		put_little(&wav, i % period < period / 2 ? LOUD : 65536 - LOUD, 2);
	return wav;
}
