"""What the documents name exists: files, commands with their options, targets of make, settings, topics."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agents.cli import main
from agents.config import FILE_VARIABLE, PREFIX, SECRET_VARIABLE, Settings
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}
FOLDERS = "schemas|stream|agents|telephony|wallboard|tests|docs|deploy|bench"


def found(pattern: str) -> list[tuple[str, str]]:
    """(document, text) of all that matches."""
    return sorted({(name, text) for name, content in TEXTS.items() for text in re.findall(pattern, content)})


def commands() -> Iterator[tuple[str, str]]:
    """(document, command line) of each line of shell that calls `occ`."""
    for name, block in found(r"(?s)```sh\n(.*?)```"):
        for line in re.split(r"[|\n]", block):
            words = line.partition(" # ")[0].partition(" > ")[0].strip()
            if match := re.search(r"(?:^|\s)occ (.+)", words):
                yield name, match[1]


@pytest.mark.parametrize(("document", "target"), found(r"\]\((?!https?:)([^)\s]+)\)"))
def test_a_link_leads_somewhere(document: str, target: str):
    path, _, anchor = target.partition("#")
    place = (ROOT / document).parent / path if path else ROOT / document
    assert place.exists()
    if anchor:
        heads = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("document", "path"), found(rf"(?<![\w/.])((?:{FOLDERS})/[\w./-]*\w)"))
def test_a_file_that_is_named_exists(document: str, path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("document", "line"), sorted(set(commands())))
def test_a_command_line_names_commands_and_options_there_are(document: str, line: str):
    command: click.Command = main
    for word in shlex.split(line):
        name = word.partition("=")[0]
        if word.startswith("-"):
            assert name in {option for param in command.params for option in param.opts}, command.name
        elif isinstance(command, click.Group):
            following = command.get_command(click.Context(command), word)
            assert following is not None, word
            command = following


@pytest.mark.parametrize(("document", "words"), found(r"`occ ([a-z]+(?: [a-z-]+)?)"))
def test_a_command_that_is_mentioned_exists(document: str, words: str):
    name, _, following = words.partition(" ")
    command = main.get_command(click.Context(main), name)
    assert command is not None
    if following and isinstance(command, click.Group):
        assert command.get_command(click.Context(command), following) is not None


@pytest.mark.parametrize(("document", "target"), found(r"(?:`|\n)make ([a-z]+)"))
def test_a_target_of_make_exists(document: str, target: str):
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("document", "variable"), found(rf"\b{PREFIX}[A-Z_]+[A-Z]\b"))
def test_a_variable_is_one_that_is_read(document: str, variable: str):
    if variable in (SECRET_VARIABLE, FILE_VARIABLE):
        return
    group, *rest = variable.removeprefix(PREFIX).lower().split("__")
    kind = Settings.model_fields[group].annotation
    for member in rest:
        assert kind is not None
        assert member in kind.model_fields


@pytest.mark.parametrize(("document", "topic"), found(r"\bocc\.[a-z]+\.v[0-9]+\b"))
def test_a_topic_is_one_of_the_contract(document: str, topic: str):
    assert topic in {topic.name for topic in TOPICS}
