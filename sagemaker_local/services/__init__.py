"""What the endpoint can do: one module for each family of operations, merged into one table.

Each module exposes ``OPERATIONS``: handlers by operation name. A handler gets the call and validated
parameters and returns the response's members; documents in the store hold the same members, and
private ones whose names begin with an underscore, which are never sent.
"""
