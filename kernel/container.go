package kernel

import (
	"bytes"
	"strings"
)

// container returns what tells that this process is in a container, "" if nothing does. read returns a file, getenv a variable of
// this process. Each of these is a custom and none is a rule, so the more telling ones come first.
func container(read func(path string) ([]byte, bool), getenv func(string) string) string {
	// Kubernetes sets it for every container of a pod, whatever runs containers below it.
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "kubernetes"
	}
	// https://systemd.io/CONTAINER_INTERFACE: the manager sets container= for process 1; systemd leaves a copy for those who
	// may not read its environment.
	if b, ok := read("/run/systemd/container"); ok {
		if name := containerName(b); name != "" {
			return name
		}
	}
	if b, ok := read("/proc/1/environ"); ok {
		for variable := range bytes.SplitSeq(b, []byte{0}) {
			if value, ok := bytes.CutPrefix(variable, []byte("container=")); ok {
				if name := containerName(value); name != "" {
					return name
				}
			}
		}
	}
	if _, ok := read("/run/.containerenv"); ok {
		return "podman"
	}
	if _, ok := read("/.dockerenv"); ok {
		return "docker"
	}
	// Without a cgroup namespace of its own the container sees where the host put it.
	if b, ok := read("/proc/1/cgroup"); ok {
		for _, hint := range []struct{ path, name string }{
			{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"/lxc", "lxc"}, {"garden", "garden"},
		} {
			if bytes.Contains(b, []byte(hint.path)) {
				return hint.name
			}
		}
	}
	return ""
}

// containerName returns the name of a container manager, "" for what looks like none.
func containerName(b []byte) string {
	name := strings.TrimSpace(string(b))
	if len(name) > 64 {
		return ""
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return name
}
