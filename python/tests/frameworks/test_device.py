"""``device=``: torch finishes the bytes. The CPU stands in for the GPU; in the tests of streams, counters do."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shardmill
from shardmill import CenterCrop, RandomCrop, RandomResizedCrop, TenViews, TwoViews

from conftest import SAMPLES

torch = pytest.importorskip("torch")

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
AUGMENTS = {
    "random": {"augment": RandomCrop(24, color_std=0.3)},
    "resized": {"augment": RandomResizedCrop(24, color_std=0.1)},
    "centre": {"augment": CenterCrop(24)},
    "two": {"augment": TwoViews(24)},
    "ten": {"augment": TenViews(24)},
    "views": {"augment": RandomCrop(24, color_std=0.3), "views": 2},
}


@pytest.mark.parametrize("output", ["float32", "float16", "bfloat16", "uint8"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("augment", AUGMENTS)
def test_the_values_are_the_hosts_within_rounding(shards: Path, augment: str, layout: str, output: str) -> None:
    make: dict[str, Any] = {
        **AUGMENTS[augment], "layout": layout, "output": output, "normalize": (MEAN, STD), "seed": 9, "batch_size": 20,
    }  # fmt: skip
    host = shardmill.Loader(shards, framework="torch", **make)
    finished = shardmill.Loader(shards, device="cpu", **make)
    batches = 0
    for expected, batch in zip(host, finished, strict=True):
        assert batch.images.dtype == expected.images.dtype
        assert batch.images.shape == expected.images.shape
        # One step of the type's rounding, and of float32's in the arithmetic.
        step = {"float32": 0, "uint8": 0, "float16": 2**-10, "bfloat16": 2**-7}[output]
        torch.testing.assert_close(batch.images.float(), expected.images.float(), rtol=step, atol=2e-5)
        assert torch.equal(batch.labels, expected.labels)
        assert batch.keys == expected.keys
        assert (batch.step, batch.epoch, batch.valid) == (expected.step, expected.epoch, expected.valid)
        np.testing.assert_array_equal(batch.areas, expected.areas)
        # What is left to add: nothing where it is in the values.
        np.testing.assert_array_equal(batch.color_shift.numpy(), expected.color_shift.numpy())
        batches += 1
    assert finished.output == output in repr(finished)
    assert batches == len(finished) == 7
    assert finished.epoch == 1


def test_the_colour_noise_is_in_the_values(shards: Path) -> None:
    make: dict[str, Any] = {"order": "sequential", "normalize": (MEAN, STD), "device": "cpu"}
    plain = next(iter(shardmill.Loader(shards, augment=RandomCrop(40, color_std=0.0, flip=False), **make)))
    noisy = next(iter(shardmill.Loader(shards, augment=RandomCrop(40, color_std=0.3, flip=False), **make)))
    shift = (noisy.images - plain.images).flatten(2)
    assert shift.abs().max() > 0.05
    assert shift.std(dim=2).max() < 1e-5
    assert noisy.color_shift.shape == (0, 3)


def test_a_state_counts_what_was_handed_out_and_not_what_is_ahead(shards: Path) -> None:
    make: dict[str, Any] = {"crop": 24, "batch_size": 10, "seed": 2, "device": "cpu"}
    loader = shardmill.Loader(shards, **make)
    keys = [key for batch in loader for key in batch.keys]
    loader.set_epoch(0)
    iteration = iter(loader)
    assert len(iteration) == 14
    assert loader.state_dict()["samples"] == 0
    for number in range(1, 4):
        next(iteration)
        assert loader.state_dict()["samples"] == 10 * number
        assert len(iteration) == 14 - number
    other = shardmill.Loader(shards, **{**make, "batch_size": 7})
    other.load_state_dict(loader.state_dict())
    assert [key for batch in other for key in batch.keys] == keys[30:]
    for _ in iteration:
        pass
    assert (loader.state_dict()["epoch"], loader.state_dict()["samples"]) == (1, 0)
    assert next(iteration, None) is None


def test_kept_batches_are_never_overwritten(shards: Path) -> None:
    for output in ("uint8", "float32"):
        loader = shardmill.Loader(shards, crop=24, batch_size=10, output=output, device="cpu")
        kept = [(images, images.clone(), labels, labels.clone()) for images, labels in loader]
        for images, was, labels, were in kept:
            assert torch.equal(images, was)
            assert torch.equal(labels, were)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
def test_loops_that_end_early_leave_no_threads(shards: Path) -> None:
    def threads() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/task"))

    loader = shardmill.Loader(shards, crop=24, batch_size=10, threads=2, device="cpu")

    def loop(error: bool) -> None:
        for _ in loader:
            if error:
                raise ZeroDivisionError
            break

    loop(error=False)
    before = threads()
    for number in range(100):
        with contextlib.suppress(ZeroDivisionError):
            loop(error=number % 2 == 0)
    assert threads() == before
    assert (loader.state_dict()["samples"], loader.epoch) == (10, 0)
    # A broken off epoch begins again.
    assert sum(len(batch.labels) for batch in loader) == SAMPLES


def test_the_batches_before_a_damaged_one_are_handed_out(own: Path) -> None:
    stored = shardmill.Dataset(own).stored(45)
    for shard in own.glob("*.safetensors"):
        data = bytearray(shard.read_bytes())
        at = data.find(stored)
        if at >= 0:
            data[at + 100] ^= 0xFF
            shard.write_bytes(data)
    seen = {}
    for device in (None, "cpu"):
        loader = shardmill.Loader(
            own, augment=CenterCrop(24), order="sequential", batch_size=10, framework="torch", device=device
        )
        iteration = iter(loader)
        keys = []
        with pytest.raises(shardmill.DamagedRecordError):
            for batch in iteration:
                keys += batch.keys
        assert loader.state_dict()["samples"] == len(keys)
        assert list(iteration) == []
        seen[device] = keys
    assert seen[None] == seen["cpu"]
    assert len(seen[None]) == 40


def test_a_closed_loader_ends_its_feed(shards: Path) -> None:
    loader = shardmill.Loader(shards, crop=24, batch_size=10, device="cpu")
    iteration = iter(loader)
    next(iteration)
    loader.close()
    with pytest.raises(shardmill.ClosedError):
        next(iteration)


def test_a_move_that_fails_ends_the_iteration_and_loses_no_batch_in_silence(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shardmill.device import Feed

    loader = shardmill.Loader(shards, crop=24, batch_size=10, device="cpu")
    iteration = iter(loader)
    finish = Feed._finish
    monkeypatch.setattr(
        Feed, "_finish", lambda self, *a: finish(self, *a) if self._number < 3 else _raise(MemoryError("the device's"))
    )
    assert next(iteration).step == 0
    assert next(iteration).step == 1
    with pytest.raises(MemoryError, match="the device's"):
        next(iteration)
    assert loader.state_dict()["samples"] == 20
    assert list(iteration) == []


def test_an_interrupted_move_ends_the_iteration_too(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shardmill.device import Feed

    loader = shardmill.Loader(shards, crop=24, batch_size=10, device="cpu")
    iteration = iter(loader)
    with monkeypatch.context() as patched:
        finish = Feed._finish
        patched.setattr(
            Feed, "_finish", lambda self, *a: finish(self, *a) if self._number < 3 else _raise(KeyboardInterrupt())
        )
        assert next(iteration).step == 0
        with pytest.raises(KeyboardInterrupt):
            next(iteration)
    # The batch that was ready is there; the interrupted one is lost, and none comes after it.
    assert next(iteration).step == 1
    with pytest.raises(shardmill.ClosedError):
        next(iteration)
    assert loader.state_dict()["samples"] == 20


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "torch sees no CUDA device: omit device"),
        ("cuda:3", "torch sees no CUDA device"),
        ("meta", 'choose "cuda", "cuda:N" or "cpu"'),
        ("gpu", "torch does not know"),
        ([], "torch does not know"),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    shards: Path, monkeypatch: pytest.MonkeyPatch, device: object, words: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(shardmill.SettingError, match=words):
        shardmill.Loader(shards, crop=24, device=device)


def test_more_devices_than_there_are_are_refused(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(shardmill.SettingError, match="torch sees 2 CUDA devices"):
        shardmill.Loader(shards, crop=24, device="cuda:2")


def test_a_device_is_torchs(shards: Path) -> None:
    with pytest.raises(shardmill.SettingError, match="device is 'cpu', a torch device, but framework is 'jax'"):
        shardmill.Loader(shards, crop=24, device="cpu", framework="jax")


class Clock:
    """Records the operations on stand-ins for CUDA's streams, by name, in the order of the calls."""

    def __init__(self) -> None:
        self.log: list[tuple[str, ...]] = []
        self.names = iter(range(1000))
        self.current = Stream(self, "caller")
        self.moving = False


