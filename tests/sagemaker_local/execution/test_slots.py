from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from sagemaker_local.execution.slots import Slots

SOON = 10.0


def test_no_more_hold_a_place_than_there_are() -> None:
    slots, never = Slots(2), threading.Event()
    holding, most = [], []

    def hold(number: int) -> None:
        with slots.taken(never) as granted:
            assert granted
            holding.append(number)
            most.append(len(holding))
            holding.remove(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hold, range(200)))
    assert max(most) <= 2


def test_a_waiting_step_gets_a_slot_or_is_cancelled() -> None:
    slots, never, cancelled = Slots(1), threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        with slots.taken(never):
            patient = threads.submit(entered, slots, never)
            impatient = threads.submit(entered, slots, cancelled)
            cancelled.set()
            slots.wake()
            assert impatient.result(SOON) is False
            assert not patient.done()
        assert patient.result(SOON) is True
    with slots.taken(never) as granted:
        assert granted


def test_a_cancelled_step_that_a_slot_is_offered_to_leaves_it_to_the_next() -> None:
    slots, never, cancelled = Slots(1), threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as threads:
        with slots.taken(never):
            first = threads.submit(entered, slots, cancelled)
            while not slots.waiting:
                time.sleep(0.001)
            second = threads.submit(entered, slots, never)
            while slots.waiting < 2:
                time.sleep(0.001)
            cancelled.set()
        assert second.result(SOON) is True
        assert first.result(SOON) is False


def entered(slots: Slots, cancelled: threading.Event) -> bool:
    with slots.taken(cancelled) as granted:
        return granted
