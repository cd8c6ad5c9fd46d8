"""A split of a dataset, sample by sample."""

from __future__ import annotations

import base64
import difflib
import html
import json
import operator
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from shardmill import _core
from shardmill.errors import DatasetNotFoundError, ReadError, SettingError
from shardmill.words import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

__all__ = ["Class", "Dataset", "Statistics"]

#: Records on a contact sheet.
_PICTURES = 32


def _check_folder(folder: str) -> None:
    """Reports what is there instead of a dataset; the compiled part reports everything else."""
    if _core.is_address(folder):
        return
    shown = folder.encode(errors="backslashreplace").decode()
    if os.path.isfile(folder):
        raise DatasetNotFoundError(f"{shown} is a file: give the folder that holds manifest.json", path=folder)
    if not os.path.isdir(folder):
        raise DatasetNotFoundError(f"there is no folder {shown}: give the folder that holds manifest.json", path=folder)
    if os.path.exists(os.path.join(folder, "manifest.json")):
        return
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ReadError(f"{shown}: {error.strerror}", path=folder) from error
    for name in names:
        if os.path.isfile(os.path.join(folder, name, "manifest.json")):
            below = os.path.join(shown, name.encode(errors="backslashreplace").decode())
            raise DatasetNotFoundError(
                f"{shown} holds no manifest.json, but {below} does: give that folder", path=folder
            )


class Class(NamedTuple):
    """A class; its label is its position in the list of classes."""

    synset: str
    """WordNet id, or the name of the class folder."""
    name: str
    """Human-readable name."""


