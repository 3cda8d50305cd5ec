"""Reads a record of the board topic: what every reader may rely on is there, or the record is no board.

A reader goes on without a record that is none: one bad record must not take a screen from a control room.
"""

from typing import Any

import orjson

from schemas.events import ID_BYTES_MAX
from schemas.moments import parse

Board = dict[str, Any]


def read_board(value: bytes | None) -> Board | None:
    """The board in `value`; None when it is none. Never raises."""
    try:
        board = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return board if isinstance(board, dict) and _holds(board) else None


def _holds(board: Board) -> bool:
    centre, epoch = board.get("centre"), board.get("epoch")
    feed, queues = board.get("feed"), board.get("queues")
    if not (isinstance(centre, str) and 0 < len(centre.encode()) <= ID_BYTES_MAX):
        return False
    if not isinstance(epoch, int) or not isinstance(feed, dict) or not isinstance(queues, list):
        return False
    return all(isinstance(queue, dict) and isinstance(queue.get("queue"), str) for queue in queues) and _is_moment(
        board.get("as_of")
    )


def _is_moment(text: object) -> bool:
    try:
        return isinstance(text, str) and parse(text) >= 0
    except ValueError:
        return False
