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
from aiokafka.consumer import fetcher
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

from agents.transport import BatchThread, SliceApp, SliceConsumer, SliceTransport

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
        ("_new_consumer_thread", ["self"], driver.Consumer),
        ("_fetch_records", ["self", "consumer", "active_partitions", "timeout", "max_records"], BatchThread.__base__),
        ("fetched_records", ["self", "partitions", "timeout", "max_records"], fetcher.Fetcher),
        ("_create_fetch_waiter", ["self"], fetcher.Fetcher),
        ("_unpack_records", ["self"], fetcher.PartitionRecords),
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


def test_what_was_fetched_is_still_kept_where_batches_are_made_of_it():
    assert "self._records[tp] = FetchResult(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "self._partition_records = partition_records" in inspect.getsource(fetcher.FetchResult.__init__)
    made = inspect.getsource(fetcher.PartitionRecords.__init__)
    assert "self._records = records" in made
    assert "self._records_iterator = self._unpack_records()" in made


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
