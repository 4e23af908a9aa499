// SPDX-License-Identifier: MIT

// example MODEL.gguf TEXT [PLUGIN-DIR]: list the backends, load a model, answer. Ctrl-C stops the answer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"example.org/inference"
)

func run(model, text string, pluginDirs []string) error {
	registry, err := inference.Open(pluginDirs, nil)
	if err != nil {
		return err
	}
	defer registry.Close()
	for _, c := range registry.Candidates() {
		fmt.Fprintf(os.Stderr, "%s: %s: %s\n", c.Backend, c.State, c.Message)
	}
	session, err := registry.Load("", model)
	if err != nil {
		return err
	}
	defer session.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	session.Chat(ctx, []inference.Message{{Role: "user", Content: text}}, inference.Params{MaxTokens: 200})(func(piece string) bool {
		fmt.Print(piece)
		return true
	})
	fmt.Println()
	return session.Err()
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: example MODEL.gguf TEXT [PLUGIN-DIR]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
