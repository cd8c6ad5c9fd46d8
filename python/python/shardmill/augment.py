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
    """What the augmentations have in common."""

    crop: int = _USUAL_CROP
    """Side of the window, in pixels."""

    kind: ClassVar[str]
    random: ClassVar[bool] = True
    """Whether it draws anything at random."""
    views: ClassVar[int] = 1
    """Rows that it makes of a sample."""

    def __post_init__(self) -> None:
        if type(self) is Augment:
            raise TypeError("Augment is what the augmentations have in common: use RandomCrop or another of them")

    def settings(self) -> dict[str, object]:
        """The settings as the loader takes them.

        Raises:
            SettingError: a value of another type.

        """
        flip = getattr(self, "flip", False)
        if not isinstance(flip, bool):
            raise SettingError(f"flip is {flip!r}; give True or False")
        color_std = number("color_std", getattr(self, "color_std", 0.0))
        if color_std < 0:
            raise SettingError(f"color_std is {color_std}; give 0 for no noise, or more")
        return {
            "kind": self.kind,
            # Larger than any record, and small enough for the other side.
            "crop": min(whole("crop", self.crop, 1), 1 << 31),
            "flip": flip,
            "color_std": color_std,
            "scale": _pair("scale", getattr(self, "scale", (1.0, 1.0))),
            "ratio": _pair("ratio", getattr(self, "ratio", (1.0, 1.0))),
        }


def _pair(setting: str, given: object) -> tuple[float, float]:
    """A least and a largest number."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise SettingError(f"{setting} is {given!r}; give the least and the largest")
    return number(setting, given[0]), number(setting, given[1])


@dataclass(frozen=True)
class RandomCrop(Augment):
    """A random window, perhaps mirrored, with the AlexNet paper's colour noise."""

    flip: bool = True
    """Whether half of the samples are mirrored."""
    color_std: float = 0.1
    """Standard deviation of the noise along each principal component of the colours; 0 is none."""

    kind: ClassVar[str] = "random_crop"


@dataclass(frozen=True)
class RandomResizedCrop(Augment):
    """A random window of any size, resized bilinearly with antialiasing, perhaps mirrored."""

    scale: tuple[float, float] = (0.08, 1.0)
    """Least and largest share of the record's area."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and largest ratio of width to height."""
    flip: bool = True
    """Whether half of the samples are mirrored."""
    color_std: float = 0.0
    """As of :class:`RandomCrop`."""

    kind: ClassVar[str] = "random_resized_crop"


@dataclass(frozen=True)
class FixedCrop(Augment):
    """For training without random windows: the centre window, perhaps mirrored."""

    flip: bool = True
    """Whether half of the samples are mirrored."""
    color_std: float = 0.1
    """As of :class:`RandomCrop`."""

    kind: ClassVar[str] = "fixed_crop"


@dataclass(frozen=True)
class CenterCrop(Augment):
    """For evaluation: the centre window."""

    kind: ClassVar[str] = "center"
    random: ClassVar[bool] = False


@dataclass(frozen=True)
class TwoViews(Augment):
    """For evaluation: the centre window and its mirror image."""

    kind: ClassVar[str] = "two_view"
    random: ClassVar[bool] = False
    views: ClassVar[int] = 2


@dataclass(frozen=True)
class TenViews(Augment):
    """The paper's test: four corners and the centre, then their mirror images."""

    kind: ClassVar[str] = "ten_view"
    random: ClassVar[bool] = False
    views: ClassVar[int] = 10


@dataclass(frozen=True)
class ColorJitter:
    """Random changes of colour with torchvision's definitions, before the colour noise."""

    brightness: float = 0.0
    """The factor is uniform from 1 - brightness, or 0, to 1 + brightness; so of the next two."""
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    """Part of a circle that the hue is turned by at most; at most 0.5."""

    def settings(self) -> tuple[float, float, float, float]:
        """The four parts as the loader takes them."""
        parts = ("brightness", "contrast", "saturation", "hue")
        brightness, contrast, saturation, hue = (number(part, getattr(self, part)) for part in parts)
        return brightness, contrast, saturation, hue


@dataclass(frozen=True)
class Sample:
    """What a transform is told about its sample."""

    label: int
    key: str
    index: int
    """The index that the batch gives."""
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
    """The augmentation that was asked for: AlexNet's of a training split, the centre of another."""
    if isinstance(given, Augment):
        if crop is not None and crop != given.crop:
            raise SettingError(f"crop is {crop}, but {given!r} has its own: give one of the two")
        return given
    name = given if given is not None else ("alexnet" if split == "train" else "center")
    kind = _NAMED[choose("augment", name, _NAMED, "an object such as RandomCrop(224)")]
    return kind() if crop is None else kind(crop=crop)