class Stream:
    def __init__(self, clock: Clock, name: str) -> None:
        self.clock, self.name = clock, name

    def wait_event(self, event: Event) -> None:
        self.clock.log.append(("wait", self.name, event.name))

    def record_event(self) -> Event:
        event = Event(self.clock)
        event.record(self)
        return event


class Event:
    def __init__(self, clock: Clock) -> None:
        self.clock, self.name = clock, f"event {next(clock.names)}"

    def record(self, stream: Stream) -> None:
        self.clock.log.append(("record", stream.name, self.name))

    def synchronize(self) -> None:
        self.clock.log.append(("synchronize", self.name))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces CUDA's streams, events and pinned memory; device memory is host memory."""
    clock = Clock()

    @contextlib.contextmanager
    def on(stream: Stream) -> Iterator[None]:
        before, clock.current = clock.current, stream
        try:
            yield
        finally:
            clock.current = before

    cuda = torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    monkeypatch.setattr(cuda, "current_device", lambda: 1)
    monkeypatch.setattr(cuda, "Stream", lambda device: Stream(clock, f"side of {device}"))
    monkeypatch.setattr(cuda, "Event", lambda blocking: Event(clock))
    monkeypatch.setattr(cuda, "stream", on)
    monkeypatch.setattr(cuda, "current_stream", lambda device: clock.current)
    empty, to, copy = torch.empty, torch.Tensor.to, torch.Tensor.copy_

    def allocated(*shape: Any, device: Any = None, pin_memory: bool = False, **more: Any) -> Any:
        if device is not None:
            assert str(device) == "cuda:1"
            assert clock.current.name == "side of cuda:1"
        made = empty(*shape, **more)
        if pin_memory:
            clock.log.append(("pin", str(made.untyped_storage().data_ptr())))
        return made

    def copied(target: Any, source: Any, non_blocking: bool = False) -> Any:
        if non_blocking:
            clock.log.append(("copy", clock.current.name, str(source.untyped_storage().data_ptr())))
        else:
            clock.log.append(("fill", str(target.untyped_storage().data_ptr())))
        return copy(target, source)

    monkeypatch.setattr(torch, "empty", allocated)
    monkeypatch.setattr(torch.Tensor, "copy_", copied)
    monkeypatch.setattr(
        torch.Tensor, "to", lambda tensor, kind: tensor if isinstance(kind, torch.device) else to(tensor, kind)
    )
    monkeypatch.setattr(
        torch.Tensor,
        "record_stream",
        lambda tensor, stream: clock.log.append(("keep", stream.name, str(tensor.data_ptr()))),
    )
    return clock


