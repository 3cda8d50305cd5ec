"""A snapshot of handlers that are not read yet: each is still the bytes that the switch's words came as."""

from typing import Annotated

from msgspec import Meta, Raw

from schemas.events import LISTED_MAX, Data, Envelope, HandlerSnapshot


class HandlersUnread(Data, frozen=True):
    handlers: Annotated[list[Raw], Meta(max_length=LISTED_MAX)]


class SnapshotUnread(Envelope, frozen=True, tag=HandlerSnapshot.__struct_config__.tag):
    """As `HandlerSnapshot` comes, but for `data.handlers`."""

    data: HandlersUnread
