"""The results as a table and as JSON objects."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .runner import OURS, RUST, TORCH, Result
from .stats import ratios, summary
from .work import Work

TITLES = {OURS: "Shardmill, numpy", TORCH: "Shardmill, torch", RUST: "loader bench (Rust)"}


@dataclass(frozen=True)
class Setting:
    """The settings that all rows of a run share."""

    threads: int
    batch_size: int
    images: int
    crop: int
    jpeg_bytes: float

    def lines(self) -> list[str]:
        """The first lines of the report."""
        jpeg = f", JPEGs of {self.jpeg_bytes / 1000:.1f} KB" if self.jpeg_bytes else ""
        return [
            f"{machine()}; Python {platform.python_version()}, {platform.system()}",
            f"{self.images:,} images{jpeg}, crop {self.crop}, batches of {self.batch_size}, "
            f"{self.threads} thread{'' if self.threads == 1 else 's'} or worker processes",
        ]


def machine() -> str:
    """The number of cores available to this process, and the processor's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{cores} core{'' if cores == 1 else 's'} of {name}"


def row(work: Work, result: Result, setting: Setting) -> dict[str, Any]:
    """A result as an object for ``--json``; an unknown figure is ``None``."""
    found: dict[str, Any] = {
        "work": work.name,
        "loader": result.loader,
        "version": result.version,
        "status": "skipped" if result.skipped else "failed" if result.failed else "measured",
        "reason": result.skipped or result.failed or None,
        "install": result.pip if result.skipped and result.pip else None,
        "n": len(result.rounds),
        "images_per_second": None,
        "min": None,
        "max": None,
        "cpu_seconds_per_1000_images": None,
        "ratio": None,
        "ratio_min": None,
        "ratio_max": None,
        "leaves_out": result.leaves_out or None,
        "threads": setting.threads,
        "batch_size": setting.batch_size,
        "images": setting.images,
        "crop": setting.crop,
        "machine": machine(),
    }
    if result.rounds:
        rates = summary([one.images_per_second for one in result.rounds])
        cpu = summary([one.cpu_seconds_per_1000 for one in result.rounds]).median
        found |= {"images_per_second": rates.median, "min": rates.least, "max": rates.largest}
        found["cpu_seconds_per_1000_images"] = None if math.isnan(cpu) else cpu
    if result.pairs:
        times = ratios(result.pairs, result.rounds)
        found |= {"ratio": times.median, "ratio_min": times.least, "ratio_max": times.largest}
    return found


def table(work: Work, results: Sequence[Result], setting: Setting) -> str:
    """The rows of one kind of work as text, with what each loader leaves out and what was not measured."""
    rows = [row(work, result, setting) for result in results]
    lines = [["loader", "n", "images/s (least to largest)", "ours / it", "CPU s/1k"]]
    notes = []
    for found in rows:
        name = TITLES.get(found["loader"], found["loader"])
        if found["status"] == "skipped":
            notes.append(f"skipped: {name}: {found['reason']}")
            if found["install"]:
                notes.append(f"    {found['install']}")
            continue
        if found["status"] == "failed":
            notes.append(f"failed: {name}: {found['reason']}".replace("\n", "\n    "))
        if found["leaves_out"]:
            notes.append(f"{name} leaves out: {found['leaves_out']}")
        if found["n"]:
            lines.append(_cells(name, found))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [work.title]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        text.append("  " + "  ".join(cells).rstrip())
    return "\n".join(text + ["  " + note for note in (*notes, *verdicts(rows))])


def _cells(name: str, found: dict[str, Any]) -> list[str]:
    rate, least, largest = (found[key] for key in ("images_per_second", "min", "max"))
    times = "" if found["ratio"] is None else f"{found['ratio']:.2f}"
    if times:
        times += f" ({found['ratio_min']:.2f} to {found['ratio_max']:.2f})"
    cpu = found["cpu_seconds_per_1000_images"]
    return [
        f"{name}" if name in TITLES.values() else f"{found['version']}",
        str(found["n"]),
        f"{rate:,.0f} ({least:,.0f} to {largest:,.0f})",
        times,
        "" if cpu is None else f"{cpu:.3f}",
    ]


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """How our loader compares with the fastest peer, with the Rust program, and with itself on torch."""
    said = []
    measured = {found["loader"]: found for found in rows if found["ratio"] is not None}
    peers = [found for name, found in measured.items() if name not in (RUST, TORCH)]
    if peers:
        fastest = max(peers, key=lambda found: float(found["images_per_second"]))
        said.append(f"{fastest['ratio']:.2f} times the fastest peer, {fastest['version']}")
    if RUST in measured:
        said.append(f"{100 * measured[RUST]['ratio']:.1f}% of loader bench")
    if TORCH in measured:
        said.append(f"with torch {100 / measured[TORCH]['ratio']:.1f}% of the figure with numpy")
    return said
