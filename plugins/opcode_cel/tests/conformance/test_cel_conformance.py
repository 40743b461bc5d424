"""Cases written from CEL's language definition; one file a section."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opcode_cel.program import compile_program
from opcode_core import ErrorCode, OpcodeError, Overtime

HERE = Path(__file__).parent
DOCS = HERE.parents[3] / "docs" / "cel.md"
SECTIONS = sorted(path.stem for path in HERE.glob("*.cases") if path.stem != "deviations")
CODES = {"error": ErrorCode.EXECUTION_ERROR, "invalid": ErrorCode.VALIDATION_ERROR}


@dataclass(frozen=True, slots=True)
class Case:
    """One line: `expression ==> value`, or `error: what the message says`, or `invalid: …`.

    Attributes:
        specified: in `deviations.cases`, behind `;;`: what the definition says instead.
    """

    section: str
    expression: str
    expected: str
    specified: str
    scope: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.section}: {self.expression}"


def cases(section: str) -> list[Case]:
    """Those of one file; ␊ and ␍ stand for the ends of lines, `scope:` is JSON."""
    scope: dict[str, Any] = {}
    found = []
    for line in (HERE / f"{section}.cases").read_text("utf-8").splitlines():
        if line.startswith("scope: "):
            scope = json.loads(line.removeprefix("scope: "))
        elif line and not line.startswith("#"):
            expression, _, expected = line.rpartition(" ==> ")
            assert expression, line
            expected, _, specified = expected.partition(" ;; ")
            expression = expression.replace("␊", "\n").replace("␍", "\r")
            found.append(Case(section, expression, expected, specified, scope))
    return found


def fault(case: Case, expected: str) -> str | None:
    """What is wrong with the answer; None when it is as expected."""
    outcome, _, part = expected.partition(": ")
    wanted = CODES.get(outcome)
    try:
        value = compile_program(case.expression).evaluate(case.scope)
    except OpcodeError as error:
        if error.code == wanted and part in error.message:
            return None
        return f"{error.code}: {error.message}"
    if wanted is None and alike(value, json.loads(expected)):
        return None
    return repr(value)


def alike(value: Any, other: Any) -> bool:
    """The same JSON, and 1 is not 1.0 is not true."""
    if type(value) is not type(other):
        return False
    if isinstance(value, list):
        return len(value) == len(other) and all(map(alike, value, other))
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(alike(value[key], other[key]) for key in value)
    return value == other


@pytest.mark.parametrize("case", [case for section in SECTIONS for case in cases(section)], ids=str)
def test_case(case):
    assert fault(case, case.expected) is None


@pytest.mark.parametrize("case", cases("deviations"), ids=str)
def test_deviation(case):
    assert fault(case, case.expected) is None
    assert case.specified
    assert fault(case, case.specified) is not None, "this is no deviation"


def test_the_suite_is_large_and_says_nothing_twice():
    assert sum(len(cases(section)) for section in SECTIONS) >= 450
    for section in SECTIONS:
        expressions = [case.expression for case in cases(section)]
        assert len(expressions) == len(set(expressions)), section


@pytest.mark.parametrize("section", SECTIONS)
def test_the_interpreter_says_the_same_as_the_direct_path(section):
    for case in cases(section):
        try:
            program = compile_program(case.expression)
        except OpcodeError:
            continue
        assert answer(program.evaluate, case.scope) == answer(program.interpret, case.scope), case.expression


@pytest.mark.parametrize("section", SECTIONS)
async def test_a_guarded_process_says_the_same(section):
    overtime = Overtime("cel", "opcode_cel.overtime:evaluate")
    for case in cases(section):
        try:
            expected = answer(compile_program(case.expression).evaluate, case.scope)
        except OpcodeError:
            continue
        try:
            given = repr(await overtime.evaluate(case.expression, case.scope))
        except OpcodeError as error:
            given = error.message
        assert given == expected, case.expression
    overtime.close()


def answer(evaluate: Any, scope: dict[str, Any]) -> Any:
    try:
        return repr(evaluate(scope))
    except OpcodeError as error:
        return error.message


def test_the_documents_give_the_numbers_of_this_suite():
    text = DOCS.read_text("utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert table == {
        **{section: str(len(cases(section))) for section in SECTIONS},
        "deviations": str(len(cases("deviations"))),
    }
    total = sum(len(cases(section)) for section in SECTIONS)
    assert f"{total:,} cases" in text
