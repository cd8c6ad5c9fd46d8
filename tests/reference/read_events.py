"""Reads a run's TensorBoard files with the Python package and compares them with metrics.jsonl.

    python3 tests/reference/read_events.py RUN        (tensorboard 2.21.0)
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {
    "step": {
        "train/loss": "loss",
        "train/top1_error": "top1_error",
        "train/top5_error": "top5_error",
        "train/lr": "lr",
        "train/gradient_norm": "gradient_norm",
        "speed/images_per_second": "images_per_second",
        "speed/data_wait": "data_wait",
    },
    "center": {
        "val/loss": "loss",
        "val/top1_error": "top1_error",
        "val/top5_error": "top5_error",
    },
    "ten": {
        "val/ten_views_loss": "loss",
        "val/ten_views_top1_error": "top1_error",
        "val/ten_views_top5_error": "top5_error",
    },
}


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def main():
    run = Path(sys.argv[1])
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    count = 0
    for kind, tags in TAGS.items():
        chosen = [line for line in lines if kind in (line["event"], line.get("views"))]
        for tag, key in tags.items():
            if not chosen:
                continue
            expected = [(line["step"], f32(line[key])) for line in chosen]
            found = [(event.step, event.value) for event in events.Scalars(tag)]
            assert found == expected, (tag, found, expected)
            count += len(found)
    assert count > 0
    print(f"{count} values of {len(events.Tags()['scalars'])} tags are those of metrics.jsonl")


if __name__ == "__main__":
    main()
