"""Loads one batch with only the wheel and numpy installed; runs on every CPython."""

import sys
import tempfile
from pathlib import Path

import numpy as np

import shardmill


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "shards"
        pictures = [np.full((32, 32, 3), 10 * i, np.uint8) for i in range(20)]
        samples = [(picture, i % 2) for i, picture in enumerate(pictures)]
        shardmill.write(shards, samples, classes=["even", "odd"], size=32)
        loader = shardmill.Loader(shards, batch_size=20, crop=32, augment="center")
        ((images, labels),) = list(loader)
        assert images.shape == (20, 3, 32, 32)
        assert [int(image[0, 0, 0]) for image in images] == [10 * i for i in range(20)]
        assert labels.tolist() == [0, 1] * 10
        state = loader.state_dict()
        assert state["epoch"] == 1
    version = "{}.{}.{}".format(*sys.version_info[:3])
    print(f"CPython {version}, numpy {np.__version__}: shardmill {shardmill.__version__} loads a batch")


if __name__ == "__main__":
    main()
