"""From a Definition to a Plan, with everything that is wrong found on the way."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from opcode_core import definition as d
from opcode_core.codec import dumps, loads
from opcode_core.contracts.action import Action
from opcode_core.contracts.expression import ExpressionEngine, Program
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.graph import Graph, build_graph, find_cycle
from opcode_core.issues import InvalidDefinition, Issue, shown
from opcode_core.plan import (
    NO_RETRY,
    Block,
    ConditionPlan,
    Flow,
    LoopPlan,
    ParallelPlan,
    Plan,
    ReasoningPlan,
    RetryPolicy,
    StepPlan,
    WaitPlan,
)
from opcode_core.references import Names, lanes
from opcode_core.schemas import Schema
from opcode_core.scope import Scope
from opcode_core.suggestions import did_you_mean
from opcode_core.templates import (
    Getter,
    Surroundings,
    Template,
    compile_expression,
    compile_template,
    parse_path,
)
from opcode_core.validation import parse_definition, read_definition

T = TypeVar("T")

DEFAULT_MAX_ITER = 1000
_WHOLE_TEMPLATE = re.compile(r"\s*\$\{\{(.*)\}\}\s*", re.DOTALL)
_STEP_MENTION = re.compile(r"""steps(?:\.([A-Za-z0-9_-]+)|\[\s*['"]([^'"]+)['"]\s*\])""")


class Catalogue(Protocol):
    """What the compiler asks of the registry."""

    def action(self, name: str) -> Action | None:
        """The action of that name."""
        ...

    def schema(self, action: Action) -> Schema:
        """The action's params schema, ready to check."""
        ...

    def engine(self, name: str) -> ExpressionEngine | None:
        """The expression engine of that name."""
        ...

    def action_names(self) -> Sequence[str]:
        """All names, for suggestions."""
        ...

    def conflict(self, kind: str, name: str) -> str | None:
        """Why the name means two things, or None."""
        ...


def make_plan(source: str | bytes | Mapping[str, Any], catalogue: Catalogue) -> Plan:
    """Read, check and compile a definition.

    Raises:
        InvalidDefinition: with every issue that was found.
    """
    raw = parse_definition(source)
    return _Compiler(read_definition(raw), dumps(raw), catalogue).plan()


