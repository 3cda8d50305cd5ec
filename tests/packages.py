"""Programs of the system that tests need; without one a test does not run."""

import os
import shutil
from typing import NoReturn

import pytest

from agents.packages import UnobtainableError, obtain


def require(program: str, package: str) -> str:
    """The path of `program`, installed if need be; the test does not go on without it."""
    try:
        obtain(program, package)
    except UnobtainableError as error:
        do_without(str(error))
    found = shutil.which(program)
    assert found is not None
    return found


def do_without(message: str) -> NoReturn:
    """Skip the test, or let it fail where everything has to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
