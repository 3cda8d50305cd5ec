"""The export of a contact log, row by row, and the conversations its rows mean."""

from zoneinfo import ZoneInfo

import pytest

from agents.wrap_up import Conversations, Matched, match
from schemas.codec import Arrival, decode, encode
from schemas.moments import HOUR, MINUTE, SECOND, micros, parse
from stream.accounts import Account
from telephony.contact_log import ContactLog, FaultyHeaderError, WrapUp

LONDON = ZoneInfo("Europe/London")
EIGHT = parse("2026-11-24T08:00:00Z")
NOW = EIGHT + HOUR


def read(text: str, zone: ZoneInfo | None = LONDON) -> list[tuple[int, WrapUp | str]]:
    return list(ContactLog("pbx1", str.lower, zone).read(text.splitlines(keepends=True)))


def wrap_up(row: str, header: str = "visit,call,handler,start,end,seconds,outcome_class,agency") -> WrapUp:
    ((_, found),) = read(f"{header}\n{row}\n")
    assert isinstance(found, WrapUp), found
    return found


@pytest.mark.parametrize(
    ("row", "end", "lasted", "quality"),
    [
        ("v1,,,,2026-11-24T08:00:00Z,,,", EIGHT, 0, "second"),
        ("v1,,,,2026-11-24T09:00:00.250+01:00,,,", EIGHT + SECOND // 4, 0, "exact"),
        ("v1,,,,2026-11-24 08:00:00,,,", EIGHT, 0, "second"),
        ("v1,,,2026-11-24 07:58:00,2026-11-24 08:00:00,,,", EIGHT, 0, "second"),
        ("v1,,,2026-11-24 07:58:00,,120,,", EIGHT, 120 * SECOND, "second"),
        ("v1,,,,,95.5,,", None, 95_500_000, "second"),
    ],
)
def test_wrap_up_is_over_when_the_row_says_so(row: str, end: int | None, lasted: int, quality: str):
    found = wrap_up(row)
    assert (found.end, found.lasted, found.quality) == (end, lasted, quality)


def test_names_are_those_of_the_switch_and_handlers_are_pseudonyms():
    found = wrap_up("1795507200.1#2,1795507200.1,Ann,,,9,other_agency,ambulance")
    assert (found.visit, found.call, found.handler) == ("pbx1-1795507200.1#2", "pbx1-1795507200.1", "ann")
    assert (found.outcome_class, found.agency) == ("other_agency", "ambulance")


def test_columns_come_in_any_order_and_those_that_are_not_needed_may_be_missing():
    found = wrap_up('60,"pbx1-1795507200.1"', header=" Seconds ,Call")
    assert (found.visit, found.call, found.lasted) == (None, "pbx1-1795507200.1", MINUTE)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (",,Ann,,,9,,", "names neither a visit nor a call"),
        ("v1,,,,,,,", "has neither an end nor seconds"),
        ("v1,,,2026-11-24 08:00:00,,,,", "has neither an end nor seconds"),
        ("v1,,,,soon,,,", "end is no time such as 2026-11-24T08:00:00Z or 2026-11-24 08:00:00"),
        ("v1,,,,,-3,,", "seconds is no number from 0 to 99999"),
        ("v1,,,2026-11-24 08:00:00,2026-11-24 07:00:00,,,", "ends before it starts"),
        ("v1,,,,1999-11-24T08:00:00Z,,,", "end is before the year 2000"),
        ("v1,,,,2026-03-29 01:30:00,,,", "end was skipped when the clocks of Europe/London went forward"),
        (
            "v1,,,,2026-10-25 01:30:00,,,",
            "end came twice when the clocks went back: write it with its offset, as +00:00",
        ),
        ("v1,,,,,9,arrested,", "outcome_class is none of police, other_agency, advice, no_trace"),
        (f"{'v' * 101},,,,,9,,", "visit is over 100 bytes, or has control characters"),
        ("v1,9", "has 2 fields, and the header 8"),
    ],
)
def test_row_that_cannot_be_used_says_why(row: str, why: str):
    header = "visit,call,handler,start,end,seconds,outcome_class,agency"
    assert read(f"{header}\n\n{row}\nv2,,,,,9,,\n")[0] == (3, why)
    assert isinstance(read(f"{header}\n\n{row}\nv2,,,,,9,,\n")[1][1], WrapUp)


def test_local_time_needs_a_zone():
    ((_, why),) = read("visit,end\nv1,2026-11-24 08:00:00\n", zone=None)
    assert why == "end is a local time, and no time zone was given (--timezone)"


