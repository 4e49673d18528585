"""What the data or the settings of an analysis say wrongly: its text becomes the job's FailureReason."""


class InputError(Exception):
    """In one line: what is wrong, where, and what to do."""
