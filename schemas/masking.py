"""What of a refused event may be kept: everything but pseudonyms and whatever might be a telephone number.

Takes any parsed JSON and always gives JSON that can be written: hostile depth, numbers no encoder takes and halves of
surrogate pairs included. Names of members are masked like values, since a broken source may put a number there.
"""

import re

MASK = "#####"
DEPTH_MAX = 32

_DIGITS = re.compile(r"\d(?: ?\d){4,}")
_PSEUDONYMS = {"handler", "subject"}


def mask(event_json: object, depth: int = 0) -> object:
    """A copy without pseudonyms and without runs of five or more digits, spaced or not, at most 32 deep."""
    if depth > DEPTH_MAX:
        return MASK
    match event_json:
        case None | bool():
            return event_json
        case str():
            return _mask_text(event_json)
        case int() | float():
            return MASK if _is_long(event_json) else event_json
        case list() | tuple():
            return [mask(item, depth + 1) for item in event_json]
        case dict():
            return {
                _mask_text(str(name)): MASK if _names_pseudonym(str(name)) else mask(value, depth + 1)
                for name, value in event_json.items()
            }
        case _:
            return MASK


def _names_pseudonym(name: str) -> bool:
    return "token" in name.lower() or name.lower() in _PSEUDONYMS


def _mask_text(text: str) -> str:
    return _DIGITS.sub(MASK, text.encode(errors="replace").decode())


def _is_long(number: int | float) -> bool:
    """Whether its digits would show a run of five; a huge `int` has no text at all."""
    return abs(number) >= 10_000 or _DIGITS.search(repr(number)) is not None
