# Shortcuts for common commands; plain cargo does everything without them.

# Everything that must pass before a change lands.
ci:
    .ci/run

# The tests, as in the README.
test:
    cargo test --workspace --release

# Measures the time and memory of planning a million files.
million:
    cargo test --release -p shardmill-tests --test it -- --ignored --nocapture million

# Compares steps of the full network with PyTorch's (needs Python with torch and safetensors; 1.7 GB).
pytorch python="python3":
    {{python}} tests/reference/alexnet_step.py --full target/pytorch
    SHARDMILL_PYTORCH_FULL="$PWD/target/pytorch" cargo test --release -p shardmill-trainer --test it -- --ignored full_width

# Kills every command of prep at every system call that changes a file (needs Python and strace; takes minutes).
kills python="python3":
    cargo build --release -p shardmill-prep
    {{python}} tools/kill-everywhere.py target/release/prep

# Compares the JPEG decoder with libjpeg-turbo on every kind of stream that the kit writes, and on damaged ones
# (needs Python with Pillow), and on real photographs if SHARDMILL_DATA has them. What they differ on is kept in
# target/tmp/jpeg-peer.
jpeg-peer python="python3" damaged="20000":
    SHARDMILL_JPEG_PEER="{{python}}" cargo test --release -p shardmill-jpeg-kit --test it -- --ignored
    SHARDMILL_JPEG_PEER="{{python}}" SHARDMILL_JPEG_DAMAGED="{{damaged}}" cargo test --release -p shardmill-jpeg --test it -- --ignored --nocapture peer
    SHARDMILL_JPEG_PEER="{{python}}" cargo test --release -p shardmill-tests --test it -- --ignored --nocapture photographs

# Converts weights to torchvision and back at full width (needs Python with torchvision and safetensors).
torchvision python="python3":
    {{python}} tests/reference/torchvision_exchange.py make target/torchvision
    SHARDMILL_TORCHVISION="$PWD/target/torchvision" cargo test --release -p shardmill-trainer --test it -- --ignored torchvisions_full
    {{python}} tests/reference/torchvision_exchange.py check target/torchvision

# Trains every ablation of the paper on a dataset of a few classes, for four short epochs each.
ablations shards:
    SHARDMILL_SHARDS="{{absolute_path(shards)}}" cargo test --release -p shardmill-tests --test it -- --ignored --nocapture ablation

