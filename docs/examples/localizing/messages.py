"""
A syntax-tree expression -> the text a person would read, and how it is formatted.

Understands literals, f-strings, `%`, `.format()`, `Template().substitute()`, `_()` and `+`. What
is computed inside becomes a placeholder: `f"no {name}"` and `"no " + name` both read `no {name}`.
Anything else is no message. Never evaluates code.

Below: models. Above: extract.
"""

import ast
from typing import NamedTuple

from localizing.models import Style

_GETTEXT = frozenset({"_", "gettext", "N_"})
_SUBSTITUTE = frozenset({"substitute", "safe_substitute"})


class Message(NamedTuple):
    """A text, and the style in which the program formats it."""

    text: str
    style: Style


def message(node: ast.expr) -> Message | None:
    """The message that `node` spells out, or None if it spells none."""
    match node:
        case ast.Constant(value=str(text)):
            return Message(text, "prose")
        case ast.JoinedStr():
            return _f_string(node)
        case ast.BinOp(op=ast.Mod(), left=left):
            return _formatted(left, "percent")
        case ast.BinOp(op=ast.Add()):
            return _joined(node)
        case ast.Call(func=ast.Attribute(value=receiver, attr="format")):
            return _formatted(receiver, "brace")
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=made, args=[template, *_]), attr=attr)
        ) if attr in _SUBSTITUTE and _called(made) == "Template":
            return _formatted(template, "dollar")
        case ast.Call(func=func, args=[first]) if _called(func) in _GETTEXT:
            return message(first)
        case _:
            return None


def _called(func: ast.expr) -> str:
    """The last part of a called name: `Template` for `string.Template(...)`."""
    match func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _formatted(node: ast.expr, style: Style) -> Message | None:
    inner = message(node)
    # A text that is already formatted and then formatted again has no single style: left alone.
    return Message(inner.text, style) if inner and inner.style == "prose" else None


def _f_string(node: ast.JoinedStr) -> Message:
    if all(isinstance(value, ast.Constant) for value in node.values):
        return Message("".join(_plain(value) for value in node.values), "prose")
    return Message("".join(_as_brace(value) for value in node.values), "brace")


def _joined(node: ast.BinOp) -> Message | None:
    """`a + b + …`: prose if all of it is, else one text with fields for what is computed."""
    parts = _operands(node)
    read = [message(part) for part in parts]
    if not any(read):
        return None
    if all(found and found.style == "prose" for found in read):
        return Message("".join(found.text for found in read if found), "prose")
    if any(found and found.style in {"percent", "dollar"} for found in read):
        return None
    return Message("".join(_as_brace(part) for part in parts), "brace")


def _operands(node: ast.expr) -> list[ast.expr]:
    """The terms of a sum, left to right. A sum is as deep as it is long, hence no recursion."""
    right_to_left: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        right_to_left.append(node.right)
        node = node.left
    return [node, *reversed(right_to_left)]


def _as_brace(node: ast.expr) -> str:
    """`node` as a part of a brace-style text: words escaped, code as a field."""
    match node:
        case ast.FormattedValue(value=value, conversion=conversion, format_spec=spec):
            suffix = f"!{chr(conversion)}" if conversion >= 0 else ""
            if isinstance(spec, ast.JoinedStr):
                suffix += ":" + "".join(_in_spec(part) for part in spec.values)
            return _field(value, suffix)
        case _:
            pass
    found = message(node)
    if found is None:
        return _field(node, "")
    return _escaped(found.text) if found.style == "prose" else found.text


def _in_spec(node: ast.expr) -> str:
    # Inside a format spec braces cannot be escaped, so the words stand as they are.
    return _plain(node) if isinstance(node, ast.Constant) else _as_brace(node)


def _plain(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _field(value: ast.expr, suffix: str) -> str:
    code = ast.unparse(value)
    # `{{` would be an escape: Python itself asks for a space before a set or dict.
    return "{" + (" " if code.startswith("{") else "") + code + suffix + "}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
