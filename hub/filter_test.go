package hub

import (
	"strings"
	"testing"
	"time"
)

func TestFilter(t *testing.T) {
	const name = "debian/12/x86_64/6.1.0-47-amd64"
	for _, test := range []struct {
		globs string // separated by spaces
		want  bool
	}{
		{"", true},
		{"*", true},
		{"debian/*", true},
		{"debian/*amd64", true},
		{"*/x86_64/*", true},
		{"*amd64*", true},
		{"debian/12/x86_64/6.1.0-47-amd64", true},
		{"debian/12/x86_64/6.1.0-47-amd6", false},
		{"debian", false},
		{"*/12", false},
		{"centos/* debian/*", true},
		{"centos/* ubuntu/*", false},
		{"debian/1?/*", true},
		{"debian?12/*", true},
		{"debian/1[0-2]/*", true},
		{"debian/1[!0-1]/*", true},
		{"debian/1[^2]/*", false},
		{"debian/1[]2]/*", true},
		{"debian/1[2-]/*", true},
		{`debian/1[\]2]/*`, true},
		{`debian/1\2/*`, true},
		{`debian/\*`, false},
		{"*a*a*", true},
		{"*a*a*a*", false},
	} {
		f, err := NewFilter(strings.Fields(test.globs))
		if err != nil {
			t.Errorf("%q: %v", test.globs, err)
			continue
		}
		if got := f.Match(name); got != test.want {
			t.Errorf("%q: %t", test.globs, got)
		}
	}
	for _, glob := range []string{"", "[", "[a", "[]", "a[b-", "[z-a]", `a\`} {
		if _, err := NewFilter([]string{glob}); err == nil {
			t.Errorf("%q: no error", glob)
		}
	}
}

// TestFilterTime: globs that are exponential for a matcher that goes back to
// every star.
func TestFilterTime(t *testing.T) {
	f, err := NewFilter([]string{strings.Repeat("*a", 50) + "b"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if f.Match(strings.Repeat("a", 5000)) {
		t.Error("matches")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestFiltered(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a/1.btf", "a/2.btf", "a/2.btf.xz", "b/1.btf", "b/1.btf.xz"} {
		write(t, root, name, nil)
	}
	f, err := NewFilter([]string{"a/*"})
	if err != nil {
		t.Fatal(err)
	}
	names, problems := list(t, Filtered(open(t, root), f))
	expect(t, "names", names, []string{"a/1", "a/2"})
	expectProblems(t, problems, []string{"a/2: duplicate"})
}
