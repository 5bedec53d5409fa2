"""The few kinds of panels that the dashboards are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    VariableOption,
)

LOKI: Final = DataSourceRef(type_val="loki", uid="loki")
PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")

COLUMNS: Final = ("time", "level", "part", "event", "image", "run", "attempt", "seconds", "kind", "error", "filename")
"""The fields of a log line that a table shows, in this order; the line has the rest."""


def board(uid: str, title: str, text: str, *, since: str = "now-1h") -> dashboard.Dashboard:
    """Return an empty dashboard, which links to the others."""
    others = dashboard.DashboardLink("ImagoMortis").type("dashboards").tags(["imagomortis"]).as_dropdown(True)
    return (
        dashboard.Dashboard(title)
        .uid(f"imagomortis-{uid}")
        .description(text)
        .tags(["imagomortis"])
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh("30s")
        .timezone("browser")
        .links([others.keep_time(True)])
        .editable()
    )


def log_table(title: str, query: str, text: str = "", *, height: int = 9, without: Sequence[str] = ()) -> table.Panel:
    """Return a table of log lines, newest first."""
    shown = [column for column in COLUMNS if column not in without]
    return (
        table.Panel()
        .title(title)
        .description(text)
        .datasource(LOKI)
        .with_target(loki.Dataquery().expr(query).query_type("range").max_lines(500).ref_id("A"))
        .transformations(
            [
                _transformation(
                    "extractFields", {"source": "Line", "format": "json", "replace": True, "keepTime": False}
                ),
                _transformation("filterFieldsByName", {"include": {"names": shown}}),
                _transformation("organize", {"indexByName": {name: place for place, name in enumerate(shown)}}),
                _transformation("sortBy", {"sort": [{"field": "time", "desc": True}]}),
            ]
        )
        .span(24)
        .height(height)
    )


def log_series(title: str, queries: Mapping[str, str], text: str = "", *, span: int = 12) -> timeseries.Panel:
    """Return a chart of counts over log lines; each query by the legend of its lines."""
    panel = timeseries.Panel().title(title).description(text).datasource(LOKI).span(span).height(8).min(0)
    for place, (legend, query) in enumerate(queries.items()):
        target = loki.Dataquery().expr(query).query_type("range").legend_format(legend)
        panel.with_target(target.ref_id(_ref(place)))
    return panel.fill_opacity(20)


def series(
    title: str, queries: Mapping[str, str], text: str = "", *, unit: str = "short", span: int = 12
) -> timeseries.Panel:
    """Return a chart of metrics; each query by the legend of its lines."""
    panel = timeseries.Panel().title(title).description(text).datasource(PROMETHEUS).span(span).height(8)
    for place, (legend, query) in enumerate(queries.items()):
        target = prometheus.Dataquery().expr(query).range().legend_format(legend)
        panel.with_target(target.datasource(PROMETHEUS).ref_id(_ref(place)))
    return panel.unit(unit).min(0).fill_opacity(10)


def figure(title: str, query: str, text: str = "", *, unit: str = "short") -> stat.Panel:
    """Return one number of the metrics as it is now."""
    target = prometheus.Dataquery().expr(query).instant().datasource(PROMETHEUS).ref_id("A")
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(PROMETHEUS)
        .with_target(target)
        .unit(unit)
        .span(4)
        .height(4)
    )


def levels() -> dashboard.CustomVariable:
    """Return the variable `level`, with every level chosen."""
    names = ["debug", "info", "warning", "error", "critical"]
    return (
        dashboard.CustomVariable("level")
        .label("Level")
        .values(",".join(names))
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def text_box(name: str, label: str, value: str = "") -> dashboard.TextBoxVariable:
    """Return a variable that a person types."""
    option = VariableOption(selected=True, text=value, value=value)
    return dashboard.TextBoxVariable(name).label(label).default_value(value).current(option).options([option])


def _transformation(kind: str, options: dict[str, Any]) -> DataTransformerConfig:
    return DataTransformerConfig(id_val=kind, options=options)


def _ref(place: int) -> str:
    return chr(ord("A") + place)
