"""Arithmetic as a tool. Reads the text with Python's parser and computes only what is named here: nothing is run."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import TypeAlias

from langchain_core.tools import ToolException, tool

Number: TypeAlias = int | float

MAX_LENGTH = 200
MAX_BITS = 10_000
"""Of an integer: some 3,000 digits."""


class BadArithmetic(ToolException):
    """The expression cannot be computed; the text says why and may be shown to anybody."""


@tool
def calculator(expression: str) -> str:
    """Compute an arithmetic expression such as "12 * (3 + 4)". Knows + - * / // % ** and parentheses."""
    return compute(expression)


def compute(expression: str) -> str:
    """The result in decimal digits, floats to 12 significant ones. Raises `BadArithmetic`."""
    if len(expression) > MAX_LENGTH:
        raise BadArithmetic(f"The expression is longer than {MAX_LENGTH} characters.")
    try:
        parsed = ast.parse(expression.strip(), mode="eval")
        result = _value(parsed.body)
    except ZeroDivisionError:
        raise BadArithmetic("Division by zero.") from None
    except OverflowError:
        raise BadArithmetic("The result is too large.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadArithmetic(f"{expression!r} is not an arithmetic expression.") from None
    return _written(result)


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return _bounded(BINARY[type(op)](_value(left), _value(right)))
    raise BadArithmetic(
        f"Only numbers, + - * / // % ** and parentheses are understood: {ast.unparse(node)!r}."
    )


def _bounded(number: Number) -> Number:
    if isinstance(number, complex):
        raise BadArithmetic("The result is not a real number.")
    if isinstance(number, int) and number.bit_length() > MAX_BITS:
        raise OverflowError
    return number


def _power(base: Number, exponent: Number) -> Number:
    # Before it is computed: 9 ** 9 ** 9 would take the machine down.
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and (base.bit_length() - 1) * abs(exponent) > MAX_BITS
    ):
        raise OverflowError
    power: Number = base**exponent
    return power


def _written(number: Number) -> str:
    if isinstance(number, int):
        return str(number)
    if number != number or number in (float("inf"), float("-inf")):
        raise BadArithmetic("The result is too large.")
    return f"{number:.12g}"


UNARY: Mapping[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
BINARY: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
