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
        problem = None
        try:
            history.play()
        except Violation as violation:
            problem = violation if asked.match in str(violation) else None
        if asked.digest:
            told = history.record() + (str(problem).encode() if problem else b"")
            print(hashlib.sha256(told).hexdigest())
            continue
        if asked.verbose:
            tell(history)
        if problem is not None:
            failed += 1
            if asked.last_lines and not asked.verbose:
                tell(history, asked.last_lines)
            print(f"seed {seed}: {problem}", flush=True)
    if asked.digest:
        return 0
    print(f"{len(seeds)} histories, {failed} failed, {time.time() - began:.1f} s")
    return 1 if failed else 0


def tell(history: History, last: int = 0) -> None:
    print(f"seed {history.seed}: {history.settings}")
    for at, who, what in history.lines[-last:]:
        print(f"{at:10.4f} {who:7} {what}")


if __name__ == "__main__":
    sys.exit(main())
