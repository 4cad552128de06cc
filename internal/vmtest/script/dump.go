package script

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"io"
	"strings"
)

// Dump writes a file as lines of text, for Undump: compressed, since a serial port is slow.
func Dump(w io.Writer, raw []byte) error {
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := z.Write(raw); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	for packed.Len() > 0 {
		if _, err := io.WriteString(w, base64.StdEncoding.EncodeToString(packed.Next(6000))+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// Undump reads what Dump wrote.
func Undump(lines []string) ([]byte, error) {
	packed := base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.Join(lines, "")))
	return io.ReadAll(flate.NewReader(packed))
}
