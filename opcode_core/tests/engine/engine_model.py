"""What a workflow should do, said a second time and in the simplest way: one step after another, no tasks.

It knows the actions `t.flaky` and `t.aflaky` (fail `times` times, then give `value`), guards that are
literals or ask for a sibling's status, retries, `on_error`, and blocks. Where steps run at the same
time and one of them fails, what the others get to do depends on chance: such steps are `uncertain`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from opcode_core.errors import NEVER_RETRIED

Errors = set[tuple[str, str]]  # (code, step id): each could be the one that counts


class Fatal(Exception):
    def __init__(self, errors: Errors) -> None:
        self.errors = errors


@dataclass
class Ended:
    status: str
    output: Any = None
    stands_in: str | None = None
    errors: Errors = field(default_factory=set)


class Model:
    """Runs a definition; afterwards `ended`, `ever`, `calls`, `uncertain`, `blocked` and `errors` say how it went."""

    def __init__(self, definition: dict) -> None:
        self.steps = {step["id"]: step for step in definition["steps"]}
        self.ended: dict[str, Ended] = {}
        self.calls: Counter[str] = Counter()
        self.ever: set[str] = set()
        self.uncertain: set[str] = set()
        self.blocked: set[str] = set()
        self.errors: Errors = set()
        self.spares = _spares(definition["steps"])
        for step_id in self.steps:
            self.outermost(step_id)
        if self.errors:
            self.uncertain |= set(self.ended)

    @property
    def output(self) -> dict:
        leaves = self.steps.keys() - {
            name for step in self.steps.values() for name in step.get("depends_on", ())
        }
        return {s: self.ended[s].output for s in leaves if self.ended[s].status == "completed"}

    # ---- the graph ------------------------------------------------------------------------

    def outermost(self, step_id: str) -> bool:
        """Run a step after everything that it waits for; whether who waits for it may begin."""
        if step_id in self.blocked:
            return False
        if step_id not in self.ended:
            step = self.steps[step_id]
            owners = [owner for owner in self.steps if _spare_of(self.steps[owner]) == step_id]
            before = [*step.get("depends_on", ()), *owners]
            if not all(self.outermost(x) if x in owners else self.came_through(x) for x in before):
                self.blocked.add(step_id)
                return False
            if owners and not any(self.ended[owner].stands_in == step_id for owner in owners):
                self.ended[step_id] = Ended("skipped")
            else:
                try:
                    self.do(step, "")
                except Fatal as fatal:
                    self.errors |= fatal.errors
        return not self.ended[step_id].errors

    def came_through(self, step_id: str) -> bool:
        """Whether a step, and everything that stands in for it, ended well."""
        return self.outermost(step_id) and (
            (spare := _spare_of(self.steps[step_id])) is None or self.came_through(spare)
        )

    # ---- one step -------------------------------------------------------------------------

    def do(self, step: dict, prefix: str) -> Ended:
        full_id = prefix + step["id"]
        if full_id in self.ended:
            return self.ended[full_id]
        self.ever.add(full_id)
        guard = step.get("condition")
        if guard == "false" or (guard and "status" in guard and not self.has_completed(guard, prefix)):
            self.ended[full_id] = Ended("skipped")
            return self.ended[full_id]
        errors: Errors
        if guard == "inputs.nope == 1":
            errors = {("EXECUTION_ERROR", full_id)}
        else:
            try:
                self.ended[full_id] = Ended("completed", self.attempts(step, full_id))
                return self.ended[full_id]
            except Fatal as fatal:
                errors = fatal.errors
        match step.get("on_error", {}).get("strategy"):
            case "ignore":
                self.ended[full_id] = Ended("skipped")
            case "fallback_step":
                self.ended[full_id] = Ended("failed", stands_in=prefix + step["on_error"]["fallback_step"])
            case _:
                self.ended[full_id] = Ended("failed", errors=errors)
                raise Fatal(errors)
        return self.ended[full_id]

    def has_completed(self, guard: str, prefix: str) -> bool:
        return self.ended[prefix + guard.split("'")[1]].status == "completed"

    def attempts(self, step: dict, full_id: str) -> Any:
        tries = step.get("retry", {}).get("max", 0) + 1
        for attempt in range(1, tries + 1):
            try:
                return self.body(step, full_id)
            except Fatal as fatal:
                last = fatal
                if any(code in NEVER_RETRIED for code, _ in fatal.errors):
                    raise
                if attempt < tries:
                    for inside in [other for other in self.ended if other.startswith(f"{full_id}.")]:
                        del self.ended[inside]
        if tries == 1:
            raise last
        raise Fatal({("RETRY_EXHAUSTED", step_id) for _, step_id in last.errors})

    def body(self, step: dict, full_id: str) -> Any:
        match step.get("type", "action"):
            case "action":
                return self.call(step["params"], full_id)
            case "condition":
                return self.condition(step["config"], full_id)
            case "loop":
                results = [
                    self.block(step["config"]["body"], f"{full_id}.iter_{i}.")
                    for i in range(len(step["config"]["over"]))
                ]
                return {"iterations": len(results), "results": results}
            case "parallel":
                return self.parallel(step["config"], full_id)

    def call(self, params: dict, full_id: str) -> Any:
        self.calls[full_id] += 1
        if self.calls[full_id] <= params["times"]:
            raise Fatal({(params["code"], full_id)})
        return params["value"]

    def condition(self, config: dict, full_id: str) -> dict:
        name = config["expression"].strip("'")
        if name in config["branches"]:
            return {"branch": name, "output": self.block(config["branches"][name], f"{full_id}.{name}.")}
        if "default" in config:
            return {"branch": name, "output": self.block(config["default"], f"{full_id}.default.")}
        return {"branch": name, "skipped": True}

    def parallel(self, config: dict, full_id: str) -> dict:
        outputs, errors = [], set()
        for i, branch in enumerate(config["branches"]):
            try:
                outputs.append(self.block(branch, f"{full_id}.branch_{i}."))
            except Fatal as fatal:
                errors |= fatal.errors
        if errors:
            self.uncertain |= {inside for inside in self.ended if inside.startswith(f"{full_id}.")}
            raise Fatal(errors)
        return {"mode": "all", "branches": outputs}

    def block(self, steps: list[dict], prefix: str) -> Any:
        by_id = {prefix + step["id"]: step for step in steps}
        last = None
        for step in steps:
            if step["id"] in _spares(steps):
                continue
            ended = self.do(step, prefix)
            while ended.stands_in:
                ended = self.do(by_id[ended.stands_in], prefix)
            if ended.status == "completed":
                last = ended.output
        return last


def _spare_of(step: dict) -> str | None:
    return step.get("on_error", {}).get("fallback_step")


def _spares(steps: list[dict]) -> set[str]:
    return {spare for step in steps if (spare := _spare_of(step))}
