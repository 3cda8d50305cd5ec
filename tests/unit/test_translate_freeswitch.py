"""`occ translate freeswitch`: events out, a summary beside them, errors that say what to do."""

import os
import subprocess
import sys

from schemas.codec import Arrival, decode
from tests.freeswitch import A, B, Switch


def translate(*arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from agents.cli import main; main()", "translate", "freeswitch", *arguments],
        input=text,
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"OCC_PSEUDONYM_SECRET": "a secret for tests"},
    )


def recorded() -> bytes:
    switch = Switch()
    for who in (A, B):
        switch.waits(0, who)
    switch.answers(10, A)
    switch.gives_up(20, B)
    switch.parts(70, A)
    switch.says(71, "API", {"API-Command": "status"})
    return b"".join(switch.said) + b"Event-Name: CUSTOM\nEvent-Subclass: callcenter%3A%3Ainfo\n\n"


def test_prints_acceptable_events_and_sums_up_in_one_line() -> None:
    done = translate("-", "--centre", "dyfed", "--system", "fs1", text=recorded())
    assert done.returncode == 0
    accepted = [arrival for line in done.stdout.splitlines() if isinstance(arrival := decode(line), Arrival)]
    assert [type(arrival.event).__name__ for arrival in accepted] == [
        *("CallOffered", "VisitQueued") * 2,
        *("VisitAnswered", "HandlerState", "CallEnded", "VisitLeft", "VisitEnded"),
    ]
    assert {arrival.event.source for arrival in accepted} == {"//dyfed/fs1"}
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("9 events: occ.call.ended.v1 1, occ.call.offered.v1 2, ")
    assert line.endswith("skipped blocks: not_used 1, malformed 1, unknown_call 1, repeated 1")


def test_what_is_no_recording_of_the_event_socket_is_refused_with_what_to_do() -> None:
    texts = [b"", b"not a recording\n", b'{"Event-Name":"CUSTOM"}\n', b"Event-Name: [CUSTOM]\nCore-UUID: [x]\n\n"]
    for text in texts:
        done = translate("-", text=text)
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"record it with `event plain`" in done.stderr

    missing = translate("no-such-file")
    assert missing.returncode == 2
    assert b"No such file" in missing.stderr
