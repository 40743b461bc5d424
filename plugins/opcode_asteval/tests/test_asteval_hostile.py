"""More than two hundred expressions that mean harm: each ends within its bound, and nobody else notices."""

import asyncio
import itertools
import os
import statistics
import time
from pathlib import Path

import pytest

from opcode_asteval import PythonEngine
from opcode_core import ErrorCode, OpcodeError

SECONDS = 0.3

DUNDERS = [
    "__class__",
    "__bases__",
    "__base__",
    "__mro__",
    "__subclasses__",
    "__globals__",
    "__code__",
    "__closure__",
    "__func__",
    "__self__",
    "__dict__",
    "__init__",
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__getattribute__",
    "__builtins__",
    "__module__",
    "__call__",
    "gi_frame",
    "gi_code",
    "f_back",
    "f_locals",
    "f_globals",
    "cr_frame",
    "tb_frame",
    "func_globals",
    "im_func",
    "mro",
    "format",
    "format_map",
]
VALUES = ["()", "''", "[]", "{}", "1", "data", "steps", "len", "str", "(x for x in [])", "range(1)"]

ESCAPES = [
    *(f"{value}.{name}" for value, name in itertools.product(VALUES[:3] + VALUES[5:7], DUNDERS[::2])),
    *(f"{value}.{name}()" for value, name in itertools.product(["()", "''", "data"], DUNDERS[1::2])),
    *(f"{value}['{name}']" for value, name in itertools.product(["data", "len"], DUNDERS[::3])),
    *(f"f'{{{value}.{name}}}'" for value, name in itertools.product(["data", "()"], DUNDERS[::3])),
    *(f"'{{0.{name}}}'.format(data)" for name in DUNDERS[::4]),
    *(f"'{{x.{name}}}'.format_map(data)" for name in DUNDERS[::6]),
    *(f"sorted([data], key='{name}')" for name in DUNDERS[::4]),
    *(f"max([1, 2], key='{name}')" for name in DUNDERS[::6]),
    *(f"{value}.__class__.__mro__[1].__subclasses__()" for value in VALUES),
    *(
        "open('/etc/passwd')",
        "open('/etc/passwd').read()",
        "__import__('os').environ",
        "eval('1')",
        "exec('1')",
    ),
    *(
        "compile('1', '', 'eval')",
        "globals()",
        "locals()",
        "vars()",
        "dir()",
        "dir(data)",
        "type(data)",
        "type(len)",
    ),
    *(
        "getattr(data, '__class__')",
        "setattr(data, 'x', 1)",
        "delattr(data, 'x')",
        "hasattr(data, 'x')",
        "id(data)",
    ),
    *(
        "input()",
        "print(1)",
        "print.__self__",
        "print.__reduce__",
        "breakpoint()",
        "help()",
        "exit()",
        "quit()",
    ),
    *(
        "object()",
        "super()",
        "memoryview(b'')",
        "bytearray(9)",
        "bytes(9)",
        "iter(data)",
        "next(data)",
        "callable(1)",
    ),
    *(
        "lambda: 1",
        "(lambda: 1)()",
        "(lambda x: x.__globals__)(1)",
        "[lambda: 1][0]()",
        "sorted([1], key=lambda x: x)",
    ),
    *(
        "import os",
        "from os import path",
        "def f(): pass",
        "class A: pass",
        "del data",
        "raise ValueError",
        "assert 0",
    ),
    *(
        "with open('x') as f: f",
        "try: 1\nexcept: 2",
        "while True: pass",
        "for x in data: x",
        "global x",
        "return 1",
    ),
    *("x = 1", "x += 1", "(x := 1)", "[data := 1]", "data.x = 1", "data['x'] = 1", "x: int = 1", "print = 1"),
    *("[1 for data in [1]]", "[1 for len in [1]]", "[1 for data['x'] in [1]]", "[1 for data.x in [1]]"),
    *("data.clear()", "data.update({'x': 1})", "data.pop('x')", "data.setdefault('x', 1)", "data.popitem()"),
    *(
        "steps.clear()",
        "steps.update({})",
        "[].append(1)",
        "[1].pop()",
        "[1].clear()",
        "[2, 1].sort()",
        "{1}.add(2)",
    ),
    *(
        "await data",
        "[x async for x in data]",
        "(yield 1)",
        "(yield from data)",
        "`1`",
        "1 <> 2",
        "data->x",
        "$x",
    ),
    *(
        "len.__self__",
        "len.__call__([])",
        "str.mro()",
        "dict.fromkeys([1])",
        "str.maketrans('a', 'b')",
        "int.from_bytes(b'1')",
    ),
    *(
        "[len][0]([])",
        "{'f': len}['f']([])",
        "(len if data else str)([])",
        "(len)([1])[0]",
        "data['x']()",
        "data.x.y()",
    ),
    *(
        "_",
        "__",
        "__name__",
        "__file__",
        "__builtins__",
        "__asteval__",
        "self",
        "interpreter",
        "symtable",
        "numpy",
        "math",
    ),
    *(
        "sys.exit()",
        "os.abort()",
        "os.environ",
        "math.factorial(10)",
        "secrets.TOKEN",
        "${{secrets.X}}",
        "env.PATH",
    ),
    *("'%(x)s' % data", "'%s' % (data,)", "b'%d' % 1", "'%1000000000d' % 1", "'%*d' % (10 ** 9, 1)"),
]
GROWTH = [
    *(
        f"{left} ** {right}"
        for left, right in [(9, "9 ** 9"), (2, 10**9), (10, 10**6), (-3, 10**8), (7, 99999)]
    ),
    *(
        "9 ** 9 ** 9 ** 9",
        "(9 ** 9999) ** 9999",
        "(9 ** 999) ** 999",
        "1 << 10 ** 9",
        "1 << 10 ** 18",
        "3 << 99999",
    ),
    *(
        "10 ** 3000 * 10 ** 3000",
        "2.0 ** 99999",
        "1e308 * 1e308",
        "1e999",
        "-1e999",
        "int('9' * 5000)",
        "int(1e308) ** 99",
    ),
    *(
        "sum([10 ** 3000 * 10 ** 9 for x in range(9)])",
        "round(1, -10 ** 9)",
        "round(1.5, 10 ** 9)",
        "round(10 ** 999, -10 ** 18)",
    ),
    *(
        "'a' * 10 ** 9",
        "10 ** 9 * 'a'",
        "[0] * 10 ** 9",
        "10 ** 9 * [0]",
        "(0,) * 10 ** 9",
        "'a' * 10 ** 18",
        "'' * 10 ** 30",
    ),
    *("[[0] * 10 ** 6] * 10 ** 6 * 2", "('a' * 10 ** 6) * 2", "'a' * 10 ** 6 + 'b'", "[0] * 10 ** 6 + [1]"),
    *("['a' * 10 ** 6] * 1000", "[['a' * 10 ** 6] * 1000] * 1000", "str([['a' * 10 ** 6] * 1000] * 9)"),
    *(f"'a'.{pad}(10 ** 9)" for pad in ("ljust", "rjust", "center", "zfill")),
    *(f"'a'.{pad}(10 ** 30)" for pad in ("ljust", "zfill")),
    *(
        "'a'.expandtabs(10 ** 9)",
        "'\\t'.expandtabs(10 ** 9)",
        "'a'.translate({97: 'b' * 10 ** 6})",
        "'a'.encode('utf-32')",
    ),
    *(
        "('a' * 10 ** 6).replace('a', 'b' * 10 ** 6)",
        "('a' * 10 ** 5).replace('', 'b' * 10 ** 5)",
        "'a'.replace('', 'x' * 10 ** 6 )",
    ),
    *(
        "','.join(['a' * 900000] * 1000)",
        "('x' * 10 ** 6).join('a' * 10 ** 6)",
        "('x' * 10 ** 6).join(range(9))",
    ),
    *(
        "f'{1:1000000000}'",
        "f'{1:{10 ** 9}}'",
        "f'{1.5:.1000000000f}'",
        "f'{1:0>999999999}'",
        "f'{data:{data}}'",
        "f'{1!r:>99999}'",
    ),
    *('f\'{"a" * 10 ** 6}{"b" * 10 ** 6}\'', "f'{10 ** 3010}' * 10 ** 6", "f'{[\"a\" * 10 ** 6] * 1000}'"),
    *(
        "[i for i in range(10 ** 9)]",
        "sum(range(10 ** 10))",
        "list(range(10 ** 9))",
        "range(10 ** 30)",
        "range(-10 ** 30, 10 ** 30)",
    ),
    *(
        "len(range(10 ** 18))",
        "10 ** 9 in range(10 ** 9)",
        "max(range(10 ** 12))",
        "set(range(10 ** 8))",
        "sorted(range(10 ** 9))",
    ),
    *(
        "[0 for a in range(10 ** 6) for b in range(10 ** 6)]",
        "[[0] * 10 ** 6 for x in range(10 ** 6)]",
        "['a' * 10 ** 6 + str(x) for x in range(10 ** 6)]",
    ),
    *(
        "{x: [x] * 1000 for x in range(10 ** 6)}",
        "{str(x) * 1000 for x in range(10 ** 6)}",
        "[{x: x} for x in range(10 ** 6) for y in range(9)]",
    ),
    *(
        "sum(x for x in range(10 ** 6) for y in range(10 ** 6))",
        "any(False for x in range(10 ** 6) for y in range(10 ** 6))",
    ),
    *(
        "[sum(range(10 ** 6)) for x in range(10 ** 6)]",
        "[sorted(range(10 ** 6)) for x in range(1000)]",
        "min([y for y in range(10 ** 6)] for x in range(10 ** 6))",
    ),
    *(
        "zip(*[range(10 ** 6)] * 100)",
        "list(zip(*[[0] * 10 ** 6] * 100))",
        "dict(zip(range(10 ** 6), [[0] * 10 ** 6 for x in range(10 ** 5)]))",
    ),
    *(
        "list(enumerate(range(10 ** 6))) * 2",
        "[reversed(range(10 ** 6)) for x in range(10 ** 6)]",
        "max(*range(10 ** 6), *range(10 ** 6), key='x')",
    ),
    *(
        "'a' * 10 ** 6 in ('a' * 999999 + 'b') * 1",
        "[('a' * 10 ** 6).count('a' * 500000 + 'b') for x in range(10 ** 6)]",
    ),
    *(
        "[('a' * 10 ** 6).split('a') for x in range(10 ** 4)]",
        "[str(10 ** 3000) for x in range(10 ** 6)]",
        "[('a' * 10 ** 6).upper() for x in range(10 ** 5)]",
    ),
    *(
        "[(x, y, z) for x in data for y in range(10 ** 6) for z in range(99)]",
        "{(x, y) for x in range(10 ** 6) for y in range(9)}",
    ),
]
FORMS = [
    *("(" * n + "1" + ")" * n for n in (150, 250, 4000)),
    *("[" * n + "]" * n for n in (85, 250, 4000)),
    *("{" * n for n in (50, 250, 4000)),
    *("{1:" * n + "1" + "}" * n for n in (85, 1500)),
    *("-" * n + "1" for n in (100, 1000, 8000)),
    *("not " * n + "1" for n in (100, 2000)),
    *("1+" * n + "1" for n in (100, 4000)),
    *("1 if 1 else " * n + "1" for n in (100, 600)),
    *("data" + ".x" * n for n in (100, 4000)),
    *("data" + "[0]" * n for n in (100, 2600)),
    *("data" + "()" * n for n in (100, 4000)),
    *("[x for x in " * n + "[]" + "]" * n for n in (50, 600)),
    *("f'{" * n + "1" + "}'" * n for n in (5, 150, 1500)),
    *("lambda:" * n + "1" for n in (5, 1000)),
    *("1<" * n + "1" for n in (2500, 4000)),
    *("'a' " * n for n in (2000,)),
    *("a" * n for n in (100, 8000, 10**6)),
    *("9" * n for n in (5000, 8000)),
    *("1e" + "9" * n for n in (10, 5000)),
    *("0x" + "f" * n for n in (5000, 8000)),
    *("'" * n for n in (1, 3, 5, 7999)),
    *(
        "\\",
        "\0",
        "'\\x'",
        "'\\N{nothing}'",
        "'\ud800'.x",
        "\ufeff1 +",
        "\u202e1 +",
        "é è",
        "1 \n 2",
        "\t 1 2",
        "#",
        "# 1",
    ),
    *(
        "==" * 10,
        "!" * 10,
        ";" * 10,
        "," * 10,
        ":" * 10,
        "@" * 10,
        "**" * 10,
        "..." * 10,
        "%" * 10,
        "~" * 8000,
    ),
    *("[" + "1," * n + "].x" for n in (1900, 4000)),
    *("len(" * n + "[]" + ")" * n for n in (30, 85, 1500)),
    *(
        "x" + "=x" * 1000,
        "x" + ":=x" * 1000,
        "for " * 1000,
        "if " * 1000,
        "[for" * 1000,
        "(yield " * 500,
        "print " * 500,
    ),
]
FAMILIES = {"escapes": ESCAPES, "growth": GROWTH, "forms": FORMS}
SECRETS = ("root:", "<class", "<function", "<built-in", " at 0x", "Traceback", "do not show")


