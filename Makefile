# Two commands to know: `make demo` shows what Sloop does, `make test` proves it.
# CARGO_TARGET_DIR is respected.

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint

help:  ## what can be made here
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

# The dev profile: it builds several times faster, and shows the same.
demo:  ## bridge, test IdP and two apps on loopback; ARGS=--once runs it once and exits
	@flags=$$(packaging/build-flags) && exec cargo run --locked $$flags -- demo $(ARGS)

test:  ## every test, on SQLite and PostgreSQL, with real peers; installs what it needs
	@tests/run

bench:  ## what SAML costs beside bare OpenSSL (docs/performance.md); ARGS=decrypt shows those rows only
	@flags=$$(packaging/build-flags) && exec cargo bench --locked $$flags --bench saml -- $(ARGS)

lint:  ## format, clippy and (where cargo-deny is installed) licences, bans and sources; needs no network
	cargo fmt --check
	cargo fmt --check --manifest-path tests/oracle/Cargo.toml
	@flags=$$(packaging/build-flags) && set -x && \
		cargo clippy --locked --all-targets $$flags -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check bans licenses sources; \
		else echo "lint: cargo-deny is not installed, deny.toml was not checked"; fi
