"""The types of step that hold other steps or wait: what their `config` means."""

from collections.abc import Callable, Sequence
from typing import Any

from opcode_core import definition as d
from opcode_core.codec import loads
from opcode_core.compiler.workbench import Place, Workbench
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.issues import shown
from opcode_core.plan import Block, ConditionPlan, Flow, LoopPlan, ParallelPlan, ReasoningPlan, WaitPlan
from opcode_core.schemas import Schema
from opcode_core.scope import Scope
from opcode_core.suggestions import did_you_mean
from opcode_core.templates import Getter, Surroundings, compile_expression, compile_template
from opcode_core.validation import check_json

DEFAULT_MAX_ITER = 1000

CompileBlock = Callable[[Workbench, str, Sequence[d.StepModel], str, Place], Block]


def compile_flow(
    bench: Workbench, step: d.StepModel, path: str, place: Place, block: CompileBlock
) -> Flow | None:
    """Compile a step's `config`, which stands at `path`; None for an action or after a fault."""
    match step:
        case d.ConditionStep():
            return _condition(bench, step.config, path, place, block)
        case d.LoopStep():
            return _loop(bench, step.config, path, place, block)
        case d.ParallelStep():
            branches = [
                block(bench, f"branch_{i}", branch, f"{path}.branches[{i}]", place)
                for i, branch in enumerate(step.config.branches)
            ]
            return ParallelPlan(step.config.mode, tuple(branches), step.config.max_concurrency)
        case d.WaitStep():
            return _wait(bench, step.config, path)
        case d.ReasoningStep():
            return _reasoning(bench, step.config, path, bench.around(place))
    return None


def _condition(
    bench: Workbench, config: d.ConditionConfig, path: str, place: Place, block: CompileBlock
) -> ConditionPlan | None:
    expression = bench.program(config.expression, f"{path}.expression", place.names)
    branches = {
        name: block(bench, name, steps, f"{path}.branches.{name}", place)
        for name, steps in config.branches.items()
    }
    default = (
        None if config.default is None else block(bench, "default", config.default, f"{path}.default", place)
    )
    if not branches and default is None:
        bench.refuse(
            f"{path}.branches", "a condition without branches decides nothing", 'write {"true": [...]}'
        )
    if "default" in branches and default is not None:
        bench.refuse(
            f"{path}.branches.default", "there is a branch 'default' and a default", "rename the branch"
        )
    return None if expression is None else ConditionPlan(expression, config.expression, branches, default)


def _loop(bench: Workbench, config: d.LoopConfig, path: str, place: Place, block: CompileBlock) -> LoopPlan:
    by_list = config.mode == "for_each"
    _check_loop(bench, config, path)
    over = condition = None
    if by_list and config.over is not None:
        over = bench.attempt(f"{path}.over", lambda: _over(bench, config.over, bench.around(place)))
    elif not by_list and config.condition is not None:
        condition = bench.program(config.condition, f"{path}.condition", place.names.within(config.body))
    return LoopPlan(
        mode=config.mode,
        body=block(bench, "iter_", config.body, f"{path}.body", Place(place.names, in_loop=True)),
        over=over,
        condition=condition,
        source=_source(config.over if by_list else config.condition),
        max_iter=config.max_iter or (None if by_list else DEFAULT_MAX_ITER),
        concurrency=config.concurrency,
        fold=not bench.keeps_iterations,
        static=isinstance(config.over, list),
    )


