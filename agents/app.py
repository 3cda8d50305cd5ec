"""Builds the Faust app of one worker: settings in, an app that is ready to be run out.

Every part is made here and handed what it needs; nothing is made when this module is imported, since an app stays
bound to the event loop that first touches it.
"""

import time
import uuid
from typing import Any

from faust.types import StreamT
from faust.web import Request, Response, View
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from agents.config import Settings
from agents.gate import Gate, Refusals
from agents.health import worker_health
from agents.hooks import Hooks, NoHooks
from agents.metrics import WorkerCollector
from agents.outputs import Outputs
from agents.partition import Slice, Tools
from agents.producer import Producer
from agents.progress import Progress
from agents.reader import Reader
from agents.shell import Shell
from agents.state_log import StateLog
from agents.transport import SliceApp
from schemas.topics import EVENTS, STATE
from stream.counters import no_anomalies
from stream.engine import Engine

GROUP = "occ-worker"
FETCH_BYTES_MAX = 4 * 1024 * 1024
"""Of one partition at a time: some ten thousand events."""
REQUEST_SECONDS = 90
RESTORE_SECONDS_MAX = 80
"""Faust gives a recovery up for good, and in silence, when a step of it takes REQUEST_SECONDS."""


def wall_clock() -> int:
    """Now, in µs since the epoch."""
    return time.time_ns() // 1_000


def create_app(settings: Settings, *, partitions: int, hooks: Hooks | None = None) -> SliceApp:
    """The app of one worker; the input topic has `partitions` partitions."""
    servers = settings.bootstrap_servers
    profile = settings.profile()
    reader = Reader(servers)
    producer = Producer(servers)
    tools = Tools(
        producer=producer,
        state_log=StateLog(STATE.name, producer, reader),
        outputs=Outputs(producer),
        boards=Outputs(Producer(servers, compression="zstd")),
        gate=Gate(partitions),
        refusals=Refusals(),
        anomalies=no_anomalies(),
        clock=wall_clock,
        hooks=hooks or NoHooks(),
        progress=Progress(),
    )
    session_seconds = settings.kafka.session_timeout_seconds
    shell = Shell(
        EVENTS.name,
        lambda number, epoch: Engine(
            profile,
            epoch=epoch,
            opens=tools.gate.centres_of(number, profile.centres),
            anomalies=tools.anomalies,
        ),
        reader,
        tools,
        session_seconds=session_seconds,
        restore_seconds_max=RESTORE_SECONDS_MAX,
    )
    app = SliceApp(
        GROUP,
        broker=[f"kafka://{server}" for server in servers.split(",")],
        broker_client_id=f"{GROUP}-{uuid.uuid4().hex[:8]}",
        datadir=str(settings.cache / "worker"),
        processing_guarantee="at_least_once",
        store="memory://",
        table_standby_replicas=0,
        topic_partitions=partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 5,
        broker_rebalance_timeout=30,
        broker_request_timeout=REQUEST_SECONDS,
        broker_commit_interval=1.0,
        broker_commit_every=None,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        web_host=settings.web.host,
        web_bind=settings.web.host,
        web_port=settings.web.port,
        web_tables_enabled=False,
        web_router_enabled=False,
    )
    app.shell = shell
    # Acks are switched off: what was applied is known from the state log, and the group's offsets come from there.
    topic = app.topic(EVENTS.name, value_type=bytes, value_serializer="raw", key_serializer="raw", acks=False)

    registry = CollectorRegistry()
    registry.register(WorkerCollector(shell, wall_clock, app.lag))

    @app.page("/metrics")
    async def metrics(view: View, request: Request) -> Response:
        async with tools.board_turn:  # what is asked here moves windows
            text = generate_latest(registry)
        return view.bytes(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    @app.page("/health")
    async def health(view: View, request: Request) -> Response:
        checked = await worker_health(shell, app.lag, wall_clock())
        return view.bytes(checked.as_json(), content_type="application/json", status=checked.http_status)

    @app.agent(topic, name="events")
    async def events(slices: StreamT[Any]) -> None:
        async for fetched in slices:
            assert isinstance(fetched, Slice)
            fetched.partition.offer(fetched)

    return app
