"""
The secrets guard: what must never reach a log or an artifact is taken out before it is hashed.

``SecretsGuard`` says what counts as a secret; a ``Cleaner`` takes it out of one event or payload
and puts ``[redacted:api_key]`` in its place: which kind it was, and nothing that a guess could be
compared with. Only texts are replaced; numbers, flags and nulls stay. Most lines hold nothing that
looks like a secret, and one quick look says so. Never decides what becomes of an event.

Below: errors, limits, secretpatterns. Above: artifacts.models, codec, draft, parameters, journal.
"""

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, field_validator
from pydantic_core import SchemaValidator, core_schema

from journal.errors import StorageErrorCode, storage_error
from journal.limits import SECRET_CHARS_MASKED
from journal.secretpatterns import (
    BLOCK_CHARS,
    FIRST_LOOK,
    FORM_LOOK,
    FORMS,
    HEADERS,
    IN_TEXT,
    PRIVATE_KEY,
    SECOND_LOOK,
    TEXT_TOKEN_SIBLINGS,
    blocks,
    is_same_thing,
    named,
    value_at,
    words_of,
)

_KEPT = re.compile(r"\[(?:redacted|secret):[^\[\]]{1,256}\]|\*+|\$\{\w+\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY_CHARS_MAX = 128
_SHORTEST = 8  # a text with a name and a value, or a form, in it has at least so many characters


def marker(name: str) -> str:
    """What stands where a secret stood."""
    return f"[redacted:{name}]"


def _names(value: Any) -> frozenset[str]:
    if not isinstance(value, set | frozenset) or not all(isinstance(name, str) for name in value):
        raise ValueError("a set of names is wanted")
    if not all(map(words_of, value)):
        raise ValueError("a name needs a letter or a digit")
    return frozenset(value)


Names = Annotated[AbstractSet[str], PlainValidator(_names)]


class SecretsGuard(BaseModel):
    """
    What counts as a secret. Made once, given to ``Journal.open(..., secrets=…)``; never changes.

    Without arguments: values of well-known names (``password``, ``api_key``, ``token``, …; any
    case, any separator, as the last words of a name) and values of well-known forms (keys and
    tokens of large services, JWT, ``Bearer …``, PEM private keys, passwords in URLs).
    ``SecretsGuard(well_known=False)`` redacts nothing of its own accord; ``keys`` and ``patterns``
    still hold.

    Raises pydantic's ``ValidationError`` for a pattern that is no regular expression or that
    matches an empty text, and for a name that is none.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    keys: Names = Field(frozenset(), description="more names whose values are secrets")
    patterns: dict[str, str] = Field(
        default_factory=dict,
        description="more forms: what it is called -> a regular expression of Python",
    )
    allow: Names = Field(
        frozenset(), description="names and forms that are left alone, such as 'token' or 'jwt'"
    )
    well_known: bool = Field(True, description="whether the well-known names and forms count")

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if not _NAME.fullmatch(name):
                raise ValueError("a pattern's name is lower case: [a-z][a-z0-9_]*")
            try:
                empty = re.compile(pattern).search("") is not None
            except re.error as failure:
                raise ValueError(f"pattern {name} is no regular expression") from failure
            if empty:
                raise ValueError(f"pattern {name} matches an empty text, so it would match all")
        return dict(patterns)

    @cached_property
    def suspects(self) -> Callable[[str | bytes], bool]:
        """
        Whether a text (UTF-8, if bytes) may hold a secret; false alarms are no harm.

        Asked of every line, so it is an expression in Rust: any of Python's own takes longer than
        all else that happens to a line. With a form of the user's own every line is suspect.
        """
        if self.patterns:
            return lambda text: True
        own = [re.escape(max(words, key=len)) for words in self._tails]
        if not own and not self.well_known:
            return lambda text: False
        known = (FIRST_LOOK, SECOND_LOOK) if self.well_known else ()
        first, second = (_matcher("|".join([*own, *look])) for look in (known[:1], known[1:]))
        if all(map(str.isascii, own)):

            def look(text: str | bytes) -> bool:
                lowered = text.lower()
                return first(lowered) and second(lowered)

            return look

        def look_at_letters(text: str | bytes) -> bool:
            lowered = (text.decode() if isinstance(text, bytes) else text).lower()
            return first(lowered) and second(lowered)

        return look_at_letters

    @cached_property
    def holds_form(self) -> Callable[[str], bool]:
        """Whether a text may hold a secret by its form."""
        if self.patterns or not self.well_known:
            return lambda text: bool(self.patterns)
        look = _matcher(FORM_LOOK)
        return lambda text: look(text.lower())

    @cached_property
    def _tails(self) -> frozenset[tuple[str, ...]]:
        return frozenset(words_of(name) for name in self.keys)

    @cached_property
    def _allowed(self) -> frozenset[tuple[str, ...]]:
        return frozenset(words_of(name) for name in self.allow)

    @cached_property
    def _forms(self) -> tuple[tuple[str | None, re.Pattern[str]], ...]:
        """The user's own forms, then all well-known ones as one expression."""
        own = [(name, re.compile(text)) for name, text in self.patterns.items()]
        known = [f"(?P<{name}>{form})" for name, form in FORMS.items() if self.counts(name)]
        return (*own, *([(None, re.compile("|".join(known)))] if known else []))

    def cleaner(self, *, prose: bool = True) -> "Cleaner":
        """For one event or, without ``prose``, for one artifact: its running text is content."""
        return Cleaner(self, prose=prose)

    def named(self, key: str) -> str | None:
        """The kind of secret that stands under ``key``, or ``None``."""
        short = key[-_KEY_CHARS_MAX:]
        found = named(short, self._tails, well_known=self.well_known)
        return None if found is None or words_of(short) in self._allowed else found

    def counts(self, form: str) -> bool:
        """Whether a well-known form counts as a secret."""
        return self.well_known and form not in self.allow

    def take_out(self, text: str, found: Callable[[str, str], str]) -> str:
        """``text`` with every match of a form replaced by what ``found(name, match)`` gives."""
        for own, form in self._forms:

            def put(match: re.Match[str], own: str | None = own) -> str:
                return found(own or match.lastgroup or "", match[0])

            text = form.sub(put, text)
        return text


def _matcher(pattern: str) -> Callable[[str | bytes], bool]:
    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


DEFAULT_GUARD = SecretsGuard()

AS_RECORDED = SecretsGuard(well_known=False)
"""For what was looked at when it was recorded first."""


def check_guard(guard: SecretsGuard) -> SecretsGuard:
    """Refuse what is no guard with ``validation_error``: off is what somebody says, not forgets."""
    if isinstance(guard, SecretsGuard):
        return guard
    raise storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"secrets is {type(guard).__name__}, not a SecretsGuard. Nothing was opened.",
        reason="secrets",
        next_action="leave it out, or say SecretsGuard(well_known=False) to redact nothing",
    )


