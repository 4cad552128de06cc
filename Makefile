# "make help" lists the targets. Building, the demo, unit tests, linters and cross-builds need only Go.

BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

# A module file of their own keeps the linters' many dependencies out of the library's go.mod.
TOOL := go tool -modfile=tools/go.mod

CLANG   ?= clang-19
FUZZTIME ?= 10m

# The packages that read outside bytes, and those where goroutines meet.
FUZZED     := ./btf/... ./bpfelf/... ./core/... ./minimize/... ./hub/... ./kernel/... ./bundle/... ./dwarf2btf/... ./image/... \
	./internal/elffile/... ./internal/kernelpkg/... ./internal/xz/...
CONCURRENT := . ./hub/... ./minimize/... ./cmd/... ./dwarf2btf/... ./image/... ./internal/kernelpkg/... ./internal/xz/...

# os/arch pairs that have to build; s390x is the big-endian one.
PLATFORMS := linux/amd64 linux/arm64 linux/386 linux/s390x darwin/arm64 windows/amd64

# The large set of real kernels. Where there is none, tests use some of the built-in ones.
ifeq ($(BTFGEN_HUB),)
BTFGEN_HUB := $(realpath $(wildcard ../shared/hub))
endif
ifneq ($(BTFGEN_HUB),)
export BTFGEN_HUB
endif

OBJECT_MAKEFILES = $(shell find . -path './$(BIN)' -prune -o -path '*/testdata/*' -name Makefile -print | sort)

# The kernels whose BTF the examples have inside.
# Without one, those that btfgen has.
HUB     ?= $(BTFGEN_HUB)
EXAMPLE := $(CURDIR)/$(BIN)/opensnoop
STRIP    = $(subst clang,llvm-strip,$(CLANG))

# What "make test" consists of, in this order.
SUITES := setup unit race diff conformance creader store image dwarf load vm fuzz-smoke

.DEFAULT_GOAL := help
# One after the other: several suites measure time, and all of them use every processor.
.NOTPARALLEL:

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## build bin/btfgen
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/btfgen ./cmd/btfgen

