"""Points at which a test stops the worker, to show that nothing is lost there."""

from typing import Protocol


class Hooks(Protocol):
    """Called between two steps that a crash may separate."""

    def marked(self, partition: int) -> None:
        """The marker is appended; the log is not read yet."""

    def appended(self, partition: int, decided: int) -> None:
        """A state record with so many decisions is appended; none of it is published yet."""


class NoHooks:
    """What the product uses."""

    def marked(self, partition: int) -> None:
        pass

    def appended(self, partition: int, decided: int) -> None:
        pass
