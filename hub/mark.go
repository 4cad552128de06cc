package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// fileMarks tells the files that kernels are in apart by content. Many kernels
// may be in one file.
type fileMarks struct {
	mu    sync.Mutex
	known map[string]string // by path
}

// of is the mark of the file that a kernel is in.
func (m *fileMarks) of(k *Kernel) (string, error) {
	if k.member != nil {
		return markOf(bytes.NewReader(k.member.content))
	}
	m.mu.Lock()
	mark, ok := m.known[k.Path]
	m.mu.Unlock()
	if ok {
		return mark, nil
	}
	file, err := os.Open(k.Path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if mark, err = markOf(file); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]string)
	}
	m.known[k.Path] = mark
	return mark, nil
}

func markOf(content io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
