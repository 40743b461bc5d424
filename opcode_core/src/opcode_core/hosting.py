"""What a program that hosts an engine imports, beside the public face: settings, plugins, answers, commands.

Servers, panels and other fronts tell their callers the same things in the same words, so these live here
once. Plugins that only add actions or engines do not need this module. Each name is imported when it is first
asked for, so a command that is only listed costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opcode_core import runfile as runfile
    from opcode_core.answers import decision_answer as decision_answer
    from opcode_core.answers import event_answer as event_answer
    from opcode_core.answers import iso as iso
    from opcode_core.answers import record_answer as record_answer
    from opcode_core.answers import run_answer as run_answer
    from opcode_core.answers import signal_answer as signal_answer
    from opcode_core.answers import status_answer as status_answer
    from opcode_core.answers import template_answer as template_answer
    from opcode_core.cli.problems import Usage as Usage
    from opcode_core.cli.problems import count as count
    from opcode_core.cli.problems import say as say
    from opcode_core.cli.screen import print_json as print_json
    from opcode_core.cli.session import JSON as JSON
    from opcode_core.cli.session import how_to_get as how_to_get
    from opcode_core.cli.session import lasting_storage as lasting_storage
    from opcode_core.cli.session import plugin_manager as plugin_manager
    from opcode_core.drawing import draw as draw
    from opcode_core.engine.starting import checked_params as checked_params
    from opcode_core.issues import InvalidDefinition as InvalidDefinition
    from opcode_core.issues import Issue as Issue
    from opcode_core.logs import JsonLines as JsonLines
    from opcode_core.logs import printable as printable
    from opcode_core.outline import outline as outline
    from opcode_core.plan import Plan as Plan
    from opcode_core.plugins.manager import PluginManager as PluginManager
    from opcode_core.redaction import redact as redact
    from opcode_core.runfile import Running as Running
    from opcode_core.schemas import Schema as Schema
    from opcode_core.settings import HOME as HOME
    from opcode_core.settings import Settings as Settings
    from opcode_core.settings import in_use as in_use
    from opcode_core.settings import load_settings as load_settings
    from opcode_core.state import RUN_ENDED as RUN_ENDED
    from opcode_core.state import STEP_ENDED as STEP_ENDED
    from opcode_core.state import SUSPENDED as SUSPENDED
    from opcode_core.state import RunState as RunState
    from opcode_core.suggestions import did_you_mean as did_you_mean

_HOMES = {
    "HOME": "settings:HOME",
    "InvalidDefinition": "issues:InvalidDefinition",
    "Issue": "issues:Issue",
    "JSON": "cli.session:JSON",
    "JsonLines": "logs:JsonLines",
    "Plan": "plan:Plan",
    "PluginManager": "plugins.manager:PluginManager",
    "RUN_ENDED": "state:RUN_ENDED",
    "RunState": "state:RunState",
    "Running": "runfile:Running",
    "STEP_ENDED": "state:STEP_ENDED",
    "SUSPENDED": "state:SUSPENDED",
    "Schema": "schemas:Schema",
    "Settings": "settings:Settings",
    "Usage": "cli.problems:Usage",
    "ask_server": "cli.server:ask",
    "asking_engine": "cli.session:engine",
    "checked_params": "engine.starting:checked_params",
    "count": "cli.problems:count",
    "current_settings": "cli.session:settings",
    "decision_answer": "answers:decision_answer",
    "did_you_mean": "suggestions:did_you_mean",
    "driving_engine": "cli.session:driving",
    "draw": "drawing:draw",
    "event_answer": "answers:event_answer",
    "how_to_get": "cli.session:how_to_get",
    "in_use": "settings:in_use",
    "iso": "answers:iso",
    "lasting_storage": "cli.session:lasting_storage",
    "load_settings": "settings:load_settings",
    "outline": "outline:outline",
    "plugin_manager": "cli.session:plugin_manager",
    "print_json": "cli.screen:print_json",
    "redact": "redaction:redact",
    "printable": "logs:printable",
    "record_answer": "answers:record_answer",
    "run_answer": "answers:run_answer",
    "runfile": ":runfile",
    "running_server": "cli.server:running",
    "say": "cli.problems:say",
    "signal_answer": "answers:signal_answer",
    "status_answer": "answers:status_answer",
    "take_variable": "environment:take",
    "template_answer": "answers:template_answer",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, _, its_name = _HOMES[name].partition(":")
    value: Any = import_module(f"opcode_core.{home}") if home else None
    value = getattr(value, its_name) if home else import_module(f"opcode_core.{its_name}")
    globals()[name] = value
    return value
