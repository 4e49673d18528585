"""The errors of this step that its input causes; the step ends with their text as the reason."""


class InputError(Exception):
    """Something about the artifact or the test part: what, where, and what to do, as one line."""


class DoesNotFit(InputError):
    """The model's serving code refuses the rows of the test part.

    Attributes:
        reason: what it says; it is all there is to say of a champion, which is of another run.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the test part does not fit the model: {reason}. Give both from one run")
        self.reason = reason
