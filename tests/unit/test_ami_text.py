"""Blocks out of AMI text, as whole as it came."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from telephony.ami_text import BLOCK_LINES_MAX, LINE_BYTES_MAX, Block, Parser, blocks
from telephony.reading import epoch_micros


def read(text: bytes) -> list[Block]:
    return list(blocks(BytesIO(text)))


def test_blocks_are_parted_by_blank_lines_whatever_ends_a_line() -> None:
    expected = [
        Block({"Event": "Hangup", "Cause": "16"}, None),
        Block({"Event": "Shutdown", "Restart": "False"}, None),
    ]
    text = b"Event: Hangup\r\nCause: 16\r\n\r\nEvent: Shutdown\r\nRestart: False\r\n\r\n"
    assert read(text) == read(text.replace(b"\r\n", b"\n")) == expected
    assert read(text.rstrip()) == expected


def test_recorded_moment_of_receipt_belongs_to_the_next_block_only() -> None:
    text = b"; recv 1795444232.037637\nEvent: Hangup\n\nEvent: Shutdown\n\n; recv soon\nEvent: Hangup\n"
    assert [block.received_at for block in read(text)] == [1795444232037637, None, None]


def test_block_begins_where_its_event_begins_even_without_a_blank_line() -> None:
    text = b"Event: A\nKey: 1\nEvent: B\nResponse: Failure\nKey: 2\n; recv 1795444232.0\nEvent: C\n"
    assert [dict(block.fields) for block in read(text)] == [
        {"Event": "A", "Key": "1"},
        {"Event": "B", "Response": "Failure", "Key": "2"},
        {"Event": "C"},
    ]


def test_answer_to_an_action_is_a_block_of_its_own() -> None:
    text = b"Asterisk Call Manager/11.0.0\nResponse: Success\nMessage: hello\nEvent: FullyBooted\n"
    assert [dict(block.fields) for block in read(text)] == [
        {"Response": "Success", "Message": "hello"},
        {"Event": "FullyBooted"},
    ]


def test_values_keep_their_colons_and_may_be_empty() -> None:
    assert read(b"Event: X\nUri: sip:a:1\nEmpty: \nBare:\n\n")[0].fields == {
        "Event": "X",
        "Uri": "sip:a:1",
        "Empty": "",
        "Bare": "",
    }


def test_line_without_end_is_dropped_and_its_block_lives() -> None:
    text = b"Event: X\nLong: " + b"y" * (3 * LINE_BYTES_MAX) + b"\nAfter: 1\n\nEvent: Y\n"
    assert [dict(block.fields) for block in read(text)] == [{"Event": "X", "After": "1"}, {"Event": "Y"}]


def test_line_of_exactly_the_limit_and_one_that_never_ends_are_no_trouble() -> None:
    longest = b"Key: " + b"y" * (LINE_BYTES_MAX - len(b"Key: \n")) + b"\n"
    assert len(read(b"Event: X\n" + longest)[0].fields["Key"]) == LINE_BYTES_MAX - len(b"Key: \n")
    assert read(b"Event: X\nKey: " + b"y" * (2 * LINE_BYTES_MAX)) == [Block({"Event": "X"}, None)]


def test_block_without_end_is_bounded() -> None:
    text = b"Event: X\n" + b"".join(b"Key%d: 1\n" % n for n in range(10 * BLOCK_LINES_MAX))
    (block,) = read(text)
    assert len(block.fields) == BLOCK_LINES_MAX


def test_stamps_are_read_to_the_microsecond_without_floating_point() -> None:
    assert epoch_micros("1795444233.677811") == 1795444233677811
    assert epoch_micros("1795444233.5") == 1795444233500000
    assert epoch_micros("1795444233") == 1795444233000000
    assert epoch_micros("1795444233.123456789") == 1795444233123456


def test_what_is_no_moment_since_2000_is_no_stamp() -> None:
    for text in ("", "0", "-1795444233.1", "946684799.9", "17954442330000", "1e9", "nan", "１７９５４４４２３３"):
        assert epoch_micros(text) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_read(text: bytes) -> None:
    for block in read(text):
        assert block.fields


@given(st.data())
def test_blocks_are_the_same_however_a_connection_cuts_the_text(data: st.DataObject) -> None:
    text = (
        b"Asterisk Call Manager/5.0.4\r\nEvent: A\r\nName: \xc3\xa9\r\n\r\nLong: "
        + b"y" * 2 * LINE_BYTES_MAX
        + b"\n\n"
    )
    text += b"Event: B\nKey: 1\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    parser = Parser()
    found: list[Block] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += parser.push(text[start:end])
    assert found + list(parser.end()) == read(text)
