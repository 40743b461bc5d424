"""Writes random workflows, of every type of step and everything that can be said about one."""

from itertools import pairwise
from random import Random
from typing import Any

SIGNALS = ("go", "stop")
SHORT = (0, 0, 0.01, 0.3)
LONG = (0.01, 0.7, 2, 5, 12)
WAITS = (0.05, 1, 2.5, 4, 20, 60)
PAUSES = (0, 0.2, 1, 4, 10)


class Author:
    """Writes definitions of up to about `size` steps.

    Args:
        children: templates that steps may start as child runs.
        poison: how likely an action kills its process.
    """

    def __init__(self, random: Random, children: tuple[str, ...], poison: float = 0.0) -> None:
        self.random = random
        self.children = children
        self.poison = poison
        self.left = 0
        self.made = 0

    def workflow(self, size: int) -> dict[str, Any]:
        self.left, self.made = size, 0
        steps = self.graph()
        made: dict[str, Any] = {"steps": steps, "inputs": {"n": self.random.randrange(5), "list": [1, 2]}}
        if self.chance(0.2):
            made["timeout"] = self.random.choice((1, 4, 15, 60))
            made["on_timeout"] = self.random.choice(("fail", "suspend", "cancel"))
        for hook in ("on_complete", "on_error"):
            if self.chance(0.15):
                made[hook] = self.step(f"{hook}_hook", 1, [])
                made[hook].pop("on_error", None)
        return made

    def chance(self, likely: float) -> bool:
        return self.random.random() < likely

    # ---- where steps stand --------------------------------------------------------------------

    def graph(self) -> list[dict]:
        steps: list[dict] = []
        while self.left > 0:
            before = [step["id"] for step in steps]
            step = self.step(self.name(), 0, before)
            if before and self.chance(0.6):
                step["depends_on"] = self.random.sample(
                    before, min(len(before), self.random.choice((1, 1, 2)))
                )
            steps.append(step)
        self.stand_ins(steps)
        return steps

    def block(self, depth: int) -> list[dict]:
        steps: list[dict] = []
        for _ in range(self.random.choice((1, 1, 2))):
            steps.append(self.step(self.name(), depth, [step["id"] for step in steps]))
        self.stand_ins(steps)
        return steps

    def stand_ins(self, steps: list[dict]) -> None:
        """Let some steps have the next one as their fallback."""
        for step, following in pairwise(steps):
            if self.chance(0.08) and "depends_on" not in following:
                step["on_error"] = {"strategy": "fallback_step", "fallback_step": following["id"]}

    def name(self) -> str:
        self.made += 1
        self.left -= 1
        return f"s{self.made}"

    # ---- one step -----------------------------------------------------------------------------

    def step(self, step_id: str, depth: int, before: list[str]) -> dict[str, Any]:
        step = self.kind(step_id, depth, before)
        if self.chance(0.12):
            step["condition"] = self.guard(before)
        if self.chance(0.15):
            step["timeout"] = self.random.choice((0.005, 0.5, 2.8, 3, 10, 40))
        if self.chance(0.25):
            step["retry"] = self.retry()
        if self.chance(0.2):
            step["on_error"] = {
                "strategy": self.random.choice(("ignore", "ignore", "fail_workflow", "retry"))
            }
        return step

    def kind(self, step_id: str, depth: int, before: list[str]) -> dict[str, Any]:
        if depth < 3 and self.chance(0.3):
            kind = self.random.choice(
                ("condition", "for_each", "while", "until", "all", "race", "race", "all")
            )
            return {"id": step_id, **getattr(self, kind)(depth + 1)}
        if self.chance(0.3):
            kind = self.random.choice(("pause", "signal", "reasoning"))
            return {"id": step_id, **getattr(self, kind)()}
        return self.action(step_id, before)

    def guard(self, before: list[str]) -> str:
        guards = ["true", "false", "inputs.n > 2", "inputs.nope == 1", "${{ inputs.n < 4 }}"]
        if before:
            guards += [f"steps['{self.random.choice(before)}'].status == 'completed'"] * 3
        return self.random.choice(guards)

    def retry(self) -> dict[str, Any]:
        return {
            "max": self.random.choice((1, 2, 3)),
            "backoff": self.random.choice(("none", "constant", "linear", "exponential")),
            "delay": self.random.choice(PAUSES),
            "jitter": self.chance(0.3),
        }

    # ---- actions ------------------------------------------------------------------------------

    def action(self, step_id: str, before: list[str]) -> dict[str, Any]:
        if self.children and self.chance(0.12):
            call = {"template": self.random.choice(self.children), "params": {"n": self.random.randrange(5)}}
            return {"id": step_id, "action": "sim.child", "params": call}
        if self.poison and self.chance(self.poison):
            deaths = self.random.choice((1, 2, 4, 20))
            return {"id": step_id, "action": "sim.poison", "params": {"deaths": deaths}}
        name = self.random.choice(
            ("pure",) * 3 + ("work",) * 4 + ("touch",) * 3 + ("emit", "remember", "stubborn")
        )
        params: dict[str, Any] = {"value": self.value(before)}
        if name in ("pure", "work", "touch") and self.chance(0.3):
            params["times"] = self.random.choice((1, 1, 2, 9))
            if self.chance(0.3):
                params["code"] = self.random.choice(("NON_RETRYABLE", "plain", "TIMEOUT_ERROR", "CANCELLED"))
        if name in ("work", "touch"):
            params["takes"] = self.random.choice(SHORT if self.chance(0.5) else LONG)
        if name == "stubborn":
            params["takes"] = self.random.choice((0.5, 1, 3))
        step = {"id": step_id, "action": f"sim.{name}", "params": params}
        if name == "touch" and self.chance(0.6):
            step["on_crash"] = self.random.choice(("fail", "suspend", "retry"))
        return step

    def value(self, before: list[str]) -> Any:
        values: list[Any] = [
            1,
            "text",
            None,
            {"deep": [1, 2]},
            "${{ inputs.n }}",
            "run ${{ workflow.run_id }}",
        ]
        if before and self.chance(0.3):
            return f"${{{{ steps.{self.random.choice(before)}.output }}}}"
        return self.random.choice(values)

    # ---- steps that hold steps ----------------------------------------------------------------

    def condition(self, depth: int) -> dict[str, Any]:
        config: dict[str, Any] = {
            "expression": self.random.choice(("inputs.n > 2", "inputs.n", "'x'", "inputs.nope")),
            "branches": {"true": self.block(depth), "x": self.block(depth)},
        }
        if self.chance(0.5):
            config["default"] = self.block(depth)
        return {"type": "condition", "config": config}

    def for_each(self, depth: int) -> dict[str, Any]:
        over = self.random.choice(([1, 2, 3], [], ["only"], "inputs.list", "${{ inputs.list }}"))
        config = {"over": over, "body": self.block(depth), "concurrency": self.random.choice((1, 1, 2, 3))}
        return {"type": "loop", "config": config}

    def until(self, depth: int) -> dict[str, Any]:
        config = {"mode": "until", "condition": "iter.index >= 1", "body": self.block(depth), "max_iter": 4}
        return {"type": "loop", "config": config}

    def all(self, depth: int, mode: str = "all") -> dict[str, Any]:
        branches = [self.block(depth) for _ in range(self.random.choice((1, 2, 2, 3)))]
        config: dict[str, Any] = {"mode": mode, "branches": branches}
        if self.chance(0.3):
            config["max_concurrency"] = self.random.choice((1, 2))
        return {"type": "parallel", "config": config}

    def race(self, depth: int) -> dict[str, Any]:
        return self.all(depth, "race")

    # ---- steps that wait ----------------------------------------------------------------------

    def pause(self) -> dict[str, Any]:
        return {"type": "wait", "config": {"duration": self.random.choice(WAITS)}}

    def signal(self) -> dict[str, Any]:
        config: dict[str, Any] = {"signal": self.random.choice(SIGNALS)}
        if self.chance(0.5):
            config["timeout"] = self.random.choice((0.5, 2, 15, 60))
        return {"type": "wait", "config": config}

    def reasoning(self) -> dict[str, Any]:
        config: dict[str, Any] = {"prompt_context": "what now, ${{ inputs.n }}?"}
        if self.chance(0.6):
            config["options"] = [{"id": "yes", "description": "do"}, {"id": "no"}]
        if self.chance(0.5):
            config["timeout"] = self.random.choice((0.5, 3, 15, 60))
            if self.chance(0.6):
                config["fallback"] = "no" if "options" in config else "whatever"
        if self.chance(0.2):
            config["target_agent"] = "boss"
        if self.chance(0.2):
            config["response_schema"] = {"type": "object"}
        if self.chance(0.3):
            config["data_inject"] = {"n": "inputs.n", "nothing": "inputs.gone"}
        return {"type": "reasoning", "config": config}


def _while(self: Author, depth: int) -> dict[str, Any]:
    config = {"mode": "while", "condition": "iter.index < 2", "body": self.block(depth), "max_iter": 4}
    return {"type": "loop", "config": config}


setattr(Author, "while", _while)