class Cleaner:
    """
    Takes the secrets out of one event or payload; ``count`` says how many there were.

    Values under a secret's name are remembered, so that a message can be rid of them, too.
    ``prose``: names in running text count; in a document, ``password=…`` is somebody's example.
    """

    def __init__(self, guard: SecretsGuard, *, prose: bool = True) -> None:
        self.count = 0
        self._guard = guard
        self._prose = prose
        self._seen: dict[str, str] = {}

    def json(self, text: bytes) -> bytes:
        """JSON in UTF-8, cleaned; the same object where there was nothing to take out."""
        if not self._guard.suspects(text):
            return text
        before = self.count
        cleaned = self.value(msgspec.json.decode(text))
        return text if self.count == before else msgspec.json.encode(cleaned)

    def value(self, value: Any) -> Any:
        """A value as ``json.loads`` gives it, cleaned: objects, lists and texts inside it, too."""
        return self._value(value, None)

    def text(self, text: str) -> str:
        """A text without secrets of a known form, and without values beside a secret's name."""
        if len(text) <= BLOCK_CHARS or not self._guard.suspects(text):
            return text if len(text) < _SHORTEST else self._block(text)
        if self._guard.counts("private_key"):  # the one form that has many lines
            text = PRIVATE_KEY.sub(lambda match: self._form("private_key", match[0]), text)
        return "".join(map(self._block, blocks(text)))

    def _block(self, text: str) -> str:
        if not self._guard.suspects(text):
            return text
        if self._prose and ("=" in text or ":" in text):
            text = self._named_in_text(text)
        return self._guard.take_out(text, self._form) if self._guard.holds_form(text) else text

    def mask(self, text: str) -> str:
        """``text`` without the values that stood under a secret's name so far."""
        for value, name in self._seen.items():
            if len(value) >= SECRET_CHARS_MASKED and value in text:
                text = text.replace(value, marker(name))
                self.count += 1
        return text

    def _value(self, value: Any, secret: str | None) -> Any:
        if isinstance(value, str):
            return self.text(value) if secret is None else self._named(value, secret)
        if isinstance(value, dict):
            return self._object(value, secret)
        if isinstance(value, list):
            # Objects in a list are records, not values: each has names of its own.
            return [self._value(each, None if isinstance(each, dict) else secret) for each in value]
        return value

    def _object(self, found: dict[str, Any], around: str | None) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, value in found.items():
            name = self.text(key)
            while name in cleaned:  # two keys that were secrets: neither may hide the other
                name += "'"
            cleaned[name] = self._value(value, self._held(key, found, around))
        return cleaned

    def _held(self, key: str, beside: dict[str, Any], around: str | None) -> str | None:
        """The kind of secret that stands under ``key`` of the object ``beside``."""
        held = self._guard.named(key)
        if held == "token" and key.lower() == held and not TEXT_TOKEN_SIBLINGS.isdisjoint(beside):
            return None
        if held is None and around is not None:
            # password: {"old": …}, secrets: {"openai": …}; but a schema says what is to come.
            map_of_secrets = around.endswith("s") and around != "credentials"
            if "type" not in beside and (map_of_secrets or is_same_thing(key)):
                return around
        if held is None and key == "value":
            return self._pointed_at(beside)
        return held

    def _pointed_at(self, beside: dict[str, Any]) -> str | None:
        """``{"name": "DB_PASSWORD", "value": …}``, and a JSON patch by its path."""
        for pointer in ("name", "key", "header"):
            name = beside.get(pointer)
            if isinstance(name, str):
                return self._guard.named(name)
        path = beside.get("path")
        if "op" in beside and isinstance(path, str):
            return self._guard.named(path.rpartition("/")[2])
        return None

    def _named(self, value: str, name: str) -> str:
        if not value or _KEPT.fullmatch(value):
            return value  # nothing there, already taken out, or a reference
        self._seen.setdefault(value, name)
        self.count += 1
        return marker(name)

    def _form(self, name: str, found: str) -> str:
        self.count += 1
        if name == "userinfo":  # the user in front of it tells who could not sign in
            return f"{found.partition(':')[0]}:{marker('password')}@"
        return marker(name)

    def _named_in_text(self, text: str) -> str:
        parts: list[str] = []
        done = at = 0
        while (match := IN_TEXT.search(text, at)) is not None:
            at = max(match.end(), match.start() + 1)
            name = self._name_of(match)
            if name is None:
                if match["quote"]:
                    at = match.start("quote") + len(match["quote"])  # it may have closed a text
                continue
            value = value_at(text, match)
            if value and not _KEPT.fullmatch(value):
                parts += (text[done : match.end()], marker(name))
                done = at = match.end() + len(value)
                self.count += 1
        return "".join([*parts, text[done:]]) if parts else text

    def _name_of(self, match: re.Match[str]) -> str | None:
        key = match["key"] or match["argument"] or match["option"] or match["variable"]
        if key is not None:
            return self._guard.named(key)
        return self._guard.named(match["header"]) if match["header"].lower() in HEADERS else None
