from collections.abc import Iterator

import pytest

from schemas.codec import Arrival, decode, encode
from schemas.moments import SECOND, moment, parse
from schemas.outputs import Cancellation, Command
from telephony.announcer import REASON_WITHIN, REMEMBERED_AFTER_EXPIRY, Announcer, Ended, read

SOURCE = "//west-mercia/pbx1"
START = parse("2026-11-24T08:00:00Z")


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def command(
    ident: str = "v1:7:1", *, call: str = "c1", epoch: int = 7, issued: float = 0, source: str = SOURCE
) -> Command:
    return Command(
        id=ident,
        centre="west-mercia",
        visit=ident.partition(":")[0],
        call=call,
        queue="101",
        source=source,
        epoch=epoch,
        kind="position",
        language="en",
        channel_ref=f"channel-{call}",
        text="You are next.",
        issued_at=moment(at(issued)),
        expires_at=moment(at(issued + 5)),
    )


def cancellation(reason: str = "answered", *, cancels: str = "v1:7:1", epoch: int = 7) -> Cancellation:
    return Cancellation(
        cancels=cancels, centre="west-mercia", visit="v1", reason=reason, issued_at=moment(at(0)), epoch=epoch
    )


def outcomes(ended: Iterator[Command | Ended]) -> list[tuple[str, str]]:
    return [(end.command.id, end.outcome) for end in ended if isinstance(end, Ended)]


def started(announcer: Announcer, now: int) -> list[str]:
    return [command.id for command in announcer.start(now, everybody_waits) if isinstance(command, Command)]


def everybody_waits(_: Command) -> bool:
    return True


def hear(announcer: Announcer, *records: Command | Cancellation, now: int, partition: int = 0) -> list:
    return [end for record in records for end in outcomes(announcer.hear(partition, record, now))]


def test_a_command_that_was_played_is_over_and_has_one_end():
    announcer = Announcer()
    assert hear(announcer, command(), now=at(0)) == []
    assert started(announcer, at(0)) == ["v1:7:1"]
    assert announcer.is_playing("v1:7:1")
    [end] = announcer.end("v1:7:1", "played", at(10))
    assert (end.outcome, end.at) == ("played", at(10))
    assert not announcer.is_playing("v1:7:1")
    assert outcomes(announcer.end("v1:7:1", "failed", at(11), "too late")) == []


def test_only_commands_for_the_own_telephone_system_are_taken():
    announcer = Announcer(SOURCE)
    hear(announcer, command(), command("v2:7:1", call="c2", source="//west-mercia/pbx2"), now=at(0))
    assert started(announcer, at(0)) == ["v1:7:1"]


def test_nothing_is_played_to_a_caller_who_no_longer_waits():
    announcer = Announcer()
    hear(announcer, command(), command("v2:7:1", call="c2"), now=at(0))
    begun = list(announcer.start(at(0), lambda command: command.call == "c2"))
    assert [record.id for record in begun if isinstance(record, Command)] == ["v2:7:1"]
    assert outcomes(begun) == [("v1:7:1", "caller_left")]


def test_what_plays_stops_when_its_caller_leaves_the_queue_and_ends_when_it_is_known_why():
    #  leaves at t=3, answered a moment later
    announcer = Announcer()
    hear(announcer, command(), command("v2:7:1", call="c2"), now=at(0))
    started(announcer, at(0))
    assert announcer.left_queue("channel-c1", at(3)) == ["v1:7:1"]
    assert not announcer.is_playing("v1:7:1")
    assert announcer.is_playing("v2:7:1")
    assert outcomes(announcer.end("v1:7:1", "failed", at(3))) == []
    assert outcomes(announcer.say_why("channel-c1", "cut_by_answer", at(3.01))) == [("v1:7:1", "cut_by_answer")]
    assert outcomes(announcer.settle(at(9))) == []


def test_a_caller_who_left_without_a_reason_in_time_was_not_answered():
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    announcer.left_queue("channel-c1", at(3))
    assert outcomes(announcer.settle(at(3) + REASON_WITHIN - 1)) == []
    assert outcomes(announcer.settle(at(3) + REASON_WITHIN)) == [("v1:7:1", "caller_left")]


def test_a_worker_that_knows_why_a_caller_left_is_believed():
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    announcer.left_queue("channel-c1", at(3))
    assert hear(announcer, cancellation("answered"), now=at(3.1)) == [("v1:7:1", "cut_by_answer")]
    assert outcomes(announcer.settle(at(9))) == []


def test_the_same_command_again_is_neither_played_nor_reported_until_a_minute_after_it_expired():
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    list(announcer.end("v1:7:1", "played", at(10)))
    for again in (1, 20, 64):
        assert hear(announcer, command(), now=at(again)) == []
        assert started(announcer, at(again)) == []
        list(announcer.settle(at(again)))


