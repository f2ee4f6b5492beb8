# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target sets up what it needs; `make` alone explains them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

# The interpreter that the virtual environment is made of: 3.11 or newer, with venv.
PYTHON ?= /usr/bin/python3
VENV := .venv
# ansible and molecule look for their own commands on the PATH.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The virtual Hyper-V, found as tests/lab/emulator.py finds it; only the one below .cache is built here.
LAB_BUILT := .cache/lab/qemu
LAB_QEMU := $(or $(REHOST_LAB_QEMU),$(firstword $(wildcard ../shared/lab/prebuilt) $(LAB_BUILT)))

DEBIAN_PACKAGES := .cache/setup/debian-packages
LAB_PACKAGES := .cache/setup/lab-packages
VENV_COMPLETE := $(VENV)/.complete
# Unit tests run its programs in network namespaces; installed, it would look after this machine's own network.
DOWNLOADED := .cache/setup/ifupdown

.PHONY: help
help:  ## explain the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

.PHONY: setup
setup: $(DEBIAN_PACKAGES) $(DOWNLOADED) $(VENV_COMPLETE)  ## Debian packages that are missing, and the virtual environment

$(DEBIAN_PACKAGES): requirements/debian.txt requirements/install-debian
	requirements/install-debian $<
	@mkdir -p $(@D) && touch $@

$(DOWNLOADED): requirements/download-debian | $(DEBIAN_PACKAGES)
	requirements/download-debian .cache/debs ifupdown
	@mkdir -p $(@D) && touch $@

$(LAB_PACKAGES): $(wildcard tests/lab/packages.txt) requirements/install-debian | $(DEBIAN_PACKAGES)
	$(if $(wildcard tests/lab/packages.txt),requirements/install-debian tests/lab/packages.txt)
	@mkdir -p $(@D) && touch $@

$(VENV_COMPLETE): requirements/development.txt | $(DEBIAN_PACKAGES)
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.PHONY: check
check: setup  ## lint, types, unit tests: before every commit
	@$(VENV)/bin/python tests/run.py --group check

.PHONY: test
test: lab  ## everything (STAGES="unit lab": only these)
	@$(VENV)/bin/python tests/run.py $(STAGES)

.PHONY: lab
lab: setup $(LAB_PACKAGES)  ## the virtual Hyper-V: QEMU with this project's patches, prebuilt beside the checkout or built
lab: $(if $(filter $(LAB_BUILT),$(LAB_QEMU)),$(LAB_BUILT)/bin/qemu-system-x86_64)
	@echo "virtual Hyper-V: $(LAB_QEMU)"

$(LAB_BUILT)/bin/qemu-system-x86_64: $(wildcard tests/lab/build tests/lab/patches/*) | setup $(LAB_PACKAGES)
	tests/lab/build $(CURDIR)/$(LAB_BUILT)

.PHONY: demo
demo: lab  ## a guest's way from XenServer to Hyper-V and back, on the virtual ones
	@tests/demo/run

.PHONY: benchmark
benchmark: setup  ## measured comparisons
	@benchmarks/run

.PHONY: docs
docs: setup  ## the reference pages of modules and roles, as HTML in build/docs
	@tests/build-docs build/docs

.PHONY: build
build: setup  ## the collection's artifact, in dist/
	@tests/build-artifact dist

.PHONY: lock
lock: setup  ## lock the Python requirements anew
	@requirements/lock

.PHONY: clean
clean:  ## remove what was made, but not the caches and the virtual environments
	rm -rf build dist tests/output
	find . -name .venv -prune -o -name .venvs -prune -o -name .cache -prune -o -name __pycache__ -exec rm -rf {} +
