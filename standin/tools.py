"""Runs tools/gpu-check.sh and tools/gpu-pack.sh without a GPU: on a program that only says how it is called, on
folders of empty libraries of two versions, and on a module that stands in for PyTorch.

Usage: tools.py [TRAIN]; TRAIN is a program with CUDA, whose libraries are then compared with what readelf says, and
which is packed.

The versions are ones that do not exist, so that libraries which this machine has are never taken.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECK, PACK = ROOT / "tools/gpu-check.sh", ROOT / "tools/gpu-pack.sh"

LINKED = ["libcuda.so.1", "libcublas.so.913", "libcudnn.so.909", "libcurand.so.910", "libnccl.so.902"]
# The library that cuBLAS opens, and those that are opened at run time, have cuBLAS's version.
OPENED = ["libcublasLt.so.913", "libcudart.so.913", "libnvrtc.so.913"]
# What `train doctor` looks for is in every program, one name behind the other.
LOOKED_FOR = "libcublas.so.914libcublas.so.913libcublas.so.912libcudnn.so.909libnccl.so.902libnvrtc.so.912"

# Writes its call and library path, and each report; fails in the part that FAIL names.
PROGRAM = """#!/bin/sh
echo "train $*" >>"$CALLS"
echo "$LD_LIBRARY_PATH" >"$CALLS.path"
code=0
while [ $# -gt 0 ]; do
  case $1 in
  --out) out=$2 ;;
  --only) only=$2 ;;
  esac
  shift
done
if [ -n "$out" ]; then
  echo "parts ${only:-all}" >"$out"
  case ",$only," in *",${FAIL:-none},"*) code=7 ;; esac
fi
exit $code
"""

TORCH = """__version__ = "0"
class cuda:
    is_available = staticmethod(lambda: True)
    get_device_name = staticmethod(lambda: "no GPU")
"""

SPEED = """import os, signal, sys
a = sys.argv
batch, precision = int(a[a.index("--batch-size") + 1]), a[a.index("--precision") + 1]
with open(os.environ["CALLS"], "a") as calls:
    print("torch", precision, batch, file=calls)
if precision + str(batch) == os.environ.get("TORCH_FAILS"):
    sys.exit("out of memory")
if precision + str(batch) == os.environ.get("TORCH_CUTS"):
    os.killpg(0, signal.SIGKILL)
print("a warning")
print('{"precision": "%s", "batch_size": %d, "training_images_per_second": 1234.5, "inference_images_per_second": 5}'
      % (precision, batch))
"""


class Case:
    """A folder with a program, and what running a script in it gave."""

    def __init__(self, work, linked=LINKED, looked_for=LOOKED_FOR):
        self.work = Path(tempfile.mkdtemp(dir=work))
        self.calls = self.work / "calls"
        self.calls.touch()
        self.train = self.work / "train"
        tail = b"".join(b"\0" + name.encode() for name in linked) + b"\0"
        self.train.write_bytes(PROGRAM.encode() + looked_for.encode() + tail)
        self.train.chmod(0o755)
        (self.work / "torch.py").write_text(TORCH)
        (self.work / "speed.py").write_text(SPEED)
        self.folders = []

    def libraries(self, name, files):
        """Adds a folder of libraries; a file may come with content, as a pair."""
        folder = self.work / name
        folder.mkdir()
        for file in files:
            file, content = file if isinstance(file, tuple) else (file, b"")
            (folder / file).write_bytes(content)
        self.folders.append(str(folder))
        return str(folder)

    def run(self, *command, **environment):
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("OUT", "CARGO_TARGET_DIR")},
            "CALLS": str(self.calls),
            "LD_LIBRARY_PATH": ":".join(self.folders),
            "PYTHONPATH": str(self.work),
            **environment,
        }
        # A group of its own, which a test may kill.
        done = subprocess.run(
            ["bash", *map(str, command)],
            cwd=self.work, env=environment, capture_output=True, text=True, start_new_session=True,
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def check(self, *arguments, **environment):
        return self.run(CHECK, self.train, *arguments, **environment)

    def made(self):
        """The calls, without the folder's path."""
        lines = self.calls.read_text().replace(f"{self.work}/", "").splitlines()
        self.calls.write_text("")
        return lines

    def searched(self):
        """The library path's folders that this script put in front of those that were given."""
        path = Path(f"{self.calls}.path").read_text().strip().split(":")
        return [Path(folder).name for folder in path[: len(path) - len(self.folders)]]

    def expect(self, *words):
        for word in words:
            assert word in self.said, f"{word!r} is not in what was said:\n{self.said}"


