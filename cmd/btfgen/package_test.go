//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// deb PACKAGE VERSION PATH=FILE...: a Debian package of the kernel team's with these files in it, in this order.
func deb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: deb PACKAGE VERSION PATH=FILE...")
	}
	control := fmt.Sprintf("Package: linux-image\nVersion: %s\nArchitecture: amd64\nMaintainer: Debian Kernel Team <debian-kernel@lists.debian.org>\n", args[1])
	data := [][2]string{}
	for _, arg := range args[2:] {
		path, file, _ := strings.Cut(arg, "=")
		data = append(data, [2]string{path, ts.ReadFile(file)})
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []struct {
		name    string
		content []byte
	}{
		{"debian-binary", []byte("2.0\n")},
		{"control.tar.gz", tarGz(ts, [][2]string{{"control", control}})},
		{"data.tar.gz", tarGz(ts, data)},
	} {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, 0, 0, 0, "100644", len(m.content))
		b.Write(m.content)
		if b.Len()%2 != 0 {
			b.WriteByte('\n')
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

func tarGz(ts *testscript.TestScript, files [][2]string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		ts.Check(w.WriteHeader(&tar.Header{Name: "./" + f[0], Mode: 0o644, Size: int64(len(f[1]))}))
		_, err := w.Write([]byte(f[1]))
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(z.Close())
	return b.Bytes()
}
