"""The plain text of the event socket: what it holds is found, and what is wrong in it is borne."""

from io import BytesIO

from telephony.freeswitch_text import BODY, LINE_BYTES_MAX, blocks, micros_of, table


def parsed(text: bytes) -> list[dict[str, str]]:
    return [dict(fields) for fields in blocks(BytesIO(text))]


def test_values_are_url_encoded_and_undef_is_nothing() -> None:
    text = b"Event-Name: CUSTOM\nCC-Queue: 101%40default\nCC-Agent: J%C3%B6rg%0A\nCC-Member-CID-Name: _undef_\n\n"
    assert parsed(text) == [
        {"Event-Name": "CUSTOM", "CC-Queue": "101@default", "CC-Agent": "J\u00f6rg\n", "CC-Member-CID-Name": ""}
    ]


def test_what_the_socket_says_around_events_is_no_event() -> None:
    event = b"Event-Name: HEARTBEAT\n\n"
    text = b"Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n"
    text += b"Content-Length: 23\nContent-Type: text/event-plain\n\n" + event
    text += b"Content-Type: api/response\nContent-Length: 24\n\nEvent-Name: FORGED\nx: y\n\n"
    text += event + b"Content-Type: text/disconnect-notice\nContent-Length: 9\n\nGood\n\nbye"
    assert parsed(text) == [{"Event-Name": "HEARTBEAT"}] * 2


def test_body_is_taken_by_its_length_and_not_read_as_members() -> None:
    body = b"queue|agent\n\nEvent-Name: FORGED\n+OK\n"
    text = b"Event-Name: BACKGROUND_JOB\nContent-Length: %d\n\n%sEvent-Name: HEARTBEAT\n\n" % (len(body), body)
    first, then = parsed(text)
    assert first[BODY] == body.decode()
    assert then == {"Event-Name": "HEARTBEAT"}


def test_line_ends_of_both_kinds_missing_ends_and_broken_lengths() -> None:
    assert parsed(b"Event-Name: A\r\nx: 1\r\n\r\n\r\nEvent-Name: B") == [
        {"Event-Name": "A", "x": "1"},
        {"Event-Name": "B"},
    ]
    assert parsed(b"Event-Name: A\nContent-Length: 99\n\nshort")[0][BODY] == "short"
    for length in (b"-1", b"x", b"99999999999999999999"):
        found = parsed(b"Event-Name: A\nContent-Length: %s\n\nEvent-Name: B\n\n" % length)
        assert [fields["Event-Name"] for fields in found] == ["A", "B"]


def test_line_without_end_is_left_out() -> None:
    text = b"Event-Name: A\nlong: %s\nx: 1\n\nEvent-Name: B\n\n" % (b"y" * 3 * LINE_BYTES_MAX)
    assert parsed(text) == [{"Event-Name": "A", "x": "1"}, {"Event-Name": "B"}]


def test_any_bytes_end() -> None:
    assert parsed(b"\xff\x00:\xfe\n\n\n:\n\n") == [{"\ufffd\x00": "\ufffd"}, {"": ""}]


def test_moments_are_whole_microseconds_since_2000() -> None:
    assert micros_of("1795507200123456") == 1795507200123456
    assert micros_of("946684800000000") == 946684800000000
    for text in ("0", "", "1795507200", "946684799999999", "17955072001234567", "-795507200123456", "x"):
        assert micros_of(text) is None


def test_rows_of_a_listing_are_read_around_what_may_hold_a_bar() -> None:
    body = "uuid|cid_number|cid_name|state\nu1|1|n|Waiting\nu2|1|a|b|c|Waiting\n+OK\n"
    assert table(body, ("cid_number", "cid_name")) == [
        {"uuid": "u1", "cid_number": "1", "cid_name": "n", "state": "Waiting"},
        {"uuid": "u2", "state": "Waiting"},
    ]
    assert table("+OK\n", ()) == []
    for broken in ("", "-ERR Invalid!\n", "uuid\nu1", "uuid|state\nu1\n+OK", "uuid|state\na|b|c\n+OK"):
        assert table(broken, ()) is None
