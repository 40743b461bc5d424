"""Whatever an installed plugin does when it is loaded or asked, the program goes on and says what it was."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stevedore import ExtensionManager

from opcode_core import action, hookimpl
from opcode_core.plugins.manager import GROUP, PluginManager
from opcode_core.plugins.registry import Registry

Install = Callable[..., None]

GOOD = """
from opcode_core import action, hookimpl

@action("good.one", effect="pure", aliases=("good.first",))
def one() -> int:
    "One."
    return 1

@hookimpl
def opcode_actions():
    return [one]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution on the path whose entry points are written as given, each with its module."""
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})
    before = set(sys.modules)

    def put(distribution: str, entry_points: str, **modules: str) -> None:
        folder = tmp_path / distribution
        info = folder / f"{distribution}-2.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry_points}\n")
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("loading_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("assert 1 == 2, 'not this'", "AssertionError: not this"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("raise RuntimeError", "RuntimeError"),
        ("raise RecursionError('deep')", "RecursionError: deep"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from opcode_core import no_such_name", "ImportError: "),
    ],
)
def test_a_plugin_that_fails_while_it_is_imported_stops_nobody(install: Install, source: str, error: str):
    install("bad-dist", "bad = loading_bad", loading_bad=source)
    install("good-dist", "good = loading_good", loading_good=GOOD)
    made = PluginManager(allow=["bad", "good"])
    assert made.found["bad"].state == "broken"
    assert made.found["bad"].error.startswith(error)
    assert made.found["bad"].package == "bad-dist 2.1"
    assert made.registry().action("good.first") is made.registry().action("good.one") is not None


@pytest.mark.parametrize(
    ("entry_point", "error"),
    [
        ("bad = loading_nowhere", "ModuleNotFoundError: No module named 'loading_nowhere'"),
        ("bad = loading_good:missing", "AttributeError: "),
        ("bad = loading_good:one.call.nothing", "AttributeError: "),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_broken(install: Install, entry_point: str, error: str):
    install("bad-dist", entry_point, loading_good=GOOD)
    found = PluginManager(allow=["bad"]).found["bad"]
    assert (found.state, found.error[: len(error)]) == ("broken", error)


def test_one_module_under_two_names_is_one_plugin(install: Install):
    install("dist", "first = loading_good\nsecond = loading_good", loading_good=GOOD)
    made = PluginManager(allow=["first", "second"])
    assert [made.found[name].state for name in ("first", "second")] == ["active", "broken"]
    assert "already registered" in made.found["second"].error
    assert not made.registry().collisions


def test_a_plugin_may_be_an_object_in_a_module(install: Install):
    source = GOOD.replace("@hookimpl\ndef opcode_actions():\n    return [one]", "") + (
        "class Plugin:\n    @hookimpl\n    def opcode_actions(self):\n        return [one]\nplugin = Plugin()\n"
    )
    install("dist", "object = loading_object:plugin", loading_object=source)
    assert PluginManager(allow=["object"]).registry().action("good.one") is not None


def test_denying_wins_over_allowing_and_neither_imports(install: Install):
    install(
        "dist",
        "a = loading_a\nb = loading_b\nc = loading_c",
        loading_a=GOOD,
        loading_b="1/0",
        loading_c="1/0",
    )
    made = PluginManager(allow=["a", "b"], deny=["b", "not-there"])
    assert {name: made.found[name].state for name in "abc"} == {"a": "active", "b": "denied", "c": "denied"}
    assert not {"loading_b", "loading_c"} & set(sys.modules)
    assert made.found["b"].error == ""


def test_a_program_without_discovery_has_only_what_it_is_given(install: Install):
    install("dist", "a = loading_a", loading_a=GOOD)
    made = PluginManager(discover=False)
    assert made.found == {}
    assert made.registry().action("good.one") is None
    assert "memory" in made.registry().storages


def plugin(**hooks: Callable[..., Any]) -> object:
    return type("Plugin", (), {name: staticmethod(hookimpl(hook)) for name, hook in hooks.items()})()


def asked(**plugins: object) -> tuple[PluginManager, Registry]:
    made = PluginManager(discover=False)
    for name, one in plugins.items():
        made.register(one, name, f"{name} 1.0")
    return made, made.registry()


def raises() -> Any:
    raise ValueError("not now")


@pytest.mark.parametrize(
    ("hook", "answer"),
    [
        ("opcode_actions", lambda: [1]),
        ("opcode_actions", lambda: 5),
        ("opcode_expression_engines", lambda: [object()]),
        ("opcode_storage_backends", lambda: ["sqlite"]),
        ("opcode_isolators", raises),
        ("opcode_diagram_renderers", lambda: [object()]),
        ("opcode_vaults", lambda: 5),
        ("opcode_runners", lambda: [object()]),
        ("opcode_action_providers", lambda: [object()]),
        ("opcode_observers", lambda: 1),
    ],
)
def test_a_hook_that_answers_nonsense_breaks_its_plugin_alone(hook: str, answer: Callable[..., Any]):
    made, registry = asked(bad=plugin(**{hook: answer}), good=plugin(opcode_actions=lambda: [fine]))
    assert (made.found["bad"].state, made.found["good"].state) == ("broken", "active")
    assert made.found["bad"].error
    assert made.found["bad"].package == "bad 1.0"
    assert registry.action("t.fine") is fine


@action("t.fine", effect="pure")
def fine() -> int:
    """Nothing."""
    return 1


def test_a_hook_that_answers_none_adds_nothing():
    made, registry = asked(quiet=plugin(opcode_actions=lambda: None))
    assert made.found["quiet"].state == "active"
    assert registry.offers("quiet") == {}


def test_a_hook_that_wants_what_it_is_not_given_breaks_at_the_door():
    made, _ = asked(bad=plugin(opcode_actions=lambda engine: []))
    assert made.found["bad"].state == "broken"
    assert "engine" in made.found["bad"].error


def test_a_plugin_that_breaks_is_asked_no_more():
    calls: list[str] = []

    def engines() -> Any:
        calls.append("engines")
        return []

    made, _ = asked(bad=plugin(opcode_actions=raises, opcode_expression_engines=engines))
    assert calls == []
    assert list(made.ask("opcode_expression_engines")) == []


def test_a_taken_name_is_refused_and_the_first_stays():
    made = PluginManager(discover=False)
    made.register(plugin(opcode_actions=lambda: [fine]), "same", "one 1.0")
    made.register(plugin(opcode_actions=raises), "same", "two 1.0")
    assert made.found["same"].state == "active"
    assert "the name 'same' is already taken by one 1.0" in made.found["same (two 1.0)"].error
    assert made.registry().action("t.fine") is fine


class Named:
    def __init__(self, name: str) -> None:
        self.name = self.format = self.id = name


@pytest.mark.parametrize(
    ("hook", "kind", "answer"),
    [
        ("opcode_actions", "action", [fine]),
        ("opcode_expression_engines", "expression engine", [Named("t.fine")]),
        ("opcode_storage_backends", "storage", {"t.fine": Named}),
        ("opcode_isolators", "isolator", [Named("t.fine")]),
        ("opcode_diagram_renderers", "diagram renderer", [Named("t.fine")]),
        ("opcode_runners", "runner", [Named("t.fine")]),
        ("opcode_action_providers", "action provider", [Named("t.fine")]),
    ],
)
def test_a_name_offered_twice_is_a_conflict_that_names_both(hook: str, kind: str, answer: Any):
    _, registry = asked(one=plugin(**{hook: lambda: answer}), two=plugin(**{hook: lambda: answer}))
    said = f"{kind} 't.fine' is offered by both one and two; deny one of them"
    assert [str(collision) for collision in registry.collisions] == [said]
    assert registry.conflict(kind, "t.fine") == said
    assert registry.conflict(kind, "other") is None
    assert registry.offers("one") == {kind: ["t.fine"]}
    assert registry.offers("two") == {}


def test_conflicts_are_logged_once(caplog: pytest.LogCaptureFixture):
    hooks = {"opcode_actions": lambda: [fine]}
    asked(one=plugin(**hooks), two=plugin(**hooks))
    assert [record.message for record in caplog.records if "offered by both" in record.message] == [
        "action 't.fine' is offered by both one and two; deny one of them"
    ]


def test_the_schema_of_an_action_is_made_once():
    registry = Registry()
    assert registry.schema(fine) is registry.schema(fine)
