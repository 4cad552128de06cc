package debkernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// keyring holds the keys of Debian's archive (package debian-archive-keyring).
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// packagePrefix and a release is the name of a kernel's package.
const packagePrefix = "linux-image-"

// available lists the releases that apt has as wanted, with all that is wanted of them, after it was asked for news.
func (c *Cache) available(ctx context.Context, w Wanted) (releases []string, err error) {
	if err := c.update(ctx, w); err != nil {
		return nil, err
	}
	names, err := c.apt(ctx, "", "apt-cache", "pkgnames", packagePrefix+w.Series)
	if err != nil {
		return nil, err
	}
	pattern := w.releases()
	var known, ask []string
	for name := range strings.Lines(names) {
		if release := strings.TrimPrefix(strings.TrimSpace(name), packagePrefix); pattern.MatchString(release) {
			known = append(known, release)
			for _, p := range w.parts() {
				ask = append(ask, packagePrefix+release+p.suffix+":"+w.Arch)
			}
		}
	}
	if len(known) > 0 {
		// A name can be known and have no package: others refer to it. madison lists packages.
		table, err := c.apt(ctx, "", "apt-cache", append([]string{"madison"}, ask...)...)
		if err != nil {
			return nil, err
		}
		releases = complete(table, known, w.parts())
	}
	if len(releases) == 0 {
		return nil, fmt.Errorf("apt has no kernel %v of %s in %s", w, w.Arch, w.Suite)
	}
	return releases, nil
}

// complete picks the releases of which madison's table has the packages of all parts.
func complete(table string, releases []string, parts []part) (list []string) {
	packages := map[string]bool{}
	for row := range strings.Lines(table) {
		name, _, _ := strings.Cut(row, "|")
		name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
		packages[name] = true
	}
	for _, release := range releases {
		if !slices.ContainsFunc(parts, func(p part) bool { return !packages[packagePrefix+release+p.suffix] }) {
			list = append(list, release)
		}
	}
	return list
}

func (c *Cache) download(ctx context.Context, folder, name string) error {
	_, err := c.apt(ctx, folder, "apt-get", "-q", "download", name)
	return err
}

// update writes apt's configuration and fetches the list that a kernel is in: no other, since that of another may be missing
// or just being changed.
func (c *Cache) update(ctx context.Context, w Wanted) error {
	mirror, err := machineMirror(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("the keys of Debian's archive (package debian-archive-keyring): %w", err)
	}
	root := filepath.Join(c.Dir, "apt")
	for _, folder := range []string{"sources", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return err
		}
	}
	sources := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nSigned-By: %s\n", mirror, w.Suite, w.Arch, keyring)
	// The machine's own apt.conf.d stays in force: it may name a proxy. Its sources and lists do not.
	conf := fmt.Sprintf(`Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "%[1]s/sources";
APT::Architecture "amd64";
APT::Architectures { %[2]s };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
`, root, architectures(w.Arch))
	for name, content := range map[string]string{"sources/debian.sources": sources, "apt.conf": conf, "state/status": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	c.Log("apt-get update for %s, from the mirror that this machine uses", w.Suite)
	_, err = c.apt(ctx, "", "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
	return err
}

// architectures is a list for apt's configuration, which has to have its own architecture.
func architectures(arch string) string {
	if arch == "amd64" {
		return `"amd64";`
	}
	return fmt.Sprintf(`"amd64"; %q;`, arch)
}

// apt runs one of apt's programs by the cache's configuration and returns what it printed.
func (c *Cache) apt(ctx context.Context, folder, program string, args ...string) (string, error) {
	return command(ctx, folder, []string{"APT_CONFIG=" + filepath.Join(c.Dir, "apt", "apt.conf")}, program, args...)
}

// machineMirror is where this machine gets Debian from: the address of its own release's suite.
func machineMirror(ctx context.Context) (string, error) {
	table, err := command(ctx, "", nil, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(COMPONENT)|$(RELEASE)|$(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	return mirrorOf(table, string(release))
}

// mirrorOf picks the mirror from apt's table of origin, component, suite and address. The origin is known, and not just the
// name of that variable, once apt has fetched the lists.
func mirrorOf(table, osRelease string) (string, error) {
	codename := ""
	for line := range strings.Lines(osRelease) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			codename = strings.Trim(value, `"'`)
		}
	}
	best, bestScore := "", 0
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 4 || f[1] != "main" || f[2] != codename {
			continue
		}
		score := 1
		if f[0] == "Debian" {
			score = 2
		}
		if score > bestScore {
			best, bestScore = f[3], score
		}
	}
	if best == "" {
		return "", fmt.Errorf("this machine's apt has no source for Debian %s, so there is no mirror to take kernels from", codename)
	}
	return best, nil
}

// unpack writes files of a package below a folder.
func unpack(ctx context.Context, deb, folder string, members []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	files := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	pipe, err := files.StdoutPipe()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	some := exec.CommandContext(ctx, "tar", append([]string{"-x", "--no-same-owner", "-C", folder, "-f", "-"}, members...)...)
	some.Stdin, some.Stderr = pipe, &said
	err = files.Start()
	if err == nil {
		err = some.Run()
		// tar reads to the end, so dpkg-deb ends as well.
		err = errors.Join(err, files.Wait())
	}
	if err != nil {
		return fmt.Errorf("%s of %s: %w: %s", strings.Join(members, ", "), filepath.Base(deb), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// command runs a program and returns its standard output. The error has its messages, on one line.
func command(ctx context.Context, folder string, env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), append(env, "LC_ALL=C")...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.Join(strings.Fields(said.String()), " "))
	}
	return out.String(), nil
}
