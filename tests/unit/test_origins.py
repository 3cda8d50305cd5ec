"""Where calls come from, by a table in a file."""

import os
from pathlib import Path

import pytest

from telephony.origins import FaultyTableError, OriginsFile, Place, read

TABLE = """
[[origin]]
number = "01632 960 5*"
origin = "station_phone"
site = "worcester"

[[origin]]
number = "01632 960 510"
origin = "other_agency"

[[origin]]
diverted_from = "07700 900101"
origin = "diverted_mobile"
department = "cid"

[[origin]]
trunk = "PJSIP/bt"
origin = "public"

[[origin]]
number = "20*"
origin = "internal"
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_diversion_outdoes_number_and_number_outdoes_trunk_and_the_longest_number_counts(tmp_path: Path) -> None:
    table = read(write(tmp_path / "origins.toml", TABLE))
    station = Place("station_phone", "worcester")
    assert table.classify("+441632960501", "PJSIP/bt", "") == station
    assert table.classify("0044 1632 960501", "", "") == station
    assert table.classify("01632960510", "PJSIP/bt", "") == Place("other_agency")
    assert table.classify("01632960501", "PJSIP/bt", "+447700900101") == Place("diverted_mobile", None, "cid")
    assert table.classify("07700900199", "PJSIP/bt", "07700900102") == Place("public")
    assert table.classify("2001", "", "") == Place("internal")
    assert table.classify("anonymous", "PJSIP/other", "") == Place("unknown")


def test_changed_table_is_in_force_when_asked_to_look_and_a_faulty_one_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "origins.toml", '[[origin]]\ntrunk = "PJSIP/bt"\norigin = "public"\n')
    table = OriginsFile(path)
    assert not table.refresh()
    write(path, '[[origin]]\ntrunk = "PJSIP/bt"\norigin = "internal"\n')
    os.utime(path, ns=(1, 1))
    assert table.refresh()
    assert table.classify("", "PJSIP/bt", "") == Place("internal")
    write(path, '[[origin]]\ntrunk = "PJSIP/bt"\norigin = "mars"\n')
    with pytest.raises(FaultyTableError):
        table.refresh()
    assert not table.refresh()
    assert table.classify("", "PJSIP/bt", "") == Place("internal")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[origin]", "is not TOML"),
        ('[[origin]]\norigin = "public"', "row 1: names one of number, trunk and diverted_from"),
        ('[[origin]]\norigin = "public"\nnumber = "0770*900101"', "row 1: a number is digits"),
        ('[[origin]]\norigin = "07700900101"\ntrunk = "x"', r"\$.origin\[0\].origin` is not what a table"),
        ('[[origin]]\norigin = "public"\ntrunk = "x"\nplace = "07700900101"', r"is not what a table"),
    ],
)
def test_fault_is_named_with_its_row_and_without_a_number(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FaultyTableError, match=why) as raised:
        read(write(tmp_path / "origins.toml", text))
    assert "900101" not in str(raised.value)
