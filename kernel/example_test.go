package kernel_test

import (
	"fmt"

	"github.com/btfgen/btfgen/kernel"
)

// A host of Rocky Linux asks a bundle that has its release twice, but not from Rocky.
func ExampleMatcher() {
	host := kernel.Host{ // a real program asks kernel.ThisHost
		Release: "5.14.0-503.14.1.el9_5.x86_64",
		Machine: "x86_64",
		OS:      kernel.ParseOSRelease([]byte("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"\n")),
	}
	m := kernel.NewMatcher(host)
	m.Add("centos/9/x86_64", []byte("5.14.0-503.14.1.el9_5.x86_64"), 0)
	m.Add("rhel/9/x86_64", []byte("5.14.0-503.14.1.el9_5.x86_64"), 1)

	match, err := m.Match()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(match.Path)
	fmt.Println(match.Rule)
	// Output:
	// rhel/9/x86_64/5.14.0-503.14.1.el9_5.x86_64
	// release and architecture; of 2 different BTFs the one for this distribution (rhel, by ID_LIKE)
}

// Where a release is not in the bundle, the error names the nearest, unless consensus is allowed and there is one.
func ExampleMatcher_AllowConsensus() {
	for _, allow := range []bool{false, true} {
		m := kernel.NewMatcher(kernel.Host{
			Release: "5.4.0-1037-aws",
			Machine: "x86_64",
			OS:      kernel.OSRelease{ID: "ubuntu", VersionID: "18.04"},
		})
		if allow {
			m.AllowConsensus()
		}
		m.Add("ubuntu/18.04/x86_64", []byte("5.4.0-1035-aws"), 7)
		m.Add("ubuntu/18.04/x86_64", []byte("5.4.0-1060-aws"), 7)
		match, err := m.Match()
		fmt.Println(match.Path, match.Rule, err)
	}
	// Output:
	//   no BTF found for kernel version 5.4.0-1037-aws (x86_64, ubuntu 18.04): none of the bundle's 2 kernels has this release; nearest: ubuntu/18.04/x86_64/5.4.0-1035-aws, ubuntu/18.04/x86_64/5.4.0-1060-aws
	// ubuntu/18.04/x86_64/5.4.0-1035-aws consensus: the 2 kernels 5.4.0-1035-aws … 5.4.0-1060-aws of this series and flavour have one and the same BTF <nil>
}
