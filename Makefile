# Two commands are enough: `make demo` and `make test`. They set up what they need.

TARGET := $(or $(CARGO_TARGET_DIR),target)
FEDILAKE := $(TARGET)/release/fedilake
DEMO_FLAGS ?=
BENCH_FLAGS ?=
PEER_FLAGS ?=

.PHONY: help demo test build bench bench-peer chaos demo-scale interop services services-stop services-status lint fmt setup tools clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: build ## Ten simulated days and live simulated servers, with reports (DEMO_FLAGS="--full --exit-after 10s")
	@$(FEDILAKE) demo $(DEMO_FLAGS)

test: setup ## Every test, and how many ran
	@scripts/with-services scripts/test

build: setup ## The program, as target/release/fedilake (or the same below CARGO_TARGET_DIR)
	@cargo build --release --locked --package fedilake

bench: setup ## The speed of each stage beside this machine's own limits (BENCH_FLAGS="--quick")
	@scripts/with-services cargo bench --profile release --locked --package fedilake --bench stages -- $(BENCH_FLAGS)

chaos: setup ## The kill and fault tests, long
	@FEDILAKE_CHAOS_ROUNDS=500 scripts/with-services cargo test --release --locked --package fedilake --test it -- chaos --nocapture

interop: build ## DuckDB, pyarrow, Spark and a foreign Kafka client give the same figures
	@scripts/with-services scripts/interop

bench-peer: build ## The talk's way and the best Python beside our stages (PEER_FLAGS="--quick")
	@scripts/with-services scripts/bench-peer $(PEER_FLAGS)

demo-scale: build ## The whole system as processes on real services, after make services (DEMO_FLAGS="--exit-after 20s")
	@scripts/demo-scale $(DEMO_FLAGS)

services: ## Install and start Kafka, Schema Registry and an S3 store, from packages; prints variables for a shell
	@scripts/services/install >&2
	@scripts/services/svc start >&2
	@scripts/services/svc variables

services-stop: ## Stop them; their data stays
	@scripts/services/svc stop

services-status: ## Which of them run, and where
	@scripts/services/svc status

lint: setup ## Formatting and clippy, warnings are errors
	@cargo fmt --all --check
	@cargo clippy --release --locked --workspace --all-targets -- --deny warnings

fmt: ## Format the code
	@cargo fmt --all

setup: tools duckdb/node_modules/.package-lock.json ## Fetch the DuckDB library through npm (done by the others)

tools:
	@scripts/check-tools

# npm writes this file last, when all that the lock file names is in place.
duckdb/node_modules/.package-lock.json: duckdb/package-lock.json
	@npm ci --prefix duckdb --no-progress --foreground-scripts --silent

clean: ## Remove what was built and fetched
	@cargo clean
	@scripts/services/svc stop 2>/dev/null || true
	@rm -rf duckdb/node_modules duckdb/lib .services
