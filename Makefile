# `make demo` and `make test` are enough: both install what they need.

TARGET := $(or $(CARGO_TARGET_DIR),target)
FEDILAKE := $(TARGET)/release/fedilake
DEMO_FLAGS ?=
BENCH_FLAGS ?=
PEER_FLAGS ?=
GROWTH ?= 1,10,40
GROWTH_FLAGS ?=
CHAOS_SEEDS ?= 0..2000
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

.PHONY: help demo notebook test build bench bench-growth bench-peer chaos fuzz demo-scale interop services services-stop services-status lint fmt setup tools clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: build ## Show ten simulated days and live simulated servers with reports and in the browser (DEMO_FLAGS="--full --exit-after 10s")
	@$(FEDILAKE) demo $(DEMO_FLAGS)

notebook: build ## Open the talk's notebook on the demo's data, in a browser
	@scripts/notebook

test: setup ## Run every test; prints how many ran
	@scripts/with-services scripts/test

build: setup ## Build target/release/fedilake (or the same below CARGO_TARGET_DIR)
	@cargo build --release --locked --package fedilake

bench: setup ## Measure each stage beside this machine's own limits (BENCH_FLAGS="--quick")
	@$(if $(findstring --copies,$(BENCH_FLAGS))$(filter intake cluster many,$(BENCH_FLAGS)),true,cargo bench --profile release --locked --workspace --bench fleet -- $(BENCH_FLAGS))
	@scripts/with-services cargo bench --profile release --locked --workspace --bench stages -- $(BENCH_FLAGS)

bench-growth: setup ## Measure lakes of 1.6, 16 and 64 million posts, made once in target/growth (GROWTH=1,10: some 15 GB for all)
	@cargo bench --profile release --locked --workspace --bench stages -- --growth $(GROWTH) --keep $(abspath $(TARGET))/growth $(GROWTH_FLAGS)

chaos: setup ## Run 2,000 scripts of faults of servers, and the kill tests for 500 rounds (CHAOS_SEEDS=17..18 for one script)
	@FEDILAKE_CHAOS_SEEDS=$(CHAOS_SEEDS) cargo test --release --locked --workspace --test it -- chaos_of_every_seed --nocapture
	@FEDILAKE_CHAOS_ROUNDS=500 scripts/with-services cargo test --release --locked --package fedilake --test it -- chaos --nocapture

fuzz: tools ## Feed each door for strangers' bytes with made-up ones (FUZZ_SECONDS=60 each, FUZZ_TARGETS="html sse")
	@scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

interop: build ## Compare our figures with those of DuckDB, pyarrow, Spark, another Kafka client and the notebook
	@scripts/with-services scripts/interop

bench-peer: build ## Measure the talk's pipeline and fast Python beside our stages (PEER_FLAGS="--quick")
	@scripts/with-services scripts/bench-peer $(PEER_FLAGS)

demo-scale: build ## Run the whole system on real services, after make services (DEMO_FLAGS="--exit-after 20s")
	@scripts/demo-scale $(DEMO_FLAGS)

services: ## Install and start Kafka, a Schema Registry and an S3 store; prints variables for a shell
	@scripts/services/install >&2
	@scripts/services/svc start >&2
	@scripts/services/svc variables

services-stop: ## Stop the services; their data stays
	@scripts/services/svc stop

services-status: ## List the services that run, with their ports
	@scripts/services/svc status

lint: setup ## Check formatting and run clippy; warnings are errors
	@cargo fmt --all --check
	@cargo clippy --release --locked --workspace --all-targets -- --deny warnings

fmt: ## Format the code
	@cargo fmt --all

setup: tools duckdb/node_modules/.package-lock.json web/dist/index.html ## Fetch the DuckDB library and build the page through npm; the other targets do it

tools:
	@scripts/check-tools

# npm writes this file last, after every package of the lock file.
duckdb/node_modules/.package-lock.json: duckdb/package-lock.json
	@npm ci --prefix duckdb --no-progress --foreground-scripts --loglevel=error

web/node_modules/.package-lock.json: web/package-lock.json
	@npm ci --prefix web --no-progress --loglevel=error

# The page is a part of the program.
web/dist/index.html: web/node_modules/.package-lock.json web/index.html web/package.json web/tsconfig.json web/vite.config.ts $(shell find web/src web/public -type f)
	@npm run build --prefix web --silent

clean: ## Remove everything built or fetched
	@cargo clean
	@scripts/services/svc stop 2>/dev/null || true
	@rm -rf fuzz/target duckdb/node_modules duckdb/lib web/node_modules web/dist .services
