"""The words of announcements: pieces by name, and what each says in English and in Welsh.

A command lists its pieces in the order in which they are spoken; its text is theirs, joined. A piece is one
recording, and named like it: a whole sentence where one can be had, since a sentence put together from words sounds
like it, and Welsh words change with what stands before them. So a number is not a piece, but "You are number 3 in
the queue." is. Only the time of day is apart from its sentence, at its end.
"""

from collections.abc import Iterable

LANGUAGES = ("en", "cy")
"""Every piece exists in all of them, so that all callers hear the same content as often."""

POSITION_MAX = 10
"""Beyond it a position is "more than ten"."""
WAIT_MINUTES = (2, 5, 10, 15, 20, 30)
"""The waits that may be promised; beyond the last it is "more than 30 minutes", which promises nothing."""
TIME_EVERY_MINUTES = 30

WAY_OUT = "way-out"
WELCOME = "welcome"
ONLINE = "online"
POSITION_BEYOND = "position-more-than-10"
WAIT_BEYOND = "wait-more-than-30"
THANKS = "thank-you-for-waiting"
PLACE_KEPT = "place-kept"
EMERGENCY_FIRST = "emergency-first"
APOLOGY = "apology"
QUIETER_AFTER = "quieter-after"

_SENTENCES = {
    WAY_OUT: (
        "If someone is in danger or a crime is happening now, hang up and dial 999.",
        "Os oes rhywun mewn perygl neu os oes trosedd yn digwydd nawr, rhowch y ffôn i lawr a deialwch 999.",
    ),
    WELCOME: (
        "Thank you for calling. You are in a queue and will be answered in turn.",
        "Diolch am ffonio. Rydych mewn ciw a chewch ateb yn eich tro.",
    ),
    ONLINE: ("You can also report online.", "Gallwch hefyd roi gwybod ar-lein."),
    POSITION_BEYOND: (
        "Your position in the queue is more than ten.",
        "Mae eich safle yn y ciw yn fwy na deg.",
    ),
    WAIT_BEYOND: (
        "The wait is more than thirty minutes.",
        "Mae'r amser aros yn fwy na thri deg munud.",
    ),
    THANKS: ("Thank you for waiting.", "Diolch am aros."),
    PLACE_KEPT: ("You have not lost your place.", "Nid ydych wedi colli eich lle."),
    EMERGENCY_FIRST: ("Emergency calls go first.", "Mae galwadau brys yn mynd yn gyntaf."),
    APOLOGY: (
        "We are sorry: this is taking longer than we said.",
        "Mae'n ddrwg gennym: mae hyn yn cymryd mwy o amser nag a ddywedwyd.",
    ),
    QUIETER_AFTER: (
        "The lines are usually quieter after",
        "Mae'r llinellau fel arfer yn dawelach ar ôl",
    ),
}
_MINUTES = {
    2: ("two minutes", "na dwy funud"),
    5: ("five minutes", "na phum munud"),
    10: ("ten minutes", "na deng munud"),
    15: ("fifteen minutes", "na phymtheng munud"),
    20: ("twenty minutes", "nag ugain munud"),
    30: ("thirty minutes", "na thri deg munud"),
}
_HOURS_CY = (
    *("deuddeg", "un", "dau", "tri", "pedwar", "pump"),
    *("chwech", "saith", "wyth", "naw", "deg", "un ar ddeg"),
)


def position_piece(position: int) -> str:
    """The piece that says a position, from 1."""
    return f"position-{position}" if position <= POSITION_MAX else POSITION_BEYOND


def wait_piece(minutes: int | None) -> str:
    """The piece that says "less than `minutes`", one of `WAIT_MINUTES`; None: more than all of them."""
    return WAIT_BEYOND if minutes is None else f"wait-{minutes}"


def time_piece(minute: int) -> str:
    """The piece that says a local time of day, in minutes from midnight: a multiple of `TIME_EVERY_MINUTES`."""
    return f"time-{minute // 60:02}-{minute % 60:02}"


def spoken(pieces: Iterable[str], language: str) -> str:
    """What `pieces` say in one of `LANGUAGES`; KeyError for a piece or language that does not exist."""
    return " ".join(TEXTS[piece][language] for piece in pieces)


def _time(minute: int) -> tuple[str, str]:
    hour, half = divmod(minute, 60)
    if hour % 12 == 0 and not half:
        return ("midday.", "hanner dydd.") if hour else ("midnight.", "hanner nos.")
    if hour == 0:
        return "half past midnight.", "hanner awr wedi hanner nos."
    part_en, part_cy = _part_of_day(hour)
    name_en, name_cy = str(hour % 12 or 12), _HOURS_CY[hour % 12]
    if half:
        return f"half past {name_en} {part_en}.", f"hanner awr wedi {name_cy} {part_cy}."
    return f"{name_en} o'clock {part_en}.", f"{name_cy} o'r gloch {part_cy}."


def _part_of_day(hour: int) -> tuple[str, str]:
    if hour < 12:
        return "in the morning", "y bore"
    if hour < 18:
        return "in the afternoon", "y prynhawn"
    return "in the evening", "yr hwyr"


def _all() -> dict[str, tuple[str, str]]:
    positions = {
        position_piece(number): (f"You are number {number} in the queue.", f"Rydych yn rhif {number} yn y ciw.")
        for number in range(1, POSITION_MAX + 1)
    }
    waits = {
        wait_piece(minutes): (
            f"You should be answered in less than {in_english}.",
            f"Dylech gael ateb mewn llai {in_welsh}.",
        )
        for minutes, (in_english, in_welsh) in _MINUTES.items()
    }
    times = {time_piece(minute): _time(minute) for minute in range(0, 24 * 60, TIME_EVERY_MINUTES)}
    return _SENTENCES | positions | waits | times


TEXTS: dict[str, dict[str, str]] = {
    piece: dict(zip(LANGUAGES, texts, strict=True)) for piece, texts in _all().items()
}
"""Every piece: its text by language."""
