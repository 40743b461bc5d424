"""From what somebody wrote to a Plan, with everything that is wrong found on the way."""

from opcode_core.compiler.catalogue import Catalogue
from opcode_core.compiler.workflow import make_plan

__all__ = ["Catalogue", "make_plan"]
