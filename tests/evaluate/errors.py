"""What can be wrong with what the evaluation is given; each message says what to do about it."""


class EvaluationError(Exception):
    """The evaluation cannot be made as asked; the message is for the person at the terminal."""