def test_quotes_that_never_close_are_named():
    ((line, why),) = read('visit,seconds\n"v1,9\n')
    assert (line, str(why).startswith("is no CSV")) == (2, True)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("visit,end,caller", "1 unknown columns; those known are visit, call, handler, start, end, seconds"),
        ("visit,end,end", "a column is there twice"),
        ("handler,end", "there is neither a column visit nor a column call"),
        ("visit,start", "there is neither a column end nor a column seconds"),
    ],
)
def test_file_that_is_no_such_export_says_why(header: str, why: str):
    with pytest.raises(FaultyHeaderError, match=why):
        read(f"{header}\n")


# Which conversation a row means


def answered(call: str, at: int, ended: int | None, handler: str = "ann", queue: str = "101") -> Account:
    """A call that joined a minute before the answer."""
    return Account(
        call=call,
        queue=queue,
        outcome="answered",
        queued_at=at - MINUTE,
        wait=MINUTE,
        handler=handler,
        conversation=None if ended is None else ended - at,
        joined_sure_to=0,
        wait_sure_to=0,
        conversation_sure_to=0,
        short_limit=0,
        atoms=(),
    )


KNOWN = Conversations(
    "west-mercia",
    {
        ("west-mercia", "pbx1-a#1"): answered("pbx1-a", EIGHT, EIGHT + 5 * MINUTE),
        ("west-mercia", "pbx1-b#1"): answered("pbx1-b", EIGHT, EIGHT + 2 * MINUTE),
        ("west-mercia", "pbx1-b#2"): answered("pbx1-b", EIGHT + 3 * MINUTE, EIGHT + 9 * MINUTE, "ben"),
        ("west-mercia", "pbx1-c#1"): answered("pbx1-c", EIGHT, None),
        ("dyfed", "pbx1-d#1"): answered("pbx1-d", EIGHT, EIGHT + MINUTE),
    },
)


def matched(*rows: str) -> Matched:
    """Of rows of (visit or call, handler, end, seconds)."""
    lines = [row if row.count("#") else f",{row}" for row in rows]
    lines = [line if line.startswith(",") else line.replace(",", ",,", 1) for line in lines]
    return match(read("\n".join(["visit,call,handler,end,seconds", *lines])), KNOWN, NOW)


@pytest.mark.parametrize(
    ("row", "visit", "end"),
    [
        ("pbx1-a#1,,2026-11-24T08:07:00Z,", "pbx1-a#1", EIGHT + 7 * MINUTE),
        ("pbx1-a,,2026-11-24T08:07:00Z,", "pbx1-a#1", EIGHT + 7 * MINUTE),
        ("pbx1-a,,,90", "pbx1-a#1", EIGHT + 6 * MINUTE + 30 * SECOND),
        ("pbx1-b,Ben,,60", "pbx1-b#2", EIGHT + 10 * MINUTE),
        ("pbx1-b#2,,,60", "pbx1-b#2", EIGHT + 10 * MINUTE),
        ("pbx1-c,,2026-11-24T08:07:00Z,", "pbx1-c#1", EIGHT + 7 * MINUTE),
    ],
)
def test_row_ends_the_wrap_up_of_the_conversation_it_means(row: str, visit: str, end: int):
    (event,) = matched(row).events
    assert (event.data.visit, micros(event.time), event.source) == (visit, end, "//west-mercia/contact-log")
    assert isinstance(decode(encode(event)), Arrival)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("pbx1-x,,,9", "names a visit or call of which no answer is known"),
        ("pbx1-d,,,9", "names a visit or call of which no answer is known"),
        ("pbx1-a,Ben,,9", "names a handler who did not answer"),
        ("pbx1-b,,,9", "names a call with several conversations: name the handler or the visit"),
        ("pbx1-c,,,9", "has seconds only, and the end of the conversation is not known"),
        ("pbx1-a,,2026-11-24T07:00:00Z,", "was over before the call was answered"),
        ("pbx1-a,,2026-11-24T10:00:00Z,", "is over in the future"),
    ],
)
def test_row_that_means_no_conversation_says_why(row: str, why: str):
    ((line, said),) = matched(row).faults
    assert (line, said[: len(why)]) == (2, why)


def test_second_row_of_a_visit_is_a_fault_and_an_old_one_is_counted():
    found = matched("pbx1-a,,,9", "pbx1-a#1,,,10", "pbx1-y,,2026-11-22T08:00:00Z,")
    assert [event.data.visit for event in found.events] == ["pbx1-a#1"]
    assert found.faults == [(3, "is of the same visit as line 2")]
    assert found.too_old == 1
