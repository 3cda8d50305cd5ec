from click.testing import CliRunner

from agents.cli.wallboard import command
from agents.config import Settings
from wallboard import passwords
from wallboard.door import Door


def test_a_password_becomes_what_the_file_of_users_keeps():
    printed = CliRunner().invoke(command, ["hash-password"], input="correct horse battery\n")
    assert printed.exit_code == 0
    kept = printed.stdout.strip()
    assert passwords.matches("correct horse battery", kept)
    assert not passwords.matches("correct horse batter", kept)
    assert not passwords.matches("correct horse battery", None)
    assert "horse" not in printed.output


def test_a_short_password_is_not_taken():
    printed = CliRunner().invoke(command, ["hash-password"], input="hunter2\n")
    assert printed.exit_code == 1
    assert "12 to 1024" in printed.stderr
    assert "hunter2" not in printed.output


def test_without_a_setting_the_door_is_the_default_one():
    assert Settings().wallboard.door() == Door()
