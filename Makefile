# Two commands to know: `make demo` shows what Sloop does, `make test` proves it.
# CARGO_TARGET_DIR is respected.

.DEFAULT_GOAL := help
TARGETS = parse verify redirect_query inflate metadata decrypt

.PHONY: help demo test simulate mutants flood kills fuzz bench lint

help:  ## what can be made here
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

# The dev profile: it builds several times faster, and shows the same.
demo:  ## bridge, test IdP and two apps on loopback; ARGS=--once runs it once and exits
	@flags=$$(packaging/build-flags) && exec cargo run --locked $$flags -- demo $(ARGS)

test:  ## every test, on SQLite and PostgreSQL, with real peers; installs what it needs
	@tests/run

# Less optimized than a release, and built in a fraction of the time.
simulate:  ## 100,000 interleavings of a logout's parties: every invariant holds; RUNS=n FIRST=n
	@flags=$$(packaging/build-flags) && SLOOP_SIMULATIONS=$(or $(RUNS),100000) \
		SLOOP_SIMULATION_FIRST=$(or $(FIRST),0) \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
		cargo test --locked --release --lib $$flags -- --nocapture simulation::tests::whatever

mutants:  ## a million changed messages: what is accepted says what was signed; MUTANTS=n
	@flags=$$(packaging/build-flags) && SLOOP_MUTANTS=$(or $(MUTANTS),1000000) \
		cargo test --locked --release --test it $$flags -- --nocapture saml::mutants

flood:  ## 100,000 forged LogoutRequests end nothing and write nothing; FORGED=n
	@flags=$$(packaging/build-flags) && SLOOP_FORGED=$(or $(FORGED),100000) \
		cargo test --locked --release --test it $$flags -- --nocapture cli::forged_load

kills:  ## `sloop serve` is killed 200 times in the middle of logouts: nothing promised is lost; KILLS=n
	@flags=$$(packaging/build-flags) && SLOOP_KILLS=$(or $(KILLS),200) \
		cargo test --locked --test it $$flags -- --nocapture cli::kill::at_any_moment_on_sqlite

fuzz:  ## fuzz TARGET=parse for SECONDS=600: parse verify redirect_query inflate metadata decrypt
	@case " $(TARGETS) " in *" $(TARGET) "*) ;; *) echo "TARGET is one of: $(TARGETS)"; exit 1;; esac
	@mkdir -p fuzz/target/corpus/$(TARGET)
	cargo +nightly fuzz run $(TARGET) fuzz/target/corpus/$(TARGET) fuzz/corpus/$(TARGET) -- \
		-dict=fuzz/saml.dict -max_total_time=$(or $(SECONDS),600) -timeout=10 -rss_limit_mb=2048

bench:  ## what SAML costs beside bare OpenSSL (docs/performance.md); ARGS=decrypt shows those rows only
	@flags=$$(packaging/build-flags) && exec cargo bench --locked $$flags --bench saml -- $(ARGS)

lint:  ## format, clippy and (where cargo-deny is installed) licences, bans and sources; needs no network
	cargo fmt --check
	cargo fmt --check --manifest-path tests/oracle/Cargo.toml
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	@flags=$$(packaging/build-flags) && set -x && \
		cargo clippy --locked --all-targets $$flags -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check bans licenses sources; \
		else echo "lint: cargo-deny is not installed, deny.toml was not checked"; fi
