"""The end of a call's time: asyncio.timeout for a task that ends with what it bounds, at a third of the cost."""

import asyncio


class TimeLimit:
    """Cancels the current task after `seconds`, unless `lift` is called before; `deadline` is on the loop's clock."""

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._reached = False
        self.deadline = loop.time() + seconds
        self._timer = loop.call_at(self.deadline, self._reach)

    def ends_the_task(self) -> bool:
        """Answers whether this, and nobody else, is why the task was cancelled; then the task goes on."""
        # Somebody else may want the task's end as well: that goes first.
        return self._reached and self._task is not None and self._task.uncancel() == 0

    def lift(self) -> None:
        """Lets the task take as long as it likes."""
        self._timer.cancel()

    def _reach(self) -> None:
        self._reached = True
        if self._task is not None:
            self._task.cancel()
