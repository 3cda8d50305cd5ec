"""Which part of a history the worker is sent: whole visits of the last two days, and nothing of the future."""

import click
import pytest

from agents.importing import Selection, Selector, require_recent
from schemas.events import CallOffered, CallRefused, VisitQueued
from schemas.moments import HOUR, MINUTE, SECOND, parse
from telephony.pseudonyms import KeyRing
from telephony.queue_log import Translator

NOW = parse("2026-11-24T08:00:00Z")
A, B, C = "pbx1-1795400000.1", "pbx1-1795400000.2", "pbx1-1795400000.3"


def selected(*rows: tuple[int, str, str]) -> Selection:
    """Of rows (so long ago in µs, channel, verb and figures)."""
    translator = Translator("west-mercia", "pbx1", KeyRing(b"a secret for tests"))
    selector = Selector(NOW)
    for ago, channel, rest in rows:
        for event in translator.feed(f"{(NOW - ago) // SECOND}|{channel}|101|NONE|{rest}\n".encode()):
            selector.take(event)
    return selector.selection()


def visits(selection: Selection) -> set[str]:
    return {event.data.visit for event in selection.events if isinstance(event, VisitQueued)}


def test_visit_that_began_before_the_horizon_is_left_out_whole():
    #  A joined 48 h ago and gave up a minute later; B joined an hour after that
    selection = selected(
        (48 * HOUR, A, "ENTERQUEUE||anonymous|1"),
        (48 * HOUR - MINUTE, A, "ABANDON|1|1|60"),
        (47 * HOUR, B, "ENTERQUEUE||anonymous|1"),
        (47 * HOUR - MINUTE, B, "ABANDON|1|1|60"),
    )
    assert visits(selection) == {f"{B}#1"}
    assert len(selection.events) == 3
    assert (selection.too_old, selection.without_end, selection.oldest) == (1, 0, NOW - 48 * HOUR)
    with pytest.raises(click.ClickException, match=r"1 of its visits began .* the first at 2026-11-22T08"):
        require_recent(selection)


def test_visit_without_an_end_stays_where_it_is_and_its_call_too():
    #  A still waits, B talks, C was turned away
    selection = selected(
        (9 * MINUTE, A, "ENTERQUEUE||anonymous|1"),
        (8 * MINUTE, B, "ENTERQUEUE||anonymous|2"),
        (7 * MINUTE, B, f"CONNECT|60|{C}|1"),
        (6 * MINUTE, C, "FULL"),
    )
    assert visits(selection) == {f"{B}#1"}
    assert {event.data.call for event in selection.events if isinstance(event, CallOffered)} == {B, C}
    assert {event.data.call for event in selection.events if isinstance(event, CallRefused)} == {C}
    assert (selection.too_old, selection.without_end) == (0, 1)
    require_recent(selection)


def test_call_that_was_turned_away_before_the_horizon_is_too_old():
    selection = selected((49 * HOUR, A, "FULL"))
    assert (selection.events, selection.too_old) == ([], 1)


def test_log_of_the_future_is_not_sent():
    with pytest.raises(click.ClickException, match="time zone"):
        selected((-HOUR, A, "ENTERQUEUE||anonymous|1"))
