"""Writes examples/README.md and the second half of each example's README, from the files; `--check` only looks.

python examples/index.py [--check]
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from opcode_core import Registry
from opcode_core.plugins.manager import PluginManager

HERE = Path(__file__).resolve().parent
MARK = "<!-- From here on made by examples/index.py. -->"
KINDS = {
    "step type": ("action", "condition", "loop", "parallel", "wait", "reasoning"),
    "loop": ("for_each", "while", "until", "several at once", "over a jq program"),
    "parallel": ("all", "race", "bounded"),
    "wait": ("duration", "signal", "signal with a deadline"),
    "decision": (
        "options",
        "free-form",
        "response_schema",
        "target_agent",
        "fallback",
        "deadline without a fallback",
    ),
    "on_error": ("ignore", "fallback_step", "retry", "fail_workflow"),
    "retry": ("none", "constant", "linear", "exponential", "jitter"),
    "on_crash": ("retry", "fail", "suspend"),
    "workflow": (
        "on_complete",
        "on_error",
        "on_timeout fail",
        "on_timeout cancel",
        "on_timeout suspend",
        "context",
        "child workflow",
    ),
    "also": ("guard", "step timeout", "secret", "limits", "bash", "python script", "node script"),
}
"""What the examples show together; each has to occur in at least one."""


def main() -> int:
    """Write or look; 1 when something is stale or shown nowhere."""
    check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages().items() if path.read_text("utf-8") != text] if check else []
    if not check:
        for path, text in pages().items():
            path.write_text(text, "utf-8")
    for path in stale:
        print(f"{path.relative_to(HERE.parent)} is stale: python examples/index.py", file=sys.stderr)
    for kind, name in missing(coverage()):
        print(f"no example shows {kind}: {name}", file=sys.stderr)
    return 1 if stale or missing(coverage()) else 0


def folders() -> list[Path]:
    """Of all examples, by name."""
    return sorted(file.parent for file in HERE.glob("*/scenarios.json"))


def read(folder: Path, name: str = "workflow.json") -> Any:
    """A JSON file of an example."""
    return json.loads((folder / name).read_text("utf-8"))


def pages() -> dict[Path, str]:
    """Every page with its text as it should be."""
    made = {folder / "README.md": page(folder) for folder in folders()}
    return {HERE / "README.md": index(), **made}


# ---- what is shown where --------------------------------------------------------------------------


def steps_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every step of a definition, at any depth, hooks too."""
    if isinstance(value, list):
        for item in value:
            yield from steps_in(item)
    elif isinstance(value, dict):
        if "id" in value and ("action" in value or value.get("type") in KINDS["step type"]):
            yield value
        for name, item in value.items():
            if name != "params":
                yield from steps_in(item)


@cache
def installed() -> Registry:
    """What all plugins add."""
    return PluginManager().registry()


def coverage() -> dict[str, dict[str, list[str]]]:
    """Kind → name → the examples that show it; kinds and names in the order of the tables."""
    shown: dict[str, dict[str, list[str]]] = {
        kind: {name: [] for name in names} for kind, names in KINDS.items()
    }
    shown["engine"] = {name: [] for name in sorted(installed().engines)}
    shown["action"] = {name: [] for name in sorted({action.name for action in installed().actions.values()})}
    for folder in folders():
        for kind, name in dict.fromkeys(features(folder)):
            if name in shown[kind]:
                shown[kind][name].append(folder.name)
    return shown


def missing(shown: Mapping[str, Mapping[str, list[str]]]) -> list[tuple[str, str]]:
    """What is shown nowhere; of actions every family has to be, not every action."""
    lacking = [
        (kind, name) for kind in (*KINDS, "engine") for name, where in shown[kind].items() if not where
    ]
    families: dict[str, list[str]] = defaultdict(list)
    for name, where in shown["action"].items():
        families[name.partition(".")[0]] += where
    return lacking + [("action family", name) for name, where in families.items() if not where]


def features(folder: Path) -> Iterator[tuple[str, str]]:
    """What one example shows."""
    definitions = [
        read(folder),
        *(json.loads(file.read_text("utf-8")) for file in folder.glob("templates/*.json")),
    ]
    for definition in definitions:
        yield from _of_workflow(definition)
        for step in steps_in(definition):
            yield from _of_step(step)
    for suffix, name in ((".sh", "bash"), (".py", "python script"), (".mjs", "node script")):
        if any(folder.glob(f"scripts/*{suffix}")):
            yield "also", name