class _Compiler:
    """One compilation: collects issues instead of stopping at the first."""

    def __init__(self, definition: d.Definition, source: bytes, catalogue: Catalogue) -> None:
        self.definition = definition
        self.catalogue = catalogue
        self.cel = catalogue.engine("cel")
        self.issues: list[Issue] = []
        self.warnings: list[Issue] = []
        self.secret_inputs: dict[str, Template] = {}
        self.source = source
        self.keeps_iterations = b".iter_" in self.source

    def plan(self) -> Plan:
        definition = self.definition
        names = Names(()).within(definition.steps)
        inputs = self.compile_inputs()
        self.check_siblings(definition.steps, "steps")
        graph = self.compile_graph(definition.steps)
        steps = tuple(self.step(step, f"steps[{i}]", names) for i, step in enumerate(definition.steps))
        self.warn_about_order(graph)
        output = self.attempt("output", lambda: compile_template(definition.output, self.around(names)))
        hooks = [
            self.hook(definition.on_complete, "on_complete", names),
            self.hook(definition.on_error, "on_error", names),
        ]
        if self.issues:
            raise InvalidDefinition(self.issues)
        return Plan(
            hash=hashlib.sha256(self.source).hexdigest(),
            source=self.source,
            definition=definition,
            steps=steps,
            index={step.id: i for i, step in enumerate(steps)},
            children=graph.children(),
            waits=tuple(len(before) for before in graph.waits),
            owners=graph.owners,
            leaves=_leaves(definition.steps),
            inputs=inputs,
            secret_inputs=self.secret_inputs,
            output=output if definition.output is not None else None,
            timeout=definition.timeout,
            on_timeout=definition.on_timeout,
            on_complete=hooks[0],
            on_error=hooks[1],
            warnings=tuple(self.warnings),
        )

    # ---- issues -------------------------------------------------------------------------------

    def attempt(self, path: str, compile_: Callable[[], T]) -> T | None:
        """What `compile_` gives, or None after noting why it could not."""
        try:
            return compile_()
        except OpcodeError as error:
            self.issues.append(Issue(path, error.message, str(error.details.get("hint", "")), error.code))
            return None

    def refuse(
        self, path: str, message: str, hint: str = "", code: ErrorCode = ErrorCode.VALIDATION_ERROR
    ) -> None:
        self.issues.append(Issue(path, message, hint, code))

    # ---- the whole ----------------------------------------------------------------------------

    def compile_inputs(self) -> Template:
        """Defaults; those with secrets are kept apart, to be read at the moment of a call."""
        around = Surroundings(Names(()), self.cel, {}, allow_secrets=True)
        plain: dict[str, Any] = {}
        for name, value in self.definition.inputs.items():
            template = self.attempt(f"inputs.{name}", lambda value=value: compile_template(value, around))  # type: ignore[misc]
            if template is not None and template.secrets:
                self.secret_inputs[name] = template
            else:
                plain[name] = value
        template = None if self.issues else compile_template(plain, around)
        return template or compile_template({}, around)

    def compile_graph(self, steps: Sequence[d.StepModel]) -> Graph:
        ids = [step.id for step in steps]
        for i, step in enumerate(steps):
            for j, name in enumerate(step.depends_on):
                if name == step.id:
                    self.refuse(
                        f"steps[{i}].depends_on[{j}]",
                        f"step '{step.id}' depends on itself",
                        code=ErrorCode.CYCLE_DETECTED,
                    )
                elif name not in ids:
                    hint = did_you_mean(name, ids) or "name a step of the same list"
                    self.refuse(f"steps[{i}].depends_on[{j}]", f"there is no step '{name}'", hint)
        graph = build_graph(steps)
        cycle = find_cycle(graph.waits) if not self.issues else None
        if cycle:
            order = " → ".join(ids[index] for index in cycle)
            self.refuse(
                "steps",
                f"the steps wait for each other: {order}",
                "remove one of these dependencies",
                ErrorCode.CYCLE_DETECTED,
            )
        return graph

    def check_siblings(self, steps: Sequence[d.StepModel], path: str) -> None:
        first: dict[str, int] = {}
        for i, step in enumerate(steps):
            if step.id in first:
                self.refuse(
                    f"{path}[{i}].id",
                    f"the id '{step.id}' is already that of {path}[{first[step.id]}]",
                    "ids are unique among siblings",
                )
            first.setdefault(step.id, i)
        for i, step in enumerate(steps):
            on_error = step.on_error
            if on_error is None:
                continue
            if on_error.strategy == "fallback_step" and not on_error.fallback_step:
                self.refuse(
                    f"{path}[{i}].on_error.fallback_step",
                    "'fallback_step' is missing",
                    "name the step that stands in",
                )
            elif on_error.fallback_step and on_error.fallback_step not in first:
                self.refuse(
                    f"{path}[{i}].on_error.fallback_step",
                    f"there is no step '{on_error.fallback_step}'",
                    did_you_mean(on_error.fallback_step, first) or "name a sibling",
                )
            elif on_error.fallback_step == step.id:
                self.refuse(
                    f"{path}[{i}].on_error.fallback_step", f"step '{step.id}' cannot stand in for itself"
                )

    def warn_about_order(self, graph: Graph) -> None:
        """A step that reads another without waiting for it may come too early."""
        index = {step.id: i for i, step in enumerate(self.definition.steps)}
        for i, step in enumerate(self.definition.steps):
            text = dumps(
                step.model_dump(mode="json", exclude={"depends_on", "id"}, exclude_unset=True)
            ).decode()
            inner = {child.id for child in _descendants(step)}
            for match in _STEP_MENTION.finditer(text):
                name = (match.group(1) or match.group(2)).split(".")[0]
                other = index.get(name)
                if other is not None and other != i and name not in inner and not graph.is_before(other, i):
                    self.warnings.append(
                        Issue(
                            f"steps[{i}]",
                            f"step '{step.id}' reads step '{name}' but does not wait for it",
                            f'add "{name}" to its depends_on',
                        )
                    )

    # ---- one step -----------------------------------------------------------------------------

    def around(self, names: Names, *, in_loop: bool = False, params: bool = False) -> Surroundings:
        return Surroundings(names, self.cel, self.secret_inputs, in_loop, allow_secrets=params)

    def hook(self, step: d.StepModel | None, path: str, names: Names) -> StepPlan | None:
        if step is None:
            return None
        if step.id in names.blocks[0]:
            self.refuse(
                f"{path}.id", f"the id '{step.id}' is already that of a step", "give the hook its own"
            )
        if step.depends_on:
            self.refuse(f"{path}.depends_on", "a hook runs when everything else has ended", "remove it")
        return self.step(step, path, names)

    def step(self, step: d.StepModel, path: str, names: Names, *, in_loop: bool = False) -> StepPlan:
        action, params, check = None, compile_template({}, self.around(names)), None
        if isinstance(step, d.ActionStep):
            action, params, check = self.action_call(
                step, path, self.around(names, in_loop=in_loop, params=True)
            )
        retry = _retry_policy(step)
        return StepPlan(
            id=step.id,
            type=step.type,
            path=path,
            action=action,
            params=params,
            check=check,
            guard=self.program(step.condition, f"{path}.condition") if step.condition else None,
            guard_source=step.condition or "",
            timeout=step.timeout,
            retry=retry,
            strategy=step.on_error.strategy if step.on_error else None,
            fallback=step.on_error.fallback_step if step.on_error else None,
            on_crash=step.on_crash,
            flow=self.flow(step, path, names, in_loop=in_loop),
            at_once=action is not None and _at_once(action, params, step.timeout),
        )

    def action_call(
        self, step: d.ActionStep, path: str, around: Surroundings
    ) -> tuple[Action | None, Template, Schema | None]:
        """The action, its params, and the schema that is left to be checked at the call."""
        action = self.catalogue.action(step.action)
        if action is None:
            known = self.catalogue.action_names()
            hint = did_you_mean(step.action, known) or _package_hint(step.action)
            self.refuse(f"{path}.action", f"unknown action '{step.action}'", hint)
        elif conflict := self.catalogue.conflict("action", step.action):
            self.refuse(f"{path}.action", conflict, "see `opcode plugins list`", ErrorCode.CONFLICT)
        params = self.attempt(f"{path}.params", lambda: compile_template(step.params, around))
        if action is None or params is None:
            return None, compile_template({}, around), None
        schema = self.catalogue.schema(action)
        found = schema.issues(step.params, f"{path}.params")
        if params.static:
            self.issues.extend(found)
            return action, params, None
        self.issues.extend(
            issue for issue in found if not _depends_on_template(issue, step.params, f"{path}.params")
        )
        return action, params, schema

    def program(self, source: str, path: str) -> Program | None:
        """A CEL program; `${{ … }}` around the whole of it is accepted."""
        whole = _WHOLE_TEMPLATE.fullmatch(source)
        text = whole.group(1).strip() if whole else source.strip()
        if self.cel is None:
            self.refuse(
                path,
                f"{shown(source)} needs the expression engine 'cel', which is not installed",
                "pip install opcode-cel",
            )
            return None
        cel = self.cel
        return self.attempt(path, lambda: cel.compile(text))

    # ---- flow ---------------------------------------------------------------------------------

    def flow(self, step: d.StepModel, path: str, names: Names, *, in_loop: bool) -> Flow | None:
        match step:
            case d.ConditionStep():
                return self.condition(step.config, path, names, in_loop=in_loop)
            case d.LoopStep():
                return self.loop(step.config, path, names, in_loop=in_loop)
            case d.ParallelStep():
                branches = [
                    self.block(f"branch_{i}", branch, f"{path}.config.branches[{i}]", names, in_loop=in_loop)
                    for i, branch in enumerate(step.config.branches)
                ]
                return ParallelPlan(step.config.mode, tuple(branches), step.config.max_concurrency)
            case d.WaitStep():
                return self.wait(step.config, path)
            case d.ReasoningStep():
                return self.reasoning(step.config, path, self.around(names, in_loop=in_loop))
        return None

    def block(
        self, name: str, steps: Sequence[d.StepModel], path: str, names: Names, *, in_loop: bool
    ) -> Block:
        self.check_siblings(steps, path)
        seen: set[str] = set()
        ids = {step.id for step in steps}
        for i, step in enumerate(steps):
            for j, before in enumerate(step.depends_on):
                if before not in seen:
                    message = (
                        f"step '{before}' comes later in this list"
                        if before in ids
                        else f"there is no step '{before}' in this list"
                    )
                    self.refuse(
                        f"{path}[{i}].depends_on[{j}]",
                        message,
                        "steps inside a block run one after another, in list order",
                    )
            seen.add(step.id)
        inner = names.within(steps)
        plans = tuple(self.step(step, f"{path}[{i}]", inner, in_loop=in_loop) for i, step in enumerate(steps))
        fallbacks = frozenset(
            step.on_error.fallback_step for step in steps if step.on_error and step.on_error.fallback_step
        )
        return Block(name, plans, fallbacks)

    def condition(self, config: d.ConditionConfig, path: str, names: Names, *, in_loop: bool) -> Flow | None:
        expression = self.program(config.expression, f"{path}.config.expression")
        branches = {
            name: self.block(name, steps, f"{path}.config.branches.{name}", names, in_loop=in_loop)
            for name, steps in config.branches.items()
        }
        default = (
            self.block("default", config.default, f"{path}.config.default", names, in_loop=in_loop)
            if config.default is not None
            else None
        )
        if not branches and default is None:
            self.refuse(
                f"{path}.config.branches",
                "a condition without branches decides nothing",
                'write {"true": [...]}',
            )
        if "default" in branches and default is not None:
            self.refuse(
                f"{path}.config.branches.default",
                "there is a branch 'default' and a default",
                "rename the branch",
            )
        return None if expression is None else ConditionPlan(expression, config.expression, branches, default)

    def loop(self, config: d.LoopConfig, path: str, names: Names, *, in_loop: bool) -> Flow:
        over = condition = None
        if config.mode == "for_each":
            if config.over is None:
                self.refuse(f"{path}.config.over", "'over' is missing", "for_each needs a list to go through")
            else:
                over = self.attempt(
                    f"{path}.config.over", lambda: self.over(config.over, self.around(names, in_loop=in_loop))
                )
            if config.condition is not None:
                self.refuse(
                    f"{path}.config.condition", "for_each has no condition", "use mode while or until"
                )
        else:
            if config.condition is None:
                self.refuse(
                    f"{path}.config.condition", "'condition' is missing", f"mode {config.mode} needs one"
                )
            else:
                condition = self.program(config.condition, f"{path}.config.condition")
            if config.over is not None:
                self.refuse(
                    f"{path}.config.over", f"mode {config.mode} goes through no list", "use mode for_each"
                )
            if config.concurrency > 1:
                self.refuse(
                    f"{path}.config.concurrency",
                    f"mode {config.mode} runs one iteration at a time",
                    "remove it",
                )
        body = self.block("iter_", config.body, f"{path}.config.body", names, in_loop=True)
        max_iter = config.max_iter or (None if config.mode == "for_each" else DEFAULT_MAX_ITER)
        source = shown(config.over if config.mode == "for_each" else config.condition)
        return LoopPlan(
            config.mode,
            body,
            over,
            condition,
            source,
            max_iter,
            config.concurrency,
            not self.keeps_iterations,
        )

    def over(self, over: Any, around: Surroundings) -> Getter:
        """A JSON literal, a template, a jq program or CEL, told apart by how it begins."""
        if not isinstance(over, str):
            if not isinstance(over, list):
                raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"'over' must give a list, got {shown(over)}")
            return compile_template(over, around).render
        text = over.strip()
        if "${{" in text:
            return compile_template(text, around).render
        if text.startswith(("jq:", ".")) or (text.startswith("[") and "|" in text):
            return self.evaluated("jq", text.removeprefix("jq:").strip(), "opcode-jq")
        if text.startswith("["):
            try:
                literal = loads(text)
            except ValueError:
                pass
            else:
                return compile_template(literal, around).render
        if around.cel is None or (parse_path(text) and text.startswith("loop")):
            return compile_expression(text, around)
        return self.evaluated("cel", text, "opcode-cel")

    def evaluated(self, engine_name: str, source: str, package: str) -> Getter:
        engine = self.catalogue.engine(engine_name)
        if engine is None:
            raise OpcodeError(
                ErrorCode.VALIDATION_ERROR,
                f"{shown(source)} needs the expression engine '{engine_name}', which is not installed",
                details={"hint": f"pip install {package}"},
            )
        program = engine.compile(source)
        return lambda scope: program.evaluate(scope.names)

    def wait(self, config: d.WaitConfig, path: str) -> Flow:
        if (config.duration is None) == (config.signal is None):
            self.refuse(
                f"{path}.config",
                "a wait needs either a duration or a signal",
                '{"duration": "5s"} or {"signal": "name"}',
            )
        if config.duration is not None and config.timeout is not None:
            self.refuse(f"{path}.config.timeout", "only a wait for a signal has a timeout", "remove it")
        return WaitPlan(config.duration, config.signal, config.timeout)

    def reasoning(self, config: d.ReasoningConfig, path: str, around: Surroundings) -> Flow | None:
        at = f"{path}.config"
        options = [option.id for option in config.options]
        if len(set(options)) < len(options):
            self.refuse(f"{at}.options", "two options have the same id", "ids must differ")
        if config.fallback is not None and options and config.fallback not in options:
            self.refuse(
                f"{at}.fallback",
                f"'{config.fallback}' is not one of the options",
                did_you_mean(config.fallback, options),
            )
        if config.response_schema is not None and (fault := Schema(config.response_schema).lacks()):
            self.refuse(f"{at}.response_schema", f"not a JSON Schema: {fault}")
        prompt = self.attempt(f"{at}.prompt_context", lambda: compile_template(config.prompt_context, around))
        data = {
            name: self.attempt(f"{at}.data_inject.{name}", lambda text=text: _data_path(text, around))  # type: ignore[misc]
            for name, text in config.data_inject.items()
        }
        return (
            None
            if prompt is None
            else ReasoningPlan(
                prompt=prompt,
                data={name: getter for name, getter in data.items() if getter is not None},
                options=tuple(option.model_dump() for option in config.options),
                timeout=config.timeout,
                fallback=config.fallback,
                target_agent=config.target_agent,
                response_schema=config.response_schema,
            )
        )


