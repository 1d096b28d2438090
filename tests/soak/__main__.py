"""`python -m tests.soak kills|mutations|disks`: long trials that are no part of the suite.

Each trial is drawn from the seed and its number alone, and what it gave is a line of `OUT/NAME.jsonl`; a call that is
stopped goes on where it was. The last line printed counts what held; exit code 1 where anything did not.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.soak import disks, kills, mutations
from tests.soak.outcomes import Outcome, Outcomes

Trials = Callable[[Path, int, range], Iterator[Outcome]]
"""(folder, seed, numbers of the trials that are to be made) -> what each gave."""

TRIALS: dict[str, tuple[Trials, int]] = {
    "kills": (kills.trials, 120),
    "mutations": (mutations.trials, 10_000),
    "disks": (disks.trials, len(disks.FAULTS)),
}
"""Name -> what makes the trials, and how many there are."""


def main() -> None:
    """Make the trials that are still missing, and count all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=TRIALS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the outcomes and of what the trials need")
    parser.add_argument("--count", type=int, help="trials; all where absent")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    make, most = TRIALS[arguments.name]
    folder = arguments.out.resolve()
    outcomes = Outcomes(folder / f"{arguments.name}-{arguments.seed}.jsonl")
    count = most if arguments.count is None else arguments.count
    for outcome in make(folder / arguments.name, arguments.seed, range(len(outcomes), count)):
        outcomes.add(outcome)
        if outcome.fault:
            print(f"{outcome.number} ({outcome.what}): {outcome.fault}", flush=True)
    made = outcomes.read()[:count]
    bad = sum(bool(each.fault) for each in made)
    print("; ".join(f"{what} {number}" for what, number in sorted(Counter(each.kind for each in made).items())))
    killed = sum(each.kills for each in made)
    print(f"{len(made)} trials{f' with {killed} kills' if killed else ''}, {len(made) - bad} held, {bad} did not")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
