"""Files of profiles, checked and made into events: what is usual at each hour of a queue's week.

A file is a JSON object of the members of `occ.profile.published.v1`, or an array of them, one a queue. The same
profile is the same event, however often it is published.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import click
import orjson

from schemas.codec import Arrival, Refusal, decode, encode
from schemas.events import Event, ProfilePublished, ProfilePublishedData, ProfileSlot
from schemas.moments import MINUTE, micros, rfc3339
from stream.windows import HORIZON

CLOCKS_APART_MAX = MINUTE


class BadProfile(click.ClickException):
    """The file cannot be published; the message lists every fault."""

    def __init__(self, file: Path, faults: list[str]) -> None:
        super().__init__("\n".join([f"{file}: nothing was published.", *(f"  {fault}" for fault in faults)]))


def read_profiles(file: Path, centre: str | None, now: int) -> list[Event]:
    """The profiles of `file` as events. `centre` is the control room of those that name none. Raises BadProfile."""
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise BadProfile(file, [f"is not JSON: {error}"]) from None
    profiles = content if isinstance(content, list) else [content]
    if not profiles:
        raise BadProfile(file, ["holds no profile"])
    events: list[Event] = []
    faults: list[str] = []
    for number, profile in enumerate(profiles, 1):
        where = f"profile {number}: " if len(profiles) > 1 else ""
        made = _event(profile, centre, now)
        if isinstance(made, list):
            faults += [where + fault for fault in made]
        else:
            events.append(made)
    faults += [f"two profiles of {of}" for of, count in Counter(map(_about, events)).items() if count > 1]
    if faults:
        raise BadProfile(file, faults)
    return events


def _about(event: Event) -> str:
    assert isinstance(event, ProfilePublished)
    return f"{event.data.centre}, {event.data.queue or 'all queues'}"


def _event(profile: Any, centre: str | None, now: int) -> Event | list[str]:
    """The event of one profile, or its faults."""
    if not isinstance(profile, dict):
        return ["is not an object"]
    data = {"centre": centre, **profile} if centre is not None else profile
    if not isinstance(data.get("centre"), str):
        return ["names no control room: add centre, or give --centre"]
    if unknown := _unknown(data):
        return [f"{name}: no such member" for name in unknown]
    if "computed_at" not in data:
        return ["computed_at is missing"]
    canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    record = {
        "specversion": "1.0",
        "id": f"profile-{hashlib.sha256(canonical).hexdigest()[:32]}",
        "source": f"//{data['centre']}/profile",
        "type": "occ.profile.published.v1",
        "time": data["computed_at"],
        "data": data,
    }
    decoded = decode(orjson.dumps(record))
    if isinstance(decoded, Refusal):
        member = "computed_at" if decoded.member == "time" else (decoded.member or "").removeprefix("data.")
        return [f"{member} {decoded.why}".strip()]
    assert isinstance(decoded, Arrival)
    return _faults(decoded.event, now) or decoded.event


def _unknown(data: dict[str, Any]) -> list[str]:
    """Members nobody would read: in a file somebody wrote, most likely a slip."""
    unknown = [name for name in data if name not in ProfilePublishedData.__struct_fields__]
    slots = data.get("slots")
    for slot in slots if isinstance(slots, list) else ():
        if isinstance(slot, dict):
            unknown += [f"slots.{name}" for name in slot if name not in ProfileSlot.__struct_fields__]
    return list(dict.fromkeys(unknown))


def _faults(event: Event, now: int) -> list[str]:
    """What no schema can say of a profile."""
    assert isinstance(event, ProfilePublished)
    faults = []
    computed_at = micros(event.data.computed_at)
    if now - computed_at > HORIZON:
        hours = HORIZON // (60 * MINUTE)
        faults.append(f"computed_at {rfc3339(computed_at)} is more than {hours} hours ago: compute the profile anew")
    if computed_at - now > CLOCKS_APART_MAX:
        faults.append(f"computed_at {rfc3339(computed_at)} is in the future")
    if not event.data.slots:
        faults.append("slots: there are none")
    for (weekday, minute), count in Counter((slot.weekday, slot.minute) for slot in event.data.slots).items():
        if count > 1:
            faults.append(f"slots: weekday {weekday}, minute {minute} is there {count} times")
    return faults


def records_of(events: list[Event]) -> list[tuple[str, bytes]]:
    """(control room, event as JSON) of each."""
    return [(event.data.centre, encode(event)) for event in events]