def _data_path(text: str, around: Surroundings) -> Getter:
    """A path with or without `${{ }}`; one that leads nowhere gives null."""
    getter = (
        compile_template(text, around).render if "${{" in text else compile_expression(text.strip(), around)
    )

    def get(scope: Scope) -> Any:
        try:
            return getter(scope)
        except OpcodeError:
            return None

    return get


def _retry_policy(step: d.StepModel) -> RetryPolicy:
    retry = step.retry
    if retry is None:
        asked = step.on_error is not None and step.on_error.strategy == "retry"
        return RetryPolicy(max=3, backoff="exponential", delay=1.0, max_delay=30.0) if asked else NO_RETRY
    backoff = retry.backoff or ("constant" if retry.delay else "none")
    return RetryPolicy(retry.max, backoff, retry.delay, retry.max_delay, retry.jitter)


def _at_once(action: Action, params: Template, timeout: float | None) -> bool:
    quick = not action.is_async and not action.blocking and action.effect != "external"
    return quick and timeout is None and not params.secrets and not params.secret_inputs


def _leaves(steps: Sequence[d.StepModel]) -> tuple[str, ...]:
    named = {name for step in steps for name in step.depends_on}
    return tuple(step.id for step in steps if step.id not in named)


def _descendants(step: d.StepModel) -> list[d.StepModel]:
    found: list[d.StepModel] = []
    pending = [inner for _, _, inner in lanes(step)]
    while pending:
        for child in pending.pop():
            found.append(child)
            pending.extend(inner for _, _, inner in lanes(child))
    return found


def _depends_on_template(issue: Issue, params: Mapping[str, Any], path: str) -> bool:
    """Whether the value that an issue is about holds a template, so that only the call can tell."""
    value: Any = params
    for part in re.findall(r"[^.\[\]]+", issue.path[len(path) :]):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return True
    if "missing" in issue.message or "unknown param" in issue.message:
        return False
    return b"${{" in dumps(value)


def _package_hint(name: str) -> str:
    prefix = name.split(".", maxsplit=1)[0]
    return (
        f"is opcode-{prefix} installed? `opcode plugins list` shows what is"
        if "." in name
        else "actions are named package.verb, as http.get"
    )
