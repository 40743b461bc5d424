"""OPCODE's core: what authors of plugins import, and nothing else."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opcode_core.actions import action as action
    from opcode_core.codec import dumps as dumps
    from opcode_core.codec import loads as loads
    from opcode_core.condensing import condensed as condensed
    from opcode_core.contracts.action import Action as Action
    from opcode_core.contracts.action import ActionContext as ActionContext
    from opcode_core.contracts.action import Effect as Effect
    from opcode_core.contracts.action import RunAccess as RunAccess
    from opcode_core.contracts.action import RunEnded as RunEnded
    from opcode_core.contracts.action import StepLogger as StepLogger
    from opcode_core.contracts.clock import Clock as Clock
    from opcode_core.contracts.clock import Ids as Ids
    from opcode_core.contracts.expression import ExpressionEngine as ExpressionEngine
    from opcode_core.contracts.expression import Program as Program
    from opcode_core.contracts.isolator import Command as Command
    from opcode_core.contracts.isolator import Finished as Finished
    from opcode_core.contracts.isolator import Isolator as Isolator
    from opcode_core.contracts.isolator import Limits as Limits
    from opcode_core.contracts.isolator import Probe as Probe
    from opcode_core.contracts.observer import Observer as Observer
    from opcode_core.contracts.provider import ActionProvider as ActionProvider
    from opcode_core.contracts.provider import Health as Health
    from opcode_core.contracts.provider import Provided as Provided
    from opcode_core.contracts.provider import ProviderSource as ProviderSource
    from opcode_core.contracts.provider import ReportingProvider as ReportingProvider
    from opcode_core.contracts.provider import WaitingTool as WaitingTool
    from opcode_core.contracts.renderer import Renderer as Renderer
    from opcode_core.contracts.runner import Runner as Runner
    from opcode_core.contracts.service import Service as Service
    from opcode_core.contracts.storage import Commit as Commit
    from opcode_core.contracts.storage import DecisionFilter as DecisionFilter
    from opcode_core.contracts.storage import EventFilter as EventFilter
    from opcode_core.contracts.storage import Item as Item
    from opcode_core.contracts.storage import Message as Message
    from opcode_core.contracts.storage import Page as Page
    from opcode_core.contracts.storage import RunFilter as RunFilter
    from opcode_core.contracts.storage import RunRecord as RunRecord
    from opcode_core.contracts.storage import Storage as Storage
    from opcode_core.contracts.storage import Tally as Tally
    from opcode_core.contracts.storage import TemplateRecord as TemplateRecord
    from opcode_core.contracts.storage import Work as Work
    from opcode_core.contracts.trigger import Trigger as Trigger
    from opcode_core.contracts.vault import StoredVault as StoredVault
    from opcode_core.contracts.vault import Vault as Vault
    from opcode_core.decisions import Decision as Decision
    from opcode_core.diagram import Diagram as Diagram
    from opcode_core.diagram import Edge as Edge
    from opcode_core.diagram import Lane as Lane
    from opcode_core.diagram import Node as Node
    from opcode_core.diagram import NodeKind as NodeKind
    from opcode_core.durations import format_duration as format_duration
    from opcode_core.durations import parse_duration as parse_duration
    from opcode_core.engine.engine import Engine as Engine
    from opcode_core.errors import ErrorCode as ErrorCode
    from opcode_core.errors import OpcodeError as OpcodeError
    from opcode_core.events import Event as Event
    from opcode_core.file_rules import FileRules as FileRules
    from opcode_core.guarded import Guarded as Guarded
    from opcode_core.guarded import GuardedService as GuardedService
    from opcode_core.launcher import Launcher as Launcher
    from opcode_core.looks import describe_diagram as describe_diagram
    from opcode_core.looks import node_words as node_words
    from opcode_core.looks import plain_text as plain_text
    from opcode_core.looks import status_paint as status_paint
    from opcode_core.looks import text_columns as text_columns
    from opcode_core.looks import wrap_text as wrap_text
    from opcode_core.network import NetworkPolicy as NetworkPolicy
    from opcode_core.overtime import Overtime as Overtime
    from opcode_core.overtime import Timed as Timed
    from opcode_core.overtime import TimeUp as TimeUp
    from opcode_core.overtime import work_overtime as work_overtime
    from opcode_core.paths import PathPolicy as PathPolicy
    from opcode_core.patterns import Pattern as Pattern
    from opcode_core.patterns import pattern as pattern
    from opcode_core.plugins.hookspecs import hookimpl as hookimpl
    from opcode_core.plugins.registry import Registry as Registry
    from opcode_core.process_isolator import ProcessIsolator as ProcessIsolator
    from opcode_core.schemas import Schema as Schema
    from opcode_core.scope import StepView as StepView
    from opcode_core.starting import cannot_keep as cannot_keep

# Each name is imported when it is first asked for, so `import opcode_core` costs next to nothing
# and a plugin pays only for what it uses.
_HOMES = {
    "action": "actions",
    **dict.fromkeys(("dumps", "loads"), "codec"),
    "condensed": "condensing",
    **dict.fromkeys(
        ("Action", "ActionContext", "Effect", "RunAccess", "RunEnded", "StepLogger"), "contracts.action"
    ),
    **dict.fromkeys(("Clock", "Ids"), "contracts.clock"),
    **dict.fromkeys(("ExpressionEngine", "Program"), "contracts.expression"),
    **dict.fromkeys(("Command", "Finished", "Isolator", "Limits", "Probe"), "contracts.isolator"),
    "Observer": "contracts.observer",
    **dict.fromkeys(
        ("ActionProvider", "Health", "Provided", "ProviderSource", "ReportingProvider", "WaitingTool"),
        "contracts.provider",
    ),
    "Renderer": "contracts.renderer",
    "Runner": "contracts.runner",
    "Service": "contracts.service",
    **dict.fromkeys(
        (
            "Commit",
            "DecisionFilter",
            "EventFilter",
            "Item",
            "Message",
            "Page",
            "RunFilter",
            "RunRecord",
            "Storage",
            "Tally",
            "TemplateRecord",
            "Work",
        ),
        "contracts.storage",
    ),
    "Trigger": "contracts.trigger",
    "StoredVault": "contracts.vault",
    "Vault": "contracts.vault",
    "Decision": "decisions",
    **dict.fromkeys(("Diagram", "Edge", "Lane", "Node", "NodeKind"), "diagram"),
    **dict.fromkeys(("format_duration", "parse_duration"), "durations"),
    "Engine": "engine.engine",
    **dict.fromkeys(("ErrorCode", "OpcodeError"), "errors"),
    "Event": "events",
    "FileRules": "file_rules",
    **dict.fromkeys(("Guarded", "GuardedService"), "guarded"),
    "Launcher": "launcher",
    **dict.fromkeys(
        ("describe_diagram", "node_words", "plain_text", "status_paint", "text_columns", "wrap_text"), "looks"
    ),
    "NetworkPolicy": "network",
    **dict.fromkeys(("Overtime", "TimeUp", "Timed", "work_overtime"), "overtime"),
    "PathPolicy": "paths",
    **dict.fromkeys(("Pattern", "pattern"), "patterns"),
    "hookimpl": "plugins.hookspecs",
    "Registry": "plugins.registry",
    "ProcessIsolator": "process_isolator",
    "Schema": "schemas",
    "StepView": "scope",
    "cannot_keep": "starting",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
