# `make` lists the targets; a target's line of help stands behind its `##`.
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two clones have two clusters; CLUSTER_NAME=... names one instead.
.PHONY: cluster cluster-down
cluster: ## Start a Kubernetes cluster that stays, and say how to use it
	@cargo run --quiet --package test-cluster -- up

cluster-down: ## End the cluster of `make cluster` and remove its data
	@cargo run --quiet --package test-cluster -- down

# Both sides are built with --release. QUICK=1 measures 3 pairs instead of 15.
.PHONY: bench
bench: ## Time how fast an environment is applied, beside a raw writer
	@cargo build --quiet --release --package preview-env --package bench --bins
	@cargo run --quiet --release --package bench