# Opens pages of `train report` in headless Chromium at two widths, light and dark, and with images blocked, and checks
# what a reader sees: pages of every kind of run, which the tests make, and those that are given (needs Python and
# Debian's package chromium). Screenshots are in target/report-pages/screenshots.
report-browser *pages:
    SHARDMILL_REPORT_PAGES="$PWD/target/report-pages" cargo test --release -p shardmill-tests --test it -- report::
    python3 tests/reference/report_browser.py --screenshots target/report-pages/screenshots target/report-pages/*.html {{pages}}

# Reads a run's TensorBoard files with the Python package (needs Python with tensorboard).
events run python="python3":
    {{python}} tests/reference/read_events.py {{run}}

# Builds the Python package shardmill-train, the program `train` in a wheel, into target/wheels. It shares target/
# with the build of the programs, so that candle is built once for both.
python-train *options:
    python3 -m venv target/python/maturin
    target/python/maturin/bin/pip install -q maturin==1.16.0
    target/python/maturin/bin/maturin build --release --locked --manifest-path python/train/Cargo.toml --target-dir target --out target/wheels {{options}}

# Every check of the CUDA build that needs no GPU.
cuda:
    .ci/cuda

# Compares the CUDA kernels with their definitions on the host: plain, thread, address, or all three.
cuda-host *kinds:
    standin/run.sh {{kinds}}

# Runs the whole program with CUDA on stand-ins for NVIDIA's libraries, without a GPU.
cuda-program train="target/release/train":
    standin/program.sh {{train}}

# Compares a GPU with the CPU and measures its speed, with a program built with the feature `cuda`.
gpu-check shards="-" train="target/release/train":
    tools/gpu-check.sh {{train}} {{shards}}

# Packs a program with CUDA and what checks a GPU into a folder for a machine that has one.
gpu-pack folder train="target/release/train":
    tools/gpu-pack.sh {{folder}} {{train}}

# Tests the scripts that check a machine with a GPU, without one and without a build.
gpu-tools:
    python3 standin/tools.py

# The Python package: lints, wheel, tests, types, and every installed CPython.
python:
    .ci/python

# Tests the Python package with torch, JAX, Lightning, Accelerate and others, and runs every example. The packages
# take 7 GB, the tests some minutes. Needs Python 3.11, 3.12 or 3.13.
python-frameworks python="python3":
    {{python}} -m venv target/python/frameworks
    target/python/frameworks/bin/pip install -q -r python/requirements-frameworks.txt
    .ci/python wheel
    target/python/frameworks/bin/pip install -q --force-reinstall --no-deps target/python/dist/shardmill-*.whl
    cd python/tests && CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-{{justfile_directory()}}/target}" ../../target/python/frameworks/bin/python -m pytest -p no:cacheprovider frameworks test_documents.py test_plain_numpy.py test_ranks.py

# Ingests on a Ray cluster of three nodes on this machine, of which nodes, workers and drivers are killed: the bytes must
# be those of one machine. Ray takes 400 MB, the tests some minutes. Needs Python 3.11, 3.12 or 3.13.
ray python="python3":
    {{python}} -m venv target/python/ray
    target/python/ray/bin/pip install -q -r python/requirements-ray.txt
    .ci/python wheel
    target/python/ray/bin/pip install -q --force-reinstall --no-deps target/python/dist/shardmill-*.whl
    cd python/tests && RAY_USAGE_STATS_ENABLED=0 ../../target/python/ray/bin/python -m pytest -p no:cacheprovider cluster test_ray_ingest.py

# Checks the files in deploy/: the scripts with shellcheck (Debian's package of that name), the manifests against the
# schemas of Kubernetes. `cargo test -p shardmill-prep` runs both kinds as their schedulers do.
deploy python="python3":
    shellcheck deploy/slurm/*
    {{python}} -m venv target/python/deploy
    target/python/deploy/bin/pip install -q kubernetes-validate==1.37.0
    for manifest in deploy/kubernetes/*.yaml; do target/python/deploy/bin/kubernetes-validate --strict -k 1.37 $manifest || exit 1; done

# Builds a wheel for any Linux of the last ten years (manylinux_2_17), with zig as the linker.
python-wheel python="python3":
    {{python}} -m venv target/python/zig
    target/python/zig/bin/pip install -q maturin==1.16.0 ziglang==0.17.1
    PATH="$PWD/target/python/zig/bin:$PATH" PYO3_PYTHON=$PWD/target/python/zig/bin/python target/python/zig/bin/maturin build --release --locked --strip --zig --compatibility manylinux_2_17 --manifest-path python/Cargo.toml --target-dir target/zig --out target/python/wheels

# Compares the speed of a step in plain candle (the example candle_alexnet) with that of train's network, in turns. It
# takes minutes.
candle-speed:
    cargo test --release -p shardmill-trainer --test it -- --ignored --nocapture speed_against_the_engine

# Installs S3 servers into target/remote, and runs our programs against each through a proxy that injects faults; then
# kills ingests, trainings and loadings 50 times each, and tries Azure's and Google's emulators and a server with TLS
# (tests/remote/README.md; needs npm for two of the servers, and openssl).
remote servers="weed plain moto rclone s3rver" python="python3":
    cargo build --release -p shardmill-prep -p shardmill-loader -p shardmill-trainer --features shardmill-prep/remote,shardmill-loader/remote,shardmill-trainer/remote
    {{python}} tests/remote/servers.py install
    for server in {{servers}}; do {{python}} tests/remote/harness.py --server $server --program "loader bench,loader bench --order shards,prep verify,prep inspect" --limit 90 || exit 1; done
    {{python}} tests/remote/ingest.py target/release/prep --server weed --slow
    {{python}} tests/remote/killed.py target/release --server weed
    {{python}} tests/remote/clouds.py target/release

# Trains in several processes over network namespaces as machines, compares them with one process, kills and stops some,
# and measures their waiting. It needs root and Debian's packages libopenmpi-dev, openmpi-bin, libclang-dev and iproute2.
mpi python="python3" *options:
    tests/mpi/needs.sh
    cargo build --release --locked -p shardmill-prep -p shardmill-trainer --features shardmill-trainer/mpi
    {{python}} tests/mpi/harness.py "${CARGO_TARGET_DIR:-target}/release" {{options}}

# MosaicML Streaming and LitData under the same faults, after `loader bench` on the same images and kind of server. The
# packages take 7 GB. Needs Python 3.11 or 3.12.
remote-peers python="python3" *options:
    cargo build --release -p shardmill-prep -p shardmill-loader --features shardmill-prep/remote,shardmill-loader/remote
    {{python}} tests/remote/servers.py install --peers
    {{python}} tests/remote/harness.py --server weed --program "loader bench,loader bench --order shards" --limit 90
    {{python}} tests/remote/peers.py {{options}}

# The demo: generates images, makes shards and trains a network.
demo:
    cargo run --release --bin train -- demo

# Lints, as CI runs them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --release -- -D warnings

# A release for this machine in target/releases: stripped programs, licences and notes in one archive, and its
# checksum. `--force` overwrites an archive that is there.
release *options:
    tools/release.sh {{options}}

# Fuzzes every parser for so many seconds of processor time each; fails if there are findings (fuzz/artifacts).
fuzz seconds *targets:
    fuzz/run.sh {{seconds}} {{targets}}

# Licences, sources and advisories of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# Tests the loader's slots in every interleaving of two workers and a consumer, with early drop (takes minutes).
loom:
    RUSTFLAGS="--cfg loom" cargo test --release -p shardmill-loader --test loom --target-dir target/loom -- --nocapture

# The loader's tests under AddressSanitizer (needs a nightly toolchain), except the test that measures the process's
# memory, which the sanitizer enlarges.
asan:
    RUSTFLAGS="-Zsanitizer=address" RUSTDOCFLAGS="-Zsanitizer=address" PROPTEST_CASES=32 cargo +nightly test --release -p shardmill-loader --target x86_64-unknown-linux-gnu --target-dir target/asan -- --skip memory_is_four_batches

# The loader's tests under valgrind, which must be installed (takes minutes).
valgrind:
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=9 --trace-children=no" PROPTEST_CASES=4 cargo test --release -p shardmill-loader --target x86_64-unknown-linux-gnu --lib --test it -- --skip fork:: --skip memory:: --skip truncation::

# Measures the time and memory of opening a dataset with the metadata of ImageNet's training set.
imagenet-metadata:
    cargo run --release -p shardmill-loader --example imagenet_metadata

# Measures whether a consumer that takes 15 ms per batch ever waits for the shards in DIR.
data-wait DIR:
    cargo run --release --bin loader -- bench --shards {{DIR}} --threads 2 --consumer-ms 15

# Compares the orders, with and without advice, on the shards in DIR outside the page cache.
cold DIR:
    cargo run --release --bin loader -- bench --shards {{DIR}} --cold --order blocks,global --advice auto,never