def the_right_folder(work):
    case = Case(work)
    # The first folder has another version of everything, and names without a version.
    case.libraries("old", [f"{name.split('.')[0]}.so{end}" for name in LINKED + OPENED for end in ("", ".912")])
    case.libraries("driver", ["libcuda.so.1"])
    case.libraries("new", [name for name in LINKED + OPENED if "libcud" not in name])
    case.libraries("rest", ["libcudart.so.913"])
    # One cuDNN was made for another CUDA.
    case.libraries("dnn-old", ["libcudnn.so.909", ("libcudnn_adv.so.909", b"\0libcublasLt.so.912\0")])
    case.libraries("dnn-new", ["libcudnn.so.909", ("libcudnn_adv.so.909", b"x\0libcublasLt.so.913\0")])
    assert case.check() == 0, case.said
    assert case.searched() == ["new", "rest", "dnn-new", "driver"], case.searched()
    assert case.run(CHECK, "--libraries", case.train) == 0
    assert case.said.split() == sorted(LINKED), case.said


def another_version(work):
    case = Case(work)
    case.libraries("all", [name for name in LINKED + OPENED if "libcublas" not in name and "libnccl" not in name])
    old = case.libraries("old", ["libcublas.so.912", "libcublasLt.so.912"])
    assert case.check() == 2, case.said
    case.expect("libcublas.so.913 (there is another version", f"{old}/libcublas.so.912", "install the CUDA 913 runtime")
    case.expect("not found: libnccl.so.902; install NCCL 902")
    assert case.made() == []
    # A cuDNN for another CUDA alone.
    case = Case(work)
    case.libraries("all", [name for name in LINKED + OPENED if "libcudnn" not in name])
    case.libraries("dnn", ["libcudnn.so.909", ("libcudnn_adv.so.909", b"\0libcublasLt.so.912\0")])
    assert case.check() == 2, case.said
    case.expect("libcudnn.so.909 for CUDA 913 (there is one for another CUDA", "install cuDNN 909 for CUDA 913")


def not_linked(work):
    # A program that opens its libraries itself names several versions: the newest that is there is taken, and no NCCL
    # is needed.
    case = Case(work, linked=[], looked_for=LOOKED_FOR + "libcurand.so.910")
    names = ["libcublas", "libcublasLt", "libcudart", "libnvrtc"]
    case.libraries("old", [f"{name}.so.912" for name in names])
    case.libraries("rest", ["libcuda.so.1", "libcudnn.so.909", "libcurand.so.910"])
    assert case.check() == 0, case.said
    assert case.searched() == ["old", "rest"], case.searched()
    # One that names no version.
    case = Case(work, linked=[], looked_for="")
    case.libraries("plain", [f"{name}.so" for name in [*names, "libcurand", "libcudnn"]] + ["libcuda.so.1"])
    assert case.check() == 0, case.said
    assert case.searched() == ["plain"], case.searched()


def whole(work):
    case = Case(work)
    case.libraries("all", LINKED + OPENED)
    return case


