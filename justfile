# Shortcuts over plain cargo; nothing here is needed.

# Everything that must pass before a change lands.
ci:
    .ci/run

# The tests, as the README runs them.
test:
    cargo test --workspace --release

# Time and memory that planning a million files takes.
million:
    cargo test --release -p shardmill-tests --test it -- --ignored --nocapture million

# The demo: makes its own images, shards and network.
demo:
    cargo run --release --bin train -- demo

# Lints, as CI runs them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --release -- -D warnings

# Licences, sources and advisories of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# The loader's slots in every interleaving of two workers and a consumer, with early drop.
loom:
    RUSTFLAGS="--cfg loom" cargo test --release -p shardmill-loader --test loom --target-dir target/loom -- --nocapture
