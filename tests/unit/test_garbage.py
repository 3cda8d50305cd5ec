"""What is new is searched for cycles, and what survived that is left alone."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from agents.garbage import YOUNG_MAX, look_once

class Ring:
    def __init__(self):
        self.me = self

look_once()
settled = gc.get_freeze_count()
dropped = weakref.ref(Ring())
kept = [[] for _ in range(3 * YOUNG_MAX)]
assert dropped() is None
assert gc.get_freeze_count() > settled + 2 * YOUNG_MAX
assert len(gc.get_objects()) < YOUNG_MAX + 100
kept.clear()
assert gc.get_freeze_count() < settled + YOUNG_MAX
"""


def test_new_cycles_are_found_and_what_lives_on_is_not_looked_at_again() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
