"""Whether a call can be one: known before anything runs."""

from typing import TYPE_CHECKING, Any

from opcode_expr import nodes
from opcode_expr.faults import meant, shortened
from opcode_expr.functions import FUNCTIONS, MANY, REFUSED
from opcode_expr.predicates import LOOPING

if TYPE_CHECKING:
    from opcode_expr.compiler import Compiler

_LOOKALIKES = {
    **dict.fromkeys(("size", "length"), "len"),
    **dict.fromkeys(("toLowerCase", "lowercase", "lowerAscii", "toLower"), "lower"),
    **dict.fromkeys(("toUpperCase", "uppercase", "upperAscii", "toUpper"), "upper"),
    **dict.fromkeys(("exists", "some"), "any"),
    **dict.fromkeys(("every",), "all"),
    **dict.fromkeys(("str", "toString"), "string"),
    **dict.fromkeys(("double", "toFloat", "number"), "float"),
    **dict.fromkeys(("strip",), "trim"),
    **dict.fromkeys(("sorted",), "sort"),
    **dict.fromkeys(("unique", "distinct"), "uniq"),
    **dict.fromkeys(("avg", "average"), "mean"),
    **dict.fromkeys(("select", "where"), "filter"),
    **dict.fromkeys(("toInt",), "int"),
}
_OPERATORS = {
    "default": "write a ?? b",
    "has": "write 'key' in map",
    "coalesce": "write a ?? b",
}


def checked_call(compiler: "Compiler", node: nodes.Call) -> Any:
    """The function that `node` calls, None for one with a predicate.

    Raises:
        OpcodeError: VALIDATION_ERROR when there is no such function, or it takes other arguments.
    """
    name, count = node.name, len(node.arguments)
    if name in LOOPING:
        looping = LOOPING[name]
        _check_count(compiler, node, 1 if looping.optional else 2, 3 if looping.further else 2)
        return None
    function = FUNCTIONS.get(name)
    if function is None:
        compiler.refuse(_no_function(name), node)
    _check_count(compiler, node, function.least, function.most)
    assert count <= function.most
    return function


def _check_count(compiler: "Compiler", node: nodes.Call, least: int, most: int) -> None:
    count = len(node.arguments)
    if least <= count <= most:
        return
    if most == MANY:
        wanted = f"at least {least}"
    else:
        wanted = (
            str(least)
            if least == most
            else f"{least} or {most}"
            if most == least + 1
            else f"{least} to {most}"
        )
    noun = "argument" if wanted.endswith("1") else "arguments"
    compiler.refuse(
        f"{node.name}() takes {wanted} {noun}, and here {'is' if count == 1 else 'are'} {count}", node
    )


def _no_function(name: str) -> str:
    if name in REFUSED:
        return f"there is no {name}(): {REFUSED[name]}"
    if name in _OPERATORS:
        return f"there is no function {name}(): {_OPERATORS[name]}"
    close = _LOOKALIKES.get(name)
    hint = f", did you mean '{close}'?" if close else meant(name, sorted({*FUNCTIONS, *LOOPING}))
    return f"there is no function {shortened(name, 60)}(){hint}"
