package bundle

import (
	"runtime"
	"testing"
	"time"

	"github.com/btfgen/btfgen/internal/bundlesample"
	"github.com/btfgen/btfgen/kernel"
)

// fleet is a bundle of 5,000 kernels, and hosts that it has BTF for.
func fleet(t testing.TB) ([]byte, []kernel.Host) {
	t.Helper()
	series, err := bundlesample.Series(5000, 3)
	if err != nil {
		t.Fatal(err)
	}
	w := NewBuilder()
	var hosts []kernel.Host
	for i, k := range series {
		if err := w.Add(k.Path, k.BTF); err != nil {
			t.Fatal(err)
		}
		if i%211 == 0 {
			id := kernel.ParsePath(k.Path)
			machine := map[string]string{"arm64": "aarch64"}[id.Arch]
			if machine == "" {
				machine = id.Arch
			}
			hosts = append(hosts, kernel.Host{Release: id.Release, Machine: machine, OS: kernel.OSRelease{ID: id.Distro, VersionID: id.Version}})
		}
	}
	raw, stats, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", stats)
	return raw, hosts
}

// lookUp is what a program does at start-up.
func lookUp(t testing.TB, raw []byte, host *kernel.Host) {
	b, err := Open(raw)
	if err != nil {
		t.Fatal(err)
	}
	choice, err := Choose(b, Options{Host: host, KernelBTF: "-"})
	if err != nil || len(choice.BTF) == 0 {
		t.Fatal(choice, err)
	}
}

// The limits that are promised of a look-up among 5,000 kernels.
const (
	maxLookUpTime  = time.Millisecond
	maxLookUpBytes = 512 << 10
)

func TestLookUpIsCheap(t *testing.T) {
	raw, hosts := fleet(t)
	best := time.Hour // the machine may be busy: the quickest round counts
	most := uint64(0)
	var before, after runtime.MemStats
	for range 5 {
		for i := range hosts {
			runtime.ReadMemStats(&before)
			start := time.Now()
			lookUp(t, raw, &hosts[i])
			best = min(best, time.Since(start))
			runtime.ReadMemStats(&after)
			most = max(most, after.TotalAlloc-before.TotalAlloc)
		}
	}
	t.Logf("%d bytes for 5,000 kernels; a look-up takes %v and allocates at most %d bytes", len(raw), best, most)
	if best > maxLookUpTime || most > maxLookUpBytes {
		t.Errorf("the limits are %v and %d bytes", maxLookUpTime, maxLookUpBytes)
	}
}

func BenchmarkLookUp(b *testing.B) {
	raw, hosts := fleet(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		lookUp(b, raw, &hosts[i%len(hosts)])
	}
}

func BenchmarkNotFound(b *testing.B) {
	raw, hosts := fleet(b)
	bundle, err := Open(raw)
	if err != nil {
		b.Fatal(err)
	}
	host := hosts[0]
	host.Release += "-custom"
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := bundle.Find(host, true); err == nil {
			b.Fatal("found")
		}
	}
}
