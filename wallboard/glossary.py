"""The definitions the page shows, taken from docs/glossary.md, which is tested against the code.

python -m wallboard.glossary            writes wallboard/definitions.json
python -m wallboard.glossary --check    changes nothing; exits 1 when it no longer agrees with the glossary
"""

import argparse
import re
import sys
from pathlib import Path

import orjson

HERE = Path(__file__).parent
GLOSSARY = HERE.parent / "docs/glossary.md"
WRITTEN = HERE / "definitions.json"
NAME = re.compile(r"`([^`]+)`")

OUTCOMES = "Outcomes"
COUNTS = "Counts of a queue"
RATIOS = "Ratios and averages of a queue"
PERCENTILES = "Percentiles of waits"
NOW = "Right now"
CALLS = "Calls of a control room"
CALLERS = "Callers of a day"
NONE = "–"


def definitions(glossary: str) -> list[dict[str, str]]:
    """Every figure of the glossary: its name, formula, threshold and moment where it has them, and what it means."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", glossary, re.MULTILINE | re.DOTALL))
    outcomes = {outcome: f"whose caller {meaning}" for outcome, meaning in _rows(sections[OUTCOMES])}
    found = []
    for figures, counts, threshold, placed_by in _rows(sections[COUNTS]):
        which = counts.replace("ended so", outcomes[figures]) if figures in outcomes else f"that {counts}"
        found += _each(figures, "number of visits", f"Visits {which}.", threshold, placed_by)
    for figures, formula, threshold, placed_by, note in _rows(sections[RATIOS]):
        found += _each(figures, formula, _sentence(note) or _sentence(formula), threshold, placed_by)
    for figures, over in _rows(sections[PERCENTILES]):
        found += _each(figures, "nearest rank of the waits", f"Over {over}.", NONE, "end of wait")
    for figures, meaning in _rows(sections[NOW]):
        found += _each(figures, meaning, _sentence(meaning), NONE, NONE)
    for figures, counts in _rows(sections[CALLS]):
        found += _each(figures, "number of calls", f"Calls {counts}.", NONE, "offering")
    for figures, meaning in _rows(sections[CALLERS]):
        found += _each(figures, meaning, _sentence(meaning), NONE, "offering")
    return found


def _rows(section: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def _each(figures: str, formula: str, text: str, threshold: str, placed_by: str) -> list[dict[str, str]]:
    about = {"formula": _plain(formula), "text_en": _plain(text), "threshold": threshold, "placed_by": placed_by}
    said = {name: value for name, value in about.items() if value != NONE}
    return [{"figure": name, **said} for name in NAME.findall(figures)]


def _sentence(text: str) -> str:
    said = _plain(text)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _plain(text: str) -> str:
    """Without the marks of a page, which a screen would show."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text).replace("`", "")


def written(glossary: str) -> bytes:
    """The content of the file."""
    return orjson.dumps(definitions(glossary), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wallboard.glossary", description="Generate the page's definitions"
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when it drifted")
    wanted = written(GLOSSARY.read_text(encoding="utf-8"))
    if not parser.parse_args(arguments).check:
        WRITTEN.write_bytes(wanted)
    elif not WRITTEN.exists() or WRITTEN.read_bytes() != wanted:
        print("wallboard/definitions.json does not agree with docs/glossary.md: run `python -m wallboard.glossary`",
              file=sys.stderr)  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
