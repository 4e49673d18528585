"""EventBridge Scheduler's clock: what is due, and starting it.

``schedules`` knows when a schedule is due; ``clock`` starts what is due and notes it. The operations on
schedules are in ``services.schedules``; what passes between them is a schedule's document in the store.
"""
