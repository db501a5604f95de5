"""What the recommender takes from its environment, and what it refuses."""

import pytest

from services import runtime
from services.recommender.domain import Hyperparameters
from services.recommender.settings import ServeSettings, TrainSettings

NEEDED = {
    "DATABASE_URL": "postgresql://user:secret@host/recommender",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "ACCOUNT_ADDRESS": "account:8080",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_defaults() -> None:
    """What is needed is enough; the trials are those of the domain, the domain's own first."""
    assert ServeSettings().history_days == TrainSettings().history_days == 365
    trials = TrainSettings().trials
    assert trials[0] == Hyperparameters()
    assert [trial.regularization for trial in trials] == [0.1, 0.06, 0.15]
    assert TrainSettings().threads >= 1


def test_everything_is_taken(environment: pytest.MonkeyPatch) -> None:
    """Into every trial."""
    for name in ("FACTORS", "ITERATIONS", "ALPHA", "VIEW_WEIGHT", "PURCHASE_WEIGHT", "HALF_LIFE_DAYS", "SATURATION"):
        environment.setenv(name, "7")
    environment.setenv("REGULARIZATION", "0.2, 3")
    environment.setenv("TRAIN_THREADS", "3")
    settings = TrainSettings()
    wanted = [Hyperparameters(7, share, 7.0, 7, 7.0, 7.0, 7.0, 7.0) for share in (0.2, 3.0)]
    assert list(settings.trials) == wanted
    assert settings.threads == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REGULARIZATION", ""),
        ("REGULARIZATION", "0.1;0.2"),
        ("REGULARIZATION", "0"),
        ("REGULARIZATION", "nan"),
        ("REGULARIZATION", "0.1," * 8 + "0.1"),
        ("FACTORS", "1"),
        ("FACTORS", "257"),
        ("ALPHA", "0"),
        ("TOLERANCE", "0.6"),
        ("TRAIN_EVERY", "0"),
        ("KEEP_MODELS", "1"),
        ("HISTORY_DAYS", "0"),
    ],
)
def test_what_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """In one line that names the variable, before anything starts."""
    environment.setenv(name, value)
    with pytest.raises(SystemExit, match=f"recommender-trainer: {name}: "):
        runtime.read_settings(TrainSettings, "recommender-trainer")
