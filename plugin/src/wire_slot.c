/* SPDX-License-Identifier: MIT */
#include "wire_json.h"

inf_status gr_wire_encode_adapters(struct gr_buf *out, const float *scales, size_t count)
{
	bool ok = true;
	struct json_object *list = json_object_new_array();
	if (!list)
		return INF_E_NO_MEMORY;
	for (size_t i = 0; i < count && ok; i++) {
		struct json_object *item = json_object_new_object();
		ok = gr_json_add(list, item);
		if (!ok)
			break;
		gr_json_put(item, "id", json_object_new_int((int)i), &ok);
		gr_json_put(item, "scale", json_object_new_double((double)scales[i]), &ok);
	}
	return gr_json_append(out, list, ok);
}

inf_status gr_wire_encode_slot_file(struct gr_buf *out, const char *name)
{
	bool ok = true;
	struct json_object *root = json_object_new_object();
	if (!root)
		return INF_E_NO_MEMORY;
	gr_json_put(root, "filename", json_object_new_string(name), &ok);
	return gr_json_append(out, root, ok);
}

inf_status gr_wire_decode_slot(const char *body, size_t len, struct gr_wire_slot *out, inf_error *err)
{
	struct gr_wire_slot slot = { -1, -1 };
	struct json_object *root = gr_json_parse_body(body, len);
	if (root) {
		bool saved = gr_json_member(root, "n_saved", json_type_int);
		slot.tokens = gr_json_count(root, saved ? "n_saved" : "n_restored");
		slot.bytes = gr_json_int(root, saved ? "n_written" : "n_read", -1);
	}
	json_object_put(root);
	if (slot.tokens < 0 || slot.bytes < 0)
		return gr_json_bad_answer(err, body, len, "does not say what became of the slot");
	*out = slot;
	return INF_OK;
}
