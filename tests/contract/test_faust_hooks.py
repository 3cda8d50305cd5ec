"""The private parts of Faust, mode and aiokafka that agents/transport.py hooks into are as it expects them.

When one of these fails after an upgrade, read agents/transport.py against the new version before changing the pin.
"""

import inspect
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

from agents.transport import SliceApp, SliceConsumer, SliceTransport

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PINNED = ("faust-streaming", "aiokafka", "mode-streaming")


@pytest.mark.parametrize("package", PINNED)
def test_the_version_is_pinned_exactly_and_is_the_one_installed(package: str) -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    without_extras = {re.sub(r"\[.*?\]", "", dependency) for dependency in dependencies}
    assert f"{package}=={version(package)}" in without_extras, f"{package} has private hooks: pin the version tested"


@pytest.mark.parametrize(
    ("method", "arguments", "of"),
    [
        ("_drain_messages", ["self", "fetcher"], Consumer),
        ("_getmany", ["self", "active_partitions", "timeout"], driver.Consumer),
        ("_get_active_partitions", ["self"], Consumer),
        ("_commit", ["self", "offsets"], driver.Consumer),
        ("perform_seek", ["self"], Consumer),
        ("seek_wait", ["self", "partitions"], driver.Consumer),
        ("force_commit", ["self", "topics", "start_new_transaction"], Consumer),
        ("on_partitions_revoked", ["self", "revoked"], Consumer),
        ("on_partitions_assigned", ["self", "assigned", "generation_id"], Consumer),
        ("assignment", ["self"], driver.Consumer),
        ("highwater", ["self", "tp"], driver.Consumer),
        ("_new_transport", ["self"], App),
    ],
)
def test_a_method_that_is_hooked_or_called_takes_what_it_took(method: str, arguments: list[str], of: type) -> None:
    found: Callable[..., Any] | None = getattr(of, method, None)
    assert found is not None, f"{of.__name__}.{method} is gone: agents/transport.py relies on it"
    assert list(inspect.signature(found).parameters) == arguments, f"{of.__name__}.{method} takes other arguments"


@pytest.mark.parametrize("method", ["_drain_messages", "perform_seek", "seek_wait", "_getmany", "_commit"])
def test_what_is_awaited_is_still_a_coroutine(method: str) -> None:
    assert inspect.iscoroutinefunction(getattr(driver.Consumer, method)), f"{method} is no coroutine any more"


def test_the_fetcher_still_drains_through_the_hook() -> None:
    assert "consumer._drain_messages(self)" in inspect.getsource(Fetcher), "nobody calls _drain_messages any more"


@pytest.mark.parametrize(
    "attribute", ["_committed_offset", "consumer_stopped_errors", "can_resume_flow", "suspend_flow", "flow_active"]
)
def test_what_the_hooks_read_of_a_consumer_is_still_there(attribute: str) -> None:
    made = inspect.getsource(Consumer.__init__)
    assert f"self.{attribute} " in made or hasattr(driver.Consumer, attribute), f"Consumer.{attribute} is gone"


def test_the_last_step_before_the_flow_resumes_is_still_perform_seek() -> None:
    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("perform_seek") < source.index("resume_flow"), "the flow resumes before perform_seek"


def test_a_slice_can_still_be_put_into_a_message_of_faust() -> None:
    arguments = list(inspect.signature(ConsumerMessage.__init__).parameters)[1:13]
    assert arguments == [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestamp_type",
        "headers",
        "key",
        "value",
        "checksum",
        "serialized_key_size",
        "serialized_value_size",
        "tp",
    ]
    assert "generation_id" in inspect.signature(ConsumerMessage.__init__).parameters


def test_the_app_uses_the_transport_of_slices() -> None:
    app = SliceApp("contract", broker="kafka://127.0.0.1:1", store="memory://")
    transport = app._new_transport()
    assert isinstance(transport, SliceTransport)
    assert transport.Consumer is SliceConsumer
    assert isinstance(app, faust.App)