def test_what_is_remembered_is_forgotten_when_it_can_no_longer_be_played():
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    forgotten_at = at(5) + REMEMBERED_AFTER_EXPIRY
    list(announcer.settle(forgotten_at))
    assert announcer._remembered == {}
    assert hear(announcer, command(), now=forgotten_at) == []
    assert started(announcer, forgotten_at) == []


def test_an_expired_command_is_refused_and_reported():
    announcer = Announcer()
    assert hear(announcer, command(), now=at(5)) == [("v1:7:1", "expired")]
    assert started(announcer, at(5)) == []


def test_a_command_that_expires_while_its_offset_is_committed_is_not_played():
    announcer = Announcer()
    assert hear(announcer, command(), now=at(4.9)) == []
    assert outcomes(announcer.start(at(5.1), everybody_waits)) == [("v1:7:1", "expired")]


@pytest.mark.parametrize(("reason", "outcome"), [("answered", "cut_by_answer"), ("left", "caller_left")])
def test_what_plays_stops_when_the_caller_is_answered_or_has_left(reason, outcome):
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    assert hear(announcer, cancellation(reason), now=at(3)) == [("v1:7:1", outcome)]
    assert not announcer.is_playing("v1:7:1")


def test_a_command_cancelled_in_the_same_fetch_is_never_started():
    announcer = Announcer()
    assert hear(announcer, command(), cancellation(), now=at(0)) == [("v1:7:1", "cut_by_answer")]
    assert started(announcer, at(0)) == []


def test_cancelling_what_is_unknown_or_over_has_no_effect():
    announcer = Announcer()
    assert hear(announcer, cancellation(cancels="v9:7:1"), now=at(0)) == []
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    list(announcer.end("v1:7:1", "played", at(10)))
    assert hear(announcer, cancellation(), now=at(11)) == []


def test_one_caller_hears_one_announcement_at_a_time_and_another_caller_is_not_held_up():
    announcer = Announcer()
    hear(announcer, command("v1:7:1", call="c1"), now=at(0))
    assert started(announcer, at(0)) == ["v1:7:1"]
    hear(announcer, command("v1:7:2", call="c1"), command("v2:7:1", call="c2"), now=at(1))
    begun = list(announcer.start(at(1), everybody_waits))
    assert [record.id for record in begun if isinstance(record, Command)] == ["v2:7:1"]
    assert outcomes(begun) == [("v1:7:2", "failed")]


def test_a_replaced_worker_is_not_heard_in_its_partition():
    announcer = Announcer()
    hear(announcer, command("v1:9:1", epoch=9), now=at(0), partition=3)
    hear(announcer, command("v2:7:1", call="c2", epoch=7), now=at(0), partition=3)
    hear(announcer, cancellation(cancels="v1:9:1", epoch=7), now=at(0), partition=3)
    hear(announcer, command("v3:7:1", call="c3", epoch=7), now=at(0), partition=4)
    assert started(announcer, at(0)) == ["v1:9:1", "v3:7:1"]


def test_in_doubt_everything_falls_silent_and_fails():
    announcer = Announcer()
    hear(announcer, command("v1:7:1"), now=at(0))
    started(announcer, at(0))
    hear(announcer, command("v2:7:1", call="c2"), now=at(1))
    assert outcomes(announcer.fall_silent(at(1), "the switch is away")) == [
        ("v2:7:1", "failed"),
        ("v1:7:1", "failed"),
    ]
    assert started(announcer, at(1)) == []
    assert not announcer.is_playing("v1:7:1")


def test_the_outcome_is_an_event_with_the_same_id_for_the_same_announcement():
    announcer = Announcer()
    hear(announcer, command(), now=at(0))
    started(announcer, at(0))
    [end] = announcer.end("v1:7:1", "played", at(10))
    arrival = decode(encode(end.event))
    assert isinstance(arrival, Arrival)
    event = arrival.event
    assert (event.id, event.source, event.subject) == ("outcome:v1:7:1", "//west-mercia/announcer", "v1")
    assert (event.data.announcement, event.data.visit, event.data.outcome) == ("v1:7:1", "v1", "played")
    assert event.id == Ended(command(), "caller_left", at(3)).event.id


def test_records_are_read_back_as_what_the_worker_wrote_and_anything_else_as_nothing():
    assert read(encode(command())) == command()
    assert read(encode(cancellation())) == cancellation()
    for value in (b"", b"no json", b"[]", b"7", b'"cancels"', b"{}", b'{"cancels": 1}', b"null"):
        assert read(value) is None