def _source(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _check_loop(bench: Workbench, config: d.LoopConfig, path: str) -> None:
    """Each mode has what it needs and nothing that it would ignore."""
    if config.mode == "for_each":
        if config.over is None:
            bench.refuse(f"{path}.over", "'over' is missing", "for_each needs a list to go through")
        if config.condition is not None:
            bench.refuse(f"{path}.condition", "for_each has no condition", "use mode while or until")
        return
    if config.condition is None:
        bench.refuse(f"{path}.condition", "'condition' is missing", f"mode {config.mode} needs one")
    if config.over is not None:
        bench.refuse(f"{path}.over", f"mode {config.mode} goes through no list", "use mode for_each")
    if config.concurrency > 1:
        bench.refuse(f"{path}.concurrency", f"mode {config.mode} runs one iteration at a time", "remove it")


def _over(bench: Workbench, over: Any, around: Surroundings) -> Getter:
    """A JSON literal, a template, a jq program or CEL, told apart by how it begins."""
    if isinstance(over, list):
        return compile_template(over, around).render
    if not isinstance(over, str):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"'over' must give a list, got {shown(over)}")
    text = over.strip()
    if "${{" in text:
        return compile_template(text, around).render
    if text.startswith("["):
        try:
            items = loads(text)
        except ValueError:
            pass  # a list in CEL, as [inputs.a, inputs.b], or a jq program
        else:
            check_json(items)
            return compile_template(items, around).render
    if text.startswith(("jq:", ".")) or (text.startswith("[") and "|" in text):
        return _evaluated(bench, "jq", text.removeprefix("jq:").strip())
    if bench.cel is None:
        return compile_expression(text, around)
    return _evaluated(bench, "cel", text)


def _evaluated(bench: Workbench, engine_name: str, source: str) -> Getter:
    engine = bench.catalogue.engine(engine_name)
    if engine is None:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"{shown(source)} needs the expression engine '{engine_name}', which is not installed",
            details={"hint": f"pip install opcode-{engine_name}"},
        )
    program = engine.compile(source)
    return lambda scope: scope.evaluate(program)


def _wait(bench: Workbench, config: d.WaitConfig, path: str) -> WaitPlan:
    if (config.duration is None) == (config.signal is None):
        hint = '{"duration": "5s"} or {"signal": "name"}'
        bench.refuse(path, "a wait needs either a duration or a signal", hint)
    if config.duration is not None and config.timeout is not None:
        bench.refuse(f"{path}.timeout", "only a wait for a signal has a timeout", "remove it")
    return WaitPlan(config.duration, config.signal, config.timeout)


def _reasoning(
    bench: Workbench, config: d.ReasoningConfig, path: str, around: Surroundings
) -> ReasoningPlan | None:
    options = [option.id for option in config.options]
    if len(set(options)) < len(options):
        bench.refuse(f"{path}.options", "two options have the same id", "ids must differ")
    if config.fallback is not None and options and config.fallback not in options:
        hint = did_you_mean(config.fallback, options) or f"one of {', '.join(options)}"
        bench.refuse(f"{path}.fallback", f"'{config.fallback}' is not one of the options", hint)
    if config.response_schema is not None and (fault := Schema(config.response_schema).lacks()):
        bench.refuse(f"{path}.response_schema", f"not a JSON Schema: {fault}")
    prompt = bench.attempt(f"{path}.prompt_context", lambda: compile_template(config.prompt_context, around))
    data: dict[str, Getter] = {}
    for name, text in config.data_inject.items():
        getter = bench.attempt(f"{path}.data_inject.{name}", lambda text=text: _injected(text, around))  # type: ignore[misc]
        if getter is not None:
            data[name] = getter
    if prompt is None:
        return None
    return ReasoningPlan(
        prompt=prompt,
        data=data,
        options=tuple(option.model_dump() for option in config.options),
        timeout=config.timeout,
        fallback=config.fallback,
        target_agent=config.target_agent,
        response_schema=config.response_schema,
    )


def _injected(text: str, around: Surroundings) -> Getter:
    """A path with or without `${{ }}`; one that leads nowhere gives null."""
    in_template = "${{" in text
    getter = (
        compile_template(text, around).render if in_template else compile_expression(text.strip(), around)
    )

    def get(scope: Scope) -> Any:
        try:
            return getter(scope)
        except OpcodeError:
            return None

    return get
