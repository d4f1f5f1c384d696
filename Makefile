# `make` lists what there is to do. What is needed beyond Rust, Python, a C compiler and curl is installed on the way (scripts/tools.sh).
.DEFAULT_GOAL := help
.PHONY: help demo contracts test lint bench bench-peers limits marked revocation soak tools

STORE ?= embedded
# Tests are told where Envoy is; redis-server is found on PATH.
WITH_ENVOY = KEYWARD_ENVOY="$$(scripts/tools.sh envoy)"

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## keyward, Envoy and an echoing upstream, with keys to try: prints curl lines, stays until Ctrl-C
	scripts/demo.sh

contracts: tools ## The four vendors' contracts, a line a case; STORE=embedded or STORE=redis
	$(if $(filter embedded redis,$(STORE)),,$(error STORE is embedded or redis, not '$(STORE)'))
	$(WITH_ENVOY) KEYWARD_STORE=$(STORE) cargo test --locked --test it contracts:: -- --nocapture --test-threads=1

test: tools ## Every test, with a real Envoy and a real Redis
	$(WITH_ENVOY) cargo test --locked --no-fail-fast

lint: ## Formatting, clippy, dependencies, manifests, lengths of files
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	scripts/check-dependencies.sh
	scripts/validate-deploy.sh
	scripts/check-lengths.sh

bench: tools ## What a check costs, beside servers that always say OK; what limits cost Redis; writes docs/benchmarks.md
	$(WITH_ENVOY) KEYWARD_WRITE_BENCHMARKS=1 cargo bench --locked --bench check

bench-peers: ## Servers that run already, beside keyward: PEERS="name,address,pid,Check ..." (docs/benchmarks-peers.md)
	@scripts/tools.sh redis >/dev/null
	KEYWARD_PEERS="$(PEERS)" KEYWARD_PEERS_DOMAIN="$(DOMAIN)" KEYWARD_PEERS_DESCRIPTORS="$(DESCRIPTORS)" \
	  cargo bench --locked --bench check -- peers

revocation: tools ## Faults of every kind while keys are revoked, at full length: a line a figure (docs/faults.md)
	@rm -f target/figures
	KEYWARD_SOAK=1 KEYWARD_FIGURES="$(CURDIR)/target/figures" \
	  cargo test --locked --release --no-fail-fast --test it revocation:: -- --nocapture --test-threads=1; \
	  status=$$?; cat target/figures; exit $$status

limits: ## Limits hammered over four processes while everything breaks, at full length: a line a figure (docs/faults.md)
	@rm -f target/figures-limits
	KEYWARD_SOAK=1 KEYWARD_FIGURES="$(CURDIR)/target/figures-limits" \
	  cargo test --locked --release --no-fail-fast --test it limits:: -- --nocapture --test-threads=1; \
	  status=$$?; cat target/figures-limits; exit $$status

marked: tools ## Every test with servers that say all that they can, searched for every secret that a test knows: prints how many
	@rm -f target/figures-marked
	$(WITH_ENVOY) KEYWARD_MARKED="$(CURDIR)/target/figures-marked" cargo test --locked --no-fail-fast --test it; \
	  status=$$?; awk '{ marks += $$1 } END { print marks " secrets looked for in what came out of " NR " servers" }' target/figures-marked; \
	  exit $$status

soak: tools ## The tests that are bounded in `make test`, at their full length
	$(WITH_ENVOY) KEYWARD_SOAK=1 KEYWARD_CRASH_RUNS=20000 KEYWARD_WALK_STEPS=200000 \
	  cargo test --locked --release --test it -- --nocapture --test-threads=1
	KEYWARD_SOAK=1 cargo test --locked --release --lib simulation -- --nocapture --test-threads=1

tools:
	@scripts/tools.sh envoy redis >/dev/null
