"""
Inputs out of other inputs: bytes turned, cut, doubled and swapped; JSON changed as JSON.

Everything comes from the random numbers that are handed in, so a seed gives the same inputs each
time.
"""

import random
import re
from collections.abc import Callable, Sequence

from journal.events.registry import BUILT_IN

SIZE_MAX = 200_000
"""Longer inputs cost time and show nothing new; the caps have tests of their own."""

_VALUE = re.compile(
    rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?|true|false|null|\[\]|\{\}', re.DOTALL
)
_PAIR = re.compile(
    rb'"(?:[^"\\]|\\.)*":(?:"(?:[^"\\]|\\.)*"|[^,{}\[\]"]+|\[[^\[\]{}]*\]|\{\})', re.DOTALL
)

VALUES: Sequence[bytes] = (
    *(b"%d" % n for n in (0, 1, -1, 2, 3, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)),
    *(b"%d" % n for n in (2**64, -(2**63), -(2**63) - 1, 10**19, 10**40)),
    b"9" * 5_000,
    *b"NaN Infinity -Infinity 1e999 -1e999 1e-999 1.0 -0 -0.0 01 1e5 1E400 .5 +1".split(),
    *b"null true false {} [] [1,2] [1,1] [[]] {{} True None".split(),
    *(b'""', b'"x"', b'"\\ud800"', b'"\\udc00x"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\xff"'),
    *(b'"\xed\xa0\x80"', b'"\xc0\x80"', '"\u2028\u2029\x85\ufeff\u202e"'.encode(), b'"\x01"'),
    *(b'"%b"' % ("é" * 200).encode(), b'"\\"', b"'x'", b"\xef\xbb\xbf1", b"\x00"),
    *(b"[" * n + b"]" * n for n in (1, 60, 61, 62, 63, 64, 65, 200, 2_000, 30_000)),
    b'{"a":' * 70 + b"1" + b"}" * 70,
    b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":2}',
    b'{"":{"":[]}}',
    *(b'"%b"' % kind.event_name.encode() for kind in BUILT_IN),
    *(b'"acme.sent"', b'"run_dreamt"', b'"acme."', b'"2026-11-22T24:00:00.000000Z"'),
    *(b'"9999-12-31T23:59:59.999999Z"', b'"0001-01-01T00:00:00.000000Z"', b'"2026-02-30"'),
    *(b'"1970-01-01T00:00:00.000000Z"', b'"2026-11-22T12:00:00.000000+00:00"'),
)
TOKENS: Sequence[bytes] = (
    *(b"\n", b"\r\n", b"\0", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\xef\xbb\xbf"),
    *("\u2028".encode(), "\u202e".encode(), "e\u0301".encode(), "İ".encode(), b"\xff\xfe"),
    *(b"..", b"/", b"~", b"-", b"--", b"@", b"@latest", b"@-1", b"=", b"%s", b"$(x)", b"*", b"?"),
    *(b'"v":2,', b'"v":0,', b'"key":"k",', b'"actor":1,'),
    b'"clock":"2026-11-22T11:00:00.000000Z",',
    *(b',"hash":"', b',"batch":[1,1]', b'"}\n', b'{"seq":', b"run-journal head 1 ", b"closed"),
    *(b"run_created", b"CON", b"nul.txt", b"(" * 500, b"9" * 4_301, b"a{9999999999}", "٣".encode()),
)


class Mutator:
    """Makes inputs of one target; ``pool`` are its seeds."""

    def __init__(self, rng: random.Random, pool: Sequence[bytes]) -> None:
        self._rng = rng
        self._pool = pool
        self._changes: Sequence[Callable[[bytes], bytes]] = (
            *(self._value,) * 6,
            *(self._pair,) * 3,
            *(self._flip, self._cut, self._double, self._token, self._byte, self._cross) * 2,
            *(self._lines, self._wrap),
        )

    def next(self) -> bytes:
        """Another input: a seed, changed once or a few times."""
        data = self._rng.choice(self._pool)
        for _ in range(self._rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 5, 9))):
            data = self._rng.choice(self._changes)(data)
        return data[:SIZE_MAX]

    def change(self, data: bytes) -> bytes:
        """The input, changed once."""
        return self._rng.choice(self._changes)(data)[:SIZE_MAX]

    def _some(self, found: list[tuple[int, int]]) -> tuple[int, int]:
        return self._rng.choice(found)

    def _spans(self, pattern: re.Pattern[bytes], data: bytes) -> list[tuple[int, int]]:
        return [match.span() for match in pattern.finditer(data[:20_000])]

    def _value(self, data: bytes) -> bytes:
        found = self._spans(_VALUE, data)
        if not found:
            return self._token(data)
        start, end = self._some(found)
        return data[:start] + self._rng.choice(VALUES) + data[end:]

    def _pair(self, data: bytes) -> bytes:
        found = self._spans(_PAIR, data)
        if not found:
            return self._double(data)
        start, end = self._some(found)
        other, until = self._some(found)
        pair = data[start:end]
        match self._rng.randrange(4):
            case 0:  # twice
                return data[:end] + b"," + pair + data[end:]
            case 1:  # gone
                return data[:start].rstrip(b",") + data[end:]
            case 2:  # elsewhere
                return data[:other] + pair + b"," + data[other:]
            case _:  # in the place of another
                return data[:other] + pair + data[until:]

    def _wrap(self, data: bytes) -> bytes:
        found = self._spans(_VALUE, data)
        if not found:
            return data
        start, end = self._some(found)
        levels = self._rng.choice((1, 2, 58, 61, 62, 64, 900, 5_000))
        return data[:start] + b"[" * levels + data[start:end] + b"]" * levels + data[end:]

    def _place(self, data: bytes) -> int:
        return self._rng.randrange(len(data) + 1)

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\0"
        at = self._rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._rng.randrange(8)]) + data[at + 1 :]

    def _byte(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._rng.randbytes(1) + data[at + self._rng.randrange(2) :]

    def _cut(self, data: bytes) -> bytes:
        start = self._place(data)
        length = int(self._rng.expovariate(1 / 12))
        return data[:start] if length > 50 else data[:start] + data[start + length :]

    def _double(self, data: bytes) -> bytes:
        start = self._place(data)
        part = data[start : start + int(self._rng.expovariate(1 / 20))]
        return data[:start] + part * self._rng.choice((1, 1, 1, 2, 40)) + data[start:]

    def _token(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._rng.choice(TOKENS) + data[at:]

    def _cross(self, data: bytes) -> bytes:
        other = self._rng.choice(self._pool)
        return data[: self._place(data)] + other[self._place(other) :]

    def _lines(self, data: bytes) -> bytes:
        lines = data.split(b"\n")
        one, other = self._rng.randrange(len(lines)), self._rng.randrange(len(lines))
        match self._rng.randrange(3):
            case 0:
                lines[one], lines[other] = lines[other], lines[one]
            case 1:
                lines.insert(one, lines[other])
            case _:
                del lines[one]
        return b"\n".join(lines)
