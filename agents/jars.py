"""The jars of Apache Kafka: which ones, and how they come to this machine.

`kafka.lock` names every jar with its SHA-256; a jar that differs is refused. They are fetched once per user,
by jgo, and land one by one, whole: a jar that is there is good.
`python -m agents.jars VERSION` resolves a version anew and prints the lock file.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

# jgo takes most of a second to import, and is needed once in the life of a machine.
if TYPE_CHECKING:
    from jgo.maven import MavenContext

FETCHES_AT_ONCE = 8
TRIES = 3
TIMEOUT_SECONDS = 30
FULL = {errno.ENOSPC, errno.EDQUOT}
# Without a logging binding Kafka is silent about its faults, a taken port included.
LOGGING = "org.slf4j:slf4j-simple:1.7.36"


class JarsError(click.ClickException):
    """The jars cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """The jars of `kafka.lock`, in class path order."""
    lines = files("agents").joinpath("kafka.lock").read_text().splitlines()
    return [Jar(*line.replace(":", " ").split(" ")) for line in lines]


def kafka_version() -> str:
    return next(jar.version for jar in locked() if jar.artifact == "kafka_2.13")


def class_path() -> str:
    """The class path of the locked jars, fetched first if any is missing.

    Raises JarsError without network or space.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "occ-stream", "jars")
    jars = locked()
    try:
        if any(not (folder / jar.file_name).exists() for jar in jars):
            with _held(folder):
                _fetch([jar for jar in jars if not (folder / jar.file_name).exists()], folder)
    except OSError as error:
        if error.errno in FULL:
            raise JarsError(f"No space left for Kafka's jars in {folder}: free some 100 MB.") from None
        raise JarsError(f"Cannot write Kafka's jars to {folder}: {error.strerror}.") from None
    return os.pathsep.join(str(folder / jar.file_name) for jar in jars)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One fetch at a time, whichever processes ask."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jars: list[Jar], folder: Path) -> None:
    if not jars:
        return
    from jgo.maven import MavenContext

    landing = folder / "landing"
    shutil.rmtree(landing, ignore_errors=True)
    maven = MavenContext(repo_cache=landing, timeout=TIMEOUT_SECONDS)
    with (
        ThreadPoolExecutor(FETCHES_AT_ONCE) as threads,
        click.progressbar(
            threads.map(lambda jar: _fetch_one(maven, jar, folder), jars),
            length=len(jars),
            label=f"Fetching Apache Kafka {kafka_version()}, once",
            file=sys.stderr,
        ) as landed,
    ):
        try:
            for _ in landed:
                pass
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    shutil.rmtree(landing)


def _fetch_one(maven: "MavenContext", jar: Jar, folder: Path) -> None:
    artifact = maven.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    for _ in range(TRIES):
        try:
            path = artifact.resolve()
        except OSError as error:
            # requests' errors are OSErrors too, and name hosts and addresses: none of that is passed on.
            if error.errno in FULL:
                raise OSError(error.errno, "no space") from None
        except RuntimeError:
            break
        else:
            if _sha256(path) != jar.sha256:
                raise JarsError(f"{jar.file_name} as fetched is not the one of kafka.lock: it was refused.")
            path.replace(folder / jar.file_name)
            return
        # A broken download leaves a part behind, which the next try would take for the whole.
        assert artifact.cached_path is not None
        artifact.cached_path.unlink(missing_ok=True)
    raise JarsError(
        f"Cannot fetch {jar.file_name} of Apache Kafka from Maven Central. "
        "Is this machine online (HTTPS_PROXY is respected)? "
        "Otherwise name a Kafka of your own in OCC_KAFKA__BOOTSTRAP_SERVERS."
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lock(version: str) -> Iterator[str]:
    import jgo

    for artifact in jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}+{LOGGING}"):
        yield f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {_sha256(artifact.resolve())}"


if __name__ == "__main__":
    for line in _lock(sys.argv[1]):
        click.echo(line)
