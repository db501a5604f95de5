"""Claims about how commands end."""

import pytest

from local.errors import StartFailedError
from local.exits import exit_code


def test_a_command_chooses_its_own_code() -> None:
    """What it answers is the exit code, and nothing is success."""
    assert exit_code(lambda: 3) == 3
    assert exit_code(lambda: None) == 0


def test_an_error_for_the_person_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Its message alone is told, on stderr, and the code is 1."""

    def fail() -> int:
        raise StartFailedError("PostgreSQL did not start")

    assert exit_code(fail) == 1
    assert capsys.readouterr() == ("", "PostgreSQL did not start\n")


@pytest.mark.parametrize(("given", "told"), [("", ""), ("It goes on from here", "\nIt goes on from here\n")])
def test_ctrl_c_is_no_failure_to_be_shown(capsys: pytest.CaptureFixture[str], given: str, told: str) -> None:
    """The code is that of an interrupted program, with the sentence that belongs to the command."""

    def interrupt() -> int:
        raise KeyboardInterrupt

    assert exit_code(interrupt, given) == 130
    assert capsys.readouterr() == ("", told)
