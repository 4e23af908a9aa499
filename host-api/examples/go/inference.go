// SPDX-License-Identifier: MIT

// Package inference is libinference for Go. An example: as much as a host needs, and no more.
//
// Set CGO_CFLAGS and CGO_LDFLAGS, or PKG_CONFIG_PATH and the line below, to where libinference is.
package inference

// #cgo LDFLAGS: -linference
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"runtime/cgo"
	"unsafe"
)

// Error is what libinference says; Status is one of INF_E_*.
type Error struct {
	Status  int
	Reason  string
	Message string
}

func (e *Error) Error() string { return e.Message }

func newError() C.inf_error {
	return C.inf_error{struct_size: C.sizeof_inf_error}
}

func check(status C.inf_status, e *C.inf_error) error {
	if status == C.INF_OK {
		return nil
	}
	return &Error{int(status), C.GoString(&e.reason[0]), C.GoString(&e.message[0])}
}

// arena holds what C reads during one call: Go may not hand it pointers to memory that has pointers.
type arena []unsafe.Pointer

func (a *arena) alloc(size C.size_t) unsafe.Pointer {
	p := C.calloc(1, size) // cgo panics where there is none
	*a = append(*a, p)
	return p
}

func (a *arena) text(s string) *C.char {
	p := C.CString(s)
	*a = append(*a, unsafe.Pointer(p))
	return p
}

func (a *arena) free() {
	for _, p := range *a {
		C.free(p)
	}
}

// Registry is the backends that were found.
type Registry struct{ c *C.inf_registry }

// Candidate is one of them; State is as inf_state_name() says it.
type Candidate struct{ Backend, State, Message string }

// Open searches pluginDirs alone, or the usual places if there are none.
func Open(pluginDirs []string, options map[string]string) (*Registry, error) {
	var a arena
	defer a.free()
	params := (*C.inf_registry_params)(a.alloc(C.sizeof_inf_registry_params))
	params.struct_size = C.sizeof_inf_registry_params
	if n := len(pluginDirs); n > 0 {
		params.flags = C.INF_REGISTRY_FLAG_ONLY_GIVEN_DIRS
		params.plugin_dirs = (**C.char)(a.alloc(C.size_t(n) * C.sizeof_uintptr_t))
		params.plugin_dir_count = C.size_t(n)
		for i, dir := range pluginDirs {
			unsafe.Slice(params.plugin_dirs, n)[i] = a.text(dir)
		}
	}
	if n := len(options); n > 0 {
		params.options = (*C.inf_kv)(a.alloc(C.size_t(n) * C.sizeof_inf_kv))
		pairs := unsafe.Slice(params.options, n)
		for key, value := range options {
			pairs[params.option_count] = C.inf_kv{a.text(key), a.text(value)}
			params.option_count++
		}
	}
	e := newError()
	r := new(Registry)
	return r, check(C.inf_registry_open(params, &r.c, &e), &e)
}

// Close closes the registry; all its sessions are closed before.
func (r *Registry) Close() {
	C.inf_registry_close(r.c)
	r.c = nil
}

// Candidates lists what was found.
func (r *Registry) Candidates() []Candidate {
	list := make([]Candidate, C.inf_registry_count(r.c))
	for i := range list {
		c := C.inf_registry_candidate(r.c, C.size_t(i))
		list[i] = Candidate{C.GoString(c.backend), C.GoString(C.inf_state_name(c.state)), C.GoString(c.message)}
	}
	return list
}

// Session is one loaded model. Its methods may be called at the same time, Close excepted.
type Session struct {
	c   *C.inf_session
	err error
}

// Load loads a model into the backend of that name; "" is the best there is.
func (r *Registry) Load(backend, path string) (*Session, error) {
	var a arena
	defer a.free()
	params := (*C.inf_load_params)(a.alloc(C.sizeof_inf_load_params))
	params.struct_size = C.sizeof_inf_load_params
	params.path = a.text(path)
	var candidate *C.inf_candidate
	e := newError()
	if err := check(C.inf_registry_select(r.c, a.text(backend), &candidate, &e), &e); err != nil {
		return nil, err
	}
	s := new(Session)
	return s, check(C.inf_session_load(r.c, candidate, params, &s.c, &e), &e)
}

// Close frees the model and ends its server.
func (s *Session) Close() error {
	e := newError()
	c := s.c
	s.c = nil
	return check(C.inf_session_close(c, &e), &e)
}

// Message is one turn of a conversation.
type Message struct{ Role, Content string }

// Params of a generation; the zero value is all defaults.
type Params struct {
	MaxTokens int
	IgnoreEOS bool
}

// Chat returns an iterator over the pieces of the answer: range over it (Go 1.23), or call it with a function that returns
// false to stop. It ends early when ctx is done. Err says afterwards how it ended. The body of the loop runs inside a callback:
// a panic passes around C, but it must not call runtime.Goexit (testing's FailNow does).
func (s *Session) Chat(ctx context.Context, messages []Message, p Params) func(yield func(text string) bool) {
	return func(yield func(text string) bool) {
		c := &call{ctx: ctx, yield: yield}
		s.err = s.chat(c, messages, p)
		if c.panicked != nil {
			panic(c.panicked)
		}
	}
}

// Err is nil if the answer of the last Chat came to its end or the loop was left, ctx.Err() if that stopped it.
func (s *Session) Err() error { return s.err }

func (s *Session) chat(c *call, messages []Message, p Params) error {
	var a arena
	defer a.free()
	handle := cgo.NewHandle(c)
	defer handle.Delete()
	if len(messages) == 0 {
		return errors.New("no messages")
	}
	if err := c.ctx.Err(); err != nil { // C asks ten times a second, and a short answer may come sooner
		return err
	}
	list := (*C.inf_message)(a.alloc(C.size_t(len(messages)) * C.sizeof_inf_message))
	for i, m := range messages {
		one := &unsafe.Slice(list, len(messages))[i]
		one.struct_size = C.sizeof_inf_message
		one.role, one.content, one.content_len = a.text(m.Role), a.text(m.Content), C.size_t(len(m.Content))
	}
	params := (*C.inf_gen_params)(a.alloc(C.sizeof_inf_gen_params))
	params.struct_size = C.sizeof_inf_gen_params
	params.max_tokens = C.int32_t(p.MaxTokens)
	if p.IgnoreEOS {
		params.flags |= C.INF_GEN_FLAG_IGNORE_EOS
	}
	result := C.inf_gen_result{struct_size: C.sizeof_inf_gen_result}
	e := newError()
	err := check(C.bridge_chat(s.c, list, C.size_t(len(messages)), params, C.uintptr_t(handle), &result, &e), &e)
	if result.finish == C.INF_FINISH_CANCELLED && c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	return err
}
