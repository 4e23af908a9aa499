// SPDX-License-Identifier: MIT
//! The structs of inference/{plugin,extensions,host}.h that a host sees, for Rust. What a field means is said in the headers.
//!
//! A test compares every size and offset with C, where rustc is installed. Zero a struct (`std::mem::zeroed()`), set struct_size to
//! `size_of` it, fill in what is needed. A callback catches panics (`std::panic::catch_unwind`) and returns 0 for one.
#![allow(non_camel_case_types, dead_code)]

use std::os::raw::{c_char, c_void};

macro_rules! structs {
	($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
		$(#[repr(C)] pub struct $name { $(pub $field: $type),* })*

		/// (struct, size, [(field, offset, size)])
		pub fn layout() -> Vec<(&'static str, usize, Vec<(&'static str, usize, usize)>)> {
			fn size_at<T>(_: *const T) -> usize {
				std::mem::size_of::<T>()
			}
			vec![$({
				let room = std::mem::MaybeUninit::<$name>::uninit();
				let base = room.as_ptr();
				let fields = vec![$({
					let field = unsafe { std::ptr::addr_of!((*base).$field) };
					(stringify!($field), field as usize - base as usize, size_at(field))
				}),*];
				(stringify!($name), std::mem::size_of::<$name>(), fields)
			}),*]
		}
	};
}