.PHONY: demo
demo: ## the main job on the example object and the built-in kernels
	rm -rf $(BIN)/demo
	go run ./cmd/btfgen generate --out $(BIN)/demo testdata/example/*.o
	@find $(BIN)/demo -type f -exec ls -l {} +

.PHONY: examples
examples: build ## build the example programs, with the BTF of all kernels of HUB inside (default: BTFGEN_HUB, else the built-in ones)
	$(BIN)/btfgen bundle $(if $(HUB),--hub $(HUB)) --out $(EXAMPLE)-go.bundle $(wildcard examples/opensnoop-go/bpf/*.o)
	$(MAKE) -C examples/opensnoop-go OUT=$(EXAMPLE)-go BUNDLE=$(EXAMPLE)-go.bundle
	$(MAKE) -C examples/opensnoop-c OUT=$(EXAMPLE)-c HUB=$(abspath $(HUB)) BTFGEN=$(CURDIR)/$(BIN)/btfgen CLANG=$(CLANG) STRIP=$(STRIP)

##@ Test

.PHONY: test
test: $(SUITES) ## all tests; installs what they need through apt where it can

.PHONY: setup
setup: ## install the tools that the tests compare with (Debian)
	scripts/test-setup

.PHONY: unit
unit: ## unit tests: needs only Go
	go test ./...

.PHONY: race
race: ## unit tests of the concurrent packages under the race detector
	CGO_ENABLED=1 go test -race -short $(CONCURRENT)

# Suites that run other programs are not cached (-count=1): go test cannot see that a program changed.
.PHONY: diff
diff: ## differential tests: bpftool, libbpf and cilium/ebpf on real kernels and real programs
	BTFGEN_DIFF=1 go test -count=1 . ./bpfelf ./btf
	BTFGEN_DIFF=1 go test -count=1 -v -timeout 30m ./internal/difftest/...

.PHONY: conformance
conformance: ## every rule of CO-RE on objects of our own, beside what libbpf does with them
	BTFGEN_CONFORMANCE=1 go test -count=1 -timeout 15m ./internal/oracle/... ./internal/conformance/...

.PHONY: creader
creader: ## the C reader of bundles beside the Go one: compilers, sanitizers, valgrind, hostile bundles
	BTFGEN_C=1 go test -count=1 -timeout 20m ./internal/ctest/...

.PHONY: store
store: ## kernel stores: judged by other code, killed, on full disks, with several writers (root)
	BTFGEN_STORE=1 go test -count=1 -v -timeout 30m ./hub/store ./kernels ./internal/storetest ./internal/kernelseries

.PHONY: store-series
store-series: ## what a store of made-up kernels comes to (BTFGEN_STORE_KERNELS, default 200); not part of "make test"
	BTFGEN_STORE_SERIES=1 go test -count=1 -v -timeout 30m -run SeriesSize ./internal/storetest

.PHONY: image
image: ## BTF out of real images and packages: beside the archive's, and beside what the distributions' own tools unpack
	BTFGEN_IMAGE=1 go test -count=1 -v -timeout 20m ./internal/kernelpkg ./internal/imagetest

.PHONY: dwarf
dwarf: ## DWARF to BTF beside pahole, compilers and what is written down; CPU and memory on a debug kernel
	BTFGEN_DWARF=1 go test -count=1 -v -timeout 20m ./internal/dwarftest

.PHONY: load
load: ## load programs into this kernel with minimal BTF only, and run the examples (root)
	BTFGEN_LOAD=1 go test -count=1 -timeout 10m ./internal/loadtest/... ./internal/exampletest/...

.PHONY: vm
vm: ## boot Debian's kernels under qemu: what programs with a bundle print, beside what really happened there
	BTFGEN_VM=1 go test -count=1 -v -timeout 20m ./internal/vmtest

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10m), one after the other
	scripts/fuzz $(FUZZTIME) $(FUZZED)
	scripts/fuzz-c $(FUZZTIME)

.PHONY: fuzz-smoke
fuzz-smoke: ## every fuzz target for a few seconds
	scripts/fuzz 2s $(FUZZED)
	scripts/fuzz-c 2s

.PHONY: bench
bench: ## benchmarks, then CPU time beside bpftool's in the same run
	go test -run '^$$' -bench . -benchmem ./...
	go run ./internal/bench

# Making the kernels takes half an hour, once; they stay in the user's cache folder.
.PHONY: bench-store
bench-store: ## CPU time from kernel stores beside raw files; 5,000 made kernels (ARGS='-kernels 300': fewer)
	go run ./internal/storebench $(if $(HUB),-hub $(HUB)) $(ARGS)

##@ Check

.PHONY: lint
lint: fmt-check tidy-check vet staticcheck golangci ## all checks of the source

.PHONY: fmt
fmt: ## format the Go source
	gofmt -w $$(git ls-files --cached --others --exclude-standard -- '*.go')

.PHONY: fmt-check
fmt-check: ## fail where gofmt would change something
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard -- '*.go')) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt (make fmt):"; echo "$$unformatted"; exit 1; fi

.PHONY: tidy-check
tidy-check: ## fail where go mod tidy would change something
	go mod tidy -diff
	go -C tools mod tidy -diff

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck
	$(TOOL) staticcheck ./...

.PHONY: golangci
golangci: ## golangci-lint, with the import rules between packages
	$(TOOL) golangci-lint run ./...

.PHONY: cross
cross: ## build, and vet with tests, for every platform
	@set -e; for platform in $(PLATFORMS); do \
		echo "cross: $$platform"; \
		export CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
		go build ./...; \
		go vet ./...; \
	done

.PHONY: objects
objects: ## rebuild the committed eBPF objects, those of the tests and of the examples, from their C sources
	@set -e; test -n "$(OBJECT_MAKEFILES)" || { echo "no Makefile below a testdata folder"; exit 1; }; \
	for makefile in $(OBJECT_MAKEFILES); do \
		$(MAKE) --no-print-directory --always-make -C $$(dirname $$makefile) CLANG=$(CLANG); \
	done
	$(MAKE) --no-print-directory --always-make -C examples/opensnoop-go objects CLANG=$(CLANG) STRIP=$(STRIP)

# The program that makes the file has it built in: an older one, or none at all, will do.
.PHONY: kernels
kernels: ## make the built-in kernels, kernels/kernels.store, of HUB's, an archive tree (default: BTFGEN_HUB)
	@test -n "$(HUB)" || { echo "make kernels HUB=/path/of/an/archive/tree"; exit 1; }
	@test -e kernels/kernels.store || touch kernels/kernels.store
	go run ./cmd/btfgen hub pack --quiet --out kernels/kernels.store $(HUB)

# Only what is committed can be compared, so new files count as a difference too.
GENERATED = $(dir $(OBJECT_MAKEFILES)) examples/opensnoop-go/bpf

.PHONY: generated
generated: objects ## rebuild the eBPF objects and fail if they differ from the committed ones
	@changed=$$(git status --porcelain -- $(GENERATED)) || exit 1; \
	if [ -n "$$changed" ]; then echo "generated files differ from the committed ones:"; echo "$$changed"; \
		git --no-pager diff --stat -- $(GENERATED); exit 1; fi

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) internal/oracle/build
	find . -name '*.test' -type f -delete
