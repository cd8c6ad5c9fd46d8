"""How samples become rows of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from shardmill.errors import SettingError
from shardmill.words import choose, number, whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Augment",
    "AugmentName",
    "CenterCrop",
    "ColorJitter",
    "FixedCrop",
    "RandomCrop",
    "RandomResizedCrop",
    "Sample",
    "TenViews",
    "Transform",
    "TwoViews",
    "augment_named",
]

_USUAL_CROP = 224


@dataclass(frozen=True)
class Augment:
    """Base class of the augmentations."""

    crop: int = _USUAL_CROP
    """Side of the crop window, in pixels."""

    kind: ClassVar[str]
    random: ClassVar[bool] = True
    """Whether it draws anything at random."""
    views: ClassVar[int] = 1
    """Rows that it makes from a sample."""

    def __post_init__(self) -> None:
        if type(self) is Augment:
            raise TypeError("Augment is the base class of the augmentations: use RandomCrop or another of them")

    def settings(self) -> dict[str, object]:
        """The settings in the form that the loader takes.

        Raises:
            SettingError: A value has the wrong type or is out of range.

        """
        flip = getattr(self, "flip", False)
        if not isinstance(flip, bool):
            raise SettingError(f"flip is {flip!r}; give True or False")
        color_std = number("color_std", getattr(self, "color_std", 0.0))
        if color_std < 0:
            raise SettingError(f"color_std is {color_std}; give 0 for no noise, or a positive number")
        return {
            "kind": self.kind,
            # The limit is larger than any record, and fits into the 32 bits of the compiled part.
            "crop": min(whole("crop", self.crop, 1), 1 << 31),
            "flip": flip,
            "color_std": color_std,
            "scale": _pair("scale", getattr(self, "scale", (1.0, 1.0))),
            "ratio": _pair("ratio", getattr(self, "ratio", (1.0, 1.0))),
        }


def _pair(setting: str, given: object) -> tuple[float, float]:
    """Checks a pair of a least and a largest number."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise SettingError(f"{setting} is {given!r}; give a pair (least, largest)")
    return number(setting, given[0]), number(setting, given[1])


@dataclass(frozen=True)
class RandomCrop(Augment):
    """A random crop, randomly flipped, with the AlexNet paper's colour noise."""

    flip: bool = True
    """Whether half of the samples are flipped."""
    color_std: float = 0.1
    """Standard deviation of the noise along each principal component of the colours; 0 for none."""

    kind: ClassVar[str] = "random_crop"


@dataclass(frozen=True)
class RandomResizedCrop(Augment):
    """A random crop of random area and aspect ratio, resized bilinearly with antialiasing, randomly flipped."""

    scale: tuple[float, float] = (0.08, 1.0)
    """Least and largest share of the record's area."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and largest ratio of width to height."""
    flip: bool = True
    """Whether half of the samples are flipped."""
    color_std: float = 0.0
    """As in :class:`RandomCrop`."""

    kind: ClassVar[str] = "random_resized_crop"


@dataclass(frozen=True)
class FixedCrop(Augment):
    """For training without random crops: the centre crop, randomly flipped."""

    flip: bool = True
    """Whether half of the samples are flipped."""
    color_std: float = 0.1
    """As in :class:`RandomCrop`."""

    kind: ClassVar[str] = "fixed_crop"


@dataclass(frozen=True)
class CenterCrop(Augment):
    """For evaluation: the centre crop."""

    kind: ClassVar[str] = "center"
    random: ClassVar[bool] = False


@dataclass(frozen=True)
class TwoViews(Augment):
    """For evaluation: the centre crop and its mirror image."""

    kind: ClassVar[str] = "two_view"
    random: ClassVar[bool] = False
    views: ClassVar[int] = 2


@dataclass(frozen=True)
class TenViews(Augment):
    """The paper's test: crops at the four corners and the centre, then their mirror images."""

    kind: ClassVar[str] = "ten_view"
    random: ClassVar[bool] = False
    views: ClassVar[int] = 10


@dataclass(frozen=True)
class ColorJitter:
    """Random colour jitter as torchvision defines it, applied before the colour noise."""

    brightness: float = 0.0
    """The factor is uniform from max(0, 1 - brightness) to 1 + brightness; likewise for the next two."""
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    """Largest rotation of the hue, as a fraction of the colour circle; at most 0.5."""

    def settings(self) -> tuple[float, float, float, float]:
        """The four values in the form that the loader takes."""
        parts = ("brightness", "contrast", "saturation", "hue")
        brightness, contrast, saturation, hue = (number(part, getattr(self, part)) for part in parts)
        return brightness, contrast, saturation, hue


@dataclass(frozen=True)
class Sample:
    """What a transform gets to know about its sample."""

    label: int
    key: str
    index: int
    """The sample's index, as in ``batch.indices``."""
    epoch: int
    seed: int
    """64 random bits that depend on (seed, epoch, sample) alone, for ``numpy.random.default_rng``."""


if TYPE_CHECKING:
    Transform: TypeAlias = Callable[[npt.NDArray[np.uint8], Sample], npt.NDArray[np.uint8] | None]
else:
    Transform = Callable

AugmentName: TypeAlias = Literal[
    "alexnet", "random_crop", "random_resized_crop", "fixed_crop", "center", "two_view", "ten_view"
]

_NAMED: Mapping[str, type[Augment]] = {
    "alexnet": RandomCrop,
    "random_crop": RandomCrop,
    "random_resized_crop": RandomResizedCrop,
    "fixed_crop": FixedCrop,
    "center": CenterCrop,
    "two_view": TwoViews,
    "ten_view": TenViews,
}


def augment_named(given: str | Augment | None, crop: int | None, split: str) -> Augment:
    """Finds the augmentation; the default is AlexNet's for the split ``train`` and the centre crop for others."""
    if isinstance(given, Augment):
        if crop is not None and crop != given.crop:
            raise SettingError(f"crop is {crop}, but {given!r} has a crop of its own: give one of the two")
        return given
    name = given if given is not None else ("alexnet" if split == "train" else "center")
    kind = _NAMED[choose("augment", name, _NAMED, "an object such as RandomCrop(224)")]
    return kind() if crop is None else kind(crop=crop)
