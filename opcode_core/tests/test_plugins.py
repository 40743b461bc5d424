"""Plugins: found, asked, and set aside when they are broken, denied or in each other's way."""

import inspect
import sys
from pathlib import Path

import pytest
from stevedore import ExtensionManager

from opcode_core import Engine, action, hookimpl
from opcode_core.compiler import make_plan
from opcode_core.issues import InvalidDefinition
from opcode_core.memory import MemoryStorage
from opcode_core.plugins import hookspecs
from opcode_core.plugins.manager import GROUP, PluginManager


def offering(name: str) -> object:
    @action(name, effect="pure")
    def body() -> int:
        """One."""
        return 1

    class Plugin:
        @hookimpl
        def opcode_actions(self):
            return [body]

    return Plugin()


def manager(**plugins: object) -> PluginManager:
    made = PluginManager(discover=False)
    for name, plugin in plugins.items():
        made.register(plugin, name, f"{name}-package 1.0")
    return made


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put modules and an entry point for each on the path, as pip would before the program starts."""
    monkeypatch.setattr(ExtensionManager, "ENTRY_POINT_CACHE", {})

    def install(distribution: str = "dist", **modules: str) -> None:
        folder = tmp_path / distribution
        info = folder / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = []
        for name, source in modules.items():
            (folder / f"{distribution}_{name}_module.py").write_text(source)
            lines.append(f"{name} = {distribution}_{name}_module")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(folder)

    yield install
    for name in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[name]


GOOD = """
from opcode_core import action, hookimpl

@action("good.one", effect="pure")
def one() -> int:
    "One."
    return 1

@hookimpl
def opcode_actions():
    return [one]
"""


def test_every_hook_is_documented_and_every_argument_too():
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("opcode_")}
    assert len(hooks) == 13
    for name, hook in hooks.items():
        documentation = inspect.getdoc(hook) or ""
        assert documentation, name
        for argument in inspect.signature(hook).parameters:
            assert f"`{argument}`" in documentation, name


def test_an_installed_plugin_is_found_and_asked(installed):
    installed(good=GOOD)
    made = PluginManager()
    assert made.found["good"].state == "active"
    assert made.found["good"].package == "dist 1.0"
    assert made.registry().action("good.one") is not None
    assert made.registry().offers("good") == {"action": ["good.one"]}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("from opcode_core import hookimpl\n@hookimpl\ndef opcode_actionz(): return []", "opcode_actionz"),
        (
            "from opcode_core import hookimpl\n@hookimpl\ndef opcode_actions(): raise ValueError('later')",
            "ValueError: later",
        ),
        ("from opcode_core import hookimpl\n@hookimpl\ndef opcode_actions(): return [1]", "AttributeError"),
    ],
)
def test_a_broken_plugin_is_recorded_and_stops_nobody(installed, source: str, error: str):
    installed(bad=source, good=GOOD)
    made = PluginManager()
    registry = made.registry()
    assert made.found["bad"].state == "broken"
    assert error in made.found["bad"].error
    assert registry.action("good.one") is not None


def test_a_denied_plugin_is_not_even_imported(installed):
    installed(good=GOOD, bad="raise SystemExit('imported')")
    made = PluginManager(deny=["bad"])
    assert made.found["bad"].state == "denied"
    assert "dist_bad_module" not in sys.modules
    allowed = PluginManager(allow=["good"])
    assert allowed.found["bad"].state == "denied"
    assert allowed.found["good"].state == "active"


def test_two_plugins_of_one_name_are_told_apart(installed):
    installed("first", same=GOOD)
    installed("second", same=GOOD.replace("good.one", "good.two"))
    made = PluginManager()
    states = {name: found.state for name, found in made.found.items() if name.startswith("same")}
    assert sorted(states.values()) == ["active", "broken"]
    assert any("already taken" in found.error for found in made.found.values())


def test_a_name_that_two_plugins_offer_cannot_be_used_and_both_are_named():
    registry = manager(one=offering("x.y"), two=offering("x.y"), three=offering("x.z")).registry()
    assert [str(c) for c in registry.collisions] == [
        "action 'x.y' is offered by both one and two; deny one of them"
    ]
    with pytest.raises(InvalidDefinition, match="offered by both one and two"):
        make_plan({"steps": [{"id": "a", "action": "x.y"}]}, registry)
    assert make_plan({"steps": [{"id": "a", "action": "x.z"}]}, registry)


def test_vaults_are_one():
    class Vault:
        @hookimpl
        def opcode_vaults(self):
            return [self]

    registry = manager(one=Vault(), two=Vault()).registry()
    assert len(registry.vaults) == 1
    assert "vault" in str(registry.collisions[0])


def test_a_provider_s_actions_come_and_go():
    class Provider:
        id = "remote"
        offered: list = []

        def actions(self):
            return self.offered

        def on_change(self, listener): ...

    class Plugin:
        @hookimpl
        def opcode_action_providers(self):
            return [provider]

    provider = Provider()
    registry = manager(one=Plugin()).registry()
    assert registry.action("remote.tool") is None

    @action("remote.tool")
    def tool() -> int:
        """A tool."""
        return 1

    provider.offered = [tool]
    assert registry.action("remote.tool") is tool
    assert "remote.tool" in registry.action_names()
    assert registry.action("remote.other") is None


async def test_every_other_hook_reaches_its_place():
    seen: list = []

    class Service:
        name = "s"

        async def start(self):
            seen.append("start")

        async def stop(self):
            seen.append("stop")

    class Observer:
        def committed(self, events):
            seen.append([event.event_type for event in events])

    class Broken:
        def committed(self, events):
            raise RuntimeError("observer")

    class Thing:
        name = format = "thing"

    class Plugin:
        @hookimpl
        def opcode_services(self, engine):
            assert isinstance(engine, Engine)
            return [Service()]

        @hookimpl
        def opcode_observers(self):
            return [Broken(), Observer()]

        @hookimpl
        def opcode_diagram_renderers(self):
            return [Thing()]

        @hookimpl
        def opcode_runners(self):
            return [Thing()]

        @hookimpl
        def opcode_expression_engines(self):
            return [Thing()]

        @hookimpl
        def opcode_storage_backends(self):
            return {"tape": lambda url: None}

        @hookimpl
        def opcode_routes(self, app):
            app.append("route")

    made = manager(p=Plugin(), a=offering("x.y"))
    async with Engine(MemoryStorage(), made) as engine:
        assert set(engine.registry.renderers) == {"thing"}
        assert set(engine.registry.engines) == {"thing"}
        assert {"tape", "memory"} == set(engine.registry.storages)
        assert set(engine.registry.runners) == {"in_process", "thing"}
        assert (await engine.run({"steps": [{"id": "a", "action": "x.y"}]})).status == "completed"
    assert seen[0] == "start"
    assert seen[-1] == "stop"
    assert seen[1][0] == "workflow_started"
    app: list = []
    assert list(made.ask("opcode_routes", app=app)) == []
    assert app == ["route"]
