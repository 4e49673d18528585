"""The one error of this step that its input causes; the step ends with its text as the reason."""


class InputError(Exception):
    """Something about the artifact or the test part: what, where, and what to do, as one line."""
