"""All instances of an endpoint or a transform job: started together, resized one by one, drained, stopped.

Requests come from one event loop, changes from threads. What both use, the lists of instances and the counts
of requests under way, is under one lock, so an instance that is removed gets no request any more once its
count is zero.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping

from sagemaker_local.hosting.fleet_spec import FleetSpec
from sagemaker_local.hosting.instance import FleetContext, Instance
from sagemaker_local.jobs.failure import JobFailure, disk_failure

DRAIN = 65.0
"""Seconds that requests under way are given to end: an invocation's own limit and a little."""

_DRAIN_STEP = 0.02


class Fleet:
    """The processes that run one spec."""

    def __init__(self, context: FleetContext, spec: FleetSpec) -> None:
        self.spec = spec
        self._context = context
        self._lock = threading.Lock()
        self._instances: dict[str, list[Instance]] = {one.name: [] for one in spec.variants}
        self._coming_up: list[Instance] = []
        self._cancelled = False
        self._turn = itertools.count()
        self._leases = 0

    def start(self) -> None:
        """Start every instance and wait until all answer.

        Raises:
            JobFailure: one did not come up; nothing of the fleet runs any more.
        """
        self._instances = self._started(self.spec)

    def resize(self, spec: FleetSpec) -> None:
        """Change to another spec of the same revision: its weights, and its instance counts.

        Raises:
            JobFailure: a new instance did not come up; the fleet is as it was.
        """
        added = self._started(spec)
        surplus: list[Instance] = []
        with self._lock:
            self.spec = spec
            for variant in spec.variants:
                instances = self._instances[variant.name] + added[variant.name]
                self._instances[variant.name] = instances[: variant.instances]
                surplus += instances[variant.instances :]
        self._await(lambda: not any(instance.outstanding for instance in surplus))
        _stop(surplus)

    def _started(self, spec: FleetSpec) -> dict[str, list[Instance]]:
        """The instances that `spec` has and that do not run yet, all up.

        Raises:
            JobFailure: one did not come up, or the fleet was cancelled; none of them runs any more.
        """
        total = sum(variant.instances for variant in spec.variants)
        cores = max(1, (os.cpu_count() or 1) // max(1, total))
        added: dict[str, list[Instance]] = {variant.name: [] for variant in spec.variants}
        every: list[Instance] = []
        try:
            for variant in spec.variants:
                for _ in range(variant.instances - self.running(variant.name)):
                    every.append(Instance(self._context, variant, cores))
                    added[variant.name].append(every[-1])
            with self._lock:
                self._coming_up = every
                for instance in every:
                    instance.start()
                if self._cancelled:
                    _ask_to_stop(every)
            for instance in every:
                instance.await_first_start()
        except Exception as problem:
            _stop(every)
            if isinstance(problem, JobFailure):
                raise
            raise _start_failure(problem) from problem
        finally:
            with self._lock:
                self._coming_up = []
        return added

    def cancel(self) -> None:
        """Let a start or a resize that is under way fail, from another thread."""
        with self._lock:
            self._cancelled = True
            _ask_to_stop(self._coming_up)

    def running(self, variant: str) -> int:
        """How many instances of a variant there are, ready or being started again."""
        return len(self._instances.get(variant, []))

    def ready(self, variant: str) -> int:
        """How many instances of a variant answer now."""
        return sum(instance.ready for instance in self._instances.get(variant, []))

    # -- requests --------------------------------------------------------------------------------

    def lease(self) -> None:
        """A request begins; :meth:`drain` waits for its :meth:`end_lease`."""
        with self._lock:
            self._leases += 1

    def end_lease(self) -> None:
        with self._lock:
            self._leases -= 1

    def acquire(self, variant: str, tried: Mapping[Instance, int]) -> Instance | None:
        """The ready instance with the fewest requests under way, one more now; None if none is ready.

        Args:
            tried: instances not to choose, unless they were started again since: with their `starts` then.
        """
        with self._lock:
            ready = [one for one in self._instances[variant] if one.ready and tried.get(one) != one.starts]
            if not ready:
                return None
            first = next(self._turn) % len(ready)
            chosen = min(ready[first:] + ready[:first], key=lambda instance: instance.outstanding)
            chosen.outstanding += 1
            return chosen

    def release(self, instance: Instance) -> None:
        with self._lock:
            instance.outstanding -= 1

    # -- the end ---------------------------------------------------------------------------------

    def drain(self) -> None:
        """Wait for the requests under way; nobody may begin another."""
        self._await(lambda: not self._leases)

    def close(self) -> None:
        """Stop all processes at once."""
        _stop([instance for instances in self._instances.values() for instance in instances])
        self._instances = {}

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DRAIN
        while not condition() and time.monotonic() < deadline:
            time.sleep(_DRAIN_STEP)


def _start_failure(problem: Exception) -> JobFailure:
    """What those who wait for an instance are told when it could not be started."""
    if isinstance(problem, OSError):
        return disk_failure("starting a model server", problem)
    return JobFailure("InternalServerError", f"a model server could not be started: {problem!r}.")


def _ask_to_stop(instances: list[Instance]) -> None:
    for instance in instances:
        instance.ask_to_stop()


def _stop(instances: list[Instance]) -> None:
    _ask_to_stop(instances)
    for instance in instances:
        instance.join()
