// SPDX-License-Identifier: MIT

package inference

// #include "inference/host.h"
import "C"

import "reflect"

// Structs are those that this package uses, as cgo has laid them out: a test compares them with C.
var structs = map[string]reflect.Type{
	"inf_error":           reflect.TypeOf(C.inf_error{}),
	"inf_kv":              reflect.TypeOf(C.inf_kv{}),
	"inf_registry_params": reflect.TypeOf(C.inf_registry_params{}),
	"inf_candidate":       reflect.TypeOf(C.inf_candidate{}),
	"inf_load_params":     reflect.TypeOf(C.inf_load_params{}),
	"inf_message":         reflect.TypeOf(C.inf_message{}),
	"inf_gen_params":      reflect.TypeOf(C.inf_gen_params{}),
	"inf_gen_result":      reflect.TypeOf(C.inf_gen_result{}),
}
