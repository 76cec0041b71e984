"""What a run's metrics.jsonl tells, read as it grows, whoever writes it."""

import json
import math
import os
from array import array
from pathlib import Path

COLUMNS = ("step", "loss", "learning_rate", "grad_norm", "tokens_per_second")


class History:
    """The steps of a run so far, a column a number. `read` takes in what was written since it was last called."""

    def __init__(self, path: Path):
        self.path = path
        self._clear()

    def _clear(self) -> None:
        self.columns = {name: array("d") for name in COLUMNS}
        self.held_out: list[tuple[float, float]] = []
        self._file, self._offset, self._last = None, 0, b""

    @property
    def steps_done(self) -> int:
        """How many steps the run has had, by its metrics."""
        steps = self.columns["step"]
        return int(steps[-1]) + 1 if steps else 0

    @property
    def speed(self) -> float | None:
        """Tokens a second, the median of the last steps; None where nothing is known."""
        known = sorted(v for v in self.columns["tokens_per_second"][-50:] if v > 0)
        return known[len(known) // 2] if known else None

    def read(self) -> int:
        """Take in the whole lines that are new; all of them where the file was replaced. Returns how many.

        It was replaced if the line that was taken in last isn't in its place any more. A last line that isn't whole
        waits for the next time. Raises OSError where the file can't be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return 0
        count = 0
        with file:
            inode = os.fstat(file.fileno()).st_ino  # a new file may get that of one that was removed
            file.seek(self._offset - len(self._last))
            if self._file != inode or file.read(len(self._last)) != self._last:
                self._clear()
                self._file = inode
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset, self._last = self._offset + len(line), line
                count += self._take(line)
        return count

    def _take(self, line: bytes) -> bool:
        """Take in one line, unless it isn't a step's."""
        try:
            record = json.loads(line)
        except ValueError:
            return False
        step = _number(record, "step")
        if math.isnan(step):
            return False
        while self.columns["step"] and self.columns["step"][-1] >= step:  # a step that is made again
            for column in self.columns.values():
                column.pop()
        while self.held_out and self.held_out[-1][0] >= step:
            self.held_out.pop()
        for name, column in self.columns.items():
            column.append(_number(record, name))
        if not math.isnan(held_out := _number(record, "val_loss")):
            self.held_out.append((step, held_out))
        return True


def _number(record: object, name: str) -> float:
    """A finite number of a record, else nan."""
    value = record.get(name) if isinstance(record, dict) else None
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else math.nan
