import pytest

from tools_agent.calculator import BadArithmetic, calculator, compute


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2 + 2", "4"),
        (" -(3 + 4) * 2 ", "-14"),
        ("7 / 2", "3.5"),
        ("7 // 2", "3"),
        ("7 % 4", "3"),
        ("0.1 + 0.2", "0.3"),
        ("2 ** 10", "1024"),
        ("2 ** -1", "0.5"),
        ("1e300 * 2", "2e+300"),
        ("99999999999999999999 + 1", "100000000000000000000"),
        ("2 ** 9999", str(2**9999)),
    ],
)
def test_arithmetic_is_computed(expression: str, result: str) -> None:
    assert compute(expression) == result


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("9 ** 9 ** 9", "too large"),
        ("9.0 ** 9999", "too large"),
        ("2 ** 10001", "too large"),
        ("1e999", "too large"),
        ("1e308 * 10 - 1e308 * 10", "too large"),
        ("(2 ** 9000) * (2 ** 9000)", "too large"),
        ("(2 ** 9000) / 3", "too large"),
        ("1 / 0", "Division by zero"),
        ("0 ** -1", "Division by zero"),
        ("(-8) ** 0.5", "not a real number"),
        ("__import__('os').system('true')", "Only numbers"),
        ("().__class__", "Only numbers"),
        ("'a' * 1000", "Only numbers"),
        ("True + 1", "Only numbers"),
        ("1 < 2", "Only numbers"),
        ("2j", "Only numbers"),
        ("[1] * 2", "Only numbers"),
        ("x := 1", "not an arithmetic expression"),
        ("2 +", "not an arithmetic expression"),
        ("", "not an arithmetic expression"),
        ("1\0", "not an arithmetic expression"),
        ("(" * 100 + "1" + ")" * 99, "not an arithmetic expression"),
        ("1" * 201, "longer than 200"),
    ],
)
def test_anything_else_is_refused_with_a_reason(expression: str, reason: str) -> None:
    with pytest.raises(BadArithmetic, match=reason):
        compute(expression)


@pytest.mark.parametrize("expression", ["-" * 199 + "1", "(" * 99 + "1" + ")" * 99, "1+" * 99 + "1"])
def test_deep_expressions_end(expression: str) -> None:
    assert compute(expression)


def test_the_tool_is_named_and_described() -> None:
    assert calculator.name == "calculator"
    assert calculator.args == {"expression": {"title": "Expression", "type": "string"}}
    assert calculator.invoke({"expression": "12 * (3 + 4)"}) == "84"
