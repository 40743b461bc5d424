"""Who asks, and what they may."""

from dataclasses import dataclass

from opcode_core import ErrorCode, OpcodeError

VIEWER, OPERATOR, AUTHOR, ADMIN = ROLES = ("viewer", "operator", "author", "admin")
"""Each may do what those before it may: look; run and signal; define; make tokens and read the audit log."""

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever is at the other end.

    Attributes:
        name: what the audit log calls them.
        role: one of ROLES.
        agent_id: the only agent that they may speak for; None for any.
        address: where they call from; empty when they are on this machine's standard input.
    """

    name: str
    role: str
    agent_id: str | None = None
    address: str = ""

    def need(self, role: str, what: str) -> None:
        """Raise PERMISSION_DENIED unless they have that role, or one above it."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise OpcodeError(
                ErrorCode.PERMISSION_DENIED,
                f"{what} needs the role {role}; the token {self.name} has {self.role}",
                details={"needed": role, "role": self.role},
            )

    def speaks_for(self, agent_id: str | None) -> str:
        """The agent that a call is made for.

        Raises:
            OpcodeError: PERMISSION_DENIED when the token belongs to another one.
        """
        if self.agent_id is None:
            return agent_id or LOCAL
        if agent_id not in (None, self.agent_id):
            raise OpcodeError(
                ErrorCode.PERMISSION_DENIED,
                f"agent_id: this token is agent '{self.agent_id}'s, not '{agent_id}'s; leave it out or give that one",
                details={"path": "agent_id"},
            )
        return self.agent_id
