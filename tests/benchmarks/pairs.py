# Copyright (c) 2026, The sensible.qlik contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the cost of two commands on a machine that runs other processes, too.

Because absolute times vary there, the two are measured alternately, pair by pair, in seconds of CPU (user and system)
of whole process trees, and the result is the median of the pairs' ratios.
"""

from __future__ import annotations

import dataclasses
import resource
import statistics
import subprocess
import time
import typing as t

PAIRS = 7
# The reference costs the same each time. If its dearest run takes this much more than its cheapest, so may anything.
NOISE = 1.4


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of CPU and of wall clock; costs can be added and subtracted."""

    cpu: float
    wall: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.cpu - other.cpu, self.wall - other.wall)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The ratio of pairs of costs; the second of each pair is the reference."""

    pairs: tuple[tuple[Cost, Cost], ...]

    @property
    def value(self) -> float:
        """Median of the ratios of CPU."""
        return statistics.median(cost.cpu / reference.cpu for cost, reference in self.pairs)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest ratio of CPU."""
        ratios = [cost.cpu / reference.cpu for cost, reference in self.pairs]
        return min(ratios), max(ratios)

    @property
    def noise(self) -> float:
        """Dearest run of the reference over its cheapest."""
        references = [reference.cpu for _cost, reference in self.pairs]
        return max(references) / min(references)

    def verdict(self, goal: float) -> str:
        """Return "met", "missed", or "noisy" if the times of the reference vary too much to call it missed."""
        if self.value <= goal:
            return "met"
        return "noisy" if self.noise > NOISE else "missed"

    def report(self, title: str, *, goal: float, stretch_goal: float | None = None) -> str:
        """Return one paragraph of the report."""
        lowest, highest = self.spread
        cost = statistics.median(cost.cpu for cost, _reference in self.pairs)
        reference = statistics.median(reference.cpu for _cost, reference in self.pairs)
        wall = statistics.median(cost.wall for cost, _reference in self.pairs)
        reference_wall = statistics.median(reference.wall for _cost, reference in self.pairs)
        result = f"goal <= {goal:.2f}: {self.verdict(goal)}"
        stretch = (
            f", stretch goal <= {stretch_goal:.2f}: {self.verdict(stretch_goal)}" if stretch_goal is not None else ""
        )
        return (
            f"{title}\n"
            f"  ratio {self.value:.3f} (pairs {lowest:.3f} to {highest:.3f}), {result}{stretch}\n"
            f"  CPU {cost:.2f} s against {reference:.2f} s, wall {wall:.2f} s against {reference_wall:.2f} s,"
            f" {len(self.pairs)} pairs, reference max/min {self.noise:.2f}"
        )


def cost_of(command: t.Sequence[str], *, environment: t.Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end and return what it and all its descendants used.

    Raises:
        RuntimeError: it failed; the text is the end of its output.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def measure(subject: t.Callable[[], Cost], reference: t.Callable[[], Cost], pairs: int = PAIRS) -> Ratio:
    """Measure two things in turn. Each first runs once unmeasured, to fill the file cache and write byte code."""
    subject(), reference()
    return Ratio(tuple((subject(), reference()) for _pair in range(pairs)))
