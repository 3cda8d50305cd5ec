import click
import pytest

from agents.cli.board import choose

WEST, NORTH = {"centre": "west"}, {"centre": "north"}


def test_the_only_control_room_needs_not_be_named():
    assert choose({"west": WEST}, None, None) is WEST


def test_one_of_several_has_to_be_named():
    boards = {"west": WEST, "north": NORTH}
    assert choose(boards, "north", None) is NORTH
    with pytest.raises(click.UsageError, match="--centre: north, west"):
        choose(boards, None, None)


def test_an_unknown_control_room_is_answered_with_those_there_are():
    with pytest.raises(click.ClickException, match="no control room 'nowhere'; known: north, west"):
        choose({"west": WEST, "north": NORTH}, "nowhere", None)


def test_without_boards_it_says_what_is_missing():
    with pytest.raises(click.ClickException, match="run `occ worker`"):
        choose({}, None, None)
    with pytest.raises(click.ClickException, match=r"No board as of 1970-01-01T00:00:00.000000Z or before"):
        choose({}, "west", 0)
