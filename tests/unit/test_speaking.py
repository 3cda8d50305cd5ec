import asyncio
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from agents.cli.announcer import command as announcer_command
from agents.cli.prompts import command as prompts_command
from schemas.outputs import Command
from schemas.prompts import LANGUAGES, TEXTS
from telephony.asterisk_waiting import Waiting
from telephony.prompts import recordings, sounds_in
from telephony.speaking import LogDriver, NotPlayedError


class Told:
    """Notes what a driver tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def over(self, ident, outcome, why=""):
        self.told.append(("over", ident, outcome))

    def left_queue(self, channel):
        self.told.append(("left", channel))

    def say_why(self, channel, outcome):
        self.told.append(("why", channel, outcome))

    def in_doubt(self, why):
        self.told.append(("in doubt", why))


def command(*pieces: str, language: str = "en", text: str = "") -> Command:
    now = datetime(2026, 11, 24, 8, tzinfo=UTC)
    return Command(
        id="v1:7:1",
        centre="west-mercia",
        visit="v1",
        call="c1",
        queue="101",
        source="//west-mercia/pbx1",
        epoch=7,
        kind="position",
        language=language,
        text=text,
        pieces=pieces,
        issued_at=now,
        expires_at=now,
    )


def ami(event: str, channel: str = "pbx1-1.0", queue: str = "101") -> dict[str, str]:
    return {"Event": event, "Uniqueid": channel, "Queue": queue}


def test_who_waits_is_known_from_the_listing_and_from_who_joins_and_leaves():
    waiting, told = Waiting(), Told()
    for event in (ami("QueueEntry"), ami("QueueCallerJoin", "pbx1-1.1"), ami("QueueCallerLeave")):
        waiting.feed(event, told)
    assert not waiting.is_in("pbx1-1.0", "101")
    assert waiting.is_in("pbx1-1.1", "101")
    assert not waiting.is_in("pbx1-1.1", "101-secondary")
    assert not waiting.is_in(None, "101")


def test_leaving_is_told_at_once_and_the_reason_when_it_comes():
    waiting, told = Waiting(), Told()
    for event in (ami("QueueCallerJoin"), ami("QueueCallerLeave"), ami("AgentConnect"), ami("Hangup")):
        waiting.feed(event, told)
    assert told.told == [
        ("left", "pbx1-1.0"),
        ("why", "pbx1-1.0", "cut_by_answer"),
        ("why", "pbx1-1.0", "caller_left"),
    ]


@pytest.mark.parametrize("last", ["AgentConnect", "Hangup"])
def test_an_answer_or_a_hangup_means_leaving_even_when_that_was_not_heard(last):
    waiting, told = Waiting(), Told()
    waiting.feed(ami("QueueEntry"), told)
    waiting.feed(ami(last), told)
    assert told.told[0] == ("left", "pbx1-1.0")
    assert not waiting.is_in("pbx1-1.0", "101")


def test_a_sentence_without_all_of_its_recordings_is_not_played_at_all():
    sounds = {"en": {"occ/way-out", "occ/position-3"}, "cy": {"occ/way-out"}}
    assert recordings(command("way-out", "position-3"), sounds) == ("occ/way-out", "occ/position-3")
    with pytest.raises(NotPlayedError, match="no recording occ/position-3 in the language cy"):
        recordings(command("way-out", "position-3", language="cy"), sounds)
    with pytest.raises(NotPlayedError, match="language fr"):
        recordings(command("way-out", language="fr"), sounds)
    with pytest.raises(NotPlayedError, match="names no recordings"):
        recordings(command(), sounds)


def test_recordings_are_found_in_a_folder_whatever_their_format(tmp_path):
    for name in ("en/occ/way-out.wav", "en/occ/welcome.ulaw", "en/beep.wav", "cy/occ/way-out.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sounds_in(tmp_path) == {"en": {"occ/way-out", "occ/welcome"}, "cy": {"occ/way-out"}}


async def test_the_log_driver_takes_as_long_as_saying_it_would_and_not_when_stopped():
    driver, told = LogDriver(), Told()
    assert driver.obstacle()
    running = asyncio.create_task(driver.run(told))
    await asyncio.sleep(0)
    assert not driver.obstacle()
    await driver.play(command(text="x"))
    await driver.stop("v1:7:1")
    await driver.play(command(text="x"))
    while not told.told:
        await asyncio.sleep(0.01)
    running.cancel()
    assert told.told == [("over", "v1:7:1", "played")]


def test_what_has_to_be_recorded_is_listed():
    listed = CliRunner().invoke(prompts_command, ["list"]).stdout.splitlines()
    assert len(listed) == len(TEXTS) * len(LANGUAGES)
    assert "cy/occ/position-3.wav\tRydych yn rhif 3 yn y ciw." in listed


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--driver", "ari"], "needs --secret-file"),
        (["--driver", "ami", "--secret-file", "secret"], "needs --sounds"),
        (["--driver", "ari", "--secret-file", "secret", "--ami", "192.0.2.1:5038"], "is plain text"),
        (["--driver", "ari", "--secret-file", "secret", "--ari", "http://192.0.2.1:8088"], "use https"),
        (["--driver", "ari", "--secret-file", "secret", "--ari", "http://me:secret@127.0.0.1"], "without user"),
        (["--driver", "ari", "--secret-file", "secret", "--ari", "127.0.0.1:8088"], "is an address such as"),
    ],
)
def test_a_password_is_not_sent_in_the_clear_and_is_not_asked_for_on_the_command_line(
    options, fault, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCC_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    (tmp_path / "secret").write_text("guessed")
    refused = CliRunner().invoke(announcer_command, options)
    assert refused.exit_code == 2
    assert fault in refused.stderr.replace("\n", " ")
