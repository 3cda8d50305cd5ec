"""What Prometheus reads of one wallboard server, taken at the scrape."""

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from wallboard.hub import Hub
from wallboard.views import VIEWS


class WallboardCollector(Collector):
    """Reads the hub; the labels' values are there from the start."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def describe(self) -> Iterable[Metric]:
        """Nothing: all is taken at the scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything as of now."""
        hub = self._hub
        clients = GaugeMetricFamily("occ_wallboard_clients", "Open streams, by view.", labels=["view"])
        for view in VIEWS:
            clients.add_metric([view], sum(client.view == view for client in hub.clients))
        yield clients
        yield GaugeMetricFamily("occ_wallboard_centres", "Control rooms of which there is a board.", len(hub.rooms))
        yield _counter("occ_wallboard_boards_total", "Boards taken from the topic.", hub.taken)
        yield _counter("occ_wallboard_boards_refused_total", "Records of the topic that are no board.", hub.refused)
        yield _counter("occ_wallboard_sent_bytes_total", "Bytes written to open streams.", hub.sent_bytes)
        about = "Streams ended because the client did not take what it was sent."
        yield _counter("occ_wallboard_dropped_clients_total", about, hub.dropped)
        feed = GaugeMetricFamily("occ_wallboard_feed_up", "1 while Kafka answers.")
        feed.add_metric([], float(hub.feed.state == "following"))
        yield feed


def _counter(name: str, about: str, value: float) -> CounterMetricFamily:
    family = CounterMetricFamily(name, about)
    family.add_metric([], value)
    return family
