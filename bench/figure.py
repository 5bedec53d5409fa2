"""Defines a measured figure with its target, and the floor that was measured beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """A figure in its unit. The bounds apply to its ratio to the floor, or to the figure if it has no floor."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure in relation to its floor."""
        return self.value / self.floor if self.floor else None

    @property
    def target(self) -> str:
        """The bounds as text; empty for a figure without a target."""
        of = "of the floor" if self.floor is not None else self.unit
        bounds = [("≥", self.at_least), ("≤", self.at_most)]
        return " and ".join(f"{sign} {bound:g} {of}" for sign, bound in bounds if bound is not None)

    @property
    def is_reached(self) -> bool:
        """Whether the figure is within its bounds."""
        measured = self.value if self.ratio is None else self.ratio
        return (self.at_least is None or measured >= self.at_least) and (
            self.at_most is None or measured <= self.at_most
        )


def show(figures: Sequence[Figure]) -> None:
    """Print a table of figures, and mark those that miss their target."""
    table = Table("figure", "measured", "floor", "ratio", "target", "")
    for figure in figures:
        floor = "" if figure.floor is None else f"{figure.floor:,.4g} {figure.unit}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
        mark = "" if not figure.target else "reached" if figure.is_reached else "[bold red]SHORT[/]"
        table.add_row(figure.name, f"{figure.value:,.4g} {figure.unit}", floor, ratio, figure.target, mark)
    Console(width=120).print(table)
