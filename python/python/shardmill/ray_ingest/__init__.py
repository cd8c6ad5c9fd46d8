"""Making a dataset on a Ray cluster, one task a shard: ``shardmill ray-ingest``, and :func:`ingest` for programs.

The process that begins, the driver, lists and plans the source once. Each task gets the images of its shard and makes
it, so no machine lists the source again. The driver keeps the journal of an ingest on one machine and writes the
manifest at the end: the bytes are those of ``prep ingest``, and either of the two resumes what the other began.
"""

from __future__ import annotations

from shardmill.ray_ingest.driver import ingest

__all__ = ["ingest"]
