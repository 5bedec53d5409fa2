"""The life of images against a model: whatever happens in whatever order, the catalog and the model agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from imagomortis.catalog import Catalog
from imagomortis.catalog.queue import Lease, Leased
from imagomortis.lifecycle import MAX_ATTEMPTS, State
from tests.support.uploads import NOON, result, upload

MOVES = {
    State.QUEUED: frozenset({State.PROCESSING, State.DONE, State.FAILED}),
    State.PROCESSING: frozenset({State.DONE, State.QUEUED, State.FAILED}),
    State.DONE: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
}
"""Every allowed move. A state can also stay the same (a retry of a queued image)."""

FINISHED = {State.DONE, State.FAILED}


@dataclass
class Model:
    """What should be true of one image."""

    state: State = State.QUEUED
    failed_attempts: int = 0
    token: UUID | None = None
    is_deleted: bool = False
    is_deleted_with_all: bool = False
    recipe: str = "0"
    made_by: str | None = None
    """The recipe of its processed picture, if it has one."""

    def move(self, state: State, failed_attempts: int = 0) -> None:
        assert state is self.state or state in MOVES[self.state], f"{self.state} -> {state}"
        self.state, self.failed_attempts, self.token = state, failed_attempts, None


class Life(RuleBasedStateMachine):
    """Every action of uploaders, workers and people, in any order."""

    catalog: Catalog
    images: Bundle[UUID] = Bundle("images")
    leases: Bundle[Lease] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[UUID, Model] = {}
        self.arrived = 0
        self.runs = 0
        with self.catalog.database.connection() as connection:
            connection.execute("TRUNCATE images, reprocessings CASCADE")

    @rule(target=images, count=st.integers(1, 3))
    def arrive(self, count: int) -> object:
        # ids and times by count, so that the same actions always meet the same images
        numbers = range(self.arrived, self.arrived + count)
        self.arrived += count
        new = [(upload(b"x", NOON + timedelta(seconds=n), id=UUID(int=n)), b"x") for n in numbers]
        self.catalog.queue.add(new)
        self.model |= {upload.id: Model() for upload, _ in new}
        return multiple(*(upload.id for upload, _ in new))

    @rule(target=leases, count=st.integers(1, 4))
    def lease(self, count: int) -> object:
        lease = self.catalog.queue.lease("run", count, 60)
        waiting = {key for key, image in self.model.items() if image.state is State.QUEUED and not image.is_deleted}
        if lease is None:
            assert not waiting
            return multiple()
        assert {image.id for image in lease.images} <= waiting
        if any(self.model[image.id].failed_attempts for image in lease.images):
            assert len(lease.images) == 1
        for image in lease.images:
            model = self.model[image.id]
            model.state, model.token = State.PROCESSING, lease.token
        return lease

    @rule(lease=leases)
    def save(self, lease: Lease) -> None:
        held = self._held(lease)
        assert self.catalog.queue.save(lease.token, [result(image) for image in lease.images]) == {
            image.id for image in held
        }
        for image in held:
            self.model[image.id].move(State.DONE)
            self.model[image.id].made_by = self.model[image.id].recipe

    @rule(lease=leases, which=st.integers(0, 3))
    def fail(self, lease: Lease, which: int) -> None:
        image = lease.images[which % len(lease.images)]
        state = self.catalog.queue.fail(lease.token, image.id, "cause", "crash", 0.1)
        if image not in self._held(lease):
            assert state is None
            return
        self._count_failure(self.model[image.id])
        assert state is self.model[image.id].state

    @rule(lease=consumes(leases))
    def give_back(self, lease: Lease) -> None:
        held = self._held(lease)
        self.catalog.queue.give_back(lease.token, [image.id for image in lease.images])
        for image in held:
            self.model[image.id].move(State.QUEUED, self.model[image.id].failed_attempts)

    @rule()
    def lose_all_workers(self) -> None:
        with self.catalog.database.connection() as connection:
            connection.execute("UPDATE images SET lease_expires_at = now() WHERE state = 'processing'")
        processing = {key for key, image in self.model.items() if image.state is State.PROCESSING}
        assert {lost.id for lost in self.catalog.queue.release_expired(life=0)} == processing
        for key in processing:
            self._count_failure(self.model[key])

    @rule(image=images)
    def retry(self, image: UUID) -> None:
        moved = self.catalog.images.retry([image])
        model = self._in_sight().get(image)
        assert bool(moved) == (model is not None and model.state in FINISHED)
        if model and moved:
            model.move(State.QUEUED)

    @rule()
    def retry_failed(self) -> None:
        failed = {key: model for key, model in self._in_sight().items() if model.state is State.FAILED}
        assert set(self.catalog.images.retry_failed()) == failed.keys()
        for model in failed.values():
            model.move(State.QUEUED)

    @rule(is_by_run=st.booleans())
    def reprocess(self, is_by_run: bool) -> None:
        finished = [model for model in self._in_sight().values() if model.state in FINISHED]
        if is_by_run:
            self.runs += 1
            assert self.catalog.images.reprocess_once(f"run {self.runs}", NOON) == len(finished)
        else:
            assert self.catalog.images.reprocess(NOON, NOON + timedelta(hours=1)) == len(finished)
        for model in finished:
            model.move(State.QUEUED)

    @precondition(lambda self: self.runs)
    @rule()
    def begin_a_run_again(self) -> None:
        assert self.catalog.images.reprocess_once(f"run {self.runs}", NOON) == 0

    @rule()
    def cancel(self) -> None:
        waiting = [model for model in self._in_sight().values() if model.state is State.QUEUED]
        assert self.catalog.images.cancel_queued() == len(waiting)
        for model in waiting:
            model.move(State.DONE if model.made_by == model.recipe else State.FAILED, model.failed_attempts)

    @rule(image=images, recipe=st.sampled_from("01"))
    def edit(self, image: UUID, recipe: str) -> None:
        moved = self.catalog.images.apply_recipe([image], {"steps": []}, recipe * 64, None)
        model = self._in_sight().get(image)
        assert bool(moved) == (model is not None)
        if model:
            model.move(State.QUEUED)
            model.recipe = recipe

    @rule(image=images)
    def delete(self, image: UUID) -> None:
        moved = self.catalog.images.delete([image])
        model = self._in_sight().get(image)
        assert bool(moved) == (model is not None)
        if model:
            self._delete(model)

    @rule(image=images)
    def restore(self, image: UUID) -> None:
        model = self.model.get(image)
        assert bool(self.catalog.images.restore([image])) == (model is not None and model.is_deleted)
        if model:
            model.is_deleted = False

    @rule()
    def delete_all(self) -> None:
        in_sight = self._in_sight().values()
        assert self.catalog.images.delete_all() == len(in_sight)
        for model in in_sight:
            self._delete(model, with_all=True)

    @rule()
    def restore_all(self) -> None:
        gone = [model for model in self.model.values() if model.is_deleted and model.is_deleted_with_all]
        assert self.catalog.images.restore_all() == len(gone)
        for model in gone:
            model.is_deleted = False

    @rule()
    def purge(self) -> None:
        deleted = self.model.keys() - self._in_sight().keys()
        assert self.catalog.images.purge(undo_seconds=0) == len(deleted)
        for key in deleted:
            del self.model[key]

    @rule()
    def sweep(self) -> None:
        self.catalog.images.fold_totals()

    @invariant()
    def they_agree(self) -> None:
        with self.catalog.database.connection() as connection:
            rows = connection.execute(
                "SELECT id, state, failed_attempts, lease_token, deleted_at IS NOT NULL AS is_deleted, "
                "(SELECT count(*) FROM originals WHERE image_id = id) AS originals, "
                "(SELECT count(*) FROM renditions WHERE image_id = id) AS renditions FROM images"
            ).fetchall()
        assert {row["id"] for row in rows} == set(self.model), "an image was lost"
        for row in rows:
            model = self.model[row["id"]]
            assert (row["state"], row["lease_token"], row["is_deleted"]) == (model.state, model.token, model.is_deleted)
            assert row["failed_attempts"] == model.failed_attempts <= MAX_ATTEMPTS
            assert row["originals"] == 1
            assert row["renditions"] == (2 if model.made_by else 0)
        seen = Counter(model.state for model in self._in_sight().values())
        assert self.catalog.images.counts() == {state: seen[state] for state in State}

    def _held(self, lease: Lease) -> list[Leased]:
        return [image for image in lease.images if self.model.get(image.id, Model()).token == lease.token]

    def _in_sight(self) -> dict[UUID, Model]:
        return {key: model for key, model in self.model.items() if not model.is_deleted}

    def _delete(self, model: Model, *, with_all: bool = False) -> None:
        if model.state is State.PROCESSING:
            model.move(State.QUEUED, model.failed_attempts)
        model.is_deleted, model.is_deleted_with_all = True, with_all

    def _count_failure(self, model: Model) -> None:
        failed = model.failed_attempts + 1
        model.move(State.FAILED if failed >= MAX_ATTEMPTS else State.QUEUED, failed)


@pytest.mark.parametrize("examples", [40, pytest.param(400, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])])
def test_catalog_and_model_agree_under_any_order_of_actions(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr("imagomortis.catalog.images.SLICE", 4)
    Life.catalog = catalog
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
