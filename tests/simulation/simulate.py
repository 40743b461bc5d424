"""Command line: `simulate.py 123 -v` tells one history, `simulate.py --seeds 10000` tries many."""

import argparse
import ast
import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sim_history import History, Violation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", nargs="*", type=int, help="seeds to play")
    parser.add_argument("--seeds", type=int, default=0, help="play this many, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last-lines", type=int, default=0, help="of a failed history, tell only so many")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the history")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="fix a setting")
    parser.add_argument("--match", default="", help="count only failures that say this")
    parser.add_argument("--digest", action="store_true", help="tell only a digest of each history")
    asked = parser.parse_args()
    options = {name: ast.literal_eval(value) for name, _, value in (one.partition("=") for one in asked.set)}
    seeds = asked.seed or range(asked.first, asked.first + (asked.seeds or 100))
    began, failed = time.time(), 0
    for seed in seeds:
        history = History(seed, options)
        problem = played(history, asked.match)
        if asked.digest:
            print(digest(history, problem))
            continue
        failed += bool(problem)
        if asked.verbose or (problem and asked.last_lines):
            tell(history, 0 if asked.verbose else asked.last_lines)
        if problem:
            print(f"seed {seed}: {problem}", flush=True)
    if not asked.digest:
        print(f"{len(seeds)} histories, {failed} failed, {time.time() - began:.1f} s")
    return 1 if failed and not asked.digest else 0


def played(history: History, match: str) -> str:
    """What went wrong, if it says `match`."""
    try:
        history.play()
    except Violation as violation:
        return str(violation) if match in str(violation) else ""
    return ""


def digest(history: History, problem: str) -> str:
    """The same for the same history."""
    return hashlib.sha256(history.record() + problem.encode()).hexdigest()


def tell(history: History, last: int = 0) -> None:
    print(f"seed {history.seed}: {history.settings}")
    for at, who, what in history.lines[-last:]:
        print(f"{at:10.4f} {who:7} {what}")


if __name__ == "__main__":
    sys.exit(main())