class Statistics(NamedTuple):
    """Colour statistics of the training split on the 0-255 scale, R, G, B."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    eigenvalues: tuple[float, float, float]
    eigenvectors: tuple[tuple[float, float, float], ...]


class Dataset:
    """A split of a dataset, or a part of one: ``dataset[i]`` is ``(image, label)``.

    The image is uint8 ``[height, width, 3]``, the whole record. Augmentation is left to the
    :class:`~shardmill.Loader`, or to ``transform``, which is called with the image. A dataset works in
    ``torch.utils.data.DataLoader`` with forked or spawned worker processes: it is pickled as its path, and every
    process maps the same files.

    The path may be an address of an object store, such as ``s3://bucket/imagenet``. A loader then fetches whole shards
    through a cache on this machine, while ``dataset[i]`` fetches single records past it. Credentials come from the
    environment and are never part of a dataset, its pickle or a message.

    Args:
        path: The folder of a dataset, or its address.
        split: Name of the split.
        transform: Called with the image of ``dataset[i]``; its result replaces the image.
        cache_dir: Folder of the cache; by default ``SHARDMILL_CACHE_DIR``, or ``~/.cache/shardmill``.
        cache_bytes: Most bytes in the cache; by default ``SHARDMILL_CACHE_BYTES``, or half of what the disk has free.

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: str = "train",
        *,
        transform: Callable[[npt.NDArray[np.uint8]], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise SettingError(f"path is {path!r}; give the folder of a dataset, or its address")
        if not isinstance(split, str):
            raise SettingError(f"split is {split!r}; give a name such as 'train'")
        if cache_dir is not None and not isinstance(cache_dir, (str, os.PathLike)):
            raise SettingError(f"cache_dir is {cache_dir!r}; give a folder")
        given = os.fspath(path)
        _check_folder(os.fsdecode(given))
        self._path = given.rstrip("/") if _core.is_address(given) else os.path.abspath(given)
        self._split = split
        # Workers of a DataLoader may have another working directory.
        self._cache_dir = None if cache_dir is None else os.path.abspath(os.fsdecode(cache_dir))
        self._cache_bytes = None if cache_bytes is None else whole("cache_bytes", cache_bytes, 1)
        self._core = _core.Dataset(given, split, self._cache_dir, self._cache_bytes)
        self._origins: npt.NDArray[np.uint64] | None = None
        self.transform = transform
        """Called with the image of ``dataset[i]``; its result replaces the image."""

    def __len__(self) -> int:
        return len(self._core)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        at = self._index(index)
        image = self._core.read(at)
        return self._transformed(image), self._core.label(at)

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, int]]:
        """Several samples at once, for torch's DataLoader."""
        at = [self._index(index) for index in indices]
        images = self._core.read_many(at)
        return [(self._transformed(image), self._core.label(i)) for image, i in zip(images, at, strict=True)]

    def _index(self, index: int) -> int:
        try:
            at = operator.index(index)
        except TypeError:
            raise TypeError(f"{index!r} is not an index: give an integer, or select several with select()") from None
        count = len(self)
        if not -count <= at < count:
            raise IndexError(f"there is no sample {at}: the dataset has {count} samples")
        return at % count

    def _transformed(self, image: npt.NDArray[np.uint8]) -> Any:
        return image if self.transform is None else self.transform(image)

    @property
    def path(self) -> str:
        """The folder, as an absolute path; or the address."""
        return self._path

    @property
    def split(self) -> str:
        """Name of the split."""
        return self._split

    @property
    def labelled(self) -> bool:
        """Whether there are labels; otherwise each label is -1."""
        return self._core.labelled

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Every label, int64."""
        return self._core.labels()

    @property
    def targets(self) -> list[int]:
        """The labels as a list, as in torchvision's datasets."""
        targets: list[int] = self.labels.tolist()
        return targets

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each synset, as in torchvision's datasets."""
        return {one.synset: label for label, one in enumerate(self.classes)}

    @property
    def classes(self) -> list[Class]:
        """The classes that labels are indices into."""
        return [Class(*one) for one in self._core.classes()]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a record."""
        height, width = self._core.sides
        return height, width, 3

    @property
    def codec(self) -> str:
        """``raw``, ``zstd`` or ``jpeg``."""
        return self._core.codec

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of ``manifest.json``."""
        manifest: dict[str, Any] = json.loads(self._core.manifest())
        return manifest

    @property
    def statistics(self) -> Statistics | None:
        """Colour statistics of the training split, if the dataset has one."""
        found = self.manifest.get("statistics")
        if found is None:
            return None
        return Statistics(
            tuple(found["mean"]),
            tuple(found["std"]),
            tuple(found["eigenvalues"]),
            tuple(tuple(vector) for vector in found["eigenvectors"]),
        )

    @property
    def keys(self) -> list[str]:
        """Key of every sample: the path of its image in the source."""
        return self._core.keys(list(range(len(self))))

    def key(self, index: int) -> str:
        """Key of a sample."""
        return self._core.key(self._index(index))

    def stored(self, index: int) -> bytes:
        """The record as it is stored, after a check of its checksum: with codec ``jpeg``, a JPEG file."""
        return self._core.stored(self._index(index))

    def select(self, indices: Iterable[int]) -> Dataset:
        """The part with these samples, in this order; a sample may appear more than once."""
        return self._part(self._core.select([self._index(index) for index in indices]))

    def filter_classes(self, classes: Iterable[int | str]) -> Dataset:
        """The samples of these classes, given as labels, synsets (or names of class folders), or class names. Labels
        do not change."""
        if isinstance(classes, str):
            raise SettingError(f"classes is {classes!r}; give a list of labels, synsets or names")
        return self._part(self._core.filter_classes([self._label(one) for one in classes]))

    def _label(self, given: int | str) -> int:
        known = self.classes
        if not isinstance(given, str):
            label = operator.index(given)
            if not 0 <= label < len(known):
                raise SettingError(f"there is no class {label}: the dataset has {len(known)} classes")
            return label
        # "tench" is one of the names of "tench, Tinca tinca".
        for same in (
            lambda one: given == one.synset,
            lambda one: given == one.name,
            lambda one: given in one.name.split(", "),
        ):
            found = [i for i, one in enumerate(known) if same(one)]
            if found:
                break
        if len(found) == 1:
            return found[0]
        if found:
            synsets = ", ".join(known[i].synset for i in found)
            raise SettingError(f"{given!r} is the name of several classes: choose one of {synsets}")
        names = [word for one in known for word in (one.synset, *one.name.split(", "))]
        near = difflib.get_close_matches(given, names, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        said = [repr(one.synset) if one.synset == one.name else f"{one.synset} {one.name!r}" for one in known[:5]]
        some = ", ".join(said)
        raise SettingError(f"there is no class {given!r}{hint}; the classes are {some}{', ...' * (len(known) > 5)}")

    def _part(self, core: _core.Dataset) -> Dataset:
        part = Dataset.__new__(Dataset)
        part._path, part._split, part.transform = self._path, self._split, self.transform
        part._cache_dir, part._cache_bytes = self._cache_dir, self._cache_bytes
        part._core = core
        part._origins = core.origins()
        return part

    def __getstate__(self) -> dict[str, Any]:
        return {
            "path": self._path,
            "split": self._split,
            "origins": self._origins,
            "transform": self.transform,
            "cache_dir": self._cache_dir,
            "cache_bytes": self._cache_bytes,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._path, self._split = state["path"], state["split"]
        # A pickle of an earlier release has no cache.
        self._cache_dir, self._cache_bytes = state.get("cache_dir"), state.get("cache_bytes")
        self._core = _core.Dataset(self._path, self._split, self._cache_dir, self._cache_bytes)
        self._origins = state["origins"]
        self.transform = state["transform"]
        if self._origins is not None:
            self._core = self._core.select(self._origins.tolist())

    def _repr_html_(self) -> str:
        """For notebooks: a description, and images of the split with their classes."""
        about = html.escape(repr(self))
        if not len(self):
            return f"<p>{about}</p>"
        sheet = base64.b64encode(_core.contact_sheet(self._path, self._split, _PICTURES)).decode()
        part = "" if self._origins is None else "<p>The images are from the whole split.</p>"
        return f'<p>{about}</p><img alt="records with their classes" src="data:image/jpeg;base64,{sheet}">{part}'

    def __repr__(self) -> str:
        height, width, _ = self.shape
        return (
            f"shardmill.Dataset({self._path!r}, split={self._split!r}): {len(self):,} samples, "
            f"{len(self.classes):,} classes, {height}x{width}, {self.codec}"
        )
