"""What a program that hosts an engine imports, beside the public face: settings, plugins, answers, commands.

Servers, panels and other fronts tell their callers the same things in the same words, so these live here
once. Plugins that only add actions or engines do not need this module.
"""

from opcode_core import runfile
from opcode_core.answers import (
    decision_answer,
    event_answer,
    iso,
    record_answer,
    run_answer,
    signal_answer,
    status_answer,
    template_answer,
)
from opcode_core.cli.problems import Usage, count, say
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, how_to_get, lasting_storage, plugin_manager
from opcode_core.cli.session import engine as asking_engine
from opcode_core.cli.session import settings as current_settings
from opcode_core.issues import InvalidDefinition, Issue
from opcode_core.logs import JsonLines, printable
from opcode_core.outline import outline
from opcode_core.plan import Plan
from opcode_core.plugins.manager import PluginManager
from opcode_core.runfile import Running
from opcode_core.schemas import Schema
from opcode_core.settings import HOME, Settings, load_settings
from opcode_core.state import RUN_ENDED, STEP_ENDED, SUSPENDED, RunState
from opcode_core.suggestions import did_you_mean

__all__ = [
    "HOME",
    "JSON",
    "RUN_ENDED",
    "STEP_ENDED",
    "SUSPENDED",
    "InvalidDefinition",
    "Issue",
    "JsonLines",
    "Plan",
    "PluginManager",
    "RunState",
    "Running",
    "Schema",
    "Settings",
    "Usage",
    "asking_engine",
    "count",
    "current_settings",
    "decision_answer",
    "did_you_mean",
    "event_answer",
    "how_to_get",
    "iso",
    "lasting_storage",
    "load_settings",
    "outline",
    "plugin_manager",
    "print_json",
    "printable",
    "record_answer",
    "run_answer",
    "runfile",
    "say",
    "signal_answer",
    "status_answer",
    "template_answer",
]
