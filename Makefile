# `make` lists the targets; a target's line of help stands behind its `##`.
.DEFAULT_GOAL := help

# Where Rust and Go are put by their own installers, for shells that do not have them on their path yet.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin
# Another than the default has make search this path too, and stop at the first command that fails.
SHELL := /bin/sh
.SHELLFLAGS := -ec

# For `cargo build` and `cargo test`, such as --locked.
CARGO_FLAGS ?=

# All programs at once: cargo would build dependencies anew for another choice of packages.
PROGRAMS = cargo build $(CARGO_FLAGS) --workspace --bins
TARGET = "$$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')"

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show the life of a preview environment, from pull request to merge (KEEP=1 stops when it is ready)
	@.ci/tools
	@$(PROGRAMS)
	@exec $(TARGET)/debug/demo $(if $(filter-out 0,$(KEEP)),--keep)

# More than there are cores: a story mostly waits, for what a control plane does in its own time.
TEST_THREADS ?= 8
.PHONY: test
test: ## Run all tests; nothing but the tools that it names has to be there
	@.ci/tools git images
	@cargo test $(CARGO_FLAGS) --workspace --no-run
	@$(TARGET)/debug/test-cluster build
	@RUST_TEST_THREADS=$(TEST_THREADS) cargo test $(CARGO_FLAGS) --workspace --no-fail-fast

# The part of it that `make test` has takes two minutes. ONLY=push tells those stories and faults alone whose line has that word, and
# DONE=file those alone that did not end well in the output of an earlier run.
.PHONY: test-faults
test-faults: ## Have every story meet every fault at every moment, and say how long that took (ONLY=words, DONE=file)
	@.ci/tools git
	@cargo test $(CARGO_FLAGS) --workspace --no-run
	@$(TARGET)/debug/test-cluster build
	@FAULTS_ONLY="$(ONLY)" FAULTS_DONE="$(abspath $(DONE))" cargo test $(CARGO_FLAGS) --workspace --test faults -- --ignored --nocapture --test-threads=1

.PHONY: lint
lint: ## Check formatting, lints and documentation
	@.ci/tools rustfmt clippy
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --workspace --no-deps --document-private-items

.PHONY: crds
crds: ## Write deploy/crds.yaml anew
	@$(PROGRAMS)
	@$(TARGET)/debug/preview crd > deploy/crds.yaml.new
	@mv deploy/crds.yaml.new deploy/crds.yaml

.PHONY: chart
chart: ## Write the reference of the chart's values anew
	@cargo run --quiet $(CARGO_FLAGS) --package chart

.PHONY: image
image: ## Build the service's image without Docker, into target/image
	@.ci/tools
	@deploy/image/build

# Two clones have two clusters; CLUSTER_NAME=... names one instead.
.PHONY: cluster cluster-down
cluster: ## Start a Kubernetes cluster that stays, and say how to use it
	@.ci/tools >&2
	@$(PROGRAMS)
	@$(TARGET)/debug/test-cluster up

cluster-down: ## End the cluster of `make cluster` and remove its data
	@$(PROGRAMS)
	@$(TARGET)/debug/test-cluster down

.PHONY: trial
trial: ## Clone the system of a folder of manifests, and say what is missing (DIR=path [BASELINE=file])
	@test -n "$(DIR)" || { echo "make trial: say which folder, as in: make trial DIR=examples/shop" >&2; exit 2; }
	@.ci/tools
	@$(PROGRAMS)
	@exec $(TARGET)/debug/trial "$(DIR)" $(if $(BASELINE),--baseline "$(BASELINE)")

# Both sides are built with --release. QUICK=1 measures 3 pairs instead of 15, PLAN_ONLY=1 no more than the plan.
.PHONY: bench
bench: ## Time how fast an environment is applied, beside a raw writer
	@.ci/tools
	@cargo build --quiet --release --package preview-env --package bench --bins
	@cargo run --quiet --release --package bench

# A quarter of an hour. SCALE=60 makes fewer environments, IDLE=300 looks on for longer, ONLY=bursts or ONLY=rest is one half of it.
.PHONY: bench-scale
bench-scale: ## Measure what a thousand environments cost, and bursts of pull requests beside a raw writer
	@.ci/tools
	@cargo build --quiet --profile dist --package preview-env --bin preview
	@cargo run --quiet --release --package scale -- $(TARGET)/dist/preview

# With a nightly compiler and cargo-fuzz, each target by libFuzzer: cargo +nightly fuzz run rewriter --features libfuzzer
SECONDS_EACH ?= 60
.PHONY: fuzz
fuzz: ## Try the parsers and the rewriter with random inputs (SECONDS_EACH=60, SEED=1)
	@.ci/tools
	@cargo run --quiet --release --manifest-path fuzz/Cargo.toml --bin mutate -- $(SECONDS_EACH) $(if $(SEED),$(SEED),1)
