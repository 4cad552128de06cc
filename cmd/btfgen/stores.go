package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/btfgen/btfgen/hub/store"
	"github.com/btfgen/btfgen/kernels"
)

// usersStore is where a user may put a store that takes the place of the
// built-in one: btfgen/kernels.store in the folder for programs' data, which
// XDG_DATA_HOME names, on every system. "" if there is no such folder.
func usersStore() string {
	dir := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(dir) { // to be ignored then, says the XDG Base Directory Specification
		home, err := os.UserHomeDir()
		switch {
		case runtime.GOOS == "windows":
			dir = os.Getenv("LocalAppData")
		case err != nil:
			dir = ""
		case runtime.GOOS == "darwin":
			dir = filepath.Join(home, "Library", "Application Support")
		default:
			dir = filepath.Join(home, ".local", "share")
		}
	}
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "btfgen", "kernels.store")
}

// defaultStore opens the store that counts where none is given, the user's or
// the built-in one, and gives its name for messages. A user's store that cannot
// be read is an error: the built-in kernels are not what the user wants.
func defaultStore() (name string, s *store.Store, err error) {
	if path := usersStore(); path != "" {
		s, err := store.Open(path)
		switch {
		case err == nil:
			return path, s, nil
		case !errors.Is(err, fs.ErrNotExist):
			return path, nil, fmt.Errorf("%w; \"btfgen hub pack\" makes it anew, without the file the built-in kernels count", about(path, err))
		}
	}
	s, err = kernels.Store()
	return kernels.Name, s, err
}

// givenStore opens the store that is the one argument, or the one that counts
// without.
func givenStore(args []string) (name string, s *store.Store, err error) {
	if len(args) == 0 {
		return defaultStore()
	}
	s, err = openStore(args[0])
	return args[0], s, err
}

// atMostStore wants a STORE or nothing.
func atMostStore(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%d arguments, expected one STORE at most", len(args))
	}
	return nil
}

// printUsed says which kernels were used where none were given.
func printUsed(w io.Writer, kernels listed) {
	if kernels.used != "" {
		fmt.Fprintf(w, "no --hub given: kernels of %s\n", oneLine(kernels.used))
	}
}
