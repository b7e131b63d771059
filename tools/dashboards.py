"""Builds deploy/grafana/hookline.json, a dashboard of what /metrics tells: python -m tools.dashboards [FOLDER]"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "grafana"
NAME = "hookline.json"
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_CHOSEN = 'job=~"$job", instance=~"$instance"'
_STATES = "closed|ramping|open|held|stopped|paused"


class Query(NamedTuple):
    """A line of a plot; `CHOSEN` stands for what was chosen at the top of the page."""

    expression: str
    legend: str


class Plot(NamedTuple):
    """Lines over time. `unit` is Grafana's word for it."""

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    stacked: bool = False


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{CHOSEN}}[$__rate_interval])))"


ROWS: dict[str, tuple[Plot, ...]] = {
    "Delivering": (
        Plot(
            "Records",
            "Records that are settled, by how they ended.",
            "rps",
            (Query("sum by (outcome) (rate(hookline_deliveries_total{CHOSEN}[$__rate_interval]))", "{{outcome}}"),),
            stacked=True,
        ),
        Plot(
            "Attempts",
            "By status class, or kind of failure. More than records means that some are tried again.",
            "rps",
            (Query("sum by (result) (rate(hookline_attempts_total{CHOSEN}[$__rate_interval]))", "{{result}}"),),
            stacked=True,
        ),
        Plot(
            "Time of an attempt",
            "From sending to the answer.",
            "s",
            tuple(Query(_quantile(q, "hookline_attempt_duration_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)),
        ),
        Plot(
            "End to end",
            "From a record's timestamp to its delivery.",
            "s",
            tuple(Query(_quantile(q, "hookline_end_to_end_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)),
        ),
        Plot(
            "Requests under way",
            "Beside the limit. At the limit all the time means that the service, or the limit, is what holds it.",
            "short",
            (
                Query("sum(hookline_in_flight{CHOSEN})", "under way"),
                Query("sum(hookline_concurrency_limit{CHOSEN})", "limit"),
                Query("sum(hookline_retrying{CHOSEN})", "waiting for the next attempt"),
            ),
        ),
        Plot(
            "State of the destination",
            "1 for the state that each process sees; closed is well.",
            "short",
            (
                Query(
                    f'sum by (state) (hookline_breaker_state{{CHOSEN, state=~"{_STATES}"}})',
                    "{{state}}",
                ),
            ),
            stacked=True,
        ),
    ),
    "Behind": (
        Plot(
            "Behind, in seconds",
            "Age of the oldest record that is not settled.",
            "s",
            (Query("max by (topic, partition) (hookline_lag_seconds{CHOSEN})", "{{topic}}-{{partition}}"),),
        ),
        Plot(
            "Behind, in records",
            "From the first that is not settled to the end of the log.",
            "short",
            (Query("sum by (topic, partition) (hookline_lag_records{CHOSEN})", "{{topic}}-{{partition}}"),),
            stacked=True,
        ),
        Plot(
            "Oldest unsettled record",
            "How long the record that holds back commits is held.",
            "s",
            (
                Query(
                    "max by (topic, partition) (hookline_oldest_unsettled_seconds{CHOSEN})", "{{topic}}-{{partition}}"
                ),
            ),
        ),
        Plot(
            "Offset map",
            "How much of the room for records settled out of order is used, of the fullest partition.",
            "percentunit",
            (
                Query(
                    "max by (instance) (hookline_map_bytes{CHOSEN})"
                    " / max by (instance) (hookline_map_capacity_bytes{CHOSEN})",
                    "{{instance}}",
                ),
            ),
        ),
    ),
    "Dead letters": (
        Plot(
            "Dead letters by reason",
            "What each reason means, and what to do, says the console's page.",
            "rps",
            (Query("sum by (reason) (rate(hookline_dead_letters_total{CHOSEN}[$__rate_interval]))", "{{reason}}"),),
            stacked=True,
        ),
        Plot(
            "Not acknowledged",
            "Dead letters that Kafka has not taken yet; their records wait.",
            "short",
            (Query("sum(hookline_dead_letters_pending{CHOSEN})", "pending"),),
        ),
    ),
    "Group and process": (
        Plot(
            "Commits",
            "By what the group's coordinator made of them.",
            "ops",
            (Query("sum by (result) (rate(hookline_commits_total{CHOSEN}[$__rate_interval]))", "{{result}}"),),
        ),
        Plot(
            "Partitions that came and went",
            "Lost ones were taken away without a last commit.",
            "short",
            (
                Query(
                    "sum by (change) (increase(hookline_partition_changes_total{CHOSEN}[$__rate_interval]))",
                    "{{change}}",
                ),
            ),
        ),
        Plot(
            "Held in memory",
            "What unsettled records count for against bounds.bytes.",
            "bytes",
            (Query("sum by (instance) (hookline_held_bytes{CHOSEN})", "{{instance}}"),),
        ),
        Plot(
            "Processor time",
            "1 is one core: one process uses no more.",
            "short",
            (Query("sum by (instance) (rate(process_cpu_seconds_total{CHOSEN}[$__rate_interval]))", "{{instance}}"),),
        ),
    ),
}


def _target(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression.replace("CHOSEN", _CHOSEN)).legend_format(query.legend)


def _plot(plot: Plot) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(plot.title)
        .description(plot.about)
        .unit(plot.unit)
        .datasource(_SOURCE)
        .min(0)
        .height(8)
        .span(12)
        .fill_opacity(20 if plot.stacked else 0)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    if plot.stacked:
        panel = panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    for number, query in enumerate(plot.queries):
        panel = panel.with_target(_target(query).ref_id(chr(ord("A") + number)))
    return panel


def _figure(title: str, about: str, expression: str, unit: str, bad_from: float | None) -> stat.Panel:
    steps = [Threshold(value=None, color="green")]
    if bad_from is not None:
        steps.append(Threshold(value=bad_from, color="red"))
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .unit(unit)
        .datasource(_SOURCE)
        .height(4)
        .span(6)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_target(Query(expression, "")).ref_id("A"))
    )


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(query)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def build() -> dashboard.Dashboard:
    """The dashboard."""
    page = (
        dashboard.Dashboard("Hookline")
        .uid("hookline")
        .description("Kafka records, delivered to HTTP services. Built by tools/dashboards.py: change it there.")
        .tags(["hookline", "kafka"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_variable("job", "Job", "label_values(hookline_build_info, job)"))
        .with_variable(_variable("instance", "Process", 'label_values(hookline_build_info{job=~"$job"}, instance)'))
        .with_panel(_figure("Not ready", "Processes.", "count(hookline_ready{CHOSEN} == 0) or vector(0)", "short", 1))
        .with_panel(_figure("Behind", "Seconds.", "max(hookline_lag_seconds{CHOSEN}) or vector(0)", "s", 300))
        .with_panel(
            _figure(
                "Delivered",
                "Records a second.",
                'sum(rate(hookline_deliveries_total{CHOSEN, outcome="delivered"}[5m]))',
                "rps",
                None,
            )
        )
        .with_panel(
            _figure(
                "Dead letters",
                "In the last hour.",
                "sum(increase(hookline_dead_letters_total{CHOSEN}[1h]))",
                "short",
                1,
            )
        )
    )
    for title, plots in ROWS.items():
        page = page.with_row(dashboard.Row(title))
        for plot in plots:
            page = page.with_panel(_plot(plot))
    return page


def text() -> str:
    """The dashboard as Grafana reads it."""
    return JSONEncoder(sort_keys=True, indent=2).encode(build().build()) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file into FOLDER."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
