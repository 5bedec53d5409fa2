"""Applies steps one after another: the common steps of a recipe, or those of one output."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from PIL import Image

from imagomortis.errors import ImagoMortisError, TransformFailed
from imagomortis.picture.codec import Output, View
from imagomortis.picture.header import Limits
from imagomortis.recipe.assets import NO_ASSETS, AssetFiles
from imagomortis.recipe.transforms import AnyStep, Context, Length
from imagomortis.recipe.transforms.file.encode import Encode
from imagomortis.recipe.transforms.file.strip_metadata import StripMetadata
from imagomortis.recipe.transforms.geometry.resize import Resize

PROCESSED: Final = "processed"
"""Kind of the first output's rendition, and name of the only output of a recipe that names none."""

Size = tuple[int, int]
Progress = Callable[[Mapping[str, int]], None]
Timed = Callable[[str, float], object]
"""Takes the label of a step and the seconds that it took."""


class Tracker:
    """Reports how far the steps of a whole recipe are, and how long each took."""

    def __init__(self, labels: tuple[str, ...], progress: Progress | None, timed: Timed | None) -> None:
        """Take the labels of all steps, and the callables for percentages by label and for seconds."""
        self._done = dict.fromkeys(labels, 0)
        self._progress = progress
        self._timed = timed

    def report(self, label: str, share: float) -> None:
        """Note that a step is done to a ``share`` of 1."""
        self._done[label] = max(self._done[label], min(100, int(share * 100)))
        if self._progress:
            self._progress(self._done)

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Time the step that is applied in a block, and note that it is done."""
        began = time.perf_counter()
        yield
        if self._timed:
            self._timed(label, time.perf_counter() - began)
        self.report(label, 1)


@dataclass(frozen=True)
class Chain:
    """The common steps of a recipe, or the further steps of the ``output`` with that name.

    ``common`` are the steps before those of an output. They count for its encoding and for the random numbers of its
    steps, so each output of the same steps shows the same picture.
    """

    steps: tuple[AnyStep, ...]
    output: str | None = None
    common: tuple[AnyStep, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The step names for progress reports: the transform's name, numbered from its second use on (``blur#2``).

        Steps of an output begin with its name (``small/resize``).
        """
        names = [step.transform for step in self.steps]
        uses = [names[: index + 1].count(name) for index, name in enumerate(names)]
        prefix = f"{self.output}/" if self.output else ""
        return tuple(
            f"{prefix}{name}" if use == 1 else f"{prefix}{name}#{use}" for name, use in zip(names, uses, strict=True)
        )

    @cached_property
    def encoding(self) -> Output:
        """How to encode the result: as the last ``encode`` step says, and without metadata if any step strips it."""
        steps = (*self.common, *self.steps)
        encode = next((step for step in reversed(steps) if isinstance(step, Encode)), Encode())
        return Output(
            encode.format,
            encode.quality,
            encode.lossless,
            encode.background,
            keep_metadata=not any(isinstance(step, StripMetadata) for step in steps),
            progressive=encode.progressive,
            max_bytes=encode.max_bytes,
        )

    @cached_property
    def only_resizes(self) -> bool:
        """Whether the result shows the whole picture in another size; `cover` may cut some of it."""
        steps = self._visible
        return len(steps) == 1 and isinstance(steps[0], Resize) and steps[0].fit != "cover"

    def to_size(self, size: Size) -> Chain:
        """Return the steps with a resize to the exact size, whatever picture they start from."""
        exact = Resize(width=Length(size[0], "px"), height=Length(size[1], "px"), fit="exact")
        return replace(self, steps=tuple(exact if isinstance(step, Resize) else step for step in self.steps))

    def may_change(self, size: Size) -> bool:
        """Whether the steps may change a picture of this size in place; one that changes its size makes a new one."""
        return bool(self._visible) and self.steps[0].resized(size, 1.0) == size

    @property
    def _visible(self) -> tuple[AnyStep, ...]:
        """The steps that can change pixels."""
        return tuple(step for step in self.steps if not isinstance(step, Encode | StripMetadata))

    def plan(self, size: Size, limits: Limits, scale: float = 1.0) -> tuple[Size, ...]:
        """Return the picture's size in pixels after each step, without applying any.

        Raises TransformFailed, naming the step, if a result exceeds the limits.
        """
        sizes = []
        for index in range(len(self.steps)):
            size = self._check(index, size, scale, limits)
            sizes.append(size)
        return tuple(sizes)

    def surplus(self, size: Size) -> float:
        """Return how many pixels a side a picture of this size has for each one that the first step needs.

        Steps that look at no pixel do not count; if there are only such steps, the surplus is infinite.
        """
        for step in self.steps:
            if (found := step.surplus(size)) < math.inf:
                return found
            size = step.resized(size, 1.0)
        return math.inf

    def seen(self, view: View | None) -> View | None:
        """Return the view of the result of a picture that was decoded at a reduced scale; None if it is all there."""
        for step in self.steps:
            view = view and step.seen(view)
        return view

    def apply(
        self,
        image: Image.Image,
        seed: bytes,
        tracker: Tracker,
        scale: float = 1.0,
        *,
        view: View | None = None,
        limits: Limits | None = None,
        assets: AssetFiles = NO_ASSETS,
    ) -> Image.Image:
        """Apply the steps to a decoded picture, which can be changed in place, and return the result.

        ``seed`` is the original's SHA-256, from which each step derives its random numbers. ``view`` is given if the
        picture was decoded at a reduced scale, as ``surplus`` allows. ``limits`` are checked again before each step,
        because one can leave fewer pixels than planned, in other proportions, and a later one enlarge them. ``assets``
        are those of the recipe. Raises TransformFailed, naming the step.
        """
        for index, label in enumerate(self.labels):

            def report(share: float, label: str = label) -> None:
                tracker.report(label, share)

            number = (len(self.common) + index).to_bytes(2, "big")
            context = Context(hashlib.sha256(seed + number).digest(), scale, report, view, assets)
            if limits:
                self._check(index, view.size if view else image.size, scale, limits)
            with tracker.step(label):
                image = self._apply_one(index, image, context)
            view = view and self.steps[index].seen(view)
        return image

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the output in a TransformFailed that a block raises about the whole result."""
        try:
            yield
        except TransformFailed as error:
            if self.output is None or "output" in error.members:
                raise
            raise TransformFailed(
                f"The output {self.output!r} failed: {error.detail}", **error.members, output=self.output
            ) from error

    def _check(self, index: int, size: Size, scale: float, limits: Limits) -> Size:
        """Return the size of a step's result; raise TransformFailed, naming the step, if it exceeds the limits."""
        size = self.steps[index].resized(size, scale)
        if reason := limits.reason(*size):
            raise self._failed(index, f"the result would have {reason}; choose smaller sizes")
        return size

    def _apply_one(self, index: int, image: Image.Image, context: Context) -> Image.Image:
        try:
            return self.steps[index].apply(image, context)
        except TransformFailed as error:
            raise self._failed(index, error.detail) from error
        except (ImagoMortisError, MemoryError):
            raise
        except Exception as error:  # Pillow raises errors of many classes; each of them means that the step failed
            raise self._failed(index, f"{type(error).__name__}: {error}") from error

    def _failed(self, index: int, problem: str) -> TransformFailed:
        transform = self.labels[index].removeprefix(f"{self.output}/")
        of_output = f" of the output {self.output!r}" if self.output else ""
        members: dict[str, Any] = {"output": self.output} if self.output else {}
        return TransformFailed(
            f"Step {index + 1} ({transform}){of_output} failed: {problem}.",
            step=index + 1,
            transform=transform,
            **members,
        )
