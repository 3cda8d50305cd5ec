"""What the agents of FreeSWITCH's mod_callcenter are doing, as states of handlers.

mod_callcenter keeps two things of each: a status, which people and scripts set (`Available`, `On Break`), and a
state, which it sets itself (`Waiting`, `Receiving`, `In a queue call`); an event tells of one. Only a listing says
which queues an agent serves. Of wrap-up it tells nothing: who writes up a call is `Waiting`, hence available here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.events import HandlerStateName
from telephony.reading import MalformedError, usable_id
from telephony.switch_events import Standing

AGENTS_MAX = 2_000
QUEUES_MAX = 32

_USER = re.compile(r"\buser/([^\s,|/]+@[^\s,|/]+)")  # how a registered telephone is called

IN_A_CALL = "In a queue call"

_BUSY: dict[str, HandlerStateName] = {"Receiving": "ringing", "Reserved": "ringing", IN_A_CALL: "talking"}
_STATES = frozenset(_BUSY) | {"Waiting", "Idle"}
_STATUSES: dict[str, HandlerStateName] = {
    "Available": "available",
    "Available (On Demand)": "available",
    "On Break": "not_ready",
    "Logged Out": "logged_out",
}


@dataclass(slots=True)
class _Agent:
    status: str = ""
    state: str = ""
    said: Standing | None = None

    def name(self) -> HandlerStateName | None:
        """None while the status is unknown and the state does not say it: who waits may be logged out."""
        if self.state in _BUSY:
            return _BUSY[self.state]
        name = _STATUSES.get(self.status)
        return "not_ready" if name == "available" and self.state == "Idle" else name


class Agents:
    """All agents, as far as the switch has said."""

    def __init__(self) -> None:
        self._agents: dict[str, _Agent] = {}
        self._telephones: dict[str, str] = {}
        self._queues: dict[str, tuple[str, ...]] | None = None

    def at(self, presence: str) -> str | None:
        """The agent whose telephone is registered as `presence`, if it is an agent's."""
        return self._telephones.get(presence)

    def learn(self, name: str, presence: str) -> None:
        """An agent was called at this telephone."""
        if presence and (presence in self._telephones or len(self._telephones) < AGENTS_MAX):
            self._telephones[presence] = name

    def status(self, name: str, status: str) -> Standing | None:
        """What `name` now does, if that is news."""
        agent = self._agent(name)
        agent.status = _known(status, _STATUSES)
        return self._news(name, agent)

    def state(self, name: str, state: str) -> Standing | None:
        """As `status`."""
        agent = self._agent(name)
        agent.state = _known(state, _STATES)
        return self._news(name, agent)

    def serve(self, tiers: Iterable[Mapping[str, str]]) -> None:
        """Take in who serves which queue, as `tier list` says."""
        queues: dict[str, set[str]] = {}
        for tier in tiers:
            queue, name = tier.get("queue", ""), tier.get("agent", "")
            if usable_id(queue) and usable_id(name) and (name in queues or len(queues) < AGENTS_MAX):
                queues.setdefault(name, set()).add(queue)
        self._queues = {name: tuple(sorted(served)[:QUEUES_MAX]) for name, served in queues.items()}

    def replace(self, rows: Iterable[Mapping[str, str]]) -> dict[str, Standing] | None:
        """Take in all agents as `agent list` says; None while nobody said which queues they serve."""
        self._agents = {}
        for row in rows:
            name, status, state = row.get("name", ""), row.get("status", ""), row.get("state", "")
            if usable_id(name) and status in _STATUSES and len(self._agents) < AGENTS_MAX:
                self._agents[name] = _Agent(status, state if state in _STATES else "")
            for presence in _USER.findall(row.get("contact", "")):
                self.learn(name, presence)
        if self._queues is None:
            return None
        standings: dict[str, Standing] = {}
        for name, agent in self._agents.items():
            if standing := self._standing(name, agent):
                standings[name] = agent.said = standing
        return standings

    def _agent(self, name: str) -> _Agent:
        if name not in self._agents and len(self._agents) >= AGENTS_MAX:
            raise MalformedError("more agents than can be")
        return self._agents.setdefault(name, _Agent())

    def _standing(self, name: str, agent: _Agent) -> Standing | None:
        state = agent.name()
        return None if state is None else Standing(state, (self._queues or {}).get(name, ()))

    def _news(self, name: str, agent: _Agent) -> Standing | None:
        standing = self._standing(name, agent)
        if standing == agent.said:
            return None
        agent.said = standing
        return standing


def _known(value: str, values: Iterable[str]) -> str:
    if value not in values:
        raise MalformedError(value)
    return value
