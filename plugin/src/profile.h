/* SPDX-License-Identifier: MIT */
#ifndef GR_PROFILE_H
#define GR_PROFILE_H

#include <stdbool.h>

#include "inference/extensions.h"

#include "devlog.h"
#include "finding.h"
#include "fit.h"
#include "options.h"
#include "refusal.h"
#include "strv.h"

/*
 * profile: what differs between the plugins that are made of this engine.
 *
 * Each plugin links the engine, one file with its profile, and entry.c.
 */
enum {
	GR_DEVICE_ARGUMENT = 512,	/* bytes of a --device value, NUL included */
	GR_DEVICES_MAX = 64,		/* that one load can use */
};

/* What is asked about the devices of this machine. */
struct gr_device_query {
	const struct gr_instance_options *options;
	char *const *env;		/* "NAME=value", the host's */
	const char *server;		/* path of the llama-server; NULL = not known yet */
	const struct gr_devlog *listed;	/* what it says to --list-devices, where profiles ask for that; NULL = not yet */
	const char *wish;		/* devices that a load asks for; NULL = as the options say */
	uint64_t need_bytes;		/* where the choice is free: as many as have so much free memory; 0 = one */
};

/* The answer: the devices that a load would use, or why there are none. Starts from GR_DEVICE_CHOICE_INIT. */
struct gr_device_choice {
	struct gr_refusal refusal;	/* code NULL = the choice is good */
	char text[GR_REFUSAL_TEXT_MAX];	/* one line about what was chosen */
	char argument[GR_DEVICE_ARGUMENT];	/* value of --device */
	struct gr_strv env;		/* what the child's environment needs for it */
	struct gr_fit_device memory[GR_DEVICES_MAX];	/* of each device */
	uint32_t memory_count;		/* 0 = not known */
	uint64_t unseen_bytes;		/* in use on one of them, but free to what the server itself asks */
	void *finding;			/* the profile's own, freed by release() */
};

#define GR_DEVICE_CHOICE_INIT { .env = GR_STRV_INIT }

/* All NULL for a profile that computes on the CPU. */
struct gr_device_ops {
	void (*choose)(const struct gr_device_query *query, struct gr_device_choice *out);
	/* Does the server's log fit the choice? */
	void (*verify)(const struct gr_device_choice *choice, const struct gr_devlog *log, struct gr_refusal *out);
	inf_status (*list)(const struct gr_device_query *query, void *user,
			   int32_t (*on_device)(void *user, const inf_device *device), inf_error *err);
	/* The devices of a choice, with their memory as it is now and as it was then. */
	inf_status (*report)(const struct gr_device_query *query, const struct gr_device_choice *choice, void *user,
			     int32_t (*on_device)(void *user, const inf_device *device), inf_error *err);
	void (*release)(struct gr_device_choice *choice);
	/* For people: what the choice, or that there is none, rests on. */
	void (*diagnose)(const struct gr_device_query *query, struct gr_findings *out);
};

/* How the server is asked for its devices. All NULL for a profile that finds them itself. */
struct gr_device_question {
	const char *const *env;		/* "NAME=value", for the question alone, NULL-terminated; NULL = the server is not asked */
	const char *reveal;		/* "NAME=value": asked once more with it where the server says that it found none; or NULL */
};

struct gr_profile {
	const char *name;		/* of the backend */
	const char *server_variable;	/* environment variable that names the server before $LLAMA_SERVER_PATH; or NULL */
	const char *const *environment;	/* variables of the host that the server gets, NULL-terminated; or NULL */
	const char *const *selectors;	/* variables of the host that only decide which device is taken; or NULL */
	int32_t score;			/* when available */
	bool gpu;
	bool library_path;		/* the server gets the host's LD_LIBRARY_PATH, as libpath.h leaves it */
	struct gr_device_question question;
	struct gr_device_ops devices;
};

extern const struct gr_profile gr_profile;

/* The slots of the vtable, in backend.c. */
inf_status gr_backend_create(const inf_host *host, inf_instance **out, inf_error *err);
void gr_backend_destroy(inf_instance *instance);
inf_status gr_backend_available(inf_instance *instance, const inf_backend *self, inf_availability *out, inf_error *err);
inf_status gr_backend_load(inf_instance *instance, const inf_backend *self, const inf_load_params *params,
			   inf_model **out, inf_error *err);
inf_status gr_backend_info(inf_model *model, inf_model_info *out, inf_error *err);
inf_status gr_backend_generate(inf_model *model, const char *prompt, size_t prompt_len, const inf_gen_params *params,
			       inf_gen_result *result, inf_error *err);
inf_status gr_backend_chat(inf_model *model, const inf_message *const *msgs, size_t msg_count,
			   const inf_gen_params *params, inf_gen_result *result, inf_error *err);
inf_status gr_backend_err(inf_model *model, inf_error *out);
inf_status gr_backend_close(inf_model *model, inf_error *err);
const void *gr_backend_get_extension(inf_instance *instance, const inf_backend *self, inf_model *model, const char *id);

/* What entry.c hands out. */
extern const inf_plugin gr_plugin;

/* Names are needed as constants in three places: descriptor, vtable and scan record. */
#define GR_DEFINE_PLUGIN(plugin_id, backend_name, text) \
	static const inf_backend backend = { \
		.struct_size = sizeof backend, .name = (backend_name), .description = (text), \
		.available = gr_backend_available, .load = gr_backend_load, .info = gr_backend_info, \
		.generate = gr_backend_generate, .chat = gr_backend_chat, .err = gr_backend_err, \
		.close = gr_backend_close, .get_extension = gr_backend_get_extension, \
	}; \
	static const inf_backend *const backends[] = { &backend }; \
	const inf_plugin gr_plugin = { \
		.struct_size = sizeof gr_plugin, .abi_minor = INF_ABI_MINOR, .id = (plugin_id), .version = GR_VERSION, \
		.vendor = "go-rocm", .license = "MIT", .backends = backends, .backend_count = 1, \
		.create = gr_backend_create, .destroy = gr_backend_destroy, \
	}; \
	INF_PLUGIN_NOTE("abi=1.0;min=0;id=" plugin_id ";backends=" backend_name)

#endif