@pytest.mark.parametrize("output", ["float32", "uint8"])
def test_streams_wait_for_each_other_and_pinned_memory_for_its_copy(shards: Path, clock: Clock, output: str) -> None:
    make: dict[str, Any] = {"augment": RandomCrop(24), "batch_size": 10, "output": output, "seed": 5}
    expected = list(shardmill.Loader(shards, framework="torch", **make))
    loader = shardmill.Loader(shards, device="cuda", **make)
    side = "side of cuda:1"
    batches = []
    for batch in loader:
        batches.append(batch)
        # The caller's stream waits for an event that the side stream recorded after the batch's copies.
        waits = [at for at, one in enumerate(clock.log) if one[:2] == ("wait", "caller")]
        assert len(waits) == len(batches)
        recorded = clock.log.index(("record", side, clock.log[waits[-1]][2]))
        copies = [at for at, one in enumerate(clock.log) if one[0] == "copy"]
        assert copies[3 * len(batches) - 1] < recorded < waits[-1]
        # Every returned tensor keeps its memory for the caller's stream.
        for tensor in (batch.images, batch.labels, batch.color_shift):
            assert ("keep", "caller", str(tensor.data_ptr())) in clock.log[waits[-1] :]
        clock.log.append(("handed",))
    assert len(batches) == len(expected) == 14
    for batch, host in zip(batches, expected, strict=True):
        torch.testing.assert_close(batch.images, host.images, rtol=0, atol=2e-4)
        assert torch.equal(batch.labels, host.labels)
        np.testing.assert_array_equal(batch.color_shift.numpy(), host.color_shift.numpy())
    check_pinned(clock.log, side)
    # The side stream never runs ahead: from the second batch that is sent after a hand-out on, it waits for the
    # caller's stream as it was at the hand-out before.
    events = {one[2] for one in clock.log if one[:2] == ("record", "caller")}
    behind = [one for one in clock.log if one[:2] == ("wait", side)]
    assert len(behind) == len(batches) - 2
    assert {one[2] for one in behind} <= events


def check_pinned(log: list[tuple[str, ...]], side: str) -> None:
    """Pinned memory is refilled only after a wait for the event that follows its latest copy."""
    pinned = {one[1] for one in log if one[0] == "pin"}
    # Images, labels and shifts, twice.
    assert len(pinned) == 6
    under_way: dict[str, str | None] = {}
    fills = 0
    for one in log:
        if one[0] == "copy":
            assert one[1] == side
            assert one[2] in pinned
            under_way[one[2]] = None
        elif one[:2] == ("record", side):
            # The first event after a copy is the one that covers it.
            under_way = {memory: event or one[2] for memory, event in under_way.items()}
        elif one[0] == "synchronize":
            under_way = {memory: event for memory, event in under_way.items() if event != one[1]}
        elif one[0] == "fill" and one[1] in pinned:
            assert one[1] not in under_way
            fills += 1
    assert fills == 14 * 3
