#!/usr/bin/env python3
"""Trains on one, two and three GPUs of the stand-ins (driver.sh) and compares the runs. Several GPUs must give
the scores of one to within rounding, the same evaluation, and the same bits after a resume. When one of them
fails, the run must end with an error and not hang.

Usage: cards.py TRAIN LIBRARIES PREP, with a train that has the feature `nccl`.
"""

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN, LIBRARIES, PREP = (Path(argument).resolve() for argument in sys.argv[1:4])

# Images that are in the repository for another test; their assignment to classes is arbitrary.
PICTURES = sorted((Path(__file__).parents[1] / "tests/reference/fixtures/pillow").glob("[!s]*.jpg"))
CLASSES = 4

# Copies of each image. The total is one more than a multiple of a batch, so the last batch holds one image.
COPIES = {"train": 36, "val": 4}

# Number of steps whose scores are compared. Rounding errors grow from step to step: where two values in a pool
# or at a ReLU's threshold are nearly equal, the choice flips, and later steps differ visibly.
STEPS = 6

# Largest relative difference of a loss or a gradient norm in f32: a hundred times the observed one, since one
# of the runs has a step on the CPU, whose sums depend on the processor's vector width. After the first lines, where
# a choice may have flipped, a hundred times as much.
TOLERANCE = 1e-5
FIRST_LINES = 3

# Far longer than the slowest run here; a run that hangs is killed after this time.
SECONDS = 120

SHARDS = None
NETWORK = ["--recipe", "small", "--set", "model.width=0.1", "--set", "model.input_size=64"]


