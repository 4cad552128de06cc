package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/kernel"
)

// maxTarName is one byte less than tar's field: libbpf-tools compares names as C strings, and do not know the field for longer ones.
const maxTarName = 99

// BCCTar makes the min_core_btfs.tar.gz that libbpf-tools have built in (bcc, libbpf-tools/btf_helpers.c): one file for each kernel, links not
// being followed, named ./ID/VERSION_ID/machine/release.btf by what the tools make of /etc/os-release and uname(2) on the host:
//   - machine is uname's word, such as aarch64 where archives say arm64;
//   - quotes around ID stay, and without quotes around VERSION_ID it counts as empty.
//
// So a kernel is there again under each name that tools on its distribution ask for. Kernels whose path is not of this shape, or too long, are an error.
func (w *Builder) BCCTar() ([]byte, error) {
	files := map[string]int{}
	for path, content := range w.kernels {
		parts := strings.Split(path, "/")
		if len(parts) != 4 {
			return nil, fmt.Errorf("%s: this format needs kernels named distribution/version/architecture/release", path)
		}
		distro, version, release := parts[0], parts[1], parts[3]
		machine := parts[2]
		if arch, _ := kernel.NormalArch(machine); arch == "arm64" {
			machine = "aarch64"
		}
		names := []string{distro + "/" + version}
		switch kernel.NormalDistro(distro) {
		case "rhel", "centos", "ol", "rocky", "almalinux", "amzn", "sles", "opensuse-leap", "opensuse-tumbleweed":
			names = append(names, `"`+distro+`"/`+version)
		case "fedora":
			names = append(names, distro+"/")
		}
		for _, name := range names {
			name = "./" + name + "/" + machine + "/" + release + ".btf"
			if len(name) > maxTarName {
				return nil, fmt.Errorf("%s: the name %s has %d bytes, libbpf-tools know at most %d", path, name, len(name), maxTarName)
			}
			if other, ok := files[name]; ok && other != content {
				return nil, fmt.Errorf("%s: another kernel with different BTF has the name %s, too", path, name)
			}
			files[name] = content
		}
	}

	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(z)
	// Kernels with equal BTF next to each other, where DEFLATE finds the repetition.
	names := slices.Collect(maps.Keys(files))
	slices.SortFunc(names, compareReleases)
	for _, name := range names {
		btf := w.btfs[files[name]]
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(btf)), Format: tar.FormatUSTAR}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := archive.Write(btf); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
