# The commands of README.md. Everything is built by meson; this file only strings steps together.
BUILD ?= build
BUILD_ASAN ?= build-asan
PREFIX ?= /usr/local
NINJA ?= ninja
MESON_FLAGS ?= $(if $(CI),-Dwerror=true)

.PHONY: build lab test bench check deps install clean

build: $(BUILD)/build.ninja
	$(NINJA) -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup --prefix $(PREFIX) $(MESON_FLAGS) $(BUILD)

# Install the Debian packages of packages.txt that are missing. Does nothing, also no network, when all are there.
deps:
	tools/deps

# The main job: a whole anycast internet in network namespaces on this machine.
lab: deps build
	tools/lab-tour $(BUILD)/zonecast

# All tests: unit and fuzz replay in the plain and in the ASan+UBSan build, functional tests against real peers.
test: deps build
	tools/run-tests $(BUILD) $(BUILD_ASAN)

# zonecast beside its peers (doc/performance.md). BENCH: options, such as --quick or --rows 'tld/*'. PROFILE: a row, such as tld/hot/udp.
bench: deps build
	test/bench/run $(BUILD)/zonecast $(BENCH) $(if $(PROFILE),--profile $(PROFILE))

check: deps
	tools/check

install: build
	meson configure -Dprefix=$(PREFIX) $(BUILD)
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD_ASAN) build-fuzz
