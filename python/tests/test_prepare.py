"""Datasets are made, verified and described."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import shardmill

from conftest import CLASSES, SAMPLES, SIDE, picture, samples


def pixels_of(shards: Path) -> dict[str, np.ndarray]:
    dataset = shardmill.Dataset(shards)
    return {dataset.key(i): dataset[i][0] for i in range(len(dataset))}


def test_arrays_of_the_records_size_are_stored_as_they_are(shards: Path) -> None:
    for key, image in pixels_of(shards).items():
        np.testing.assert_array_equal(image, picture(int(key[-8:-4])))


def test_the_stock_reader_reads_what_was_written(shards: Path) -> None:
    """Reads without any code of Shardmill."""
    manifest = json.loads((shards / "manifest.json").read_text())
    seen = 0
    for shard in manifest["splits"]["train"]["shards"]:
        tensors = load_file(shards / shard["file"])
        assert tensors["images"].shape[1:] == (SIDE, SIDE, 3)
        for image, label in zip(tensors["images"], tensors["labels"], strict=True):
            np.testing.assert_array_equal(image, picture(seen))
            assert label == seen % len(CLASSES)
            seen += 1
    assert seen == SAMPLES


def test_every_kind_of_image(tmp_path: Path) -> None:
    array = picture(3)
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    path = tmp_path / "three.png"
    path.write_bytes(file.getvalue())
    grey = array[:, :, 0]
    given = [
        (array, "a", "array"),
        (np.asfortranarray(array), "a", "fortran"),
        (array[::-1][::-1], "a", "strides"),
        (Image.fromarray(array), "a", "pil"),
        (Image.fromarray(array).convert("RGBA"), "a", "rgba"),
        (file.getvalue(), "a", "bytes"),
        (memoryview(file.getvalue()), np.int64(0), "memoryview"),
        (memoryview(array), 0, "memoryview-of-an-array"),
        (path, 0, "path"),
        (str(path), 0, "string"),
        (grey, 1, "grey"),
        (grey[:, :, None], "b", "one-channel"),
        (Image.fromarray(grey), "b", "pil-grey"),
    ]
    summary = shardmill.write(tmp_path / "shards", given, classes=["a", "b"], size=SIDE)
    assert summary["records"] == {"train": len(given)}
    found = pixels_of(tmp_path / "shards")
    for _, label, key in given:
        expected = array if label in ("a", 0) else np.repeat(grey[:, :, None], 3, 2)
        np.testing.assert_array_equal(found[key], expected, err_msg=key)


def test_other_sizes_are_resized_as_an_ingest_does_it(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    large = generator.integers(0, 256, (90, 130, 3), np.uint8)
    folder = tmp_path / "images" / "train" / "one"
    folder.mkdir(parents=True)
    Image.fromarray(large).save(folder / "x.png")
    shardmill.ingest(tmp_path / "images", tmp_path / "ingested", size=SIDE, progress=False)
    shardmill.write(tmp_path / "written", [(large, 0)], classes=["one"], size=SIDE)
    (ingested,) = pixels_of(tmp_path / "ingested").values()
    (written,) = pixels_of(tmp_path / "written").values()
    np.testing.assert_array_equal(written, ingested)


def test_splits_keys_and_threads(tmp_path: Path) -> None:
    def given() -> Iterator[tuple]:
        for i, (image, label, key) in enumerate(samples(60)):
            yield image, label, None if i % 2 else key, ("val" if i % 5 == 0 else "train")

    for threads in (1, 4):
        out = tmp_path / str(threads)
        summary = shardmill.write(out, given(), classes=CLASSES, size=SIDE, shard_records=7, threads=threads)
        assert summary["records"] == {"train": 48, "val": 12}
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "4" / file.name).read_bytes()
    assert len(set(shardmill.Dataset(out, "val").keys)) == 12
    assert shardmill.verify(out, progress=False)["faults"] == []


def test_what_a_user_would_not_expect_is_noted(tmp_path: Path) -> None:
    ordered = sorted(samples(), key=lambda sample: sample[1])
    summary = shardmill.write(tmp_path / "shards", ordered, classes=CLASSES, size=SIDE)
    assert any("order" in note for note in summary["notes"]), summary["notes"]


def test_small_arrays_are_enlarged_and_that_is_noted(tmp_path: Path) -> None:
    summary = shardmill.write(tmp_path / "shards", samples(10), classes=CLASSES, size=64)
    assert any("10 arrays" in note and "size=64" in note for note in summary["notes"]), summary["notes"]


FORKED = """
import os, sys, numpy as np, shardmill
image = np.zeros((40, 40, 3), np.uint8)
def samples():
    for i in range(20):
        yield image, 0
        if i == 10 and os.fork() == 0:
            raise SystemExit(7)
        if i == 10:
            os.wait()
