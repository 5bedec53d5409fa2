"""As much of LogQL as the dashboards use, evaluated on log lines: which of them a query finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

_SELECTOR = re.compile(r"\{([^}]*)\}")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*')
_STAGE = re.compile(
    r'\|(?P<how>=|~)\s*"(?P<text>[^"]*)"|\|\s*(?P<json>json)\b'
    r'|\|\s*(?P<field>\w+)\s*(?P<compare>=~|!~|!=|>=|=)\s*(?:"(?P<value>[^"]*)"|(?P<number>[\d.]+))'
)
_BY = re.compile(r"\bby\s*\(([^)]*)\)")

_OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "=~": lambda found, wanted: re.fullmatch(wanted, found) is not None,
    "!~": lambda found, wanted: re.fullmatch(wanted, found) is None,
    ">=": lambda found, wanted: bool(found) and float(found) >= float(wanted),
}


@dataclass(frozen=True)
class Query:
    """A query's labels, its filters of lines and fields, and the fields that it groups by."""

    labels: tuple[tuple[str, str, str], ...]
    line_filters: tuple[tuple[str, str], ...]
    field_filters: tuple[tuple[str, str, str], ...]
    parses_json: bool
    groups: tuple[str, ...]

    @property
    def fields(self) -> set[str]:
        """The fields that it names beside the labels."""
        names = {name for name, _, _ in self.field_filters} | set(self.groups)
        return names - {name for name, _, _ in self.labels}

    def find(self, lines: Iterable[Record]) -> list[Record]:
        """Return the lines that it finds."""
        return [line for line in lines if self._matches(line)]

    def _matches(self, line: Record) -> bool:
        text = str(dict(line))
        return (
            all(_OPERATIONS[how](_text(line.get(name)), wanted) for name, how, wanted in self.labels)
            and all(wanted in text if how == "=" else re.search(wanted, text) for how, wanted in self.line_filters)
            and all(_OPERATIONS[how](_text(line.get(name)), wanted) for name, how, wanted in self.field_filters)
        )


def parse(text: str) -> Query:
    """Take a query apart; raise ValueError for what this evaluator does not know."""
    selector = _SELECTOR.search(text)
    if selector is None:
        raise ValueError(f"no selector: {text}")
    labels = tuple((name, how, wanted) for name, how, wanted in _MATCHER.findall(selector[1]))
    if len(labels) != selector[1].count("=") + selector[1].count("!~"):
        raise ValueError(f"not understood: {selector[1]}")
    rest = text[selector.end() :]
    stages = [stage.groupdict() for stage in _STAGE.finditer(rest)]
    if "|" in _STAGE.sub("", rest):
        raise ValueError(f"not understood: {rest}")
    return Query(
        labels,
        tuple((stage["how"], stage["text"]) for stage in stages if stage["how"]),
        tuple(
            (stage["field"], stage["compare"], stage["value"] if stage["number"] is None else stage["number"])
            for stage in stages
            if stage["field"]
        ),
        any(stage["json"] for stage in stages),
        tuple(name.strip() for found in _BY.findall(text) for name in found.split(",")),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
