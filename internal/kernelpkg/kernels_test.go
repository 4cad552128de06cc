package kernelpkg

import (
	"io/fs"
	"testing"
)

// The paths are those of Debian, Ubuntu, Fedora, RHEL, Amazon Linux, openSUSE and Arch.
func TestKernelFile(t *testing.T) {
	const rel, el = "6.1.0-50-amd64", "5.14.0-427.13.1.el9_4.x86_64"
	none := KernelFile{}
	for path, want := range map[string]KernelFile{
		"boot/vmlinuz-" + rel:                                                                   {Kind: Kernel, Release: rel},
		"boot/vmlinux-" + rel:                                                                   {Kind: Kernel, Release: rel},
		"boot/Image-6.4.0-150600.23-default":                                                    {Kind: Kernel, Release: "6.4.0-150600.23-default"},
		"boot/vmlinux-6.4.0-150600.23-default.xz":                                               {Kind: Kernel, Release: "6.4.0-150600.23-default"},
		"boot/vmlinux-5.3.18-59-default.gz":                                                     {Kind: Kernel, Release: "5.3.18-59-default"},
		"boot/System.map-" + rel:                                                                none,
		"boot/config-" + rel:                                                                    none,
		"boot/initrd.img-" + rel:                                                                none,
		"boot/.vmlinuz-" + rel + ".hmac":                                                        none,
		"boot/vmlinuz-" + rel + ".hmac":                                                         none,
		"boot/vmlinuz":                                                                          none,
		"boot/dtb/vmlinuz-" + rel:                                                               none,
		"usr/lib/debug/boot/vmlinux-" + rel:                                                     {Kind: Kernel, Release: rel, Debug: true},
		"usr/lib/debug/vmlinux-" + rel:                                                          {Kind: Kernel, Release: rel, Debug: true},
		"usr/lib/debug/boot/vmlinux-5.3-default.debug":                                          {Kind: Kernel, Release: "5.3-default", Debug: true},
		"usr/lib/debug/boot/System.map-" + rel:                                                  none,
		"lib/modules/" + el + "/vmlinuz":                                                        {Kind: Kernel, Release: el},
		"usr/lib/modules/" + el + "/vmlinuz":                                                    {Kind: Kernel, Release: el},
		"lib/modules/" + el + "/.vmlinuz.hmac":                                                  none,
		"lib/modules/" + el + "/vmlinuz-virt.efi":                                               none,
		"lib/modules/" + el + "/System.map":                                                     none,
		"lib/modules/" + el + "/Image":                                                          {Kind: Kernel, Release: el},
		"usr/lib/modules/6.4.0-default/vmlinux.xz":                                              {Kind: Kernel, Release: "6.4.0-default"},
		"usr/lib/debug/lib/modules/" + el + "/vmlinux":                                          {Kind: Kernel, Release: el, Debug: true},
		"usr/lib/debug/usr/lib/modules/6.4.0-default/vmlinux.debug":                             {Kind: Kernel, Release: "6.4.0-default", Debug: true},
		"lib/modules/" + rel + "/kernel/fs/xfs/xfs.ko":                                          {Kind: Module, Release: rel, Module: "xfs"},
		"lib/modules/" + el + "/kernel/net/8021q/8021q.ko.xz":                                   {Kind: Module, Release: el, Module: "8021q"},
		"usr/lib/modules/6.9.1-arch1-1/kernel/drivers/hid/hid-apple.ko.zst":                     {Kind: Module, Release: "6.9.1-arch1-1", Module: "hid_apple"},
		"lib/modules/" + rel + "/extra/a.ko.gz":                                                 {Kind: Module, Release: rel, Module: "a"},
		"usr/lib/debug/lib/modules/" + rel + "/kernel/fs/xfs/xfs.ko":                            {Kind: Module, Release: rel, Module: "xfs", Debug: true},
		"usr/lib/debug/lib/modules/" + el + "/kernel/fs/xfs/xfs.ko.debug":                       {Kind: Module, Release: el, Module: "xfs", Debug: true},
		"usr/lib/debug/lib/modules/" + el + "/kernel/a-b.ko-5.14.0-427.13.1.el9_4.x86_64.debug": {Kind: Module, Release: el, Module: "a_b", Debug: true},
		"lib/modules/" + rel + "/kernel/fs/.ko":                                                 none,
		"lib/modules/" + rel + "/modules.dep":                                                   none,
		"lib/modules/" + rel:                                                                    none,
		"lib/modules//vmlinuz":                                                                  none,
		"lib/modules/" + rel + "/vdso/vdso64.so.debug":                                          none,
		"usr/lib/debug/.dwz/kernel-5.14.0-427.13.1.el9_4.x86_64":                                {Kind: Alternate, Debug: true},
		"usr/lib/debug/.dwz/x86_64-linux-gnu/linux.debug":                                       {Kind: Alternate, Debug: true},
		"usr/lib/debug/.dwz/":                                                                   none,
		"usr/lib/debug/.build-id/70/1234567890.debug":                                           none,
		"usr/share/doc/linux-image-" + rel + "/vmlinuz-notes":                                   none,
		"": none,
	} {
		got, ok := kernelFile(Entry{Path: path, Mode: 0o644})
		if ok != (want != none) {
			t.Errorf("%q: taken for a file of a kernel: %t (%+v)", path, ok, got)
			continue
		}
		got.Entry = Entry{}
		if ok && got != want {
			t.Errorf("%q: %+v, expected %+v", path, got, want)
		}
	}
	link := Entry{Path: "usr/lib/debug/vmlinux-" + rel, Mode: fs.ModeSymlink | 0o777}
	for to, want := range map[string]bool{
		"boot/vmlinux-" + rel: false, "/boot/vmlinuz-" + rel: false, "../../src/x": true, "../../../boot/vmlinux-" + rel: false,
	} {
		link.Link = to
		if _, ok := kernelFile(link); ok != want {
			t.Errorf("a link to %s: taken for a file of a kernel: %t", to, ok)
		}
	}
}
