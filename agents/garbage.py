"""The garbage collector of a process that holds an engine."""

import gc
from typing import Literal

YOUNG_MAX = 1_000
"""So many objects that came and stayed are looked at together: a few milliseconds at most."""


def look_once() -> None:
    """From now on look for cycles among what is new only: what lives on is not looked at again.

    The engine's records are millions and hold no cycles. Looking at all of them, as the collector does by default,
    would hold everybody up for a second now and then. A cycle that lives through one look and ends later is not
    found: connections that are closed are such, some kilobytes each.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
    gc.callbacks.append(_keep)


def _keep(phase: Literal["start", "stop"], _: dict[str, int]) -> None:
    if phase == "stop":
        gc.freeze()
