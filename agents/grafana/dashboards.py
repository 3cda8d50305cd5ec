"""The dashboards: what a control room looks like now, how well it keeps its targets, where its demand comes from,
what callers were told, what calls cost, and whether all of this can be believed.

Limits come from the targets of the settings in force. A worker that was just replaced may still be scraped beside its
successor, so gauges are the maximum over workers and never summed.
"""

from collections.abc import Callable
from typing import Any

from agents.grafana.panels import Dashboard, Panel, Query, Steps
from schemas.moments import SECOND
from stream.profile import Profile, QueueTarget

_QUEUE = 'centre="$centre",queue=~"$queue"'
_HEADLINE = f'{_QUEUE},formula="headline"'
GOOD, WARNING, BAD = "green", "orange", "red"


def dashboards(profile: Profile) -> tuple[Dashboard, ...]:
    """Every dashboard, with the limits of `profile`."""
    return (
        _control_room(profile),
        _service_levels(),
        _demand(),
        _announcements(),
        _handling(),
        _pipeline(),
    )


def render(profile: Profile, runbooks: str) -> dict[str, dict[str, Any]]:
    """Every dashboard as Grafana's JSON, by uid."""
    return {dashboard.uid: dashboard.json(runbooks) for dashboard in dashboards(profile)}


def _control_room(profile: Profile) -> Dashboard:
    return Dashboard(
        uid="occ-control-room",
        title="Control room now",
        about="Who waits, how long, and how well they are being answered, against the targets of each queue.",
        period="now-1h",
        panels=(
            Panel(
                title="Waiting",
                about="Visits queued and not ended, now.",
                kind="stat",
                width=6,
                queries=(_by_queue(f"occ_visits_waiting{{{_QUEUE}}}"),),
            ),
            Panel(
                title="Oldest wait",
                about="How long the visit waits that waits longest. Coloured by the limits of each queue.",
                unit="s",
                kind="stat",
                width=6,
                steps=_per_queue(profile, _wait_steps),
                queries=(_by_queue(f"occ_oldest_wait_seconds{{{_QUEUE}}}"),),
                runbook="EmergencyCallerWaiting",
            ),
            Panel(
                title="Service level, 15 min",
                about="Answered within the target's time / those, and all who waited longer, gave up after the short "
                "limit, or timed out. No data is not 0 %.",
                unit="percentunit",
                kind="stat",
                width=6,
                steps=_per_queue(profile, _service_level_steps),
                queries=(_by_queue(f'occ_service_level_ratio{{{_HEADLINE},window="15m"}}'),),
                runbook="EmergencyBurningFast",
            ),
            Panel(
                title="Abandonment, 60 min",
                about="Abandoned / (answered + abandoned + timed out); short abandons are left out.",
                unit="percentunit",
                kind="stat",
                width=6,
                steps=_per_queue(profile, _abandonment_steps),
                queries=(_by_queue(f'occ_abandonment_ratio{{{_HEADLINE},window="60m"}}'),),
                runbook="NonEmergencyAbandoning",
            ),
            Panel(
                title="Waiting",
                about="Visits queued and not ended.",
                queries=(_by_queue(f"occ_visits_waiting{{{_QUEUE}}}"),),
            ),
            Panel(
                title="Oldest wait",
                about="How long the visit waited that waited longest, and each queue's limit.",
                unit="s",
                queries=(
                    _by_queue(f"occ_oldest_wait_seconds{{{_QUEUE}}}"),
                    Query(
                        'max by (queue) (occ:target_oldest_wait_red_seconds{queue=~"$queue"})',
                        "{{queue}} limit",
                        True,
                    ),
                ),
                runbook="EmergencyCallerWaiting",
            ),
            Panel(
                title="Handlers",
                about="Handlers of the chosen queues by state. One who serves several queues is in each.",
                queries=(Query(f"max by (queue, state) (occ_handlers{{{_QUEUE}}}) > 0", "{{queue}} {{state}}"),),
            ),
            Panel(
                title="Ring-backs due",
                about="Abandoned 999 calls that nobody has rung back and who have not got through since.",
                kind="stat",
                width=6,
                steps=((None, GOOD), (1, WARNING)),
                queries=(Query('max by (centre) (occ_ring_backs_due{centre="$centre"})', "due"),),
                runbook="RingBacksDue",
            ),
            Panel(
                title="Age of the data",
                about="Time since the newest word of the source that has been silent longest. From 15 s on the "
                "figures are old, from 30 s on they say nothing of the present.",
                unit="s",
                kind="stat",
                width=6,
                steps=((None, GOOD), (15, WARNING), (30, BAD)),
                queries=(Query('max by (centre) (occ_data_age_seconds{centre="$centre"})', "age"),),
                runbook="DataOld",
            ),
        ),
    )


