"""The console script ``shardmill``: output, exit codes and Ctrl-C are those of the programs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import time
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from shardmill import programs

posix = pytest.mark.skipif(os.name != "posix", reason="signals and names of bytes are those of Unix")


def command(*arguments: str | bytes | Path) -> list[str | bytes | Path]:
    script = shutil.which("shardmill", path=sysconfig.get_path("scripts"))
    assert script is not None, "the console script `shardmill` is not installed"
    return [script, *arguments]


def run(*arguments: str | bytes | Path, words: list[str | bytes | Path] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(words or command(*arguments), capture_output=True, check=False, timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write_png(path: bytes | Path, side: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    lines = np.concatenate([np.zeros((side, 1), np.uint8), pixels.reshape(side, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 1)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six images."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(12):
        place = folder / "train" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        write_png(place / f"{number}.png", 80, number)
    return folder


@pytest.fixture(scope="module")
def shards(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "out"
    code, _, errors = run("prep", "ingest", images, "--out", out, "--size", "64")
    assert code == 0, errors
    return out


def test_shards_are_made_verified_and_measured(shards: Path) -> None:
    code, text, errors = run("prep", "verify", shards)
    assert (code, errors) == (0, "")
    assert re.search(r"12 records in 1 shard, .*: 0 faults", text), text
    code, text, errors = run("loader", "bench", "--shards", shards, "--seconds", "0.01", "--batch-size", "4", "--json")
    assert (code, errors) == (0, "")
    assert '"threads":2' in text


def test_damage_ends_verify_with_1(shards: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(shards, damaged)
    shard = next(damaged.glob("*.safetensors"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    code, text, errors = run("prep", "verify", damaged)
    assert code == 1
    assert re.search(r": [1-9]\d* faults?\n", text), text
    assert "error: " in errors
    assert "is damaged" in errors


def test_advice_names_the_command_that_the_user_has(images: Path, tmp_path: Path) -> None:
    code, _, errors = run("prep", "inspect", images)
    assert code == 1
    assert "that `shardmill prep ingest SRC --out DIR` made" in errors
    code, text, errors = run("prep", "ingest", images, "--out", tmp_path / "part", "--size", "64", "--part", "0/2")
    assert code == 0, errors
    assert f"when every part is finished: shardmill prep merge {tmp_path / 'part'}\n" in text


def test_help_version_and_wrong_usage() -> None:
    code, text, errors = run("--help")
    assert (code, errors) == (0, "")
    assert all(f"\n  {name} " in text for name in ("prep", "loader", "train"))
    assert run("-h") == run("help") == (0, text, "")
    assert run() == (2, "", text)
    assert run("--version") == run("-V") == (0, f"shardmill {metadata.version('shardmill')}\n", "")
    code, text, errors = run("prepp", "ingest")
    assert (code, text) == (2, "")
    assert "unrecognized command 'prepp'" in errors
    assert "'prep'" in errors
    assert "--help" in errors
    code, text, errors = run("prep", "ingest", "--help")
    assert (code, errors) == (0, "")
    assert "Usage: shardmill prep ingest [OPTIONS] --out <DIR> <SRC>\n" in text
    assert run("help", "prep", "ingest") == (0, text, "")
    code, text, errors = run("loader", "bench")
    assert (code, text) == (2, "")
    assert "Usage: shardmill loader bench --shards <DIR>\n" in errors


def test_python_m_is_the_same() -> None:
    module: list[str | bytes | Path] = [sys.executable, "-m", "shardmill"]
    for arguments in (["--help"], [], ["nonsense"], ["prep", "--version"], ["prep", "verify"], ["loader"]):
        assert run(words=[*module, *arguments]) == run(*arguments)


@pytest.mark.skipif("SHARDMILL_PROGRAMS" not in os.environ, reason="SHARDMILL_PROGRAMS names no folder of programs")
def test_output_and_exit_codes_are_the_programs_own(images: Path, shards: Path, tmp_path: Path) -> None:
    folder = Path(os.environ["SHARDMILL_PROGRAMS"])

    def alike(text: str) -> str:
        text = text.replace("shardmill prep", "prep").replace("shardmill loader", "loader")
        text = re.sub(r"in [\d.]+ s \(\d+ a second\)", "in N s", text)
        return re.sub(r'"(seconds|images_per_second)":[\d.]+', "", text)

    part = tmp_path / "part"
    lines: list[list[str | bytes | Path]] = [
        ["prep"],
        ["prep", "--help"],
        ["prep", "--version"],
        ["prep", "help", "convert"],
        ["prep", "ingest"],
        ["prep", "ingest", images, "--ouput", "x"],
        ["prep", "ingest", images, "--out", tmp_path / "a", "--size", "64", "--quality", "80"],
        ["prep", "ingest", images, "--out", tmp_path / "a", "--size", "64"],
        ["prep", "ingest", images, "--out", tmp_path / "a", "--size", "72"],
        ["prep", "ingest", images, "--out", tmp_path / "b", "--codec", "jpeg", "--size", "64", "--json"],
        ["prep", "ingest", images, "--out", part, "--part", "1/2", "--json"],
        ["prep", "ingest", shards, "--out", tmp_path / "c"],
        ["prep", "merge", part],
        ["prep", "verify", shards, "--json"],
        ["prep", "verify", images],
        ["prep", "inspect", shards],
        ["prep", "inspect", tmp_path / "nowhere"],
        ["prep", "subset", shards, "--per-class", "2", "--out", tmp_path / "d"],
        ["prep", "convert", shards, "--codec", "zstd", "--out", tmp_path / "e"],
        ["prep", "extract", shards, "--index", "3", "--out", tmp_path / "f.png"],
        ["loader"],
        ["loader", "--help"],
        ["loader", "bench", "--help"],
        ["loader", "bench", "--threads", "x"],
        ["loader", "bench", "--shards", tmp_path / "nowhere"],
    ]

    def results(words: list[list[str | bytes | Path]]) -> list[tuple[int, str, str]]:
        found = [run(words=line) for line in words]
        for name in os.listdir(tmp_path):
            path = tmp_path / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [(code, alike(text), alike(errors)) for code, text, errors in found]

    theirs = results([[folder / str(line[0]), *line[1:]] for line in lines])
    ours = results([command(*line) for line in lines])
    for line, our, their in zip(lines, ours, theirs, strict=True):
        assert our == their, line
    assert {code for code, _, _ in ours} == {0, 1, 2}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@posix
def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "noise").mkdir(parents=True)
    write_png(source / "noise" / "0.png", 900, 0)
    for number in range(1, 150):
        os.link(source / "noise" / "0.png", source / "noise" / f"{number}.png")
    line: list[str | bytes | Path] = [
        "ingest",
        source,
        "--size",
        "64",
        "--shard-records",
        "10",
        "--threads",
        "1",
        "--out",
    ]
    child = subprocess.Popen(command("prep", *line, out), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    journal, deadline = out / "ingest-0-of-1.journal", time.monotonic() + 60
    # The first line says whose journal it is, each other line names a finished shard.
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert child.poll() is None, "the ingest ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.send_signal(signal.SIGINT)
    text, errors = child.communicate(timeout=10)
    assert child.returncode == 130
    assert text == b""
    assert f"interrupted: what is finished is kept in {out}, and the same command resumes it" in errors.decode()
    assert not (out / "manifest.json").exists()
    code, _, said = run("prep", *line, out)
    assert code == 0, said
    code, _, said = run("prep", *line, tmp_path / "whole")
    assert code == 0, said
    assert files(out) == files(tmp_path / "whole")


@posix
def test_ctrl_c_ends_commands_that_keep_nothing(shards: Path) -> None:
    words = command("loader", "bench", "--shards", shards, "--seconds", "120", "--batch-size", "4")
    child = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(1.5)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    try:
        text, errors = child.communicate(timeout=5)
    finally:
        child.kill()
    # As the program: by the signal, and without a traceback.
    assert (child.returncode, text, errors) == (-signal.SIGINT, b"", b"")


@posix
def test_an_ignored_ctrl_c_stays_ignored(shards: Path) -> None:
    words = command("loader", "bench", "--shards", shards, "--seconds", "3", "--batch-size", "4")
    child = subprocess.Popen(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words], stdout=subprocess.PIPE)
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    text, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert text


@posix
@pytest.mark.parametrize(
    "arguments", [["--help"], ["nonsense"], ["prep", "ingest", "--help"], ["prep", "inspect", "@"]]
)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str], shards: Path) -> None:
    words = command(*(shards if word == "@" else word for word in arguments))
    # It would hide what Python still wants to write when it ends.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    for streams in (["stdout"], ["stdout", "stderr"]):
        reader, writer = os.pipe()
        os.close(reader)
        kept = {"stderr": subprocess.PIPE, **dict.fromkeys(streams, writer)}
        child = subprocess.Popen(words, stdout=kept["stdout"], stderr=kept["stderr"], env=environment)
        os.close(writer)
        _, errors = child.communicate(timeout=60)
        assert child.returncode == (2 if arguments == ["nonsense"] else 0)
        assert not errors or arguments == ["nonsense"]


@posix
@pytest.mark.parametrize("closed", [1, 2])
def test_no_file_takes_the_place_of_a_closed_standard_stream(closed: int, shards: Path) -> None:
    script = (
        f"import os; os.close({closed}); from shardmill import programs; code = programs.main(['prep', '--help']); "
    )
    script += "os._exit(10 * code + os.open(os.devnull, os.O_RDONLY))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode > 2
    words = command("prep", "verify", shards)
    assert subprocess.run(["sh", "-c", f'"$@" {closed}>&-', "sh", *words], check=False).returncode == 0


@posix
def test_names_that_are_not_utf_8_pass_through(images: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9"
    shutil.copytree(images, os.fsdecode(odd))
    out = odd + b"-shards"
    code, text, errors = run("prep", "ingest", odd, "--out", out, "--size", "64")
    assert code == 0, errors
    assert "caf\ufffd-shards" in text
    assert b"manifest.json" in os.listdir(out)
    assert run("prep", "verify", out)[0] == 0
    code, text, errors = run(b"caf\xe9")
    assert (code, text) == (2, "")
    assert "unrecognized command 'caf\\udce9'" in errors


def test_train_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "_script_folders", lambda: [str(tmp_path)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.main(["train", "--help"]) == 1
    text, errors = capsys.readouterr()
    assert text == ""
    assert "error: `shardmill train` needs the package shardmill-train" in errors
    assert "just python-train\n" in errors


@posix
def test_train_is_the_installed_program(tmp_path: Path) -> None:
    """A stand-in, which prints its arguments and, on Linux, which signals are ignored."""
    script = "import sys; from shardmill import programs as p; p._script_folders = lambda: [sys.argv[1]]; "
    script += "sys.exit(p.main(['train', *sys.argv[2:]]))"
    for place, code in (("beside", 7), ("in-path", 8)):
        (tmp_path / place).mkdir()
        program = tmp_path / place / "shardmill-train"
        text = f'printf "%s|" "$@"\n[ ! -e /proc ] || grep SigIgn /proc/self/status\nexit {code}\n'
        program.write_text(f"#!/bin/sh\n{text}")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'in-path'}:{os.environ['PATH']}"}

    for place, code in (("beside", 7), ("nowhere", 8)):
        words: list[str | bytes | Path] = [sys.executable, "-c", script, tmp_path / place, "--shards", b"caf\xe9"]
        done = subprocess.run(words, capture_output=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (code, b"")
        assert done.stdout.startswith(b"--shards|caf\xe9|")
        if ignored := re.search(rb"SigIgn:\s*([0-9a-f]+)", done.stdout):
            # Python ignores both, and the program must not.
            assert all(not int(ignored[1], 16) >> (number - 1) & 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))


@pytest.mark.skipif(
    shutil.which("shardmill-train", path=sysconfig.get_path("scripts")) is None,
    reason="shardmill-train is not installed in this environment (just python-train)",
)
def test_train_runs_the_program_of_its_own_package() -> None:
    code, text, errors = run("train", "--help")
    assert (code, errors) == (0, "")
    assert "Usage: shardmill train [OPTIONS] --shards <DIR>\n       shardmill train <COMMAND>\n" in text
    code, text, errors = run("train", "--shards", "nowhere")
    assert (code, text) == (1, "")
    assert "error: " in errors
    code, text, errors = run("train", "--learning-rate", "1", "--shards", "nowhere")
    assert (code, text) == (2, "")
    assert "'--lr'" in errors
