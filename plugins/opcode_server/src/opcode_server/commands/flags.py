"""Settings as flags of a subcommand, beside those of `opcode` itself."""

from typing import Any

import click

from opcode_core import OpcodeError
from opcode_core.hosting import Settings, Usage, load_settings


def flags_of(ctx: click.Context, **flags: Any) -> dict[str, Any]:
    """All flags of this call that are settings, by their names."""
    given = {**ctx.find_root().params, **flags}
    if given.get("db_path"):
        given["storage"] = ""  # a flag goes over OPCODE_STORAGE
    return given


def with_flags(ctx: click.Context, **flags: Any) -> Settings:
    """The settings of this call.

    Raises:
        Usage: naming the setting that is wrong.
    """
    try:
        return load_settings(flags_of(ctx, **flags))
    except OpcodeError as error:
        raise Usage(error.message) from None
