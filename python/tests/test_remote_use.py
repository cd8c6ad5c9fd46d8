"""Datasets in an object store: what is refused, and the programs."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import shardmill

from conftest import SAMPLES, SIDE

#: The variables that name the server.
ENDPOINT = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL")


def test_a_dataset_is_made_looked_at_and_verified_over_an_address(
    store: dict[str, str], shards: Path, tmp_path: Path
) -> None:
    assert shardmill.inspect(store["raw"]) == shardmill.inspect(shards)
    assert shardmill.verify(store["jpeg"], progress=False)["faults"] == []
    assert "data:image/jpeg" in shardmill.Dataset(store["raw"])._repr_html_()
    source = tmp_path / "images" / "train" / "cat"
    source.mkdir(parents=True)
    (source / "1.jpg").write_bytes(shardmill.Dataset(store["jpeg"]).stored(3))
    made = store["raw"].replace("raw", "made")
    for _ in range(2):
        summary = shardmill.ingest(tmp_path / "images", made, size=SIDE, progress=False)
        assert summary["records"] == {"train": 1}
    assert shardmill.Dataset(made).keys == ["train/cat/1.jpg"]
    with pytest.raises(shardmill.DatasetNotFoundError, match="nothing"):
        shardmill.inspect(store["raw"].replace("raw", "nothing"))
    with pytest.raises(shardmill.ShardmillError):
        shardmill.write("s3://shards/written", [], classes=["cat"], size=SIDE)
    assert not Path("s3:").exists()


class Denying(http.server.BaseHTTPRequestHandler):
    """A server that refuses everyone, and repeats what it was sent."""

    def do_GET(self) -> None:
        answer = (
            "<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>No entry</Message>"
            f"<AWSAccessKeyId>{os.environ['AWS_ACCESS_KEY_ID']}</AWSAccessKeyId>"
            f"<StringToSign>{os.environ['AWS_SECRET_ACCESS_KEY']}</StringToSign></Error>"
        ).encode()
        self.send_response(403)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_credentials_that_are_refused(store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ENDPOINT:
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "swordfish-swordfish")
    try:
        with pytest.raises(shardmill.StoreAccessError, match=r"denies access.*AWS_ACCESS_KEY_ID.*No entry") as caught:
            shardmill.Dataset(store["raw"])
        with pytest.raises(shardmill.StoreAccessError, match="denies access"):
            shardmill.verify(store["raw"], progress=False)
    finally:
        server.shutdown()
        server.server_close()
    error = caught.value
    assert isinstance(error, shardmill.StoreError)
    assert isinstance(error, PermissionError)
    assert error.address == f"{store['raw']}/manifest.json"
    assert "swordfish" not in str(error)
    assert os.environ["AWS_ACCESS_KEY_ID"] not in str(error)


def test_what_is_not_there_or_makes_no_sense(store: dict[str, str], shards: Path, tmp_path: Path) -> None:
    with pytest.raises(shardmill.DatasetNotFoundError, match=r"nothing holds no manifest.json"):
        shardmill.Dataset(store["raw"].replace("raw", "nothing"))
    with pytest.raises(shardmill.UnknownSplitError, match='no split "val"; the dataset has "train"'):
        shardmill.Loader(store["raw"], split="val")
    for data in (Path(store["raw"]), str(Path(store["raw"]))):
        with pytest.raises(shardmill.SettingError, match=r"s3:/shards/raw; an address has two slashes.*as a string"):
            shardmill.Dataset(data)
        with pytest.raises(shardmill.SettingError, match="two slashes"):
            shardmill.Loader(data, crop=24)
    with pytest.raises(shardmill.SettingError, match="give the address alone") as caught:
        shardmill.Dataset("s3://me:swordfish@shards/raw")
    assert "swordfish" not in str(caught.value)
    with pytest.raises(shardmill.SettingError, match="cache_bytes is 0"):
        shardmill.Dataset(store["raw"], cache_bytes=0)
    with pytest.raises(shardmill.SettingError, match="cache_dir is 3"):
        shardmill.Dataset(store["raw"], cache_dir=3)
    with pytest.raises(shardmill.SettingError, match=r"cache_dir is .*: give cache_dir to it"):
        shardmill.Loader(shardmill.Dataset(shards), crop=24, cache_dir=tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(shardmill.CacheError, match=r"file cannot be used.*cache_dir"):
        next(iter(shardmill.Loader(store["raw"], crop=24, cache_dir=tmp_path / "file")))
    # A folder of that name is a folder.
    odd = tmp_path / "s3:"
    odd.mkdir()
    (odd / "shards").symlink_to(shards, target_is_directory=True)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert len(shardmill.Dataset("s3:/shards")) == SAMPLES
    finally:
        os.chdir(before)
    for order, words in (
        ("shards:0", "order is .shards:0.; give global, blocks, shards"),
        ("shards:many", "shards:4 shuffles 4"),
        ("blocks:3", "blocks:32x32"),
        ("shard", "did you mean 'shards'"),
    ):
        with pytest.raises(shardmill.SettingError, match=words):
            shardmill.Loader(shards, crop=24, order=order)
    with pytest.raises(shardmill.SettingError, match=r"order: the order of shards.*for 2 datasets"):
        shardmill.Loader([(shards, 1), (shards, 1)], crop=24, order="shards")


OPENING = """
import sys, time, shardmill
print("opening", flush=True)
try:
    shardmill.Dataset(sys.argv[1])
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_wait_for_a_silent_server(store: dict[str, str]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        settings = os.environ | dict.fromkeys(ENDPOINT, f"http://127.0.0.1:{listener.getsockname()[1]}")
        command = [sys.executable, "-c", OPENING, store["raw"]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "opening\n"
            # The request has come.
            listener.settimeout(30)
            connection, _ = listener.accept()
            sent = time.time()
            child.send_signal(signal.SIGINT)
            word, when = child.stdout.readline().split()
            assert word == "interrupted"
            assert float(when) - sent < 5
            assert child.wait(20) == 0
            connection.close()


def test_the_program_loads_an_address(store: dict[str, str], tmp_path: Path) -> None:
    words = ["loader", "bench", "--shards", store["raw"], "--cache-dir", str(tmp_path), "--order", "shards:2"]
    command = [sys.executable, "-m", "shardmill", *words, "--crop", "24", "--seconds", "0.2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr


def test_the_comparison_wants_a_folder(store: dict[str, str]) -> None:
    command = [sys.executable, "-m", "shardmill.bench", "--shards", store["raw"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "copy the dataset into a folder" in done.stderr


def losses(train: Path, shards: object, run: Path, *more: str) -> list[dict[str, object]]:
    """The losses of three steps."""
    words = ["--shards", str(shards), "--out", str(run), "--recipe", "fig1", "--batch-size", "20", "--max-steps", "3"]
    words += ["--order", "shards:2", "--log-every", "1", "--final-views", "center", "--json", *more]
    done = subprocess.run([train, *words], capture_output=True, text=True, timeout=300, check=False)
    if "--features remote" in done.stderr:
        pytest.skip("the program `train` was built without object stores")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [{name: line[name] for name in ("step", "loss", "top1_error")} for line in lines if line["event"] == "step"]


@pytest.mark.skipif("SHARDMILL_PROGRAMS" not in os.environ, reason="SHARDMILL_PROGRAMS names no folder of programs")
def test_training_over_an_address(shards: Path, store: dict[str, str], tmp_path: Path) -> None:
    train = Path(os.environ["SHARDMILL_PROGRAMS"]) / "train"
    cache = ["--cache-dir", str(tmp_path / "cache"), "--cache-bytes", "2M"]
    remote = losses(train, store["raw"], tmp_path / "remote", *cache)
    local = losses(train, shards, tmp_path / "local")
    assert [line["step"] for line in local] == [1, 2, 3]
    assert remote == local
    secret = os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for file in (tmp_path / "remote").rglob("*"):
        if file.is_file():
            assert secret not in file.read_bytes()
