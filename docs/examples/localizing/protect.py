"""
What no translator may touch: names, code, addresses, options.

Two kinds of evidence. A *shape* speaks for itself in any text: `snake_case`, `CamelCase`, `a.b`,
`f()`, `--option`, ``code``, a URL, a <tag>, a /path. A *name* (HTTP, None) looks like a word, so it
counts only when the context phase has listed it. Whole runs only: a span never ends inside a word.

Below: models. Above: extract, terms, memory.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from localizing.models import Span

_SHAPES = r"""
    (?::[a-z]+(?::[a-z]+)?:)?`[^`\n]+`                       # :class:`Role` and `code`
  | ``(?:[^`\n]|`(?!`))+``                                   # ``code``
  | (?:https?|ftp)://[A-Za-z0-9\-._~:/?\#@!&'()*+,;=]*       # never %, $ or braces: placeholders,
        [A-Za-z0-9\-_~/\#&=+]                               # nor the full stop of the sentence
  | (?<![\w.+-])[\w.+-]+@\w[\w-]*(?:\.\w[\w-]*)+             # mail address
  | </?[A-Za-z][\w-]*(?:\s[^<>\n]*)?/?>                       # tag
  | (?<![\w-])--?[A-Za-z][\w-]*                              # option
  | (?<![\w/])/\w+(?:/[\w.-]*\w)+(?!\w)                      # path
  | (?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?:\(\))?       # dotted.name
  | (?<!\w)[A-Za-z_]\w*\(\)                                  # call()
  | (?<!\w)(?:[A-Za-z0-9]*_\w*[A-Za-z]\w*|[A-Za-z]\w*_\w*)   # snake_case
  | (?<!\w)[A-Za-z0-9]*[a-z][A-Z]\w*                         # camelCase, ValueError
  | (?<!\w)[A-Z]{2,}[a-z]\w*                                 # HTTPServer, URLs
  | (?<!\w)[A-Za-z]+[0-9]\w*                                 # utf8, base64
"""


def locked_spans(text: str, names: frozenset[str] = frozenset()) -> tuple[Span, ...]:
    """The untouchable spans of `text`: what its shape gives away, and every one of `names`."""
    return tuple(found.span() for found in _pattern(names).finditer(text))


def identifiers(text: str, spans: Iterable[Span]) -> list[str]:
    """The locked spans of `text` that are Python names, dotted ones too; without `()` or quotes."""
    cut = (text[start:end].strip("`").removesuffix("()") for start, end in spans)
    return [name for name in cut if _is_name(name)]


def _is_name(text: str) -> bool:
    # "e.g" and "i.e" have the shape of a dotted name.
    parts = text.split(".")
    return all(part.isidentifier() for part in parts) and any(len(part) > 1 for part in parts)


@lru_cache(maxsize=8)
def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    listed = "|".join(re.escape(name) for name in sorted(names, key=lambda n: (-len(n), n)))
    extra = rf"| (?<!\w)(?:{listed})(?!\w)" if listed else ""
    return re.compile(_SHAPES + extra, re.VERBOSE | re.ASCII)