def _of_workflow(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("on_complete", "on_error", "context"):
        if name in definition:
            yield "workflow", name
    if "timeout" in definition:
        yield "workflow", f"on_timeout {definition.get('on_timeout', 'fail')}"
    if "secrets." in json.dumps(definition):
        yield "also", "secret"


def _of_step(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind, config = step.get("type", "action"), step.get("config", {})
    yield "step type", kind
    if "condition" in step:
        yield "also", "guard"
        yield "engine", "cel"
    if "timeout" in step:
        yield "also", "step timeout"
    if "on_error" in step:
        yield "on_error", step["on_error"]["strategy"]
    if "on_crash" in step:
        yield "on_crash", step["on_crash"]
    if "retry" in step:
        yield "retry", step["retry"].get("backoff", "constant")
        if step["retry"].get("jitter"):
            yield "retry", "jitter"
    if kind in _OF_KIND:
        yield from _OF_KIND[kind](step, config)


def _of_action(step: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "action", step["action"]
    if step["action"] == "expr.eval":
        yield "engine", step["params"].get("engine", "python")
    if step["action"] == "workflow.run":
        yield "workflow", "child workflow"
    if "limits" in step.get("params", {}):
        yield "also", "limits"


def _of_loop(_: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "loop", config.get("mode", "for_each")
    if config.get("concurrency", 1) > 1:
        yield "loop", "several at once"
    if str(config.get("over", "")).startswith((".", "jq:")):
        yield "loop", "over a jq program"
        yield "engine", "jq"


def _of_parallel(_: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "parallel", config.get("mode", "all")
    if "max_concurrency" in config:
        yield "parallel", "bounded"


def _of_wait(_: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "wait", "signal" if "signal" in config else "duration"
    if "signal" in config and "timeout" in config:
        yield "wait", "signal with a deadline"


def _of_decision(_: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "decision", "options" if config.get("options") else "free-form"
    for name in ("response_schema", "target_agent", "fallback"):
        if name in config:
            yield "decision", name
    if "timeout" in config and "fallback" not in config:
        yield "decision", "deadline without a fallback"


_OF_KIND = {
    "action": _of_action,
    "loop": _of_loop,
    "parallel": _of_parallel,
    "wait": _of_wait,
    "reasoning": _of_decision,
}


# ---- the pages ------------------------------------------------------------------------------------


def page(folder: Path) -> str:
    """An example's README: what people wrote, then params, commands and scenarios."""
    written = (folder / "README.md").read_text("utf-8").partition(MARK)[0].rstrip()
    inputs, schema = read(folder).get("inputs", {}), read(folder, "input_schema.json")
    params = [
        f"| `{name}` | {_cell(_short(inputs[name], 60))} | {_cell(prop.get('description', ''))} |"
        for name, prop in schema["properties"].items()
    ]
    scenarios = read(folder, "scenarios.json")
    rows = [
        f"| `{name}` | {_cell(scenario['about'])} | {_cell(_ending(scenario['expect']))} |"
        for name, scenario in scenarios["scenarios"].items()
    ]
    secrets = [f"opcode secret set {name}" for name in scenarios.get("secrets", {})]
    children = [
        f"opcode define {file.relative_to(folder)}" for file in sorted(folder.glob("templates/*.json"))
    ]
    return "\n".join(
        [
            written,
            "",
            MARK,
            "",
            "## Params",
            "",
            "| param | default | is |",
            "| --- | --- | --- |",
            *params,
            "",
            "## Run it",
            "",
            "```sh",
            f"opcode examples run {folder.name}             # against a built-in service; it asks what is to be decided",
            f"opcode examples copy {folder.name} && cd {folder.name}",
            *secrets,
            *children,
            "opcode run workflow.json -p base_url=…    # against yours",
            "```",
            "",
            "| `--scenario` | what happens | how it ends |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _ending(expect: Mapping[str, Any]) -> str:
    if "error" in expect:
        return f"{expect['status']}: {expect['error']['message']}"
    return (
        f"{expect['status']}: `{_short(expect['output'], 110)}`" if "output" in expect else expect["status"]
    )


def _short(value: Any, most: int) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def index() -> str:
    """The page that names all examples."""
    by_category: dict[str, list[str]] = defaultdict(list)
    for folder in folders():
        about = read(folder)["metadata"]
        by_category[about["category"]].append(
            f"| [{folder.name}]({folder.name}/README.md) | {about['summary']} |"
        )
    shown = coverage()
    return "\n".join(
        [
            "# Examples",
            "",
            f"{len(folders())} workflows that could be in use tomorrow. In each an agent, or a person, decides what needs judgement, once;",
            "all else is steps. `opcode examples list` names them, `opcode examples run NAME` lets one run against a built-in service,",
            "with nothing installed but OPCODE and nothing touched outside, and `opcode examples copy NAME` makes it yours.",
            "[docs/examples.md](../docs/examples.md) says what the files of an example are.",
            "",
            "This page is made by `python examples/index.py` from the workflows.",
            *(line for category in sorted(by_category) for line in ("", f"## {category}", "", "| example | what it does |", "| --- | --- |", *by_category[category])),
            "",
            "## What is shown where",
            "",
            "| | | in | for example |",
            "| --- | --- | --- | --- |",
            *(_row(kind, name, where) for kind in shown for name, where in shown[kind].items()),
            "",
        ]
    )  # fmt: skip


def _row(kind: str, name: str, where: list[str]) -> str:
    links = ", ".join(f"[{one}]({one}/workflow.json)" for one in where[:3])
    return f"| {kind} | `{name}` | {len(where)} | {links or '–'} |"


if __name__ == "__main__":
    sys.exit(main())
