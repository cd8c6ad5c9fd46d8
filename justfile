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

# Steps of the full network beside PyTorch's (needs Python with torch and safetensors; 1.7 GB).
pytorch python="python3":
    {{python}} tests/reference/alexnet_step.py --full target/pytorch
    SHARDMILL_PYTORCH_FULL="$PWD/target/pytorch" cargo test --release -p shardmill-trainer --test it -- --ignored full_width

# Every command of prep, killed at every call that changes a file (needs Python and strace); minutes.
kills python="python3":
    cargo build --release -p shardmill-prep
    {{python}} tools/kill-everywhere.py target/release/prep

# Weights to torchvision and back at the full width (needs Python with torchvision and safetensors).
torchvision python="python3":
    {{python}} tests/reference/torchvision_exchange.py make target/torchvision
    SHARDMILL_TORCHVISION="$PWD/target/torchvision" cargo test --release -p shardmill-trainer --test it -- --ignored torchvisions_full
    {{python}} tests/reference/torchvision_exchange.py check target/torchvision

# Every ablation of the paper on a set of a few classes, four short epochs each.
ablations shards:
    SHARDMILL_SHARDS="{{absolute_path(shards)}}" cargo test --release -p shardmill-tests --test it -- --ignored --nocapture ablation

# A run's TensorBoard files, read by the Python package (needs Python with tensorboard).
events run python="python3":
    {{python}} tests/reference/read_events.py {{run}}

# The Python package shardmill-train, the program `train` in a wheel, into target/wheels. It shares target/
# with the build of the programs, so that candle is built once for both.
python-train *options:
    python3 -m venv target/python/maturin
    target/python/maturin/bin/pip install -q maturin==1.16.0
    target/python/maturin/bin/maturin build --release --locked --manifest-path python/train/Cargo.toml --target-dir target --out target/wheels {{options}}

# All that can be known of the CUDA build without a card.
cuda:
    .ci/cuda

# The CUDA kernels on the host, against their definitions: plain, thread, address, or all three.
cuda-host *kinds:
    standin/run.sh {{kinds}}

# The whole program with CUDA on libraries that stand in for NVIDIA's, without a card.
cuda-program train="target/release/train":
    standin/program.sh {{train}}

# A card against the CPU, and its speed, with a program built with the feature `cuda`.
gpu-check shards train="target/release/train":
    tools/gpu-check.sh {{train}} {{shards}}

# The Python package: lints, wheel, tests, types, and every CPython that is here.
python:
    .ci/python

# The Python package with torch, JAX, Lightning, Accelerate and the rest, and every example; the packages take
# 7 GB, the tests some minutes. Needs Python 3.11, 3.12 or 3.13.
python-frameworks python="python3":
    {{python}} -m venv target/python/frameworks
    target/python/frameworks/bin/pip install -q -r python/requirements-frameworks.txt
    .ci/python wheel
    target/python/frameworks/bin/pip install -q --force-reinstall --no-deps target/python/dist/shardmill-*.whl
    cd python/tests && CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-{{justfile_directory()}}/target}" ../../target/python/frameworks/bin/python -m pytest -p no:cacheprovider frameworks test_documents.py test_plain_numpy.py test_ranks.py

# A wheel for any Linux of the last ten years (manylinux_2_17), built with zig as the linker.
python-wheel python="python3":
    {{python}} -m venv target/python/zig
    target/python/zig/bin/pip install -q maturin==1.16.0 ziglang==0.17.1
    PATH="$PWD/target/python/zig/bin:$PATH" PYO3_PYTHON=$PWD/target/python/zig/bin/python target/python/zig/bin/maturin build --release --locked --strip --zig --compatibility manylinux_2_17 --manifest-path python/Cargo.toml --target-dir target/zig --out target/python/wheels

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

# The loader's slots in every interleaving of two workers and a consumer, with early drop; minutes.
loom:
    RUSTFLAGS="--cfg loom" cargo test --release -p shardmill-loader --test loom --target-dir target/loom -- --nocapture

# The loader's tests under AddressSanitizer, with a nightly toolchain; all but the one that counts the
# process's memory, which the sanitizer enlarges.
asan:
    RUSTFLAGS="-Zsanitizer=address" RUSTDOCFLAGS="-Zsanitizer=address" PROPTEST_CASES=32 cargo +nightly test --release -p shardmill-loader --target x86_64-unknown-linux-gnu --target-dir target/asan -- --skip memory_is_four_batches

# The loader's tests under valgrind, which must be installed; minutes.
valgrind:
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=9 --trace-children=no" PROPTEST_CASES=4 cargo test --release -p shardmill-loader --target x86_64-unknown-linux-gnu --lib --test batches --test threads

# Time and memory of opening a dataset with the metadata of ImageNet's training set.
imagenet-metadata:
    cargo run --release -p shardmill-loader --example imagenet_metadata

# Whether a consumer of 15 ms a batch ever waits for the shards in DIR.
data-wait DIR:
    cargo run --release --bin loader -- bench --shards {{DIR}} --threads 2 --consumer-ms 15

# The orders, with and without advice, on the shards in DIR outside the page cache.
cold DIR:
    cargo run --release --bin loader -- bench --shards {{DIR}} --cold --order blocks,global --advice auto,never
