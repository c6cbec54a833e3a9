# SPDX-License-Identifier: MIT
# The commands of the project; Meson does the building.  Each installs what it needs (Debian packages, see packages.debian).

BUILD := build
MESON_FLAGS :=
NINJA := ninja
.DEFAULT_GOAL := help
.PHONY: help all demo test quick bench bench-impaired fuzz prove install clean

help:
	@echo 'make all      build the library, the program and the examples (into build/)'
	@echo 'make demo     a real curl and a real nginx over our own stack, 1 GiB each way compared; prints the walk of a packet'
	@echo 'make test     every test: gcc, clang, sanitizers, i386, musl, s390x, programs against the kernel'
	@echo 'make quick    unit and virtual-time tests with gcc only (seconds)'
	@echo 'make bench    the table of figures beside the kernel'"'"'s, also build/bench.json'
	@echo 'make bench-impaired  goodput over lossy links beside the kernel'"'"'s (45 minutes by one core; doc/impaired.md; bench/run_impaired has options)'
	@echo 'make fuzz     the fuzz targets for SECONDS each (default 60)'
	@echo 'make prove    break each hop of the path, and a sample of RFC 9293'"'"'s rows; their tests must fail'
	@echo 'make install  into PREFIX (default /usr/local): library, headers, program, man page'
	@echo 'make clean    remove build/'

$(BUILD)/gcc/build.ninja:
	@tools/setup build
	meson setup $(BUILD)/gcc -Dtests=false $(MESON_FLAGS)

all: $(BUILD)/gcc/build.ninja
	$(NINJA) -C $(BUILD)/gcc

demo:
	@tools/setup demo
	@$(MAKE) --no-print-directory all
	@tests/demo/run $(BUILD)/gcc

test:
	@tools/setup test
	@tests/run all

quick:
	@tools/setup test
	@tests/run quick

bench:
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)/gcc

bench-impaired:
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@bench/run_impaired $(BUILD)/gcc

fuzz:
	@tools/setup test
	@tests/fuzz/run $(or $(SECONDS),60)

prove:
	@tools/setup test
	@tests/prove/run

install: all
	meson install -C $(BUILD)/gcc $(if $(DESTDIR),--destdir $(DESTDIR))

clean:
	rm -rf $(BUILD)
