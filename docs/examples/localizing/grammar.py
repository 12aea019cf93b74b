r"""
Placeholders and escapes, exactly: where each one starts and ends.

Three styles: `%s`, `%(name)s`; `{name}`, `{0:>{width}}`; `$name`, `${name}`. In the style that the
program really formats with, the grammar is Python's own. The other styles, and prose, are read by
what can hardly be anything else: `% s` in "100% sure" is a placeholder only to a `%` operator.
Backslash escapes (`\n` in a text that shows one) count in every style. Never changes a text.

Below: models. Above: extract, pseudo, qa.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from localizing.models import Span, Style

_CONVERSION = "[diouxXeEfFgGcrsa]"
_SIZE = r"(?:\*|\d+)?(?:\.(?:\*|\d+)?)?"
_PERCENT_EXACT = re.compile(
    rf"%(?:\((?:[^()]|\([^()]*\))*\))?[#0\- +]*{_SIZE}[hlL]?{_CONVERSION}", re.ASCII
)
# Without the space flag, and with the single letters that dates are formatted with (`%Y-%m-%d`).
_PERCENT_SEEN = re.compile(
    rf"%(?:\([^()\n]*\))?[#0\-+]*{_SIZE}{_CONVERSION}|%[A-Za-z](?![a-z])", re.ASCII
)
_BRACE_SEEN = re.compile(
    r"\{(?:[A-Za-z_]\w*|\d+)?(?:\.\w+|\[[^\]{}\n]*\])*(?:![rsa])?"
    r"(?::[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*)?\}",
    re.ASCII,
)
_DOLLAR = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})", re.ASCII)
_BACKSLASH = re.compile(
    r"\\(?:N\{[^{}\n]*\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{1,3}|[A-Za-z\\'\"])"
)
_START = re.compile(r"[%{}$\\]")
_DOUBLED = frozenset({"%%", "{{", "}}", "$$"})


class Mark(NamedTuple):
    """A placeholder or an escape: `text[start:end]`."""

    kind: Literal["placeholder", "escape"]
    start: int
    end: int


def marks(text: str, style: Style) -> Iterator[Mark]:
    """Every placeholder and escape of `text`, left to right, none inside another."""
    pos = 0
    fields = _FieldScanner(text) if style == "brace" else None
    while found := _START.search(text, pos):
        start = found.start()
        if text[start : start + 2] in _DOUBLED:
            yield Mark("escape", start, start + 2)
            pos = start + 2
            continue
        end = _mark_end(text, start, style, fields)
        if end is not None:
            yield Mark("escape" if text[start] == "\\" else "placeholder", start, end)
        pos = start + 1 if end is None else end


def placeholders(text: str, style: Style) -> list[str]:
    """The placeholders of `text`, in order, as they are spelled."""
    return [text[m.start : m.end] for m in marks(text, style) if m.kind == "placeholder"]


def escapes(text: str, style: Style) -> list[str]:
    """The escapes of `text`, in order, as they are spelled."""
    return [text[m.start : m.end] for m in marks(text, style) if m.kind == "escape"]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same ground, sorted, with spans that overlap or touch made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def pieces(text: str, kept: Iterable[Span]) -> Iterator[tuple[str, bool]]:
    """Cut `text` at the spans of `kept`: `(piece, whether it is kept)`; joined, they are `text`."""
    pos = 0
    for start, end in merged(kept):
        if pos < start:
            yield text[pos:start], False
        yield text[start:end], True
        pos = end
    if pos < len(text):
        yield text[pos:], False


def _mark_end(text: str, start: int, style: Style, fields: "_FieldScanner | None") -> int | None:
    match text[start]:
        case "%":
            pattern = _PERCENT_EXACT if style == "percent" else _PERCENT_SEEN
        case "{":
            if fields is not None and (end := fields.end(start)) is not None:
                return end
            pattern = _BRACE_SEEN
        case "$":
            pattern = _DOLLAR
        case "\\":
            pattern = _BACKSLASH
        case _:
            return None
    found = pattern.match(text, start)
    return found.end() if found else None


class _FieldScanner:
    """Finds the end of a replacement field, which may hold fields, brackets and quoted text."""

    def __init__(self, text: str) -> None:
        self._text = text
        # One field that never closes means that the text is no valid format string. Looking for
        # the end again from each later brace would make a hostile text quadratic.
        self._gave_up = False

    def end(self, start: int) -> int | None:
        """The position after the brace that closes the one at `start`; None if none does."""
        if self._gave_up:
            return None
        depth, quote, pos = 0, "", start
        while pos < len(self._text):
            char = self._text[pos]
            if quote:
                if char == "\\":
                    pos += 1
                elif char == quote:
                    quote = ""
            elif char in "'\"":
                quote = char
            elif char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
                if not depth:
                    return pos + 1
            pos += 1
        self._gave_up = True
        return None
