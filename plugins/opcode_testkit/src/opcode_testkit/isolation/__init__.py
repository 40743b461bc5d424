"""What commands try to do to the program that runs them, and which isolator keeps them from it.

    outcomes = await isolator_suite(MyIsolator(), folder, promised={"files", "network", "tree"})
    assert not [outcome for outcome in outcomes if outcome.state == "escaped"]

or, to see it as a table: `python -m opcode_testkit.isolation my_package.module:MyIsolator`. Attacks on layers
that are not promised are not made, for they might succeed. Everything that the attacks start is ended.
"""

from opcode_testkit.isolation.arena import Arena, Attack, Escaped
from opcode_testkit.isolation.attacks import ATTACKS
from opcode_testkit.isolation.suite import LAYERS, Outcome, isolator_suite, outcome_of

__all__ = ["ATTACKS", "LAYERS", "Arena", "Attack", "Escaped", "Outcome", "isolator_suite", "outcome_of"]