print(shardmill.write(sys.argv[1], samples(), classes=["a"], size=40)["records"])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_is_forked_while_samples_are_given_takes_nothing_away(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED, str(tmp_path / "shards")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'train': 20}\n", "")


def refused(words: str, given: list, out: Path, kind: type = shardmill.PrepareError, **options: object) -> None:
    options = {"classes": ["a", "b"], "size": SIDE, **options}
    with pytest.raises(kind, match=words):
        shardmill.write(out, given, **options)
    assert not (out / "manifest.json").exists()
    assert not out.exists() or not list(out.iterdir())


def test_wrong_samples_are_named_and_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "shards"
    image = picture(0)
    refused("sample 1 is 'b'; give", [(image, 0), "b"], out)
    refused("not in classes", [(image, "c")], out)
    refused("float64; give uint8", [(image / 255, 0)], out)
    refused("sample 0 has the shape", [(np.zeros((4, 4, 5), np.uint8), 0)], out)
    refused("1 to 4 channels", [(np.zeros(4, np.uint8), 0)], out)
    refused("integer", [(image, 1.5)], out)
    refused("2", [(image, 2)], out)
    refused("key", [(image, 0, "x"), (image, 0, "x")], out)
    refused("x/../../y", [(image, 0, "x/../../y")], out)
    for key in (7, "\ud800", "x" * 5000):
        refused("sample 0 has the key", [(image, 0, key)], out)
    refused("mode 'I;16'", [(Image.fromarray(np.zeros((8, 8), np.uint16)), 0)], out)
    refused("x.png", [(b"no image", 0, "x.png")], out)
    refused("no sample", [], out)
    refused("quality is 90", [], out, shardmill.SettingError, quality=90)
    refused("codec: .*webp", [], out, shardmill.SettingError, codec="webp")
    for classes in ("ab", {"a", "b"}, None, [None], [""]):
        refused("classes is", [], out, shardmill.SettingError, classes=classes)
    refused("size is 9000; give an integer from 1 to 8192", [], out, shardmill.SettingError, size=9000)
    refused("sample 0: .*missing.png", [(tmp_path / "missing.png", 0)], out)

    def breaks() -> Iterator[tuple]:
        yield image, 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shardmill.write(out, breaks(), classes=["a"], size=SIDE)
    assert not out.exists() or not list(out.iterdir())
    shardmill.write(out, [(image, 0)], classes=["a"], size=SIDE)
    with pytest.raises(shardmill.PrepareError, match=r"new folder|remove it"):
        shardmill.write(out, [(image, 0)], classes=["a"], size=SIDE)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for image, label, key in samples(60):
        path = tmp_path / "images" / "train" / CLASSES[label] / Path(key).name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "images"