def _service_levels() -> Dashboard:
    windows = ("15m", "60m", "6h", "today")
    return Dashboard(
        uid="occ-service-levels",
        title="Service levels and burn",
        about="How much of what the targets allow is used up, and what each formula makes of the same calls.",
        period="now-24h",
        panels=(
            *(
                Panel(
                    title=f"Service level, {window}",
                    about="The headline formula with each queue's own time, and the target.",
                    unit="percentunit",
                    queries=(
                        _by_queue(f'occ_service_level_ratio{{{_HEADLINE},window="{window}"}}'),
                        Query(
                            'max by (queue) (occ:target_service_level_ratio{queue=~"$queue"})',
                            "{{queue}} target",
                            True,
                        ),
                    ),
                )
                for window in windows
            ),
            Panel(
                title="Burn rate, 60 min",
                about="1 uses up exactly what the target allows; a target of 90 % burns at most at 10.",
                queries=(_by_queue(f'queue:occ_service_level_burn:ratio{{{_QUEUE},window="60m"}}'),),
                runbook="EmergencyBurning",
            ),
            Panel(
                title="Calls behind the ratio, 60 min",
                about="A ratio of a few calls says little: alerts ask for a number of failures beside it.",
                queries=(
                    Query(
                        f'max by (queue, result) (occ_service_level_events{{{_QUEUE},window="60m"}}) > 0',
                        "{{queue}} {{result}}",
                    ),
                ),
            ),
            Panel(
                title="One hour, six formulas",
                about="What other systems would print for the same calls. Targets are for the headline.",
                unit="percentunit",
                queries=(
                    Query(
                        f'max by (queue, formula) (occ_service_level_ratio{{{_QUEUE},window="60m"}})',
                        "{{queue}} {{formula}}",
                    ),
                ),
            ),
            Panel(
                title="Average speed of answer, 60 min",
                about="Mean wait of the visits answered in the window. It hides those who were not answered.",
                unit="s",
                queries=(_by_queue(f'occ_average_speed_of_answer_seconds{{{_QUEUE},window="60m"}}'),),
            ),
            Panel(
                title="Waits of the answered",
                about="How many were answered after how long, per interval. Service levels never come from these.",
                kind="heatmap",
                unit="s",
                queries=(
                    Query(
                        f'sum by (le) (increase(occ_wait_seconds_bucket{{{_QUEUE},outcome="answered"}}'
                        "[$__rate_interval]))",
                        "{{le}}",
                    ),
                ),
            ),
            Panel(
                title="Abandonment, 60 min",
                about="By formula: the headline leaves short abandons out.",
                unit="percentunit",
                queries=(
                    Query(
                        f'max by (queue, formula) (occ_abandonment_ratio{{{_QUEUE},window="60m"}})',
                        "{{queue}} {{formula}}",
                    ),
                ),
                runbook="NonEmergencyAbandoning",
            ),
        ),
    )


def _demand() -> Dashboard:
    offered = 'increase(occ_calls_offered_total{centre="$centre"}[1h])'
    return Dashboard(
        uid="occ-demand",
        title="Demand by origin",
        about="Where calls come from: the public, diverted mobiles, station phones, other agencies.",
        by_queue=False,
        period="now-24h",
        panels=(
            Panel(
                title="Offered, by service",
                about="Calls that reached the control room in the hour before, refused ones included.",
                queries=(Query(f"sum by (service) ({offered})", "{{service}}"),),
            ),
            Panel(
                title="Offered, by origin",
                about="In the hour before. Unknown: no number, trunk or diversion of the table of origins matched.",
                queries=(Query(f"sum by (origin) ({offered})", "{{origin}}"),),
            ),
            Panel(
                title="Offered, by channel",
                about="In the hour before.",
                queries=(Query(f"sum by (channel) ({offered})", "{{channel}}"),),
            ),
            Panel(
                title="How visits ended",
                about="Visits that ended in the hour before, by the outcome first concluded.",
                queries=(
                    Query('sum by (outcome) (increase(occ_visits_ended_total{centre="$centre"}[1h]))', "{{outcome}}"),
                ),
            ),
            Panel(
                title="Share of each origin, today so far",
                about="Of all calls offered in the last 24 hours.",
                unit="percentunit",
                kind="bargauge",
                width=24,
                queries=(
                    Query(
                        'sum by (origin) (increase(occ_calls_offered_total{centre="$centre"}[24h]))'
                        ' / on () group_left () sum(increase(occ_calls_offered_total{centre="$centre"}[24h]) > 0)',
                        "{{origin}}",
                    ),
                ),
            ),
            Panel(
                title="Redials and cross-over from 101 to 999",
                about="A place kept for figures that are not computed yet.",
                kind="text",
                width=24,
                height=3,
                text="Not computed yet: the share of callers who gave up on 101 and rang 999 afterwards.",
            ),
        ),
    )


