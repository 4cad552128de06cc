package main

import (
	"os"

	"github.com/btfgen/btfgen/bundle"
)

func choice() string {
	raw, err := os.ReadFile("btf.bundle")
	if err != nil {
		return err.Error()
	}
	b, err := bundle.Open(raw)
	if err != nil {
		return err.Error()
	}
	choice, err := bundle.Choose(b, bundle.Options{File: os.Getenv("BTF_FILE")})
	if err != nil {
		return err.Error()
	}
	return choice.String()
}
