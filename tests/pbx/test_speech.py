"""What callers truly hear: real calls on a real switch, and the audio that reached each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agents import topics
from agents.broker import Broker
from agents.phones import Phones
from agents.switch import Switch
from telephony.prompts import FOLDER
from tests.pbx.conftest import ADDED
from tests.pbx.ears import ALIKE, Ears, Samples, alike, recording
from tests.pbx.speech import Line, Speech

LATE_SECONDS = 0.25
CROWD = 40
POSITION = ("position-3", "place-kept")
LONG = ("way-out", *POSITION)
NUMBERS = range(1, 11)


@pytest.fixture
async def speech(switch: Switch, prompts: Path, phones: Phones, broker: Broker) -> AsyncIterator[Speech]:
    await topics.create(broker.bootstrap, 1, 1)
    async with Speech(switch, phones, broker.bootstrap) as speech:
        yield speech


def sound(prompts: Path, piece: str, language: str = "en") -> Samples:
    return recording(prompts / language / FOLDER / f"{piece}.wav")


def likeness(prompts: Path, heard: Samples, pieces: Sequence[str], language: str = "en") -> float:
    """That of the piece that is least there."""
    return min(alike(sound(prompts, piece, language), heard) for piece in pieces)


async def test_caller_hears_what_was_decided_and_nobody_else_does(speech: Speech, prompts: Path) -> None:
    await speech.start()
    with Ears(3) as ears:
        _, spoken_to, _ = callers = await speech.callers(ears)
        asked_at = await speech.command("a", spoken_to.channel, POSITION)
        await speech.plays("a")
        assert likeness(prompts, spoken_to.ear.heard(asked_at), POSITION) > ALIKE
        assert [bool(caller.ear.speech()) for caller in callers] == [False, True, False]
        await speech.nothing_is_left()


@pytest.mark.alone
async def test_speech_stops_at_once_when_the_caller_is_answered_or_gives_up(speech: Speech, prompts: Path) -> None:
    #  A and B are told the same 8 s; Ann answers A after a second, and then B gives up
    await speech.start()
    with Ears(2, talks=True) as ears:
        answered, gave_up = await speech.callers(ears)
        await speech.phones.handler("ann", answers_after=1_000, echoes=True)
        asked_at = await speech.command("answered", answered.channel, LONG)
        await speech.command("gave-up", gave_up.channel, LONG)
        await speech.log_in("ann")
        assert await speech.outcome("answered") == "cut_by_answer"
        answered_at = await speech.answered(answered.channel)
        assert answered.ear.speech(asked_at, answered_at)
        assert answered.ear.speech(answered_at + LATE_SECONDS) == []
        assert answered.ear.heard(answered_at + LATE_SECONDS).size
        speech.switch.says(f"channel request hangup {speech.switch.channel(gave_up.channel)}")
        assert await speech.outcome("gave-up") == "caller_left"
        await speech.nothing_is_left()


async def test_nothing_is_said_to_whom_it_is_not_for_or_too_late(speech: Speech) -> None:
    await speech.start()
    with Ears(1) as ears:
        (caller,) = await speech.callers(ears)
        await speech.command("other-switch", caller.channel, source="//west-mercia/pbx2")
        await speech.command("other-queue", caller.channel, queue="101-secondary")
        await speech.command("gone", "pbx1-1.0")
        await speech.command("late", caller.channel, expires_in=0)
        await speech.command("no-recording", caller.channel, ("position-3", "position-1000"))
        for ident, end in (
            ("other-queue", "caller_left"),
            ("gone", "caller_left"),
            ("late", "expired"),
            ("no-recording", "failed"),
        ):
            assert await speech.outcome(ident) == end
        assert "other-switch" not in speech.outcomes
        assert any("no recording occ/position-1000 in the language en" in line for line in speech.said)
        assert caller.ear.speech() == []


async def test_announcer_that_was_killed_leaves_nothing_when_the_next_one_starts(speech: Speech) -> None:
    await speech.start()
    with Ears(1) as ears:
        (caller,) = await speech.callers(ears)
        asked_at = await speech.command("a", caller.channel, LONG)
        await speech.until(lambda: caller.ear.speech(asked_at), "it speaks")
        await speech.kill()
        assert len(speech.left_behind()) == 1
        await speech.start()
        await speech.nothing_is_left()
        ended_at = caller.ear.packets[-1][0]
        await speech.command("b", caller.channel, POSITION)
        await speech.plays("b")
        assert len(caller.ear.speech(ended_at + LATE_SECONDS)) * 0.02 < 3  # that of b alone
    assert "a" not in speech.outcomes


@pytest.mark.alone
async def test_forty_callers_at_once_each_hear_their_own_within_a_quarter_of_a_second(
    speech: Speech, prompts: Path
) -> None:
    await speech.start()
    with Ears(CROWD) as ears:
        callers = await speech.callers(ears)
        await speech.command("warm", callers[0].channel, POSITION)
        await speech.outcome("warm")
        told = [(NUMBERS[n % 10], "cy" if n // 10 % 2 else "en") for n in range(CROWD)]
        asked_at = await asyncio.gather(
            *(
                speech.command(f"c{n}", caller.channel, (f"position-{number}",), language=language)
                for n, (caller, (number, language)) in enumerate(zip(callers, told, strict=True))
            )
        )
        for n in range(CROWD):
            await speech.plays(f"c{n}")
        firsts = [caller.ear.speech(at)[0] - at for caller, at in zip(callers, asked_at, strict=True)]
    print(f"command to first audio, {CROWD} callers: {describe(firsts)}")
    for caller, at, (number, language) in zip(callers, asked_at, told, strict=True):
        heard = caller.ear.heard(at)
        scores = {other: alike(sound(prompts, f"position-{other}", language), heard) for other in NUMBERS}
        assert max(scores, key=lambda other: scores[other]) == number, scores
        assert scores[number] > ALIKE
    assert sorted(firsts)[CROWD * 99 // 100] < LATE_SECONDS
    await speech.nothing_is_left()


@pytest.mark.alone
async def test_without_ari_the_manager_interface_speaks_and_stops(speech: Speech, prompts: Path) -> None:
    await speech.start("ami")
    with Ears(2, talks=True) as ears:
        caller, other = await speech.callers(ears)
        asked_at = await speech.command("a", caller.channel, POSITION)
        await speech.plays("a")
        assert likeness(prompts, caller.ear.heard(asked_at), POSITION) > ALIKE
        assert other.ear.speech() == []
        await speech.phones.handler("ann", answers_after=1_000, echoes=True)
        asked_at = await speech.command("b", caller.channel, LONG)
        await speech.log_in("ann")
        assert await speech.outcome("b") == "cut_by_answer"
        answered_at = await speech.answered(caller.channel)
        assert caller.ear.speech(asked_at, answered_at)
        assert caller.ear.speech(answered_at + LATE_SECONDS) == []
        assert caller.ear.heard(answered_at + LATE_SECONDS).size
        await speech.nothing_is_left()


async def test_what_the_switch_only_seems_to_have_said_has_failed(speech: Speech) -> None:
    #  the websocket dies unnoticed: whispers die at once; then it is known to be down: nothing is tried
    async with Line(speech.switch.http) as line:
        (speech.switch.sounds / "en" / FOLDER / "broken.wav").write_bytes(b"no audio")
        speech.switch.says("module reload sounds")
        await speech.start(http=line.port)
        with Ears(1) as ears:
            (caller,) = await speech.callers(ears)
            await speech.command("unplayable", caller.channel, ("broken",))
            assert await speech.failure("unplayable") == "the switch could not play it to its end (failed)"
            await line.cut_behind()
            await speech.command("deaf", caller.channel, POSITION)
            assert "the whisper died at once" in await speech.failure("deaf")
            await line.cut_off()
            await speech.until(lambda: speech.has_said("ARI was lost", "ARI is not there"), "it is noticed")
            await speech.command("down", caller.channel, POSITION)
            assert await speech.failure("down") == "the switch's ARI is not connected"
            assert caller.ear.speech() == []
            await speech.nothing_is_left()


async def test_caller_to_whom_no_audio_flows_was_not_spoken_to(
    asterisk: Path, broker: Broker, spoken_prompts: Path, tmp_path: Path
) -> None:
    await topics.create(broker.bootstrap, 1, 1)
    silent = Switch(asterisk, tmp_path, (), ADDED)
    (silent.home / "music" / "tone.wav").unlink()
    asterisk_conf = silent.home / "etc" / "asterisk.conf"
    asterisk_conf.write_text(asterisk_conf.read_text().replace("transmit_silence = yes", ""))
    silent.take_recordings(spoken_prompts)
    silent.start()
    phones = Phones(silent, tmp_path)
    try:
        async with Speech(silent, phones, broker.bootstrap) as speech:
            await speech.start()
            with Ears(1) as ears:
                (caller,) = await speech.callers(ears, music=False)
                await speech.command("a", caller.channel, POSITION)
                assert await speech.failure("a") == "no audio flows to the caller: is transmit_silence = yes set?"
                assert caller.ear.packets == []
    finally:
        await phones.hang_up()
        silent.terminate()


def describe(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return f"median {ordered[len(ordered) // 2] * 1000:.0f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1000:.0f} ms"
