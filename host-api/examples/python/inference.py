# SPDX-License-Identifier: MIT
"""libinference for Python, with nothing but the standard library. An example: as much as a host needs, and no more.

    with Registry(['/opt/backends']) as registry, registry.load('/models/model.gguf') as session:
        for text in session.stream([('user', 'Hello')], max_tokens=100):
            print(text, end='')

What is worth copying: callbacks never let an exception pass into C (the generation stops, and it is raised afterwards), they live
as long as the call, and everything is closed by `with`, not by a finalizer of the interpreter."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_void_p

from structs import (ON_POLL, ON_TOKEN, Candidate, Error, GenParams, GenResult, Input, Kv, LoadParams, Message,
                     ModelInfo, RegistryParams, Token)

CONTINUE, STOP = 1, 0
ONLY_GIVEN_DIRS = 1
IGNORE_EOS = 4
CANCELLED = -9
STREAM_TOKEN, STREAM_WAITING, STREAM_END = 0, 1, 2
# Zero is a value of these, so each has a bit in `set` that says it was given.
SET_BITS = {'temperature': 0x01, 'top_k': 0x02, 'top_p': 0x04, 'min_p': 0x08, 'seed': 0x10, 'repeat_penalty': 0x20,
            'frequency_penalty': 0x40, 'presence_penalty': 0x80, 'thinking': 0x100}

FUNCTIONS = {
    'inf_registry_open': (c_int32, POINTER(RegistryParams), POINTER(c_void_p), POINTER(Error)),
    'inf_registry_close': (None, c_void_p),
    'inf_registry_count': (c_size_t, c_void_p),
    'inf_registry_candidate': (POINTER(Candidate), c_void_p, c_size_t),
    'inf_registry_select': (c_int32, c_void_p, c_char_p, POINTER(POINTER(Candidate)), POINTER(Error)),
    'inf_state_name': (c_char_p, c_int32),
    'inf_finish_name': (c_char_p, c_int32),
    'inf_session_load': (c_int32, c_void_p, POINTER(Candidate), POINTER(LoadParams), POINTER(c_void_p), POINTER(Error)),
    'inf_session_close': (c_int32, c_void_p, POINTER(Error)),
    'inf_session_info': (c_int32, c_void_p, POINTER(ModelInfo), POINTER(Error)),
    'inf_session_chat': (c_int32, c_void_p, POINTER(POINTER(Message)), c_size_t, POINTER(GenParams), POINTER(GenResult),
                         POINTER(Error)),
    'inf_session_stream_open': (c_int32, c_void_p, POINTER(Input), POINTER(GenParams), POINTER(c_void_p), POINTER(Error)),
    'inf_session_stream_next': (c_int32, c_void_p, c_int32, POINTER(c_int32), POINTER(POINTER(Token)), POINTER(Error)),
    'inf_session_stream_cancel': (None, c_void_p),
    'inf_session_stream_close': (None, c_void_p),
}


class InferenceError(Exception):
    def __init__(self, error):
        super().__init__(error.message.decode())
        self.status, self.reason = error.code, error.reason.decode()


def check(status, error):
    if status:
        raise InferenceError(error)


def library(path='libinference.so.1'):
    lib = ctypes.CDLL(path)
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def text_of(token):
    return ctypes.string_at(token.text, token.text_len).decode()


class Registry:
    def __init__(self, plugin_dirs=(), options=None, lib=None):
        self.lib, self.handle, error = lib or library(), c_void_p(), Error()
        dirs = (c_char_p * len(plugin_dirs))(*(str(d).encode() for d in plugin_dirs))
        pairs = [Kv(key=k.encode(), value=v.encode()) for k, v in (options or {}).items()]
        options = (Kv * len(pairs))(*pairs)
        params = RegistryParams(flags=ONLY_GIVEN_DIRS if plugin_dirs else 0, plugin_dirs=dirs, plugin_dir_count=len(dirs),
                                options=options, option_count=len(options), host_name=b'python-example')
        check(self.lib.inf_registry_open(byref(params), byref(self.handle), byref(error)), error)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.lib.inf_registry_close(self.handle)
        self.handle = None

    def candidates(self):
        for index in range(self.lib.inf_registry_count(self.handle)):
            found = self.lib.inf_registry_candidate(self.handle, index).contents
            yield found.backend.decode(), self.lib.inf_state_name(found.state).decode(), found.message.decode()

    def load(self, path, backend=None, **fields):
        candidate, handle, error = POINTER(Candidate)(), c_void_p(), Error()
        name = backend.encode() if backend else None
        check(self.lib.inf_registry_select(self.handle, name, byref(candidate), byref(error)), error)
        params = LoadParams(path=str(path).encode(), **fields)
        check(self.lib.inf_session_load(self.handle, candidate, byref(params), byref(handle), byref(error)), error)
        return Session(self.lib, handle)


class Guard:
    """Callbacks as C may call them. What they raise is kept, and raised again by finish()."""

    def __init__(self, on_text, on_poll):
        self.raised = None
        self.on_token = ON_TOKEN(lambda _, token: self.run(on_text, text_of(token[0]))) if on_text else ON_TOKEN()
        self.on_poll = ON_POLL(lambda _: self.run(on_poll)) if on_poll else ON_POLL()

    def run(self, function, *arguments):
        try:
            return STOP if function(*arguments) is False else CONTINUE
        except BaseException as raised:  # KeyboardInterrupt, too
            self.raised = raised
            return STOP

    def finish(self):
        if self.raised:
            raise self.raised


def gen_params(fields, **callbacks):
    bits = sum(bit for name, bit in SET_BITS.items() if name in fields)
    return GenParams(set=bits, **fields, **callbacks)


class Conversation:
    """(role, text) pairs as an array of pointers; keeps alive what they point to."""

    def __init__(self, turns):
        texts = [(role.encode(), text.encode()) for role, text in turns]
        self.messages = [Message(role=role, content=text, content_len=len(text)) for role, text in texts]
        self.count = len(self.messages)
        self.pointers = (POINTER(Message) * self.count)(*(ctypes.pointer(message) for message in self.messages))


class Session:
    """One loaded model. Functions may be called from any thread; ctypes gives up the GIL while they run."""

    def __init__(self, lib, handle):
        self.lib, self.handle = lib, handle

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        error, handle = Error(), self.handle
        self.handle = None
        check(self.lib.inf_session_close(handle, byref(error)), error)

    def info(self):
        info, error = ModelInfo(), Error()
        check(self.lib.inf_session_info(self.handle, byref(info), byref(error)), error)
        return info

    def chat(self, turns, on_text=None, on_poll=None, **fields):
        """on_text(text) gets what is said; it and on_poll() stop the generation by returning False, or by raising."""
        conversation, guard, result, error = Conversation(turns), Guard(on_text, on_poll), GenResult(), Error()
        params = gen_params(fields, on_token=guard.on_token, on_poll=guard.on_poll)
        status = self.lib.inf_session_chat(self.handle, conversation.pointers, conversation.count, byref(params),
                                           byref(result), byref(error))
        guard.finish()
        check(status, error)
        return result

    def stream(self, turns, **fields):
        """The texts one after another, without callbacks. Leaving the loop early cancels."""
        conversation, stream, error = Conversation(turns), c_void_p(), Error()
        request = Input(msgs=conversation.pointers, msg_count=conversation.count)
        check(self.lib.inf_session_stream_open(self.handle, byref(request), byref(gen_params(fields)), byref(stream),
                                               byref(error)), error)
        event, token = c_int32(), POINTER(Token)()
        try:
            while event.value != STREAM_END:
                # Not for ever: Python sees Ctrl-C only between two calls.
                check(self.lib.inf_session_stream_next(stream, 100, byref(event), byref(token), byref(error)), error)
                if event.value == STREAM_TOKEN:
                    yield text_of(token[0])
        finally:
            self.lib.inf_session_stream_close(stream)
