"""The workflow as a whole: inputs, order, hooks, output."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from opcode_core import definition as d
from opcode_core.codec import dumps
from opcode_core.compiler.catalogue import Catalogue
from opcode_core.compiler.steps import check_fallback, check_siblings, compile_step
from opcode_core.compiler.workbench import Place, Workbench
from opcode_core.errors import ErrorCode
from opcode_core.graph import Graph, build_graph, find_cycle
from opcode_core.issues import InvalidDefinition, Issue
from opcode_core.plan import Plan, StepPlan
from opcode_core.references import Names, lanes
from opcode_core.suggestions import did_you_mean
from opcode_core.templates import Surroundings, Template, compile_template
from opcode_core.validation import check_size, parse_definition, read_definition

_STEP_MENTION = re.compile(r"""steps(?:\.([A-Za-z0-9_-]+)|\[\s*\\?['"]([^'"\\]+)\\?['"]\s*\])""")


def make_plan(source: str | bytes | Mapping[str, Any], catalogue: Catalogue) -> Plan:
    """Read, check and compile a definition.

    Raises:
        InvalidDefinition: with every issue that was found.
    """
    raw = parse_definition(source)
    definition, unknown_fields = read_definition(raw)
    body = dumps(raw)
    check_size(body)
    bench = Workbench(catalogue, keeps_iterations=b".iter_" in body, issues=unknown_fields)
    place = Place(Names(()).within(definition.steps))
    inputs, bench.secret_inputs = _inputs(bench, definition.inputs)
    check_siblings(bench, definition.steps, "steps")
    graph = _graph(bench, definition.steps)
    steps = tuple(compile_step(bench, step, f"steps[{i}]", place) for i, step in enumerate(definition.steps))
    output = bench.attempt("output", lambda: compile_template(definition.output, bench.around(place)))
    on_complete = _hook(bench, definition.on_complete, "on_complete", place)
    on_error = _hook(bench, definition.on_error, "on_error", place)
    if bench.issues:
        raise InvalidDefinition(bench.issues)
    _warn_about_order(bench, definition.steps, graph)
    return Plan(
        hash=hashlib.sha256(body).hexdigest(),
        source=body,
        definition=definition,
        steps=steps,
        index={step.id: i for i, step in enumerate(steps)},
        children=graph.children(),
        waits=tuple(len(before) for before in graph.waits),
        owners=graph.owners,
        leaves=_leaves(definition.steps),
        inputs=inputs,
        secret_inputs=bench.secret_inputs,
        output=None if definition.output is None else output,
        timeout=definition.timeout,
        on_timeout=definition.on_timeout,
        on_complete=on_complete,
        on_error=on_error,
        secrets=frozenset(bench.secrets),
        warnings=tuple(bench.warnings),
    )


def _inputs(bench: Workbench, inputs: Mapping[str, Any]) -> tuple[Template, dict[str, Template]]:
    """The defaults; those with secrets are kept apart, to be read at the moment of a call."""
    around = Surroundings(Names(()), bench.cel, {}, allow_secrets=True)
    plain: dict[str, Any] = {}
    secret: dict[str, Template] = {}
    for name, value in inputs.items():
        template = bench.attempt(f"inputs.{name}", lambda value=value: compile_template(value, around))  # type: ignore[misc]
        if template is not None and template.secrets:
            secret[name] = template
        elif template is not None:
            plain[name] = value
    return compile_template(plain, around), secret


def _graph(bench: Workbench, steps: Sequence[d.StepModel]) -> Graph:
    ids = [step.id for step in steps]
    known = set(ids)
    for i, step in enumerate(steps):
        for j, name in enumerate(step.depends_on):
            path = f"steps[{i}].depends_on[{j}]"
            if name == step.id:
                bench.refuse(path, f"step '{name}' depends on itself", code=ErrorCode.CYCLE_DETECTED)
            elif name not in known:
                hint = did_you_mean(name, ids) or "name a step of the same list"
                bench.refuse(path, f"there is no step '{name}'", hint)
    graph = build_graph(steps)
    told = any(issue.code is ErrorCode.CYCLE_DETECTED for issue in bench.issues)
    cycle = None if told else find_cycle(graph.waits)
    if cycle:
        order = " → ".join(ids[index] for index in cycle)
        bench.refuse(
            "steps",
            f"the steps wait for each other: {order}",
            "remove one of these dependencies",
            ErrorCode.CYCLE_DETECTED,
        )
    return graph


def _hook(bench: Workbench, step: d.StepModel | None, path: str, place: Place) -> StepPlan | None:
    if step is None:
        return None
    if step.id in place.names.blocks[0]:
        bench.refuse(f"{path}.id", f"the id '{step.id}' is already that of a step", "give the hook its own")
    if step.depends_on:
        bench.refuse(f"{path}.depends_on", "a hook runs when everything else has ended", "remove it")
    if step.on_error is not None:
        check_fallback(bench, step, step.on_error, f"{path}.on_error.fallback_step", ())
    return compile_step(bench, step, path, place)


def _leaves(steps: Sequence[d.StepModel]) -> tuple[str, ...]:
    named = {name for step in steps for name in step.depends_on}
    return tuple(step.id for step in steps if step.id not in named)


def _warn_about_order(bench: Workbench, steps: Sequence[d.StepModel], graph: Graph) -> None:
    """A step that reads another without waiting for it may come too early."""
    index = {step.id: i for i, step in enumerate(steps)}
    earlier = graph.earlier()
    for i, step in enumerate(steps):
        text = dumps(step.model_dump(exclude={"depends_on", "id"}, exclude_unset=True)).decode()
        inside = _ids_inside(step)
        mentioned = dict.fromkeys(
            (dotted or quoted).split(".")[0] for dotted, quoted in _STEP_MENTION.findall(text)
        )
        for name in mentioned:
            other = index.get(name, i)
            if other != i and name not in inside and not earlier[i] >> other & 1:
                what = f"step '{step.id}' reads step '{name}' but does not wait for it"
                bench.warnings.append(Issue(f"steps[{i}]", what, f'add "{name}" to its depends_on'))


def _ids_inside(step: d.StepModel) -> set[str]:
    found: set[str] = set()
    pending = [inner for _, _, inner in lanes(step)]
    while pending:
        for child in pending.pop():
            found.add(child.id)
            pending.extend(inner for _, _, inner in lanes(child))
    return found
