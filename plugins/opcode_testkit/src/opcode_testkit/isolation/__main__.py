"""`python -m opcode_testkit.isolation package.module:Class [layer …]`: all attacks, as a table."""

import asyncio
import sys

from opcode_testkit.isolation.alone import isolator_of
from opcode_testkit.isolation.suite import LAYERS, isolator_suite


def main() -> int:
    """Print the outcomes; 1 when something escaped."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    outcomes = asyncio.run(isolator_suite(isolator_of(sys.argv[1]), promised=sys.argv[2:] or LAYERS))
    for outcome in outcomes:
        print(outcome)
    return int(any(outcome.state == "escaped" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