def own_children() -> set[str]:
    children = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            children |= set((task / "children").read_text().split())
        except OSError:
            continue
    return children


def test_there_are_enough_of_them():
    sources = [source for family in FAMILIES.values() for source in family]
    assert len(sources) == len(set(sources)) >= 400


@pytest.mark.timeout(240)
@pytest.mark.parametrize("family", FAMILIES)
async def test_they_harm_nobody_else(family, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "do not show")
    children, files = own_children(), len(os.listdir("/proc/self/fd"))
    engine = PythonEngine(seconds=SECONDS)
    innocent = engine.compile("[data, inputs.n + 1]")
    paces: list[float] = []
    done = asyncio.Event()

    async def others() -> None:
        while not done.is_set():
            begin = time.monotonic()
            assert await innocent.evaluate({"inputs": {"n": 1}}) == [None, 2]
            paces.append(time.monotonic() - begin)
            await asyncio.sleep(0.005)

    await innocent.evaluate({"inputs": {"n": 1}})
    beside = asyncio.create_task(others())
    harmless = {}
    for source in FAMILIES[family]:
        begin = time.monotonic()
        await asyncio.sleep(0.001)  # what is refused at once gives nobody a turn
        try:
            result = await engine.compile(source).evaluate(
                {"data": {"rows": [1, "x"]}, "steps": {}, "inputs": {}}
            )
        except OpcodeError as error:
            assert error.code in {
                ErrorCode.EXECUTION_ERROR,
                ErrorCode.TIMEOUT_ERROR,
                ErrorCode.VALIDATION_ERROR,
            }
            assert 0 < len(error.message) < 3000
            assert not [secret for secret in SECRETS if secret in error.message], error.message
        else:
            harmless[source] = result
            assert not [secret for secret in SECRETS if secret in str(result)], source
        assert time.monotonic() - begin < SECONDS + 3, source[:100]
    done.set()
    await beside
    if family == "escapes":
        assert harmless == {}
    assert len(harmless) < len(FAMILIES[family]) / 4, list(harmless)
    assert statistics.median(paces) < 0.3
    assert max(paces) < SECONDS + 5
    assert await innocent.evaluate({"inputs": {"n": 2}}) == [None, 3]
    assert len(own_children() - children) <= 3  # two, and one that is just ending
    engine.close()
    assert own_children() == children
    assert len(os.listdir("/proc/self/fd")) == files
