"""`python -m tests.sim --seed N [--count M] [--trace]`: the ladder of a seed and its verdict."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.ladder import ladder
from tests.sim.simulate import simulate


def main() -> int:
    """Run the seeds asked for; 1 when any of them has a problem."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds, from the first on")
    parser.add_argument("--trace", action="store_true", help="print every datagram, not only the verdict")
    options = parser.parse_args()
    failed = 0
    began = time.perf_counter()
    for seed in range(options.seed, options.seed + options.count):
        verdict = simulate(seed)
        if options.trace:
            print(ladder(verdict.world))
        if options.count == 1 or verdict.problems:
            weather = ", ".join(verdict.faults) or "calm"
            print(
                f"seed {seed}  {verdict.mark}  {verdict.calls} calls, {verdict.answered} answered, "
                f"{verdict.datagrams} datagrams; weather: {weather}"
            )
        for problem in verdict.problems:
            print(f"  {problem}")
        failed += bool(verdict.problems)
    if options.count > 1:
        seconds = time.perf_counter() - began
        print(f"{options.count} seeds, {failed} with problems, {seconds:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
