"""Who rings a simulated control room: members of the public, officers, station phones, other agencies.

A caller is a plain number of our own in a made-up population, never a telephone number; what an event carries is a
pseudonym under the keys of the day, as the edge makes them of real callers. Withheld numbers and telephones that
many people share have none.
"""

import hmac
from dataclasses import dataclass
from random import Random

from schemas.events import CallerState, CallerToken, Channel, Origin
from telephony.pseudonyms import TOKEN_BYTES, key_days
from telephony.room import Demand

POPULATION = 400_000
FREQUENT_CALLERS = 6
FREQUENT_SHARE = 0.02

SITES = ("hereford", "kidderminster", "redditch", "shrewsbury", "telford", "worcester")
DEPARTMENTS = ("cid", "neighbourhood", "response-north", "response-south", "roads")


@dataclass(frozen=True, slots=True)
class Caller:
    """One who rings; `person` is None where the number tells nobody apart."""

    origin: Origin
    state: CallerState
    person: int | None = None
    site: str | None = None
    department: str | None = None
    language: str | None = None
    channel: Channel = "voice"


class Callers:
    """Draws callers, and names them as the edge would."""

    def __init__(self, rng: Random, secret: bytes) -> None:
        self._rng = rng
        self._secret = secret

    def draw(self, service: str, demand: Demand) -> Caller:
        """Somebody who rings for `service`."""
        rng = self._rng
        if service == "digital":
            return Caller("public", "absent", channel="digital")
        origin: Origin = rng.choices(list(demand.origins), list(demand.origins.values()))[0]  # type: ignore[assignment]
        match origin:
            case "station_phone":
                return Caller(origin, "shared", site=rng.choice(SITES), language="en")
            case "internal" | "other_agency":
                return Caller(origin, "shared")
            case "diverted_mobile":
                return Caller(origin, "ok", self._person(), department=rng.choice(DEPARTMENTS))
            case _:
                return self._from_public(origin, service, demand.withheld)

    def tokens(self, caller: Caller, at: int) -> tuple[CallerToken, ...] | None:
        """The caller's pseudonyms under the keys in force at `at`; None where nobody can tell."""
        if caller.person is None:
            return None
        return tuple(
            CallerToken(
                day, hmac.digest(self._secret, f"{day} {caller.person}".encode(), "sha256")[:TOKEN_BYTES].hex()
            )
            for day in key_days(at)
        )

    def _from_public(self, origin: Origin, service: str, withheld: float) -> Caller:
        rng = self._rng
        channel: Channel = "text_relay" if service == "999" and rng.random() < 0.006 else "voice"
        language = "cy" if rng.random() < 0.02 else "en"
        if rng.random() < withheld:
            return Caller(origin, "withheld", language=language, channel=channel)
        return Caller(origin, "ok", self._person(), language=language, channel=channel)

    def _person(self) -> int:
        if self._rng.random() < FREQUENT_SHARE:
            return self._rng.randrange(FREQUENT_CALLERS)
        return self._rng.randrange(FREQUENT_CALLERS, POPULATION)
