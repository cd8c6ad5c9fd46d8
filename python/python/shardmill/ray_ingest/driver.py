"""The process that plans an ingest, hands out its shards to Ray, and completes the dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from shardmill import _core
from shardmill.errors import PrepareError, SettingError
from shardmill.prepare import ingest_options, make_options, summary_of
from shardmill.ray_ingest.report import Report
from shardmill.ray_ingest.worker import Finished, Order, Refused, make_shard
from shardmill.words import whole

__all__ = ["NO_RAY", "ingest"]

NO_RAY = "Ray is not installed in this Python: pip install 'shardmill[ray]', on every node"

#: Tasks that are handed out beyond those that run, for each that runs: enough that no machine waits, and few enough
#: that the tasks take little of the object store's memory.
_AHEAD = 2
#: Least number of tasks that are handed out, so that a cluster that grows by demand sees one.
_LEAST_AHEAD = 16
#: Seconds between two lines of progress, and two looks at the nodes.
_LINE_EVERY = 10.0
#: Seconds for running tasks to end after an error.
_LONGEST_END = 10.0

_PathLike: TypeAlias = "str | os.PathLike[str]"


def ingest(
    source: _PathLike,
    out: _PathLike,
    *,
    codec: str = "raw",
    quality: int | None = None,
    size: int = 256,
    resize: str = "short-side",
    filter: str = "bilinear",
    exif: str = "ignore",
    truncated: str = "reject",
    check: str = "decoded",
    on_error: str = "reject",
    max_rejects: int | str | None = None,
    layout: str | None = None,
    val_fraction: float = 0.0,
    without: Sequence[str] = (),
    shard_records: int = 4096,
    seed: int = 0,
    decode_memory: int | None = None,
    ignore_free_space: bool = False,
    work: _PathLike | None = None,
    address: str | None = None,
    cpus_per_shard: int | None = None,
    retries: int = 10,
    say: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """Makes a dataset as :func:`shardmill.ingest` does, with the same bytes, on a Ray cluster: one task a shard.

    Every node must see ``source`` under the same path, and ``out`` too, unless that is an address such as
    ``s3://bucket/imagenet``. ``work`` is then the folder of each node for shards that are not uploaded yet.

    ``address`` is that of the cluster; by default the one that Ray finds, or a new one on this machine. A task takes
    ``cpus_per_shard`` CPUs; by default as many as let all shards be made at once, and at least one. If a worker or a
    node dies, Ray gives its shard to another, at most ``retries`` times. ``say`` gets the lines of progress.

    After an interruption the same call resumes, and so does ``shardmill.ingest``. Returns the summary.
    """
    make = make_options(
        codec=codec,
        quality=quality,
        size=size,
        resize=resize,
        filter=filter,
        exif=exif,
        truncated=truncated,
        check=check,
        on_error=on_error,
        shard_records=shard_records,
        threads=0,
        decode_memory=decode_memory,
    )
    args = ingest_options(
        layout=layout,
        max_rejects=max_rejects,
        seed=seed,
        val_fraction=val_fraction,
        without=without,
        ignore_free_space=ignore_free_space,
        work=work,
    )
    retries = whole("retries", retries, -1)
    if cpus_per_shard is not None:
        cpus_per_shard = whole("cpus_per_shard", cpus_per_shard, 1, 1024)
    try:
        import ray  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise PrepareError(NO_RAY) from error
    report = Report(say or (lambda line: None))
    began = not ray.is_initialized()
    if began:
        ray.init(address=address, configure_logging=False)
    elif address is not None:
        raise SettingError("address is given, but this process is connected to a cluster of Ray already: leave it out")
    shared = None
    try:
        folder = os.fsdecode(out)
        order = Order(
            source=os.path.abspath(os.fsdecode(source)),
            out=folder if _core.is_address(folder) else os.path.abspath(folder),
            make=make,
            args=args,
        )
        shared = _core.SharedIngest(order.source, order.out, order.make, order.args, report.listed)
        if shared.complete is not None:
            return summary_of(shared.complete)
        images = shared.images()
        cpus = cpus_per_shard or _cpus(ray, len(images))
        make["threads"] = cpus
        report.begin(images, shared.finished_before, cpus, _nodes(ray))
        remote = ray.remote(num_cpus=cpus, max_retries=retries, scheduling_strategy="SPREAD")(make_shard)
        plan = ray.put(shared.plan())
        tasks = (
            (number, remote.remote(order, plan, shared.task(number), f"shard {number + 1} of {len(images)}"))
            for number in range(len(images))
        )
        _run(ray, tasks, shared, report, cpus)
        return summary_of(shared.finish())
    finally:
        if shared is not None:
            # An exception may keep the object alive, and with it the lock of the journal.
            shared.abandon()
        if began:
            ray.shutdown()


def _run(ray: Any, tasks: Iterator[tuple[int, Any]], shared: Any, report: Report, cpus: int) -> None:
    """Hands out the tasks, a few more than run at once, and records what comes back."""
    pending: dict[Any, int] = {}
    most = _most(ray, cpus)
    try:
        while True:
            while len(pending) < most:
                following = next(tasks, None)
                if following is None:
                    break
                pending[following[1]] = following[0]
            if not pending:
                report.line(_nodes(ray))
                return
            ready, _ = ray.wait(list(pending), timeout=report.seconds_to_line(_LINE_EVERY))
            for reference in ready:
                number = pending.pop(reference)
                shared.record(_result(ray, reference).line)
                report.finished(number)
            if report.is_due(_LINE_EVERY):
                report.line(_nodes(ray))
                most = _most(ray, cpus)
    except BaseException:
        # A task that is stopped so removes what it has half written.
        for reference in pending:
            with contextlib.suppress(Exception):
                ray.cancel(reference)
        with contextlib.suppress(Exception):
            ray.wait(list(pending), num_returns=len(pending), timeout=_LONGEST_END)
        raise


def _result(ray: Any, reference: Any) -> Finished:
    """What a task returned."""
    try:
        result: Finished | Refused = ray.get(reference)
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()
        text = first[-1] if isinstance(error, ray.exceptions.RayTaskError) else " ".join(first)
        raise PrepareError(
            f"Ray could not make a shard: {text}; what is finished is kept, and the same command resumes it. Every "
            "node needs the same version of the package shardmill"
        ) from error
    if isinstance(result, Refused):
        raise PrepareError(f"{result.text} (on the node {result.node})")
    return result


def _cpus(ray: Any, shards: int) -> int:
    """CPUs for each shard: as many as let all be made at once, as far as every node has them."""
    nodes = [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]
    nodes = [cpus for cpus in nodes if cpus >= 1]
    if not nodes:
        return 1
    return max(1, min(int(sum(nodes)) // shards, int(min(nodes))))


def _most(ray: Any, cpus: int) -> int:
    """Tasks that are handed out at once."""
    slots = int(ray.cluster_resources().get("CPU", 0.0)) // cpus
    return max(_LEAST_AHEAD, _AHEAD * slots)


def _nodes(ray: Any) -> int:
    """Number of the cluster's nodes."""
    return sum(node["Alive"] for node in ray.nodes())
