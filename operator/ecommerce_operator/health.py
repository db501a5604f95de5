"""Health of an object: ready, progressing or failed, and the real reason."""

from collections.abc import Iterable

from ecommerce_operator.model import Health, Log, Object, Related


def assess(obj: Object, related: Related) -> Health:
    """Answers how an object is, from what the API shows of it and of what is around it. Never raises."""
    raise NotImplementedError


def overall(healths: Iterable[Health]) -> Health:
    """Answers the health of a component from that of its objects: the worst, and the first of equals; ready if none."""
    raise NotImplementedError


def logs_wanted(pods: Iterable[Object]) -> tuple[Log, ...]:
    """Answers whose last line `assess` would quote: containers that ended in an error, at most a few."""
    raise NotImplementedError
