"""`python -m shardmill.bench`: its figures, its turns and its table."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from shardmill.bench import report, stats, worker
from shardmill.bench.client import FailedError, SkippedError
from shardmill.bench.report import Setting
from shardmill.bench.runner import OURS, RUST, TORCH, Result, differences, take_turns
from shardmill.bench.stats import Pass, Round
from shardmill.bench.work import WORKS, Job

SETTING = Setting(threads=2, batch_size=256, images=4096, crop=224, jpeg_bytes=21_540.0)


def job(loader: str = OURS, work: str = "raw") -> Job:
    return Job(loader, work, "shards", "raw", "train", "forms", 2, 4, 8)


def rounds(*rates: float, cpu: float = 0.25) -> list[Round]:
    return [Round(rate, cpu, 3) for rate in rates]


# Figures


def test_a_round_is_the_median_of_its_passes_and_their_processor_time() -> None:
    found = stats.of_passes([Pass(100, 1.0, 0.5), Pass(100, 0.5, 0.5), Pass(200, 4.0, 3.0)])
    assert found == Round(100.0, 10.0, 3)


@pytest.mark.parametrize("passes", [[], [Pass(0, 1.0, 0.0)], [Pass(5, 0.0, 0.0)]])
def test_a_round_without_images_is_refused(passes: list[Pass]) -> None:
    with pytest.raises(ValueError, match="without images"):
        stats.of_passes(passes)


def test_a_summary_has_median_least_and_largest() -> None:
    assert stats.summary([4.0, 1.0, 3.0, 2.0]) == stats.Summary(2.5, 1.0, 4.0)


def test_ratios_are_of_pairs_and_not_of_medians() -> None:
    # The machine was three times slower in the second pair; the ratio is 2 in all but the last.
    found = stats.ratios(rounds(600, 200, 900), rounds(300, 100, 300))
    assert found == stats.Summary(2.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="1 rounds against 2"):
        stats.ratios(rounds(1), rounds(1, 2))


def test_processor_time_counts_children_that_still_run() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ntime.sleep(60)"
    before = worker.processor_seconds()
    with subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        running = worker.processor_seconds() - before
        child.kill()
    ended = worker.processor_seconds() - before
    assert 0.25 < running < 5
    assert ended >= running - 0.05


# The worker's own check


class Feed:
    """Batches that a test made."""

    version = "feed 1"

    def __init__(self, batches: list[tuple[Any, Any]], repeats: int = 1) -> None:
        self.batches = batches
        self.repeats = repeats

    def epoch(self) -> Any:
        yield from self.batches


def batch(count: int, label: int, value: int = 100) -> tuple[Any, Any]:
    return np.full((count, 3, 8, 8), value, np.uint8), np.full(count, label)


def test_the_first_epoch_is_described() -> None:
    found = worker.check(Feed([batch(4, 0, 90), batch(4, 1, 110)]))
    assert found["images"] == 8
    assert (found["shape"], found["dtype"]) == ([3, 8, 8], "uint8")
    assert found["class_sizes"] == [4, 4]
    assert found["mean"] == pytest.approx(100)
    assert found["deviation"] == pytest.approx(10)
    assert worker.check(Feed([(batch(4, 0)[0], None)]))["class_sizes"] is None


def test_an_epoch_that_repeats_images_must_repeat_each() -> None:
    found = worker.check(Feed([batch(4, 0), batch(4, 0)], repeats=2))
    assert (found["images"], found["class_sizes"]) == (4, [4])
    with pytest.raises(ValueError, match="does not hold each image 2 times"):
        worker.check(Feed([batch(3, 0), batch(5, 1)], repeats=2))


def test_batches_of_several_kinds_are_refused() -> None:
    other = (np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4))
    with pytest.raises(ValueError, match="several shapes or types"):
        worker.check(Feed([batch(4, 0), other]))


def test_passes_are_whole_epochs_and_at_least_one() -> None:
    found = worker.passes(Feed([batch(4, 0), batch(2, 0)]), 1e-9)
    assert [one["images"] for one in found] == [6]

    class Slow(Feed):
        def epoch(self) -> Any:
            time.sleep(0.02)
            yield from self.batches

    found = worker.passes(Slow([batch(1, 0)]), 0.05)
    assert 2 <= len(found) <= 3
    assert all(0.02 <= one["seconds"] < 1 for one in found)


FACTS = {
    "images": 8,
    "shape": [3, 8, 8],
    "dtype": "float32",
    "mean": 0.2,
    "deviation": 1.0,
    "class_sizes": [4, 4],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"class_sizes": None}, None),
        ({"mean": 0.25}, None),
        ({"images": 7}, "images in an epoch: 7, not 8"),
        ({"shape": [8, 8, 3]}, "shape"),
        ({"dtype": "uint8"}, "type: uint8, not float32"),
        ({"class_sizes": [3, 5]}, "classes have different sizes"),
        ({"mean": 1.2}, "mean of the values: 1.200, not 0.200"),
        ({"mean": math.nan}, "mean"),
        ({"deviation": 0.004}, "deviation"),
    ],
)
def test_other_work_than_ours_is_noticed(change: dict[str, Any], said: str | None) -> None:
    found = differences(FACTS, FACTS | change)
    assert found == [] if said is None else said in found[0]


# Turns


class Fake:
    """A contestant with given rates; ``None`` is a crash."""

    version = "fake 1"

    def __init__(self, name: str, log: list[str], facts: Any, rates: list[float | None]) -> None:
        self.name, self.log, self.facts, self.rates = name, log, facts, rates

    def check(self) -> Any:
        self.log.append(f"{self.name} check")
        return self.facts

    def round(self, seconds: float) -> Round:
        self.log.append(self.name)
        rate = self.rates.pop(0)
        if rate is None:
            raise FailedError("ended with signal SIGSEGV")
        return Round(rate, 0.5, 1)

    def close(self) -> None:
        self.log.append(f"{self.name} close")


Rates = dict[str, list[float | None]]


def turns(rates: Rates, number: int, **facts: Any) -> tuple[list[Result], list[str]]:
    log: list[str] = []

    def open_(name: str, _: Job) -> Fake:
        if name not in rates:
            raise SkippedError(f"ModuleNotFoundError: No module named '{name}'")
        return Fake(name, log, facts.get(name, FACTS), rates[name])

    names = ["ffcv", "dali", "mosaic"]
    return take_turns(names, job, number, 1.0, lambda _: None, open_), log


def test_loaders_take_turns_and_ours_is_before_each() -> None:
    rates: Rates = {OURS: [10, 20, 30, 40], "ffcv": [5, 5], "dali": [4, 4]}
    results, log = turns(rates, 2)
    order = ["ours", "ffcv", "ours", "dali"]
    assert [entry for entry in log if " " not in entry] == order * 2
    mine, ffcv, dali, mosaic = results
    assert [one.images_per_second for one in mine.rounds] == [10, 20, 30, 40]
    assert [one.images_per_second for one in ffcv.pairs] == [10, 30]
    assert [one.images_per_second for one in dali.pairs] == [20, 40]
    assert mosaic.skipped == "ModuleNotFoundError: No module named 'mosaic'"
    assert log[-3:] == ["ours close", "ffcv close", "dali close"]


def test_a_crash_is_reported_and_the_rest_goes_on() -> None:
    rates: Rates = {OURS: [1] * 9, "ffcv": [5, None], "dali": [4, 4, 4], "mosaic": [3, 3, 3]}
    results, log = turns(rates, 3)
    _, ffcv, dali, mosaic = results
    assert ffcv.failed == "ended with signal SIGSEGV"
    assert (len(ffcv.rounds), len(ffcv.pairs)) == (1, 1)
    assert (len(dali.rounds), len(mosaic.rounds)) == (3, 3)
    assert log.count("ffcv") == 2
    assert log.count("ours") == 8, "no turn of ours without another's behind it"


def test_a_loader_that_does_other_work_takes_no_turn() -> None:
    rates: Rates = {OURS: [1] * 9, "ffcv": [5], "dali": [4], "mosaic": [4]}
    results, log = turns(rates, 1, dali=FACTS | {"images": 7})
    assert results[2].failed == "its work differs from ours: images in an epoch: 7, not 8"
    assert "dali close" in log
    assert "dali" not in log


def test_ours_alone_is_measured_too() -> None:
    results, _ = turns({OURS: [1, 2, 3]}, 3)
    assert [one.images_per_second for one in results[0].rounds] == [1, 2, 3]
    assert all(result.skipped for result in results[1:])


def test_without_ours_nobody_is_measured() -> None:
    results, log = turns({OURS: [None], "ffcv": [5]}, 2)
    assert results[0].failed
    assert "ffcv" not in log
    assert log[-1] == "ffcv close"


# Table


def results() -> list[Result]:
    return [
        Result(OURS, "shardmill 1", "", rounds(40_000, 42_000, 44_000, cpu=0.03)),
        Result("ffcv", "ffcv 1.0.2", "", rounds(7000, 7500, 8000), rounds(42_000, 30_000, 44_000)),
        Result("dali", "dali 2.4.0", "labels", rounds(8000.0), rounds(40_000)),
        Result(RUST, "loader 1", "", rounds(44_000, cpu=math.nan), rounds(42_900)),
        Result(TORCH, "shardmill 1, torch 2", "", rounds(42_000.0), rounds(42_000)),
        Result("mosaic", skipped="ModuleNotFoundError: No module named 'streaming'", pip="pip it"),
        Result("webdataset", "webdataset 1", failed="ended with status 1\nBoom: no"),
    ]


def test_the_table_holds_medians_spread_ratios_and_what_is_missing() -> None:
    lines = report.table(WORKS["raw"], results(), SETTING).splitlines()
    assert lines[0] == WORKS["raw"].title
    table = [line.split("  ") for line in lines]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in table]
    assert cells[2] == ["Shardmill, numpy", "3", "42,000 (40,000 to 44,000)", "0.030"]
    assert cells[3] == [
        "ffcv 1.0.2",
        "3",
        "7,500 (7,000 to 8,000)",
        "5.50 (4.00 to 6.00)",
        "0.250",
    ]
    rust = ["loader bench (Rust)", "1", "44,000 (44,000 to 44,000)"]
    assert cells[5] == [*rust, "0.97 (0.97 to 0.97)"], "its processor time is not known"
    text = "\n".join(lines)
    assert "dali leaves out: labels" in text
    assert "skipped: mosaic: ModuleNotFoundError: No module named 'streaming'\n      pip it" in text
    assert "failed: webdataset: ended with status 1\n    Boom: no" in text
    assert "5.00 times the fastest peer, dali 2.4.0" in text
    assert "97.5% of loader bench" in text
    assert "with torch 100.0% of the figure with numpy" in text


def test_a_row_of_json_has_every_figure_by_its_name() -> None:
    found = [report.row(WORKS["raw"], result, SETTING) for result in results()]
    ours, ffcv, _, rust, _, mosaic, webdataset = found
    assert json.loads(json.dumps(found)) == found
    assert (ours["n"], ours["images_per_second"], ours["ratio"]) == (3, 42_000, None)
    assert (ffcv["min"], ffcv["max"]) == (7000, 8000)
    assert (ffcv["ratio"], ffcv["ratio_min"], ffcv["ratio_max"]) == (5.5, 4.0, 6.0)
    assert ffcv["cpu_seconds_per_1000_images"] == 0.25
    assert rust["cpu_seconds_per_1000_images"] is None
    assert (mosaic["status"], mosaic["install"], mosaic["n"]) == ("skipped", "pip it", 0)
    assert webdataset["status"] == "failed"
    assert webdataset["reason"].startswith("ended with status 1")


def test_the_head_says_what_was_read() -> None:
    assert SETTING.lines()[1] == (
        "4,096 images, JPEGs of 21.5 KB, crop 224, batches of 256, 2 threads or worker processes"
    )
