/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_cursor.h"
#include "gguf_kind.h"
#include "gguf_type.h"
#include "modelset.h"

/*
 * gguf_list list FILE: what the reader's primitives find in a GGUF file, in the words of llama-gguf.
 * gguf_list facts FILE: what a host learns from the file, or from all parts of a model.
 * A file that is refused gives its reason and a status of 1.
 */
enum { KEY_SHOWN = 200 };

struct listing {
	struct gr_gguf_cursor in;
	struct gr_gguf_value value;
	uint64_t tensor_count, key_count, alignment;
};

static int64_t read_at(void *ctx, uint64_t offset, void *buf, size_t len)
{
	FILE *file = ctx;
	if (fseek(file, (long)offset, SEEK_SET) != 0)
		return -1;
	size_t n = fread(buf, 1, len, file);
	return ferror(file) ? -1 : (int64_t)n;
}

static inf_status take_name(struct listing *l, char name[KEY_SHOWN + 1])
{
	uint64_t len;
	const unsigned char *bytes;
	inf_status st = gr_gguf_take_length(&l->in, KEY_SHOWN, &len);
	if (st == INF_OK)
		st = gr_gguf_take(&l->in, (size_t)len, &bytes);
	if (st != INF_OK)
		return st;
	memcpy(name, bytes, (size_t)len);
	name[len] = '\0';
	return INF_OK;
}

static inf_status list_key(struct listing *l, uint64_t i)
{
	char name[KEY_SHOWN + 1];
	inf_status st = take_name(l, name);
	if (st == INF_OK)
		st = gr_gguf_take_value(&l->in, &l->value);
	if (st != INF_OK)
		return st;
	printf("kv[%" PRIu64 "]: key = %s\n", i, name);
	if (!strcmp(name, "some.parameter.string"))	/* the one value that llama-gguf shows */
		printf("find key: %s found, kv[%" PRIu64 "] value = %.*s\n", name, i, (int)l->value.text_len, l->value.text);
	if (!strcmp(name, "general.alignment"))
		l->alignment = l->value.bits;
	return INF_OK;
}

static inf_status list_tensor(struct listing *l, uint64_t i)
{
	char name[KEY_SHOWN + 1];
	uint64_t dims = 0, elements = 1, ne[GR_GGUF_DIMS_MAX] = { 1, 1, 1, 1 }, type = 0, offset = 0;
	inf_status st = take_name(l, name);
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 4, &dims);
	if (dims > GR_GGUF_DIMS_MAX)
		return GR_GGUF_CORRUPT(&l->in, "%" PRIu64 " dimensions", dims);
	for (uint64_t d = 0; st == INF_OK && d < dims; d++) {
		st = gr_gguf_take_number(&l->in, 8, &ne[d]);
		elements *= ne[d];
	}
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 4, &type);
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 8, &offset);
	if (st != INF_OK)
		return st;
	struct gr_gguf_block block = gr_gguf_block(type);
	const char *type_name = gr_gguf_tensor_type_name((int64_t)type);
	/* What llama-gguf calls elements are blocks. */
	printf("tensor[%" PRIu64 "]: name = %s, size = %" PRIu64 ", offset = %" PRIu64 ", type = %s, n_elts = %" PRIu64 "\n", i,
	       name, elements / block.elements * block.bytes, offset, type_name ? type_name : "?", elements / block.elements);
	printf("tensor[%" PRIu64 "]: ne = (%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ")\n", i, ne[0], ne[1], ne[2], ne[3]);
	return INF_OK;
}

static inf_status list_head(struct listing *l)
{
	uint64_t magic, version;
	inf_status st = gr_gguf_take_number(&l->in, 4, &magic);
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 4, &version);
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 8, &l->tensor_count);
	if (st == INF_OK)
		st = gr_gguf_take_number(&l->in, 8, &l->key_count);
	if (st != INF_OK)
		return st;
	printf("version: %" PRIu64 "\nn_kv: %" PRIu64 "\nn_tensors: %" PRIu64 "\n", version, l->key_count, l->tensor_count);
	return INF_OK;
}

static inf_status list(struct listing *l)
{
	inf_status st = list_head(l);
	for (uint64_t i = 0; st == INF_OK && i < l->key_count; i++)
		st = list_key(l, i);
	printf("tensors at: %" PRIu64 "\n", l->in.at);
	for (uint64_t i = 0; st == INF_OK && i < l->tensor_count; i++)
		st = list_tensor(l, i);
	if (st != INF_OK)
		return st;
	uint64_t padded = (l->in.at + l->alignment - 1) / l->alignment * l->alignment;
	printf("alignment: %" PRIu64 "\ndata offset: %" PRIu64 "\n", l->alignment, l->tensor_count ? padded : l->in.at);
	return INF_OK;
}

static int refused(const inf_error *err)
{
	printf("refused: %s: %s\n", err->reason, err->message);
	return EXIT_FAILURE;
}

static int show_listing(const char *path)
{
	static struct listing l = { .alignment = 32 };
	inf_error err = { .struct_size = sizeof err };
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0) {
		perror(path);
		return EXIT_FAILURE;
	}
	struct gr_gguf_source source = { file, read_at, (uint64_t)ftell(file) };
	gr_gguf_cursor_init(&l.in, &source, path, &err);
	int result = list(&l) == INF_OK ? EXIT_SUCCESS : refused(&err);
	fclose(file);
	return result;
}

static int show_facts(const char *path)
{
	static struct gr_modelset set;
	inf_error err = { .struct_size = sizeof err };
	if (gr_modelset_read(path, &set, &err) != INF_OK)
		return refused(&err);
	const struct gr_gguf *g = &set.facts;
	const char *main_type = gr_gguf_tensor_type_name(g->main_tensor_type);
	printf("version %u\nkv_count %" PRIu64 "\ntensor_count %" PRIu64 "\nparts %u\ntensor_bytes %" PRIu64 "\nelements %" PRIu64
	       "\nfile_size %" PRIu64 "\nexpected_file_size %" PRIu64 "\nkind %s\narchitecture %s\nvocabulary %u\nmain_type %s\n"
	       "quantisation %s\n", g->version, g->kv_count, g->tensor_count, set.part_count, g->tensor_bytes,
	       g->parameter_count, g->file_size, g->expected_file_size, gr_gguf_kind_name(gr_gguf_kind(g)), g->architecture,
	       g->vocab_size, main_type ? main_type : "?", gr_gguf_quantisation(g));
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	return !strcmp(argv[1], "facts") ? show_facts(argv[2]) : show_listing(argv[2]);
}
