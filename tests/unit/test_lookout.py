"""What a bridge and an announcer let others see, over real sockets."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from agents.announcer_lookout import Counted
from agents.announcer_lookout import look_at as look_at_announcer
from agents.bridge_lookout import look_at
from agents.config import LookoutSettings
from agents.lookout import Lookout, watched
from agents.outbox import Outbox
from agents.sending import wall_clock
from schemas import events as ev
from schemas.codec import new_event
from schemas.moments import SECOND, moment
from telephony.spool import Spool

ANY_PORT = LookoutSettings(port=0)


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def beat(number: int) -> ev.Event:
    data = ev.SourceHeartbeatData(centre="mercia", events_seen=number, calls_up=0, callers_queued=0)
    return new_event(ev.SourceHeartbeat, data, id=f"beat-{number}", source="//mercia/pbx1", time=moment(SECOND))


async def test_bridge_is_fit_while_its_switch_answers_and_its_spool_has_room(tmp_path: Path) -> None:
    lookout, bridge = Lookout(), SimpleNamespace(answered_at=None)
    spooled: Any = bridge
    with Spool(tmp_path, bytes_max=400) as spool:
        outbox = Outbox("127.0.0.1:1", spool, "mercia")
        look_at(lookout, spooled, outbox, spool)
        async with watched(ANY_PORT, lookout, "OCC_BRIDGE__PORT") as port:
            assert port is not None
            status, said = await get(port, "/health")
            assert (status, "has not answered yet" in said) == (503, True)
            bridge.answered_at = wall_clock()
            outbox.put([beat(1)])
            assert (await get(port, "/health"))[0] == 200
            outbox.put([beat(2), beat(3), beat(4)])
            status, said = await get(port, "/health")
            assert (status, "events are lost" in said) == (503, True)
            _, metrics = await get(port, "/metrics")
            assert "occ_bridge_events_total 1.0" in metrics
            assert "occ_bridge_events_lost_total 3.0" in metrics
            assert f"occ_bridge_spool_bytes {float(spool.waiting_bytes)}" in metrics
            bridge.answered_at = wall_clock() - 11 * SECOND
            assert "has not answered for 10 s" in (await get(port, "/health"))[1]


async def test_announcer_that_cannot_speak_says_so_and_why() -> None:
    lookout, obstacles = Lookout(), [""]
    driver: Any = SimpleNamespace(obstacle=lambda: obstacles[0])

    async def nobody() -> Any:
        raise OSError

    look_at_announcer(lookout, driver, nobody)
    Counted(lookout.registry).outcomes.labels("played").inc()
    async with watched(ANY_PORT, lookout, "OCC_ANNOUNCER__PORT") as port:
        assert port is not None
        assert '"speech":{"status":"ok"' in (await get(port, "/health"))[1]
        obstacles[0] = "the switch is not connected"
        status, said = await get(port, "/health")
        assert status == 503
        assert "the switch is not connected" in said
        assert "Kafka does not answer" in said
        _, metrics = await get(port, "/metrics")
        assert 'occ_announcer_outcomes_total{outcome="played"} 1.0' in metrics
        assert 'occ_announcer_outcomes_total{outcome="expired"} 0.0' in metrics


async def test_port_that_is_taken_stops_no_work(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = LookoutSettings(port=other.getsockname()[1])
        async with watched(taken, Lookout(registry=CollectorRegistry()), "OCC_BRIDGE__PORT") as port:
            assert port is None
    assert "set OCC_BRIDGE__PORT" in caplog.text
