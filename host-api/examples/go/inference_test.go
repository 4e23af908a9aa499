// SPDX-License-Identifier: MIT

package inference

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var turns = []Message{{"user", "It is a truth universally acknowledged"}}

func children(t *testing.T) (list []string) {
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // a thread may just have ended
			list = append(list, strings.Fields(string(text))...)
		}
	}
	return list
}

func open(t *testing.T) *Session {
	registry, err := Open([]string{os.Getenv("GR_TEST_PLUGINS")}, map[string]string{
		"llama-server.path": os.Getenv("GR_TEST_LLAMA_SERVER")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		registry.Close()
		if left := children(t); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	found := map[string]string{}
	for _, c := range registry.Candidates() {
		found[c.Backend] = c.State
	}
	if found["llama_cpp"] != "available" {
		t.Fatalf("candidates: %v", found)
	}
	session, err := registry.Load("llama_cpp", os.Getenv("GR_TEST_MODEL"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if len(children(t)) == 0 {
			t.Error("the server is no child of this process: that none is left would prove nothing")
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

func TestStructsAreLaidOutAsInC(t *testing.T) {
	text, err := exec.Command(os.Getenv("GR_TEST_LAYOUT")).Output()
	var expected map[string]struct {
		Size   uintptr
		Fields map[string][2]uintptr
	}
	if err == nil {
		err = json.Unmarshal(text, &expected)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range structs {
		want := expected[name]
		if want.Size != got.Size() || len(want.Fields) != got.NumField() {
			t.Errorf("%s: %d bytes and %d fields, not %d and %d", name, got.Size(), got.NumField(), want.Size, len(want.Fields))
		}
		for i := 0; i < got.NumField(); i++ {
			field := got.Field(i)
			at := [2]uintptr{field.Offset, field.Type.Size()}
			if at != want.Fields[strings.TrimPrefix(field.Name, "_")] {
				t.Errorf("%s.%s: at %v, not %v", name, field.Name, at, want.Fields[field.Name])
			}
		}
	}
}

func TestTokensComeOneByOne(t *testing.T) {
	session := open(t)
	pieces := 0
	session.Chat(context.Background(), turns, Params{MaxTokens: 20})(func(string) bool { pieces++; return true })
	if pieces < 6 || session.Err() != nil {
		t.Errorf("%d pieces, %v", pieces, session.Err())
	}
}

func TestLeavingTheLoopStops(t *testing.T) {
	session := open(t)
	pieces := 0
	session.Chat(context.Background(), turns, Params{})(func(string) bool { pieces++; return pieces < 3 })
	if pieces != 3 || session.Err() != nil {
		t.Errorf("%d pieces, %v", pieces, session.Err())
	}
}

func TestContextCancels(t *testing.T) {
	session := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	pieces := 0
	session.Chat(ctx, turns, Params{IgnoreEOS: true})(func(string) bool {
		if pieces++; pieces == 3 {
			cancel()
		}
		return true
	})
	if pieces < 3 || !errors.Is(session.Err(), context.Canceled) {
		t.Errorf("%d pieces, %v", pieces, session.Err())
	}
	session.Chat(ctx, turns, Params{})(func(string) bool { t.Error("begun"); return true })
	if !errors.Is(session.Err(), context.Canceled) {
		t.Errorf("%v", session.Err())
	}
}

func TestPanicPassesAroundC(t *testing.T) {
	session := open(t)
	pieces := 0
	func() {
		defer func() {
			if r := recover(); r != "in the loop" {
				t.Errorf("recovered %v", r)
			}
		}()
		session.Chat(context.Background(), turns, Params{})(func(string) bool { pieces++; panic("in the loop") })
	}()
	if pieces != 1 {
		t.Errorf("%d pieces", pieces)
	}
}

func TestErrorHasReason(t *testing.T) {
	session := open(t)
	session.Chat(context.Background(), []Message{{"no role", "x"}}, Params{})(func(string) bool { return true })
	var e *Error
	if !errors.As(session.Err(), &e) || e.Status != -2 || e.Reason == "" || e.Message == "" {
		t.Errorf("%v", session.Err())
	}
}
