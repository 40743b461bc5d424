"""A workflow's definition, as people and agents write it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from opcode_core.durations import parse_duration

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9.]+(ns|us|µs|ms|s|m|h|d)?"},
                {"type": "number", "minimum": 0},
            ],
            "description": 'A length of time: "500ms", "30s", "1h30m", "2d", or a number of seconds.',
        }
    ),
]
StepId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=200)]
Expression = Annotated[str, Field(min_length=1)]


class Model(BaseModel):
    """Strict: an unknown field is an error, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Retry(Model):
    """How often and how soon a failed step is tried again."""

    max: Annotated[int, Field(ge=0, le=10_000)] = 3
    backoff: Literal["none", "constant", "linear", "exponential"] | None = Field(
        default=None, description="none without a delay, constant with one, when left out"
    )
    delay: Duration = 0.0
    max_delay: Duration | None = None
    jitter: bool = False


class OnError(Model):
    """What a step's failure means."""

    strategy: Literal["ignore", "fail_workflow", "fallback_step", "retry"]
    fallback_step: StepId | None = None


class StepFields(Model):
    """What every step has, whatever its type."""

    id: StepId
    depends_on: list[StepId] = []
    condition: Expression | None = Field(default=None, description="CEL guard; false skips the step")
    timeout: Duration | None = Field(default=None, description="For each attempt")
    retry: Retry | None = None
    on_error: OnError | None = None
    on_crash: Literal["retry", "fail", "suspend"] = "retry"
    description: str = ""


class ActionStep(StepFields):
    """Calls an action."""

    type: Literal["action"] = "action"
    action: Annotated[str, Field(min_length=1)]
    params: dict[str, Any] = {}


class ConditionConfig(Model):
    """Which branch to take."""

    expression: Expression
    branches: dict[Annotated[str, Field(pattern=r"^[^\[\]]+$")], list["Step"]] = {}
    default: list["Step"] | None = None


class ConditionStep(StepFields):
    """Takes the branch that is named like the expression's result."""

    type: Literal["condition"]
    config: ConditionConfig


class LoopConfig(Model):
    """What to repeat, and until when."""

    mode: Literal["for_each", "while", "until"] = "for_each"
    over: Any = None
    condition: Expression | None = None
    body: Annotated[list["Step"], Field(min_length=1)]
    max_iter: Annotated[int, Field(ge=1)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 1


class LoopStep(StepFields):
    """Repeats its body."""

    type: Literal["loop"]
    config: LoopConfig


class ParallelConfig(Model):
    """Branches that run at once."""

    mode: Literal["all", "race"] = "all"
    branches: Annotated[list[Annotated[list["Step"], Field(min_length=1)]], Field(min_length=1)]
    max_concurrency: Annotated[int, Field(ge=1)] | None = None


class ParallelStep(StepFields):
    """Runs branches at once, for all results or for the first."""

    type: Literal["parallel"]
    config: ParallelConfig


class WaitConfig(Model):
    """How long to wait, or for which signal."""

    duration: Duration | None = None
    signal: Annotated[str, Field(min_length=1)] | None = None
    timeout: Duration | None = None


class WaitStep(StepFields):
    """Waits for time to pass or for a signal, holding nothing meanwhile."""

    type: Literal["wait"]
    config: WaitConfig


class Option(Model):
    """One answer that a decision can have."""

    id: Annotated[str, Field(min_length=1)]
    description: str = ""


class ReasoningConfig(Model):
    """What an agent or a person is asked."""

    prompt_context: str = ""
    data_inject: dict[str, str] = {}
    options: list[Option] = []
    timeout: Duration | None = None
    fallback: str | None = None
    target_agent: str | None = None
    response_schema: dict[str, Any] | None = None


class ReasoningStep(StepFields):
    """Hands a decision to an agent or a person."""

    type: Literal["reasoning"]
    config: ReasoningConfig = ReasoningConfig()


def _step_type(value: Any) -> str | None:
    kind = value.get("type", "action") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


Step = Annotated[
    Annotated[ActionStep, Tag("action")]
    | Annotated[ConditionStep, Tag("condition")]
    | Annotated[LoopStep, Tag("loop")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[ReasoningStep, Tag("reasoning")],
    Discriminator(_step_type),
]
STEP_TYPES = ("action", "condition", "loop", "parallel", "wait", "reasoning")
StepModel = ActionStep | ConditionStep | LoopStep | ParallelStep | WaitStep | ReasoningStep


class Definition(Model):
    """A whole workflow."""

    steps: Annotated[list[Step], Field(min_length=1)]
    inputs: dict[str, Any] = {}
    context: dict[str, Any] = {}
    timeout: Duration | None = None
    on_timeout: Literal["fail", "suspend", "cancel"] = "fail"
    on_complete: Step | None = None
    on_error: Step | None = None
    output: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}


for _model in (
    ConditionConfig,
    LoopConfig,
    ParallelConfig,
    ConditionStep,
    LoopStep,
    ParallelStep,
    Definition,
):
    _model.model_rebuild()


def definition_schema() -> dict[str, Any]:
    """JSON Schema of a definition, for editors."""
    schema = Definition.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "OPCODE workflow"
    return schema
