"""The settings in force: one frozen object from defaults, a TOML file and the environment, the later one winning.

The file is `occ.toml` in the current folder, or the one named in OCC_CONFIG. A variable is OCC_ and the name of
the setting, groups joined by two underscores: OCC_KAFKA__BOOTSTRAP_SERVERS. Every fault is listed at once with
where it came from and what is allowed. A value is never repeated in a fault, since it may be a secret.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from agents.broker import Broker
from agents.exits import Exit
from schemas.moments import SECOND
from schemas.topics import PARTITIONS_DEFAULT
from stream.profile import Announce, Profile, QueueTarget
from wallboard.door import Door

PREFIX = "OCC_"
FILE_VARIABLE = "OCC_CONFIG"
SECRET_VARIABLE = "OCC_PSEUDONYM_SECRET"  # noqa: S105
"""Read by what makes pseudonyms; no setting, so that it is in no file and never printed."""
DEFAULT_FILE = Path("occ.toml")

Origin = Literal["default", "file", "env"]
Place = tuple[str, ...]
"""Where a setting is: `("kafka", "partitions")`."""

Share = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=7 * 86_400)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _none(value: object) -> object:
    """TOML has no null: "none" switches a limit off."""
    return None if value == "none" else value


LimitedShare = Annotated[Share | None, BeforeValidator(_none)]
LimitedSeconds = Annotated[Seconds | None, BeforeValidator(_none)]


def _addresses(value: str) -> str:
    for address in value.split(",") if value else ():
        host, _, port = address.rpartition(":")
        if not host or host != host.strip() or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError("should be HOST:PORT, or several of them with commas between")
    return value


class ConfigError(click.ClickException):
    """The settings cannot be used; the message lists every fault."""

    exit_code = Exit.USAGE


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(Group):
    """`bootstrap_servers` empty means this project's embedded broker."""

    bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = ""
    partitions: Annotated[int, Field(ge=1, le=1000)] = PARTITIONS_DEFAULT
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    session_timeout_seconds: Annotated[float, Field(ge=6, le=300)] = 10


class WebSettings(Group):
    """Where the worker serves /metrics and /health. It asks for no password, so it does not leave this machine."""

    host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 6066


class LookoutSettings(Group):
    """Where a bridge or an announcer serves /health and /metrics; 0 is any free port. It asks for no password."""

    host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


_DOOR = Door()


class WallboardSettings(Group):
    """How the wallboard is reached and by what it knows people; `Door` says what each means."""

    host: Name = _DOOR.host
    port: Annotated[int, Field(ge=0, le=65_535)] = _DOOR.port
    hosts: tuple[Name, ...] = ()
    users_file: Path | None = None
    session_secret_file: Path | None = None
    session_hours: Annotated[float, Field(gt=0, le=7 * 24)] = _DOOR.session_hours
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[Name, ...] = ()
    user_header: Name = _DOOR.user_header
    groups_header: Name = _DOOR.groups_header
    supervise_group: Name = _DOOR.supervise_group

    def door(self) -> Door:
        """The same, for the server."""
        return Door(**dict(self))


class GrafanaSettings(Group):
    """Where `occ grafana` finds its Grafana, and who asks there; where that finds Prometheus and the runbooks."""

    url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$")] = "http://127.0.0.1:3000"
    token_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    prometheus_url: Annotated[str, Field(pattern=r"^https?://[^@\s]+$")] = "http://127.0.0.1:9090"
    runbooks_url: Annotated[str, Field(pattern=r"^https?://[^@\s]*[^/@\s]$")] = "https://occ.example/runbooks"


class CentreSettings(Group):
    """A control room, and the sources (`//<centre>/<system>`) without which it counts as blind."""

    sources: tuple[Name, ...] = ()


class QueueSettings(Group):
    """The target of one queue; what is not set comes from the default of its name, else of its service."""

    service: Name
    threshold_seconds: Seconds
    service_level_target: Share
    short_limit_seconds: Seconds
    abandonment_warn: LimitedShare
    abandonment_bad: LimitedShare
    oldest_wait_amber_seconds: LimitedSeconds
    oldest_wait_red_seconds: LimitedSeconds
    announce: Announce
    lost_after_seconds: Seconds

    @classmethod
    def of(cls, target: QueueTarget) -> dict[str, Any]:
        """The settings that give `target`, still unvalidated."""
        return {name: _setting(name, target) for name in cls.model_fields}

    def target(self) -> QueueTarget:
        """The target of these settings; ValueError when they contradict each other."""
        members: dict[str, Any] = {
            name.removesuffix("_seconds"): _micros(value) if name.endswith("_seconds") else value
            for name, value in self
        }
        return QueueTarget(**members)

    @model_validator(mode="after")
    def _agrees(self) -> "QueueSettings":
        self.target()
        return self


def _setting(name: str, target: QueueTarget) -> Any:
    value = getattr(target, name.removesuffix("_seconds"))
    return value / SECOND if value is not None and name.endswith("_seconds") else value


def _micros(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND)


def _with_defaults(queues: object) -> object:
    """Each queue over the default of its name, else of its service, else of a queue without a target of its own.

    A queue of another name than the defaults' speaks only if it says so itself.
    """
    defaults = Profile()
    if not isinstance(queues, Mapping):
        return queues
    full: dict[str, object] = {name: QueueSettings.of(target) for name, target in defaults.targets.items()}
    for name, given in queues.items():
        service = given.get("service", "") if isinstance(given, Mapping) else ""
        base = defaults.targets.get(name) or replace(
            defaults.targets.get(service, defaults.other_queue), announce="never"
        )
        full[name] = {**QueueSettings.of(base), **given} if isinstance(given, Mapping) else given
    return full