def train(arguments, seconds=SECONDS, **environment):
    """Runs the program; exit code 86 means that a stand-in detected a wrong call."""
    environment = {name: str(value) for name, value in environment.items()}
    environment = {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES), "HOST_CARDS": "3", **environment}
    command = [str(TRAIN), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
    done.stderr = done.stderr.strip()
    return done


def succeed(arguments, **environment):
    done = train(arguments, **environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}\nended with {done.returncode}: {done.stderr}")
    return done.stdout


def run(folder, device, *more, batch=32, steps=STEPS, **environment):
    arguments = ["--shards", SHARDS, "--out", folder, "--device", device, *NETWORK]
    arguments += ["--batch-size", batch, "--epochs", 1, "--log-every", 1, "--final-views", "center"]
    arguments += ["--precision", "f32"] if device != "cpu" else []
    arguments += ["--max-steps", steps] if steps is not None else []
    succeed([*arguments, *more], **environment)
    return [json.loads(line) for line in open(folder / "metrics.jsonl")]


def compare(what, one, several):
    """Compares two metrics files: everything must agree except times, and losses and norms to within rounding."""
    times = {"seconds", "images_per_second", "data_wait"}
    worst = 0.0
    if len(one) != len(several):
        sys.exit(f"{what}: {len(several)} lines instead of {len(one)}")
    for number, (a, b) in enumerate(zip(one, several)):
        share = TOLERANCE if number < FIRST_LINES else 100 * TOLERANCE
        for name in (set(a) | set(b)) - times:
            if name in ("loss", "gradient_norm"):
                apart = abs(a[name] - b[name]) / abs(a[name])
                if not apart <= share:
                    sys.exit(f"{what}: {name} differs by {apart:.2g} in line {number + 1}; at most {share} is allowed")
                worst = max(worst, apart)
            elif a.get(name) != b.get(name):
                sys.exit(f"{what}: {name} is {b.get(name)} instead of {a.get(name)} in {a}")
    print(f"{what}: the same {len(one)} lines, scores within {worst:.1g}")


def fail(what, arguments, code, text, **environment):
    """Runs a command that must fail with this exit code and text."""
    try:
        done = train(arguments, **environment)
    except subprocess.TimeoutExpired:
        sys.exit(f"{what}: still running after {SECONDS} s")
    if done.returncode != code or text not in done.stderr.splitlines()[-1 if code == 1 else 0]:
        sys.exit(f"{what}: ended with {done.returncode} instead of {code}: {done.stderr}")
    print(f"{what}: {done.stderr.splitlines()[-1 if code == 1 else 0]}")


def make_shards(folder):
    """Ingests copies of the images; their crop windows and flips differ nevertheless."""
    for split, copies in COPIES.items():
        for number in range(copies * len(PICTURES)):
            place = folder / "pictures" / split / f"class{number % CLASSES}"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(PICTURES[number % len(PICTURES)], place / f"{number}.jpg")
    command = [PREP, "ingest", folder / "pictures", "--out", folder / "shards", "--size", "72"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "shards"


def main(folder):
    global SHARDS
    SHARDS = make_shards(folder)
    records = json.load(open(SHARDS / "manifest.json"))["splits"]["train"]["records"]
    one = run(folder / "one", "cuda")
    compare("two GPUs", one, run(folder / "two", "cuda:0,1", HOST_CARD_DELAY=7))
    compare("three GPUs, 32 images", one, run(folder / "three", "cuda:0,1,2"))

    # Two batches a step, of a size that does not divide evenly, and a last batch with fewer images than GPUs.
    odd = next(batch for batch in range(records // 4, 1, -1) if records % batch == 1)
    accumulate = ["--accumulate", 2]
    lines = run(folder / "odd-one", "cuda", *accumulate, batch=odd, steps=None)
    name = f"three GPUs, {records} images in batches of {odd}, two batches a step, and the evaluation"
    compare(name, lines, run(folder / "odd-three", "cuda:0,1,2", *accumulate, batch=odd, steps=None))

    lines = run(folder / "small-one", "cuda", batch=odd, steps=None)
    several = run(folder / "small-three", "cuda:0,1,2", batch=odd, steps=None, HOST_CARD_DELAY=5)
    compare("three GPUs, one batch a step, one image in the last", lines, several)

    # Each GPU takes its own images' parts of the mean image.
    mean = ["--mean", "image"]
    lines = run(folder / "mean-one", "cuda", *mean)
    several = run(folder / "mean-three", "cuda:0,1,2", *mean, HOST_CARD_DELAY=3)
    compare("three GPUs, minus a mean image", lines, several)

    for name in ("odd-one", "mean-one"):
        evaluations = []
        for device in ("cuda", "cuda:0,1", "cuda:0,1,2"):
            arguments = ["eval", "--checkpoint", folder / name / "last.safetensors", "--shards", SHARDS]
            arguments += ["--device", device, "--precision", "f32", "--views", "both", "--json"]
            evaluations.append(json.loads(succeed(arguments)))
            del evaluations[-1]["seconds"]
        if any(evaluation != evaluations[0] for evaluation in evaluations):
            sys.exit(f"evaluations differ: {evaluations}")
        print(f"{name}, evaluated by one, two and three GPUs: the same figures")

    exact = "--deterministic"
    run(folder / "straight", "cuda:0,1", exact, HOST_CARD_DELAY=1)
    run(folder / "stopped", "cuda:0,1", exact, steps=STEPS // 2, HOST_CARD_DELAY=2)
    run(folder / "stopped", "cuda:0,1", exact, "--resume", HOST_CARD_DELAY=3)
    checkpoints = [folder / name / "last.safetensors" for name in ("straight", "stopped")]
    if not filecmp.cmp(*checkpoints, shallow=False):
        sys.exit("a resumed run on two GPUs differs in bits from an uninterrupted one")
    print("two GPUs, stopped and resumed: the same checkpoint to the bit")

    # The last batch has one image. Whether the run begins with it or with a whole one, the same algorithms serve.
    batches = -(-records // odd)
    for name, cuts in (("whole", [None]), ("cut", [batches - 1, None])):
        for number, steps in enumerate(cuts):
            more = ["--resume"] if number > 0 else []
            run(folder / f"last-{name}", "cuda", exact, *more, batch=odd, steps=steps)
    checkpoints = [folder / f"last-{name}" / "last.safetensors" for name in ("whole", "cut")]
    if not filecmp.cmp(*checkpoints, shallow=False):
        sys.exit("a run resumed before the last batch differs in bits from an uninterrupted one")
    print(f"stopped before the last of {batches} batches and resumed: the same checkpoint to the bit")

    for steps, device in enumerate(("cuda:0,1", "cuda", "cuda:0,2", "cpu"), start=2):
        more = ["--resume"] if steps > 2 else []
        moved = run(folder / "moved", device, *more, steps=steps)
    compare("from two GPUs to one, to two others and to the CPU", one[: len(moved)], moved)

    shared = ["--shards", SHARDS, *NETWORK, "--batch-size", 32, "--epochs", 1]
    for setting, said in (("HOST_NCCL_REFUSE", "cuda:1"), ("HOST_NCCL_FAIL", "ncclRemoteError")):
        for collective in (0, 40):
            out = folder / f"{setting}-{collective}"
            arguments = [*shared, "--out", out, "--device", "cuda:0,1,2"]
            fail(f"{setting}=1:{collective}", arguments, 1, said, **{setting: f"1:{collective}"})
    for device, code, said in (
        ("cuda:0,3", 1, "no GPU number 3"),
        ("cuda:0,0", 2, "twice"),
        ("cuda:0-2", 2, "as in cuda:0,1"),
    ):
        fail(device, [*shared, "--out", folder / "wrong", "--device", device], code, said)
    small = ["--shards", SHARDS, *NETWORK, "--batch-size", 2, "--out", folder / "wrong"]
    fail("two images", [*small, "--device", "cuda:0,1,2"], 1, "too small for 3 GPUs")


with tempfile.TemporaryDirectory() as scratch:
    main(Path(scratch))
