"""What of a board is shown to whom. No identity leaves here: not of a call, a visit, a caller or a handler.

`room` is for a screen that many see: figures of queues, nothing of single visits. `supervisor` adds the head of each
line, by position and age. Both are allow-lists by kind: of what is told of single things, only numbers and yes or no
pass, never a text, so that an identity somebody adds to a board later does not slip through.
"""

from typing import Any, Literal

from schemas.boards import Board

View = Literal["room", "supervisor"]
VIEWS: tuple[View, ...] = View.__args__  # type: ignore[attr-defined]

AGGREGATES = frozenset({"queues", "sources"})
"""Lists of things that are not single visits, calls or people."""
IDENTITIES = frozenset(
    {"visit", "call", "handler", "for_call", "channel_ref", "caller_tokens", "token", "announcement", "id"}
)

DEPTH_MAX = 8
"""Far deeper than a board is; what lies below is left out."""


def shown(board: Board, view: View) -> Board:
    """`board` as `view` may see it."""
    return _members(board, view, DEPTH_MAX)


def _members(value: dict[str, Any], view: View, depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, member in value.items():
        if name in IDENTITIES or depth == 0:
            continue
        if isinstance(member, dict):
            kept[name] = _members(member, view, depth - 1)
        elif not isinstance(member, list):
            kept[name] = member
        elif name in AGGREGATES:
            kept[name] = [_members(each, view, depth - 1) for each in member if isinstance(each, dict)]
        elif view == "supervisor":
            kept[name] = [_anonymous(each) for each in member if isinstance(each, dict)]
    return kept


def _anonymous(single: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in single.items()
        if name not in IDENTITIES and (value is None or isinstance(value, int | float))
    }