def _announcements() -> Dashboard:
    counted = 'occ_announcements_total{centre="$centre",queue=~"$queue"'
    return Dashboard(
        uid="occ-announcements",
        title="Announcements and promises",
        about="What waiting callers were told, and what became of it.",
        panels=(
            Panel(
                title="Issued, by kind",
                about="Announcements decided in the hour before.",
                queries=(Query(f'sum by (kind) (increase({counted},outcome="issued"}}[1h]))', "{{kind}}"),),
            ),
            Panel(
                title="What became of them",
                about="Played means played by the switch: nobody can know that it was heard.",
                queries=(Query(f'sum by (outcome) (increase({counted},outcome!="issued"}}[1h]))', "{{outcome}}"),),
            ),
            Panel(
                title="Expired",
                about="Share of the last hour's announcements that came too late to be played.",
                unit="percentunit",
                kind="stat",
                steps=((None, GOOD), (0.05, BAD)),
                queries=(
                    Query(
                        f'sum by (queue) (increase({counted},outcome="expired"}}[1h]))'
                        f' / (sum by (queue) (increase({counted},outcome="issued"}}[1h])) > 0)',
                    ),
                ),
                runbook="AnnouncementsExpiring",
            ),
            Panel(
                title="Promises kept",
                about="Of the last 50 callers who were told a time, those answered by then. Under 70 % a queue "
                "speaks positions only, until it is at 80 % again.",
                unit="percentunit",
                kind="stat",
                steps=((None, BAD), (0.7, WARNING), (0.85, GOOD)),
                queries=(_by_queue(f"occ_promise_kept_ratio{{{_QUEUE}}}"),),
                runbook="PromisesBroken",
            ),
            Panel(
                title="What became of promises",
                about="In the hour before: kept, broken, or the caller left earlier.",
                queries=(
                    Query(
                        f"sum by (queue, result) (increase(occ_promises_total{{{_QUEUE}}}[1h]))",
                        "{{queue}} {{result}}",
                    ),
                ),
            ),
            Panel(
                title="Disagreement with the switch",
                about="Visits on which the switch's last list and this system differ: no number is spoken meanwhile.",
                queries=(_by_queue(f"occ_snapshot_drift{{{_QUEUE}}}"),),
                runbook="SnapshotDrift",
            ),
        ),
    )


def _handling() -> Dashboard:
    parts = (("talk", "Talk"), ("hold", "Hold"), ("wrap_up", "Wrap-up"), ("total", "All of it"))
    return Dashboard(
        uid="occ-handling",
        title="Handling, wrap-up and staff",
        about="What a call costs after it was answered, and who is there to take it.",
        period="now-24h",
        panels=(
            *(
                Panel(
                    title=f"{name}, 60 min",
                    about="Mean of the visits settled in the window whose part is known: unknown is never 0.",
                    unit="s",
                    queries=(_by_queue(f'occ_handle_seconds{{{_QUEUE},window="60m",part="{part}"}}'),),
                )
                for part, name in parts
            ),
            Panel(
                title="Handlers by state",
                about="All handlers of the chosen queues.",
                width=24,
                queries=(Query(f"max by (queue, state) (occ_handlers{{{_QUEUE}}}) > 0", "{{queue}} {{state}}"),),
            ),
            Panel(
                title="Staffing gap",
                about="A place kept for figures that are not computed yet.",
                kind="text",
                width=24,
                height=3,
                text="Not computed yet: handlers needed by the half hour, against those on duty.",
            ),
        ),
    )