def test_an_ingest_says_what_it_did_and_tells_its_progress(images: Path, tmp_path: Path) -> None:
    (images / "train" / "class0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (images / "notes.txt").write_text("not an image")
    told: list[tuple[str, int, int | None]] = []
    summary = shardmill.ingest(
        images, tmp_path / "shards", size=SIDE, codec="jpeg", quality=95, progress=lambda *one: told.append(one)
    )
    assert summary["records"] == {"train": 60}
    assert sum(summary["rejects"].values()) == 1
    assert "ingest" in {work for work, *_ in told}
    assert told[-1][1] == told[-1][2]
    again = shardmill.ingest(images, tmp_path / "shards", size=SIDE, codec="jpeg", quality=95, progress=False)
    assert again["records"] == summary["records"]
    inspection = shardmill.inspect(tmp_path / "shards")
    assert inspection["manifest"]["codec"] == "jpeg"
    assert "60" in str(inspection)
    verified = shardmill.verify(tmp_path / "shards", progress=False)
    assert verified["records"] == 60
    assert verified["faults"] == []


def test_faults_are_listed(own: Path) -> None:
    shard = sorted(own.glob("*.safetensors"))[0]
    data = bytearray(shard.read_bytes())
    data[-100] ^= 1
    shard.write_bytes(data)
    faults = shardmill.verify(own, progress=False)["faults"]
    assert {fault["shard"] for fault in faults} == {shard.name}
    assert any("CRC-32C" in fault["message"] for fault in faults), faults


def test_an_exception_of_the_progress_function_stops_and_the_same_call_goes_on(images: Path, tmp_path: Path) -> None:
    def stop(work: str, done: int, total: int | None) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        shardmill.ingest(images, tmp_path / "shards", size=SIDE, progress=stop)
    summary = shardmill.ingest(images, tmp_path / "shards", size=SIDE, progress=False)
    assert summary["records"] == {"train": 60}


def test_options_are_checked_in_pythons_words(images: Path, tmp_path: Path) -> None:
    def wrong(words: str, **options: object) -> None:
        with pytest.raises(shardmill.ShardmillError, match=words):
            shardmill.ingest(images, tmp_path / "shards", progress=False, **options)

    wrong("codec: ", codec="png")
    wrong("resize: ", resize="stretch")
    wrong("max_rejects", max_rejects="many")
    wrong("val_fraction is", val_fraction=2.0)
    wrong("without is", without="val")
    wrong("size is 0", size=0)
    wrong("shard_records is 0", shard_records=0)
    wrong("quality is 101", quality=101, codec="jpeg")
    with pytest.raises(shardmill.PrepareError, match="nowhere"):
        shardmill.ingest(tmp_path / "nowhere", tmp_path / "shards", progress=False)
    for read in (shardmill.verify, shardmill.inspect):
        with pytest.raises(shardmill.DatasetNotFoundError, match=r"manifest\.json"):
            read(tmp_path)


INTERRUPTED = """
import sys, shardmill
try:
    shardmill.verify(sys.argv[1], progress=lambda *_: print("under way", flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_stops_a_verify(tmp_path: Path) -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    shardmill.write(tmp_path / "shards", ((image, 0) for _ in range(4000)), classes=["a"])
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "shards")], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "under way\n"
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        lines = child.stdout.read().split("\n")
        assert lines[-2] == "interrupted"
        # All 4,000 records take longer where a busy machine takes this long.
        assert time.monotonic() - sent < 10


def test_progress_in_a_log_and_on_a_terminal(images: Path, tmp_path: Path) -> None:
    script = "import sys, shardmill; shardmill.ingest(sys.argv[1], sys.argv[2], size=40)"
    command = [sys.executable, "-c", script, str(images)]
    log = subprocess.run([*command, str(tmp_path / "a")], capture_output=True, text=True, check=True)
    # Such short work prints nothing to a log.
    assert log.stderr == ""
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    with subprocess.Popen([*command, str(tmp_path / "b")], stderr=other) as child:
        os.close(other)
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(main)
    assert child.returncode == 0
    text = shown.decode()
    assert "60/60" in text
    # The line is cleared at the end.
    assert text.rstrip(" ").endswith("\r") or text.endswith("\r")


@pytest.mark.parametrize(
    ("journal", "words"), [("write.journal", "remove the folder"), ("ingest-0-of-1.journal", "same call")]
)
def test_an_unfinished_dataset_is_told_from_none(tmp_path: Path, journal: str, words: str) -> None:
    (tmp_path / journal).write_text("")
    with pytest.raises(shardmill.DatasetNotFoundError, match=words):
        shardmill.verify(tmp_path)


def test_a_contact_sheet_for_notebooks(shards: Path) -> None:
    html = shardmill.Dataset(shards)._repr_html_()
    assert "131 samples" in html
    import base64

    data = base64.b64decode(html.split("base64,")[1].split('"')[0])
    sheet = Image.open(io.BytesIO(data))
    assert sheet.size[0] > 8 * SIDE
    part = shardmill.Dataset(shards).select([1])._repr_html_()
    assert "whole split" in part


def test_a_palette_keeps_its_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(picture(1)[:, :, 0]).convert("P")
    image.putpalette([value for level in range(256) for value in (level, 255 - level, 7)])
    image.info["transparency"] = 40
    file = io.BytesIO()
    image.save(file, "PNG")
    given = [(image, 0, "pil"), (file.getvalue(), 0, "file")]
    shardmill.write(tmp_path / "shards", given, classes=["a"], size=SIDE)
    found = pixels_of(tmp_path / "shards")
    np.testing.assert_array_equal(found["pil"], found["file"])
    assert (found["pil"] == 255).all(2).any()