class Settings(BaseSettings):
    """Everything that can be set. `load()` makes it; a process makes it once and hands it on."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        validate_default=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    web: WebSettings = WebSettings()
    bridge: LookoutSettings = LookoutSettings(port=6067)
    announcer: LookoutSettings = LookoutSettings(port=6068)
    wallboard: WallboardSettings = WallboardSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    centres: dict[Name, CentreSettings] = {}
    accept_any_centre: bool = False
    queues: Annotated[dict[Name, QueueSettings], BeforeValidator(_with_defaults)] = {}
    watchdog_seconds: Annotated[float, Field(ge=5, le=3600)] = 30
    cache: Path = Path(".cache")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`Settings(...)` is what it is given: only `load` looks at the file and the environment."""
        return (init_settings,)

    @property
    def broker(self) -> Broker:
        """This project's embedded broker."""
        return Broker(self.cache / "kafka")

    @property
    def bootstrap_servers(self) -> str:
        """The configured Kafka, else the embedded broker's address; ConfigError when neither is there."""
        if self.kafka.bootstrap_servers:
            return self.kafka.bootstrap_servers
        if self.broker.running:
            return self.broker.bootstrap
        raise ConfigError("No Kafka: start one with `occ broker up`, or name yours in OCC_KAFKA__BOOTSTRAP_SERVERS.")

    def profile(self, *, any_centre: bool = False) -> Profile:
        """Targets and control rooms for the engine.

        A live worker that is told of no control room takes none: a stray source must not open one by itself.
        Over files, and where `accept_any_centre` is set, `any_centre` opens each that is met.
        """
        if not (self.centres or self.accept_any_centre or any_centre):
            raise ConfigError(
                "No control room is configured: name each in occ.toml as a table [centres.NAME], "
                "or accept any with OCC_ACCEPT_ANY_CENTRE=true."
            )
        any_centre = any_centre or self.accept_any_centre
        return Profile(
            targets={name: queue.target() for name, queue in self.queues.items()},
            centres=frozenset() if any_centre else frozenset(self.centres),
            expected_sources={
                name: frozenset(centre.sources) for name, centre in self.centres.items() if centre.sources
            },
        )


class _Environment(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """What is not JSON is left as it is, to be listed with the other faults."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force; `value` is as JSON has it, with secrets masked."""

    name: str
    value: Any
    origin: Origin


def load() -> Settings:
    """The settings in force. Raises ConfigError with every fault."""
    return explain()[0]


def explain() -> tuple[Settings, list[Setting]]:
    """The settings in force, and where each came from. Raises ConfigError with every fault."""
    path, file = _read_file()
    env = _Environment(Settings)()
    origins: dict[Place, Origin] = {
        **dict.fromkeys(_leaves(file), "file"),
        **dict.fromkeys(_leaves(env), "env"),
    }
    faults = [f"{name}: no such setting" for name in _unknown_variables()]
    try:
        settings = Settings(**_merged(file, env))
    except ValidationError as error:
        faults += [_fault(details, origins, path) for details in error.errors(include_url=False)]
    if faults:
        raise ConfigError("The settings have faults:\n" + "\n".join(f"  {fault}" for fault in sorted(faults)))
    return settings, [
        Setting(".".join(place), value, _origin(place, origins))
        for place, value in _leaves(settings.model_dump(mode="json")).items()
    ]


def _read_file() -> tuple[Path, dict[str, Any]]:
    named = os.environ.get(FILE_VARIABLE)
    path = Path(named) if named else DEFAULT_FILE
    if not named and not path.exists():
        return path, {}
    try:
        return path, tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); it is named in {FILE_VARIABLE}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}.") from None


def _unknown_variables() -> Iterator[str]:
    for name in os.environ:
        if name.startswith(PREFIX) and name not in (FILE_VARIABLE, SECRET_VARIABLE):
            group = name.removeprefix(PREFIX).lower().partition("__")[0]
            if group not in Settings.model_fields:
                yield name


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        lower = merged.get(name)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(lower, value)
        else:
            merged[name] = value
    return merged


def _leaves(tree: Mapping[str, Any], place: Place = ()) -> dict[Place, Any]:
    leaves: dict[Place, Any] = {}
    for name, value in tree.items():
        here = (*place, name)
        leaves.update(_leaves(value, here) if isinstance(value, Mapping) and value else {here: value})
    return leaves


def _origin(place: Place, origins: Mapping[Place, Origin]) -> Origin:
    """Also of a place within a given list, or of one above a given leaf."""
    for given, origin in origins.items():
        shorter = min(len(given), len(place))
        if given[:shorter] == place[:shorter]:
            return origin
    return "default"


def _fault(details: ErrorDetails, origins: Mapping[Place, Origin], path: Path) -> str:
    place = tuple(str(part) for part in details["loc"])
    match _origin(place, origins):
        case "env":
            where = f"{PREFIX}{'__'.join(place).upper()}"
        case "file":
            where = f"{path}, {'.'.join(place)}"
        case "default":
            where = ".".join(place)
    if details["type"] == "extra_forbidden":
        return f"{where}: no such setting"
    return f"{where}: {details['msg'].removeprefix('Value error, ').replace('Input should', 'should')}"
