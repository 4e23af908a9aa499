// SPDX-License-Identifier: MIT

package inference

// #include <stdint.h>
import "C"

import (
	"context"
	"runtime/cgo"
)

// call is what the callbacks of one chat need; C knows it by a cgo.Handle.
type call struct {
	ctx      context.Context
	yield    func(text string) bool
	panicked any // what yield panicked with, to go on with behind the frames of C
}

func (c *call) token(text string) (answer C.int32_t) {
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			answer = 0
		}
	}()
	if c.yield(text) {
		return 1
	}
	return 0
}

//export goOnToken
func goOnToken(handle C.uintptr_t, text *C.char, n C.size_t) C.int32_t {
	return cgo.Handle(handle).Value().(*call).token(C.GoStringN(text, C.int(n)))
}

//export goOnPoll
func goOnPoll(handle C.uintptr_t) C.int32_t {
	if cgo.Handle(handle).Value().(*call).ctx.Err() != nil {
		return 0
	}
	return 1
}