def order(work):
    case = whole(work)
    (case.work / "out").mkdir()
    code = case.check("-", "report.md", "--torch-script", "speed.py", "--", "--card", "1", OUT=str(case.work / "out"))
    assert code == 0, case.said
    torch = [f"torch {precision} {batch}" for precision in ("tf32", "bf16") for batch in (128, 512, 1024)]
    assert case.made() == [
        "train doctor",
        "train gpu-check --out out/report.md --only operations,networks,speed --card 1",
        *torch,
        "train gpu-check --out out/report.rest.md --only training,feed,several --card 1",
    ]
    assert sorted(os.listdir(case.work / "out")) == ["report.md", "report.torch.md"]
    table = (case.work / "out/report.torch.md").read_text()
    assert table.count("| 1,234 | 5 |") == 6, table
    parts = "parts operations,networks,speed\n\nparts training,feed,several\n"
    assert (case.work / "out/report.md").read_text() == parts + table

    # With shards, and parts that the user chooses.
    assert case.check("shards", "--", "--skip", "training") == 0, case.said
    assert case.made() == [
        "train doctor --shards shards",
        "train gpu-check --shards shards --out gpu-check.md --skip training",
    ]

    # What fails is in the exit code, and the rest is done all the same.
    code = case.check("-", "a/b.md", "--torch-script", "speed.py", FAIL="networks", TORCH_FAILS="tf32512")
    assert code == 7, case.said
    case.expect("PyTorch in tf32 with batches of 512 failed")
    assert len(case.made()) == 9
    assert (case.work / "a/b.md").read_text() == parts
    assert (case.work / "a/b.torch.md").read_text().count("| 1,234 | 5 |") == 5
    assert case.check("--torch-script", "speed.py", TORCH_FAILS="bf161024") == 1, case.said
    (case.work / "torch.py").write_text(TORCH.replace("True", "False"))
    assert case.check("--torch-script", "speed.py") == 1, case.said
    case.expect("has no PyTorch that sees the GPU")

    # A run that is killed leaves what it had measured.
    (case.work / "torch.py").write_text(TORCH)
    assert case.check("-", "cut.md", "--torch-script", "speed.py", TORCH_CUTS="tf321024") < 0, case.said
    assert (case.work / "cut.md").read_text() == "parts operations,networks,speed\n"
    assert (case.work / "cut.torch.md").read_text().count("| 1,234 | 5 |") == 2


def packs(work):
    case = whole(work)
    # `true` leaves the program, which is none that could be stripped, as it is.
    assert case.run(PACK, "folder", case.train, STRIP="true") == 0, case.said
    size = sum(file.stat().st_size for file in (case.work / "folder").rglob("*") if file.is_file())
    case.expect(f"folder: {size} bytes", "command: bash folder/run.sh", "libcublas.so.913")
    # Again, over the folder that it made, without `strip`.
    assert case.run(PACK, "folder", case.train, STRIP="no-such-strip") == 0, case.said
    case.expect("no-such-strip is missing")
    shutil.copy(case.work / "speed.py", case.work / "folder/tests/reference/torch_speed.py")
    assert case.run("folder/run.sh", "--", "--card", "2") == 0, case.said
    assert len(case.made()) == 9
    assert (case.work / "report.md").exists()
    assert (case.work / "report.torch.md").exists()

    (case.work / "own").mkdir()
    assert case.run(PACK, "own", case.train, STRIP="true") == 1
    case.expect("own exists and was not made by this script")

    cpu = Case(work, linked=["libc.so.6"])
    assert cpu.run(PACK, "folder", cpu.train, STRIP="true") == 1
    cpu.expect("is built without CUDA", "--features nccl")
    assert cpu.run(PACK, "folder", "no-program") == 1
    cpu.expect("there is no program no-program")

    with case.train.open("ab") as file:
        file.truncate(65 << 20)
    assert case.run(PACK, "large", case.train, STRIP="true") == 1
    case.expect("more than 67108864; its largest files: 68157440 bytes train, ")
    assert not (case.work / "large").exists()
    assert not list(case.work.glob(".gpu-pack-*"))


def real(work, train):
    case = Case(work)
    needed = subprocess.run(["readelf", "-d", train], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"NEEDED.*\[(lib(?:cuda|cudart|cublas|cublasLt|cudnn|curand|nvrtc|nccl)\.so\.\d+)\]", needed)
    assert case.run(CHECK, "--libraries", train) == 0, case.said
    assert case.said.split() == sorted(needed), f"{case.said} instead of {needed}"
    assert case.run(PACK, "folder", train) == 0, case.said
    print(case.said, end="")
    assert case.run(CHECK, "--libraries", "folder/train") == 0, case.said
    assert case.said.split() == sorted(needed), f"stripped: {case.said} instead of {needed}"


def main():
    with tempfile.TemporaryDirectory() as work:
        for part in (the_right_folder, another_version, not_linked, order, packs):
            part(work)
            print(f"{part.__name__.replace('_', ' ')}: as it should be")
        if len(sys.argv) > 1:
            real(work, os.path.realpath(sys.argv[1]))
    subprocess.run([sys.executable, ROOT / "tests/reference/torch_speed.py", "--count"], check=True)


main()
