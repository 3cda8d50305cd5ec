"""The words of announcements: every piece in both languages, with names a file can have."""

import re

import pytest

from schemas import prompts
from schemas.prompts import LANGUAGES, TEXTS, position_piece, spoken, time_piece, wait_piece


def test_every_piece_has_words_in_every_language() -> None:
    assert len(TEXTS) == 10 + 10 + 6 + 48
    for piece, texts in TEXTS.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", piece)
        assert tuple(texts) == LANGUAGES
        assert all(text == text.strip() and text for text in texts.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_pieces_say_the_same_and_all_but_the_head_of_a_sentence_end_it(language: str) -> None:
    texts = {piece: texts[language] for piece, texts in TEXTS.items()}
    assert len(set(texts.values())) == len(texts)
    assert [piece for piece, text in texts.items() if not text.endswith(".")] == [prompts.QUIETER_AFTER]


def test_numbers_and_waits_have_the_piece_that_says_them() -> None:
    assert [position_piece(number) for number in (1, 10, 11, 400)] == [
        *("position-1", "position-10", "position-more-than-10", "position-more-than-10"),
    ]
    assert [wait_piece(minutes) for minutes in (2, 30, None)] == ["wait-2", "wait-30", "wait-more-than-30"]
    assert all(wait_piece(minutes) in TEXTS for minutes in prompts.WAIT_MINUTES)


@pytest.mark.parametrize(
    ("minute", "english", "welsh"),
    [
        (0, "midnight.", "hanner nos."),
        (30, "half past midnight.", "hanner awr wedi hanner nos."),
        (60, "1 o'clock in the morning.", "un o'r gloch y bore."),
        (11 * 60 + 30, "half past 11 in the morning.", "hanner awr wedi un ar ddeg y bore."),
        (12 * 60, "midday.", "hanner dydd."),
        (12 * 60 + 30, "half past 12 in the afternoon.", "hanner awr wedi deuddeg y prynhawn."),
        (17 * 60, "5 o'clock in the afternoon.", "pump o'r gloch y prynhawn."),
        (20 * 60 + 30, "half past 8 in the evening.", "hanner awr wedi wyth yr hwyr."),
    ],
)
def test_a_time_of_day_is_said_as_people_say_it(minute: int, english: str, welsh: str) -> None:
    assert TEXTS[time_piece(minute)] == {"en": english, "cy": welsh}


def test_pieces_spoken_one_after_the_other_are_the_text() -> None:
    pieces = (prompts.WAY_OUT, position_piece(3), wait_piece(5))
    assert spoken(pieces, "en") == (
        "If someone is in danger or a crime is happening now, hang up and dial 999. "
        "You are number 3 in the queue. You should be answered in less than five minutes."
    )
    assert spoken((prompts.QUIETER_AFTER, time_piece(20 * 60)), "cy") == (
        "Mae'r llinellau fel arfer yn dawelach ar ôl wyth o'r gloch yr hwyr."
    )