def _pipeline() -> Dashboard:
    return Dashboard(
        uid="occ-pipeline",
        title="The pipeline itself",
        about="Whether the figures can be believed: lag, age, what was refused, what does not add up.",
        by_queue=False,
        panels=(
            Panel(
                title="Lag",
                about="Records of the input that are not applied yet, by partition.",
                queries=(Query("max by (partition) (occ_lag_events)", "{{partition}}"),),
                runbook="WorkerBehind",
            ),
            Panel(
                title="Age of the newest applied record while others wait",
                about="0 when nothing waits.",
                unit="s",
                queries=(Query("max by (partition) (occ_lag_seconds)", "{{partition}}"),),
                runbook="WorkerBehind",
            ),
            Panel(
                title="Age of each source's last heartbeat",
                about="A source that lives says so every 3 s.",
                unit="s",
                queries=(
                    Query('max by (source) (occ_source_heartbeat_age_seconds{centre="$centre"})', "{{source}}"),
                ),
                runbook="HeartbeatsMissing",
            ),
            Panel(
                title="Clock skew",
                about="By how much a source's clock is ahead of Kafka's.",
                unit="s",
                queries=(Query('max by (source) (occ_clock_skew_seconds{centre="$centre"})', "{{source}}"),),
                runbook="ClockSkewed",
            ),
            Panel(
                title="Events applied",
                about="A second, by type.",
                unit="ops",
                queries=(
                    Query(
                        'sum by (type) (rate(occ_events_total{centre="$centre"}[$__rate_interval])) > 0', "{{type}}"
                    ),
                ),
            ),
            Panel(
                title="Dead letters",
                about="Records refused in the hour before, by reason. All of them are on occ.dead.v1.",
                queries=(Query("sum by (reason) (increase(occ_events_refused_total[1h]))", "{{reason}}"),),
                runbook="EventsRefused",
            ),
            Panel(
                title="Oddities in the events",
                about="Of all control rooms in the hour before: repeats, losing facts, two versions of one event.",
                queries=(Query("sum by (kind) (increase(occ_event_anomalies_total[1h]))", "{{kind}}"),),
            ),
            Panel(
                title="Conservation",
                about="By how much queued = outcomes + waiting fails. Anything but 0 is a fault.",
                kind="stat",
                width=6,
                steps=((None, BAD), (0, GOOD), (1, BAD)),
                queries=(Query('max by (centre) (occ_conservation_error{centre="$centre"})', "error"),),
                runbook="ConservationBroken",
            ),
            Panel(
                title="Restore",
                about="How long the worker last took to rebuild its state.",
                unit="s",
                kind="stat",
                width=6,
                queries=(Query("max(occ_restore_seconds)", "seconds"),),
            ),
            Panel(
                title="Corrections",
                about="Outcomes concluded and corrected in the hour before.",
                queries=(
                    Query(
                        'sum by (from, to) (increase(occ_visit_corrections_total{centre="$centre"}[1h]))',
                        "{{from}} to {{to}}",
                    ),
                ),
            ),
            Panel(
                title="Visits without a queue",
                about="Something is known of them, but not yet where and since when they wait.",
                queries=(Query('max by (centre) (occ_visits_headless{centre="$centre"})', "headless"),),
            ),
        ),
    )


def _by_queue(series: str) -> Query:
    return Query(f"max by (queue) ({series})")


def _limit(series: str) -> Query:
    return Query(f'max by (queue) ({series}{{queue=~"$queue"}})', "{{queue}} limit", is_limit=True)


def _per_queue(profile: Profile, steps: Callable[[QueueTarget], Steps]) -> dict[str, Steps]:
    return {name: steps(target) for name, target in sorted(profile.targets.items())}


def _wait_steps(target: QueueTarget) -> Steps:
    return _rising(_seconds(target.oldest_wait_amber), _seconds(target.oldest_wait_red))


def _abandonment_steps(target: QueueTarget) -> Steps:
    return _rising(target.abandonment_warn, target.abandonment_bad)


def _service_level_steps(target: QueueTarget) -> Steps:
    return ((None, BAD), (target.service_level_target, GOOD))


def _rising(warning: float | None, bad: float | None) -> Steps:
    limits = ((warning, WARNING), (bad, BAD))
    return ((None, GOOD), *((value, colour) for value, colour in limits if value is not None))


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND
