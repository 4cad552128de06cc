package kernelseries

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// style is how a distribution names its kernels: version is the kernel's own ("5.15"), serial counts the series of that name.
type style struct {
	dir     string // distro/version
	release func(version, arch string, serial, update, flavour int) string
}

var (
	ubuntuFlavours = []string{"generic", "aws", "azure", "gcp", "oracle"}
	debianFlavours = []string{"", "cloud-", "rt-", "16k-"}
	redHatFlavours = []string{"", "+rt", "+64k", "+debug"}
)

var styles = []style{
	{"ubuntu/18.04", ubuntu}, {"ubuntu/20.04", ubuntu}, {"ubuntu/22.04", ubuntu}, {"ubuntu/24.04", ubuntu},
	{"debian/10", debian}, {"debian/11", debian}, {"debian/12", debian}, {"debian/13", debian},
	{"centos/8", redHat("el8")}, {"rhel/8", redHat("el8")}, {"rhel/9", redHat("el9")}, {"almalinux/9", redHat("el9")},
	{"ol/8", func(version, arch string, serial, update, flavour int) string {
		return fmt.Sprintf("%s.17-%d.%d.%d.el8uek.%s", version, 2102+serial*100, 200+update, 1+flavour, redHatArch(arch))
	}},
	{"amzn/2", func(version, arch string, serial, update, flavour int) string {
		return fmt.Sprintf("%s.%d-%d.%d.amzn2.%s", version, 100+update, 97+serial, 400+3*update+flavour, redHatArch(arch))
	}},
	{"sles/15.4", func(version, _ string, serial, update, flavour int) string {
		return fmt.Sprintf("%s.21-%d.24.%d-%s", version, 150400+serial, 11+update, []string{"default", "azure", "rt", "64kb"}[flavour%4])
	}},
	{"fedora/38", func(version, arch string, serial, update, flavour int) string {
		return fmt.Sprintf("%s.%d-%d.fc38.%s%s", version, 1+update, 200+serial, redHatArch(arch), redHatFlavours[flavour%4])
	}},
}

func ubuntu(version, _ string, serial, update, flavour int) string {
	return fmt.Sprintf("%s.0-%d-%s", version, 1000+100*serial+update, ubuntuFlavours[flavour%len(ubuntuFlavours)])
}

func debian(version, arch string, serial, update, flavour int) string {
	if arch == "x86_64" {
		arch = "amd64"
	}
	return fmt.Sprintf("%s.0-%d-%s%s", version, 1+100*serial+update, debianFlavours[flavour%len(debianFlavours)], arch)
}

func redHat(dist string) func(version, arch string, serial, update, flavour int) string {
	return func(version, arch string, serial, update, flavour int) string {
		return fmt.Sprintf("%s.0-%d.%d.1.%s.%s%s", version, 193+50*serial, update, dist, redHatArch(arch), redHatFlavours[flavour%4])
	}
}

func redHatArch(arch string) string {
	if arch == "arm64" {
		return "aarch64"
	}
	return arch
}

// naming gives no two series the same names.
type naming struct{ serials map[string]int }

func newNaming() *naming { return &naming{make(map[string]int)} }

var kernelVersion = regexp.MustCompile(`\d+\.\d+`)

// series is how the kernels of a new series are named that is made of the kernel of a path.
func (n *naming) series(path string, rng *rand.Rand) func(update, flavour int) string {
	parts := strings.Split(path, "/")
	arch, version := "x86_64", kernelVersion.FindString(parts[len(parts)-1])
	if len(parts) >= 2 {
		arch = parts[len(parts)-2]
	}
	if version == "" {
		version = "6.1"
	}
	s := styles[rng.IntN(len(styles))]
	key := s.dir + "/" + arch + "/" + version
	serial := n.serials[key]
	n.serials[key]++
	return func(update, flavour int) string {
		return s.dir + "/" + arch + "/" + s.release(version, arch, serial, update, flavour)
	}
}
