"""expr.eval without an engine: Python, and the language of older files where only that can read it."""

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_core.engine.engine import Engine
from opcode_core.memory import MemoryStorage

ORDERS = [
    {"name": "ink", "score": 0.9, "amount": 3},
    {"name": "pen", "score": 0.4, "amount": 7},
    {"name": "cap", "score": 0.8, "amount": 5},
]

ONLY_IN_EXPR = {
    "filter(data, {.score >= 0.8})": [ORDERS[0], ORDERS[2]],
    "map(data, {.name})": ["ink", "pen", "cap"],
    "sum(data, {#.amount})": 15,
    "count(data, {.score > 0.5}) > 1 ? 'many' : 'few'": "many",
    "all(data, {.amount > 2}) && any(data, {.amount > 6})": True,
    "data[0]?.missing ?? 'none'": "none",
    "let best = filter(data, {.score > 0.85}); best[0].name": "ink",
    "data | map(.name) | join('-')": "ink-pen-cap",
    "data[1].name startsWith 'p' and data[1].name matches '^p.n$'": True,
    "1..4": [1, 2, 3, 4],
}

READ_BY_BOTH = {"len(data)": 3, "data[0]['amount'] / 2": 1.5, "'ink' in [data[0].name]": True}


@pytest.fixture
async def engine():
    engine = Engine(MemoryStorage())
    await engine.start_up()
    yield engine
    await engine.shut_down()


async def evaluated(engine: Engine, expression: str, /, **params):
    step = {"id": "e", "action": "expr.eval", "params": {"expression": expression, "data": ORDERS, **params}}
    return (await engine.run({"steps": [step]}, {})).steps["e"]


@pytest.mark.parametrize("expression", ONLY_IN_EXPR)
async def test_an_older_file_runs_unchanged(engine, expression):
    step = await evaluated(engine, expression)
    assert step.error is None
    assert step.output == {"result": ONLY_IN_EXPR[expression]}
    refused = await evaluated(engine, expression, engine="python")
    assert refused.error["code"] == "VALIDATION_ERROR", "a named engine is the one"


@pytest.mark.parametrize("expression", READ_BY_BOTH)
async def test_what_python_reads_is_python(engine, expression):
    assert (await evaluated(engine, expression)).output == {"result": READ_BY_BOTH[expression]}


async def test_what_nobody_reads_is_explained_by_python(engine):
    step = await evaluated(engine, "for x in")
    assert step.error["code"] == "VALIDATION_ERROR"
    assert step.error["details"]["engine"] == "python"


async def test_a_language_that_cannot_read_it_is_asked_once(engine, monkeypatch):
    python, asked = engine.registry.engines["python"], []
    compile_ = python.compile
    monkeypatch.setattr(python, "compile", lambda source: (asked.append(source), compile_(source))[1])
    body = [{"id": "e", "action": "expr.eval", "params": {"expression": "1..3"}}]
    loop = {"id": "l", "type": "loop", "config": {"over": [1, 2, 3], "body": body}}
    state = await engine.run({"steps": [loop]}, {})
    assert state.steps["l"].output["results"] == [{"result": [1, 2, 3]}] * 3
    assert asked == ["1..3"]


async def test_an_engine_that_cannot_say_is_no_reason_for_another_language(engine, monkeypatch):
    def overloaded(_):
        raise OpcodeError(ErrorCode.EXECUTION_ERROR, "its process cannot start")

    monkeypatch.setattr(engine.registry.engines["python"], "compile", overloaded)
    step = await evaluated(engine, "len(data)")
    assert (step.error["code"], step.error["message"]) == ("EXECUTION_ERROR", "its process cannot start")
