# SPDX-License-Identifier: MIT
"""The structs of inference/{plugin,extensions,host}.h that a host sees, for ctypes. A test compares every size and offset with C.

What a field means is said in the headers. Texts that have a length are c_void_p: c_char_p would end them at the first NUL."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32,
                    c_uint64, c_void_p, sizeof)


class Struct(Structure):
    """All zero but struct_size, and what is given."""

    def __init__(self, **fields):
        unknown = fields.keys() - {name for name, _ in self._fields_}
        if unknown:  # ctypes would take them for attributes
            raise TypeError(f'{type(self).__name__} has no {", ".join(sorted(unknown))}')
        if self._fields_[0][0] == 'struct_size':
            fields['struct_size'] = sizeof(self)
        super().__init__(**fields)


class Error(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('code', c_int32), ('os_errno', c_int32), ('flags', c_uint32),
        ('reason', c_char * 32), ('message', c_char * 464)]


class Kv(Struct):
    _fields_ = [
        ('key', c_char_p), ('value', c_char_p)]


class Availability(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('score', c_int32), ('reason', c_char * 32), ('message', c_char * 208)]


class Progress(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('stage', c_int32), ('fraction', c_float),
        ('note', c_char_p)]


ON_PROGRESS = CFUNCTYPE(c_int32, c_void_p, POINTER(Progress))


class LoadParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('path', c_char_p),
        ('adapter_path', c_char_p), ('cache_mode', c_char_p), ('devices', c_char_p), ('context_len', c_int32),
        ('gpu_layers', c_int32), ('parallel_slots', c_int32), ('reserved0', c_uint32),
        ('options', POINTER(Kv)), ('option_count', c_size_t), ('user', c_void_p),
        ('on_progress', ON_PROGRESS)]


class ModelInfo(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('gen_fields', c_uint64), ('gen_flags', c_uint32),
        ('context_len', c_int32), ('context_train', c_int32), ('parallel_slots', c_int32),
        ('vocab_size', c_int32), ('num_layers', c_int32), ('hidden_size', c_int32), ('quant_bits', c_int32),
        ('quant_group', c_int32), ('gpu_layers', c_int32), ('device_memory_bytes', c_uint64),
        ('model_type', c_char * 64), ('name', c_char * 128), ('devices', c_char * 128)]


class Token(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('id', c_int32), ('count', c_uint32),
        ('text', c_void_p), ('text_len', c_size_t), ('logprob', c_float), ('reserved0', c_uint32)]


class Media(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('kind', c_int32), ('reserved0', c_uint32),
        ('data', c_void_p), ('size', c_size_t)]


class Message(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('role', c_char_p), ('content', c_char_p),
        ('content_len', c_size_t), ('media', POINTER(POINTER(Media))), ('media_count', c_size_t),
        ('tool_calls', c_char_p), ('tool_call_id', c_char_p)]


ON_TOKEN = CFUNCTYPE(c_int32, c_void_p, POINTER(Token))
ON_POLL = CFUNCTYPE(c_int32, c_void_p)


class GenParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('seed', c_uint64),
        ('max_tokens', c_int32), ('min_tokens', c_int32), ('temperature', c_float), ('top_k', c_int32),
        ('top_p', c_float), ('min_p', c_float), ('repeat_penalty', c_float), ('frequency_penalty', c_float),
        ('presence_penalty', c_float), ('thinking', c_int32), ('thinking_budget', c_int32),
        ('reserved0', c_uint32), ('stop_tokens', POINTER(c_int32)), ('stop_token_count', c_size_t),
        ('suppress_tokens', POINTER(c_int32)), ('suppress_token_count', c_size_t),
        ('stop_strings', POINTER(c_char_p)), ('stop_string_count', c_size_t), ('json_schema', c_char_p),
        ('grammar', c_char_p), ('request_id', c_char_p), ('options', POINTER(Kv)), ('option_count', c_size_t),
        ('user', c_void_p), ('on_token', ON_TOKEN),
        ('on_poll', ON_POLL), ('tools', c_char_p), ('tool_choice', c_char_p)]


class GenResult(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('finish', c_int32), ('stop_index', c_int32),
        ('seed', c_uint64), ('prompt_tokens', c_int64), ('cached_tokens', c_int64),
        ('generated_tokens', c_int64), ('reasoning_tokens', c_int64), ('queue_ns', c_int64),
        ('prefill_ns', c_int64), ('decode_ns', c_int64), ('total_ns', c_int64),
        ('peak_memory_bytes', c_uint64), ('active_memory_bytes', c_uint64), ('tool_call_count', c_int32),
        ('slot', c_int32), ('drafted_tokens', c_int64), ('accepted_tokens', c_int64)]


class Option(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('where', c_uint32), ('key', c_char_p), ('values', c_char_p),
        ('default_value', c_char_p), ('help', c_char_p), ('type', c_int32), ('reserved0', c_uint32)]


class Options(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('count', c_uint32), ('options', POINTER(POINTER(Option)))]


class Device(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('index', c_int32), ('kind', c_int32),
        ('memory_total', c_uint64), ('memory_used', c_uint64), ('memory_free', c_uint64),
        ('name', c_char * 32), ('product', c_char * 96), ('gfx', c_char * 16), ('uuid', c_char * 40),
        ('pci', c_char * 16), ('memory_source', c_char * 32), ('reason', c_char * 32),
        ('message', c_char * 208), ('memory_used_before', c_uint64)]


class ModelFile(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('kind', c_int32), ('code', c_int32),
        ('path', c_char_p), ('modified', c_int64), ('file_bytes', c_uint64), ('parameter_count', c_uint64),
        ('tensor_bytes', c_uint64), ('embedding_bytes', c_uint64), ('output_bytes', c_uint64),
        ('layer_bytes', c_uint64), ('expert_bytes', c_uint64), ('device_bytes', c_uint64),
        ('host_bytes', c_uint64), ('context_len', c_int32), ('context_train', c_int32),
        ('num_layers', c_int32), ('hidden_size', c_int32), ('feed_forward_size', c_int32),
        ('vocab_size', c_int32), ('head_count', c_int32), ('head_count_kv', c_int32), ('key_length', c_int32),
        ('value_length', c_int32), ('sliding_window', c_int32), ('expert_count', c_int32),
        ('expert_used_count', c_int32), ('part_count', c_int32), ('file_type', c_int32), ('version', c_int32),
        ('quantisation', c_char * 16), ('size_label', c_char * 32), ('tokenizer', c_char * 32),
        ('architecture', c_char * 64), ('license', c_char * 64), ('title', c_char * 128),
        ('name', c_char * 256), ('repository', c_char * 256), ('reason', c_char * 32),
        ('message', c_char * 464)]


class FitRequest(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('memory_free', c_uint64),
        ('cache_mode', c_char_p), ('device_kind', c_int32), ('context_len', c_int32), ('gpu_layers', c_int32),
        ('parallel_slots', c_int32)]


class FitReport(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('context_len', c_int32), ('gpu_layers', c_int32),
        ('layer_count', c_int32), ('limit', c_int32), ('weights', c_uint64), ('kv_cache', c_uint64),
        ('compute', c_uint64), ('reserve', c_uint64), ('total', c_uint64), ('host_bytes', c_uint64)]


class Finding(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('severity', c_int32), ('section', c_char_p), ('key', c_char_p),
        ('value', c_char_p), ('reason', c_char_p), ('remedy', c_char_p)]


class CallParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('request_id', c_char_p),
        ('user', c_void_p), ('on_poll', ON_POLL)]


class Text(Struct):
    _fields_ = [
        ('data', c_char_p), ('len', c_size_t)]


class Input(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('prompt', c_char_p), ('prompt_len', c_size_t),
        ('msgs', POINTER(POINTER(Message))), ('msg_count', c_size_t), ('params', POINTER(GenParams))]


class TokenScore(Struct):
    _fields_ = [
        ('id', c_int32), ('logprob', c_float)]


class Class(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('index', c_size_t), ('error', POINTER(Error)),
        ('id', c_int32), ('logprob', c_float), ('text', c_void_p), ('text_len', c_size_t),
        ('top', POINTER(TokenScore)), ('top_count', c_size_t), ('logprobs', POINTER(c_float)),
        ('logprob_count', c_size_t), ('result', POINTER(GenResult))]


ON_CLASS = CFUNCTYPE(c_int32, c_void_p, POINTER(Class))


class ClassifyParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('gen', POINTER(GenParams)),
        ('request_id', c_char_p), ('candidates', POINTER(c_int32)), ('candidate_count', c_size_t),
        ('top', c_int32), ('reserved0', c_uint32), ('user', c_void_p),
        ('on_class', ON_CLASS),
        ('on_poll', ON_POLL)]


ON_BATCH_TOKEN = CFUNCTYPE(c_int32, c_void_p, c_size_t, POINTER(Token))
ON_RESULT = CFUNCTYPE(c_int32, c_void_p, c_size_t, POINTER(GenResult), POINTER(Error))


class BatchParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('set', c_uint64), ('gen', POINTER(GenParams)),
        ('request_id', c_char_p), ('parallel', c_int32), ('reserved0', c_uint32), ('user', c_void_p),
        ('on_token', ON_BATCH_TOKEN),
        ('on_result', ON_RESULT),
        ('on_poll', ON_POLL)]


class Adapter(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('path', c_char_p), ('index', c_int32),
        ('scale', c_float)]


class StateInfo(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('tokens', c_int64), ('bytes', c_uint64)]


class MetricsReport(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('requests', c_uint64), ('requests_failed', c_uint64),
        ('requests_cancelled', c_uint64), ('requests_refused', c_uint64), ('prompt_tokens', c_uint64),
        ('cached_tokens', c_uint64), ('generated_tokens', c_uint64), ('prefill_ns', c_uint64),
        ('decode_ns', c_uint64), ('uptime_ns', c_int64), ('host_memory_bytes', c_uint64),
        ('device_memory_bytes', c_uint64), ('slots', c_int32), ('slots_busy', c_int32),
        ('queue_depth', c_int32), ('restarts', c_int32), ('running', c_int32), ('reserved0', c_uint32)]


LOG = CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t)


class RegistryParams(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('flags', c_uint32), ('plugin_dirs', POINTER(c_char_p)),
        ('plugin_dir_count', c_size_t), ('options', POINTER(Kv)), ('option_count', c_size_t),
        ('host_name', c_char_p), ('host_version', c_char_p), ('log_ctx', c_void_p),
        ('log', LOG),
        ('log_level', c_int32), ('reserved0', c_uint32)]


class Candidate(Struct):
    _fields_ = [
        ('struct_size', c_uint32), ('state', c_int32), ('path', c_char_p), ('backend', c_char_p),
        ('description', c_char_p), ('version', c_char_p), ('reason', c_char_p), ('message', c_char_p),
        ('score', c_int32), ('reserved0', c_uint32)]
