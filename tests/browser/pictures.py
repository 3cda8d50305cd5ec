"""Pictures of the page beside those it is to look like: what counts as the same, and what is left of a difference.

The pictures to look like are in `reference/`, a third as wide and high where the screen is very large, with few
colours, so that all of them are small.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image

REFERENCE = Path(__file__).parent / "reference"
FOUND = Path(__file__).parents[2] / ".cache" / "pictures"
"""Where pictures that differ are left, with what differs in them."""
LARGE = 2_000
"""A picture wider than this, in pixels, is kept a third as wide and high."""
COLOURS = 64

DISTANCE_MAX = 48
"""Of 255, in the channel that differs most: what few colours cost, and how edges of letters are smoothed, is less."""
DIFFERENT_MAX = 0.001
"""The share of pixels that may lie further apart: a word of a big screen is more."""


def taken(png: Path) -> Image.Image:
    """A screenshot as it is compared."""
    with Image.open(png) as picture:
        small = picture.convert("RGB")
    return small.reduce(3) if small.width > LARGE else small


def renew(name: str, picture: Image.Image) -> None:
    """From now on `name` is to look like `picture`."""
    REFERENCE.mkdir(exist_ok=True)
    few = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(REFERENCE / f"{name}.png", optimize=True)


def difference(name: str, picture: Image.Image) -> float:
    """The share of pixels in which `picture` is not what `name` is to look like; 1 where it is of another size."""
    with Image.open(REFERENCE / f"{name}.png") as kept:
        wanted = kept.convert("RGB")
    if wanted.size != picture.size:
        return 1.0
    return float(_differs(wanted, picture).mean())


def leave(name: str, picture: Image.Image, folder: Path = FOUND) -> str:
    """Keep `picture` and what differs in it, red on a faint copy, for whoever has to look; says where."""
    folder.mkdir(parents=True, exist_ok=True)
    actual, marked = folder / f"{name}.png", folder / f"{name}.difference.png"
    picture.save(actual)
    said = f"{name} looks different: see {os.path.relpath(actual)}"
    with Image.open(REFERENCE / f"{name}.png") as kept:
        wanted = kept.convert("RGB")
    if wanted.size != picture.size:
        return f"{said}, which is {picture.size} instead of {wanted.size}"
    faint = np.asarray(picture.convert("L").convert("RGB")) // 4 + 191
    pixels = np.where(_differs(wanted, picture)[..., None], np.array([255, 0, 0], dtype=np.uint8), faint)
    Image.fromarray(pixels.astype(np.uint8)).save(marked)
    return f"{said}, and where it differs in {os.path.relpath(marked)}"


def _differs(one: Image.Image, other: Image.Image) -> np.ndarray:
    """By row and column, whether the pixels are far apart."""
    apart = np.abs(np.asarray(one, dtype=np.int16) - np.asarray(other, dtype=np.int16))
    return np.asarray(apart.max(axis=2) > DISTANCE_MAX)