structs! {
	inf_error {
		struct_size: u32, code: i32, os_errno: i32, flags: u32, reason: [c_char; 32], message: [c_char; 464],
	}
	inf_kv {
		key: *const c_char, value: *const c_char,
	}
	inf_availability {
		struct_size: u32, score: i32, reason: [c_char; 32], message: [c_char; 208],
	}
	inf_progress {
		struct_size: u32, flags: u32, stage: i32, fraction: f32, note: *const c_char,
	}
	inf_load_params {
		struct_size: u32, flags: u32, set: u64, path: *const c_char, adapter_path: *const c_char,
		cache_mode: *const c_char, devices: *const c_char, context_len: i32, gpu_layers: i32,
		parallel_slots: i32, reserved0: u32, options: *const inf_kv, option_count: usize, user: *mut c_void,
		on_progress: Option<unsafe extern "C" fn(*mut c_void, *const inf_progress) -> i32>,
	}
	inf_model_info {
		struct_size: u32, flags: u32, gen_fields: u64, gen_flags: u32, context_len: i32, context_train: i32,
		parallel_slots: i32, vocab_size: i32, num_layers: i32, hidden_size: i32, quant_bits: i32,
		quant_group: i32, gpu_layers: i32, device_memory_bytes: u64, model_type: [c_char; 64],
		name: [c_char; 128], devices: [c_char; 128],
	}
	inf_token {
		struct_size: u32, flags: u32, id: i32, count: u32, text: *const c_char, text_len: usize, logprob: f32,
		reserved0: u32,
	}
	inf_media {
		struct_size: u32, flags: u32, kind: i32, reserved0: u32, data: *const c_void, size: usize,
	}
	inf_message {
		struct_size: u32, flags: u32, role: *const c_char, content: *const c_char, content_len: usize,
		media: *const *const inf_media, media_count: usize, tool_calls: *const c_char,
		tool_call_id: *const c_char,
	}
	inf_gen_params {
		struct_size: u32, flags: u32, set: u64, seed: u64, max_tokens: i32, min_tokens: i32, temperature: f32,
		top_k: i32, top_p: f32, min_p: f32, repeat_penalty: f32, frequency_penalty: f32,
		presence_penalty: f32, thinking: i32, thinking_budget: i32, reserved0: u32, stop_tokens: *const i32,
		stop_token_count: usize, suppress_tokens: *const i32, suppress_token_count: usize,
		stop_strings: *const *const c_char, stop_string_count: usize, json_schema: *const c_char,
		grammar: *const c_char, request_id: *const c_char, options: *const inf_kv, option_count: usize,
		user: *mut c_void, on_token: Option<unsafe extern "C" fn(*mut c_void, *const inf_token) -> i32>,
		on_poll: Option<unsafe extern "C" fn(*mut c_void) -> i32>, tools: *const c_char,
		tool_choice: *const c_char,
	}
	inf_gen_result {
		struct_size: u32, flags: u32, finish: i32, stop_index: i32, seed: u64, prompt_tokens: i64,
		cached_tokens: i64, generated_tokens: i64, reasoning_tokens: i64, queue_ns: i64, prefill_ns: i64,
		decode_ns: i64, total_ns: i64, peak_memory_bytes: u64, active_memory_bytes: u64, tool_call_count: i32,
		slot: i32, drafted_tokens: i64, accepted_tokens: i64,
	}
	/* where and type are words of Rust */
	inf_option {
		struct_size: u32, r#where: u32, key: *const c_char, values: *const c_char,
		default_value: *const c_char, help: *const c_char, r#type: i32, reserved0: u32,
	}
	inf_options {
		struct_size: u32, count: u32, options: *const *const inf_option,
	}
	inf_device {
		struct_size: u32, flags: u32, index: i32, kind: i32, memory_total: u64, memory_used: u64,
		memory_free: u64, name: [c_char; 32], product: [c_char; 96], gfx: [c_char; 16], uuid: [c_char; 40],
		pci: [c_char; 16], memory_source: [c_char; 32], reason: [c_char; 32], message: [c_char; 208],
		memory_used_before: u64,
	}
	inf_model_file {
		struct_size: u32, flags: u32, kind: i32, code: i32, path: *const c_char, modified: i64,
		file_bytes: u64, parameter_count: u64, tensor_bytes: u64, embedding_bytes: u64, output_bytes: u64,
		layer_bytes: u64, expert_bytes: u64, device_bytes: u64, host_bytes: u64, context_len: i32,
		context_train: i32, num_layers: i32, hidden_size: i32, feed_forward_size: i32, vocab_size: i32,
		head_count: i32, head_count_kv: i32, key_length: i32, value_length: i32, sliding_window: i32,
		expert_count: i32, expert_used_count: i32, part_count: i32, file_type: i32, version: i32,
		quantisation: [c_char; 16], size_label: [c_char; 32], tokenizer: [c_char; 32],
		architecture: [c_char; 64], license: [c_char; 64], title: [c_char; 128], name: [c_char; 256],
		repository: [c_char; 256], reason: [c_char; 32], message: [c_char; 464],
	}
	inf_fit_request {
		struct_size: u32, flags: u32, set: u64, memory_free: u64, cache_mode: *const c_char, device_kind: i32,
		context_len: i32, gpu_layers: i32, parallel_slots: i32,
	}
	inf_fit_report {
		struct_size: u32, flags: u32, context_len: i32, gpu_layers: i32, layer_count: i32, limit: i32,
		weights: u64, kv_cache: u64, compute: u64, reserve: u64, total: u64, host_bytes: u64,
	}
	inf_finding {
		struct_size: u32, severity: i32, section: *const c_char, key: *const c_char, value: *const c_char,
		reason: *const c_char, remedy: *const c_char,
	}
	inf_call_params {
		struct_size: u32, flags: u32, set: u64, request_id: *const c_char, user: *mut c_void,
		on_poll: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
	}
	inf_text {
		data: *const c_char, len: usize,
	}
	inf_input {
		struct_size: u32, flags: u32, prompt: *const c_char, prompt_len: usize,
		msgs: *const *const inf_message, msg_count: usize, params: *const inf_gen_params,
	}
	inf_token_score {
		id: i32, logprob: f32,
	}
	inf_classify_params {
		struct_size: u32, flags: u32, set: u64, gen: *const inf_gen_params, request_id: *const c_char,
		candidates: *const i32, candidate_count: usize, top: i32, reserved0: u32, user: *mut c_void,
		on_class: Option<unsafe extern "C" fn(*mut c_void, *const inf_class) -> i32>,
		on_poll: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
	}
	inf_class {
		struct_size: u32, flags: u32, index: usize, error: *const inf_error, id: i32, logprob: f32,
		text: *const c_char, text_len: usize, top: *const inf_token_score, top_count: usize,
		logprobs: *const f32, logprob_count: usize, result: *const inf_gen_result,
	}
	inf_batch_params {
		struct_size: u32, flags: u32, set: u64, gen: *const inf_gen_params, request_id: *const c_char,
		parallel: i32, reserved0: u32, user: *mut c_void,
		on_token: Option<unsafe extern "C" fn(*mut c_void, usize, *const inf_token) -> i32>,
		on_result: Option<unsafe extern "C" fn(*mut c_void, usize, *const inf_gen_result, *const inf_error) -> i32>,
		on_poll: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
	}
	inf_adapter {
		struct_size: u32, flags: u32, path: *const c_char, index: i32, scale: f32,
	}
	inf_state_info {
		struct_size: u32, flags: u32, tokens: i64, bytes: u64,
	}
	inf_metrics_report {
		struct_size: u32, flags: u32, requests: u64, requests_failed: u64, requests_cancelled: u64,
		requests_refused: u64, prompt_tokens: u64, cached_tokens: u64, generated_tokens: u64, prefill_ns: u64,
		decode_ns: u64, uptime_ns: i64, host_memory_bytes: u64, device_memory_bytes: u64, slots: i32,
		slots_busy: i32, queue_depth: i32, restarts: i32, running: i32, reserved0: u32,
	}
	inf_registry_params {
		struct_size: u32, flags: u32, plugin_dirs: *const *const c_char, plugin_dir_count: usize,
		options: *const inf_kv, option_count: usize, host_name: *const c_char, host_version: *const c_char,
		log_ctx: *mut c_void, log: Option<unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize)>,
		log_level: i32, reserved0: u32,
	}
	inf_candidate {
		struct_size: u32, state: i32, path: *const c_char, backend: *const c_char, description: *const c_char,
		version: *const c_char, reason: *const c_char, message: *const c_char, score: i32, reserved0: u32,
	}
}
