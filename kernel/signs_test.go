package kernel

import "testing"

// The banners are of real kernels.
func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		signs Signs
		path  string
	}{
		{Signs{Arch: "x86_64", Banner: "Linux version 6.1.0-50-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)"},
			"debian/12/x86_64/6.1.0-50-cloud-amd64"},
		// Of an image's header, without the compiler.
		{Signs{Arch: "i386", Banner: "6.1.0-50-686 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)"},
			"debian/12/x86/6.1.0-50-686"},
		{Signs{Arch: "ppc64el", Banner: "Linux version 6.12.107+deb13-powerpc64le (debian-kernel@lists.debian.org) (powerpc64le-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44) #1 SMP Debian 6.12.107-1 (2026-08-29)"},
			"debian/13/ppc64le/6.12.107+deb13-powerpc64le"},
		// Only the package is known.
		{Signs{Arch: "amd64", Release: "6.1.0-50-amd64", Package: PackageSigns{Version: "6.1.176-1", Vendor: "Debian Kernel Team <debian-kernel@lists.debian.org>"}},
			"debian/12/x86_64/6.1.0-50-amd64"},
		{Signs{Arch: "amd64", Release: "6.1.0-0.deb11.52-cloud-amd64", Package: PackageSigns{Version: "6.1.55-1~bpo11+1", Vendor: "Debian Kernel Team <debian-kernel@lists.debian.org>"}},
			"debian/11/x86_64/6.1.0-0.deb11.52-cloud-amd64"},
		{Signs{Arch: "x86_64", Banner: "Linux version 5.4.0-91-generic (buildd@lcy01-amd64-017) (gcc version 9.3.0 (Ubuntu 9.3.0-17ubuntu1~20.04)) #102-Ubuntu SMP Fri Nov 5 16:31:28 UTC 2021"},
			"ubuntu/20.04/x86_64/5.4.0-91-generic"},
		{Signs{Arch: "aarch64", Banner: "Linux version 5.4.0-1060-aws (buildd@bos02-arm64-041) (gcc version 7.5.0 (Ubuntu/Linaro 7.5.0-3ubuntu1~18.04)) #63~18.04.1-Ubuntu SMP Mon Nov 15 14:28:16 UTC 2021"},
			"ubuntu/18.04/arm64/5.4.0-1060-aws"},
		{Signs{Arch: "amd64", Release: "5.15.0-91-generic", Package: PackageSigns{Version: "5.15.0-91.101", Vendor: "Ubuntu Kernel Team <kernel-team@lists.ubuntu.com>"}},
			"ubuntu/22.04/x86_64/5.15.0-91-generic"},
		{Signs{Arch: "aarch64", Banner: "Linux version 4.18.0-147.5.1.el8_1.aarch64 (mockbuild@aarch64-01.mbox.centos.org) (gcc version 8.3.1 20190507 (Red Hat 8.3.1-4) (GCC)) #1 SMP Wed Feb 5 01:54:32 UTC 2020"},
			"centos/8/arm64/4.18.0-147.5.1.el8_1.aarch64"},
		{Signs{Arch: "x86_64", Release: "5.14.0-503.14.1.el9_5.x86_64", Package: PackageSigns{Version: "5.14.0-503.14.1.el9_5", Vendor: "Rocky Enterprise Software Foundation"}},
			"rocky/9/x86_64/5.14.0-503.14.1.el9_5.x86_64"},
		{Signs{Arch: "x86_64", Release: "5.14.0-503.14.1.el9_5.x86_64", Package: PackageSigns{Vendor: "Red Hat, Inc."}},
			"rhel/9/x86_64/5.14.0-503.14.1.el9_5.x86_64"},
		{Signs{Arch: "x86_64", Banner: "Linux version 5.15.0-205.149.5.1.el9uek.x86_64 (mockbuild@host-100-100-224-36) (gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2.1.0.1)) #2 SMP"},
			"ol/9/x86_64/5.15.0-205.149.5.1.el9uek.x86_64"},
		{Signs{Arch: "x86_64", Banner: "Linux version 6.5.6-300.fc39.x86_64 (mockbuild@4f0a2b1c5b5f4f2d) (gcc (GCC) 13.2.1 20230918 (Red Hat 13.2.1-3)) #1 SMP PREEMPT_DYNAMIC"},
			"fedora/39/x86_64/6.5.6-300.fc39.x86_64"},
		{Signs{Arch: "x86_64", Banner: "Linux version 5.10.201-191.748.amzn2.x86_64 (mockbuild@ip-10-0-44-42) (gcc10-gcc (GCC) 10.5.0 20230707 (Red Hat 10.5.0-1)) #1 SMP"},
			"amzn/2/x86_64/5.10.201-191.748.amzn2.x86_64"},
		{Signs{Arch: "x86_64", Banner: "Linux version 5.3.18-150300.59.93-default (geeko@buildhost) (gcc version 7.5.0 (SUSE Linux)) #1 SMP"},
			"sles/15.3/x86_64/5.3.18-150300.59.93-default"},
		{Signs{Arch: "x86_64", Release: "5.3.18-57-default", Package: PackageSigns{Vendor: "openSUSE", Distribution: "openSUSE Leap 15.3"}},
			"opensuse-leap/15.3/x86_64/5.3.18-57-default"},
		{Signs{Arch: "x86_64", Release: "5.3.18-57-default", Package: PackageSigns{Vendor: "SUSE LLC <https://www.suse.com/>", Distribution: "SUSE Linux Enterprise 15-SP3"}},
			"sles/15.3/x86_64/5.3.18-57-default"},
		{Signs{Arch: "aarch64", Banner: "Linux version 4.19.90-24.4.v2101.ky10.aarch64 (KYLINSOFT@localhost.localdomain) (gcc version 7.3.0 (GCC)) #1 SMP"},
			"kylin/V10/arm64/4.19.90-24.4.v2101.ky10.aarch64"},

		// What does not tell.
		{Signs{Arch: "x86_64", Banner: "Linux version 6.18.44-own (builder@somewhere) (gcc (GCC) 15.3.0, GNU ld (GNU Binutils) 2.46) #1 SMP PREEMPT_DYNAMIC @0"}, ""},
		{Signs{Arch: "x86_64", Release: "6.12.0-1.el8.elrepo.x86_64", Package: PackageSigns{Vendor: "The ELRepo Project"}}, ""},
		{Signs{Arch: "x86_64", Banner: "Linux version 4.19.90-2107.6.0.0248.35.oe1.bclinux.x86_64 (abuild@localhost) (gcc) #1"}, ""},
		{Signs{Banner: "Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) #1"}, ""},
		{Signs{Arch: "x86_64"}, ""},
		{Signs{Arch: "x86_64", Release: "../../6.1.0", Package: PackageSigns{Vendor: "debian"}}, ""},
		{Signs{Arch: "x86_64", Banner: "Linux version 6.1.0 ((((("}, ""},
	} {
		if got := c.signs.Identify().Path(); got != c.path {
			t.Errorf("%+v:\n  %q, expected %q (%+v)", c.signs, got, c.path, c.signs.Identify())
		}
	}
}

func TestIdentifyKeepsWhatIsKnown(t *testing.T) {
	got := Signs{Arch: "amd64", Banner: "Linux version 6.18.44-own (builder@somewhere) #1"}.Identify()
	if want := (ID{Arch: "x86_64", Release: "6.18.44-own"}); got != want {
		t.Errorf("%+v, expected %+v", got, want)
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("6.1.0-50-amd64", "Linux version 6.1.0 (a) (b (c)) #1~20.04", "1~20.04.1", "Ubuntu", "SUSE Linux 15-SP3")
	f.Fuzz(func(t *testing.T, release, banner, version, vendor, distribution string) {
		signs := Signs{Release: release, Banner: banner, Arch: "x86_64", Package: PackageSigns{version, vendor, distribution}}
		if path := signs.Identify().Path(); path != "" && ParsePath(path) != signs.Identify() {
			t.Errorf("%q is read as %+v, not %+v", path, ParsePath(path), signs.Identify())
		}
	})
}
