"""
What passes between the phases of the example: typed, frozen, every field described.

All of it is JSON when written down, so that each phase's result can be stored and read back.
Holds no rules: those are in the file of the phase that makes the model.

Below: nothing. Above: every other file of this folder.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["docstring", "argparse", "exception"]
Style = Literal["percent", "brace", "dollar", "prose"]
TermKind = Literal["word", "phrase", "identifier"]
Status = Literal["translated", "repaired"]
FindingCode = Literal[
    "placeholder_lost",
    "placeholder_added",
    "escape_changed",
    "brackets_changed",
    "protected_changed",
    "too_long",
    "bidi_unbalanced",
    "untranslated",
    "edge_space_changed",
]

Span = tuple[int, int]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0)]


class Model(BaseModel):
    """Strict and frozen: a phase hands on what it made, and nobody changes it afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class SourceString(Model):
    """One piece of text that a person reads, and where it stands."""

    id: Id = Field(description="digest of path, kind, line and text: the same on every run")
    path: str = Field(description="file, relative to the root, with forward slashes")
    module: str = Field(description="dotted module name made from the path")
    line: int = Field(ge=1, description="line of the source file, counted from 1")
    kind: Kind = Field(description="where the text comes from")
    style: Style = Field(description="how the program formats it; prose is not formatted at all")
    text: str = Field(description="the text as the program sees it, escapes of the literal undone")
    placeholders: tuple[str, ...] = Field(description="placeholders in order, as they are spelled")
    occurrences: int = Field(ge=1, description="how often this kind and text stand in the file")


class FileStrings(Model):
    """All that one source file gave."""

    path: str = Field(description="file, relative to the root")
    module: str = Field(description="dotted module name")
    strings: tuple[SourceString, ...] = Field(description="in the order of their lines")
    repeats: Count = Field(description="further occurrences of a text within this file")
    code: Count = Field(description="doctests, literal blocks and bare names: not for a translator")
    wordless: Count = Field(description="texts without one translatable word")
    refused: Count = Field(description="texts too long or not writable as UTF-8")


class SkippedFile(Model):
    """A file that could not be read or parsed. It is reported; the others go on."""

    path: str = Field(description="file or folder, relative to the root")
    reason: str = Field(description="one line: what was wrong with it")


class Term(Model):
    """Something that recurs in several modules."""

    text: str = Field(description="lower case, except for identifiers")
    kind: TermKind = Field(description="a word, two or three words in a row, or an identifier")
    modules: Count = Field(description="number of modules that hold it")
    count: Count = Field(description="number of times it stands in all of them")


class ModuleContext(Model):
    """What a translator should know before opening a module."""

    module: str = Field(description="dotted module name")
    strings: Count = Field(description="number of source strings")
    words: Count = Field(description="number of words in them")
    terms: tuple[Term, ...] = Field(description="its terms, the most telling first; counts are its")


class Context(Model):
    """The result of the context phase."""

    terms: tuple[Term, ...] = Field(description="what recurs most, per kind, over all modules")
    names: tuple[str, ...] = Field(description="acronyms and constants that stay as they are")
    modules: tuple[ModuleContext, ...] = Field(description="in the order of the sources")


class Unit(Model):
    """One text to translate, however many source strings share it."""

    key: Id = Field(description="digest of style and text")
    style: Style = Field(description="how the program formats it")
    text: str = Field(description="the source text")
    locked: tuple[Span, ...] = Field(description="spans that must not be translated: [start, end)")
    string_ids: tuple[Id, ...] = Field(min_length=1, description="every string with this text")


class Translation(Model):
    """One unit in one language."""

    key: Id = Field(description="the unit's key")
    locale: str = Field(description="the language it is in")
    target: str = Field(description="the translated text")
    status: Status = Field(description="as the first pass left it, or repaired after a finding")


class Finding(Model):
    """One rule that one translation breaks."""

    code: FindingCode = Field(description="the rule")
    locale: str = Field(description="the language of the translation")
    key: Id = Field(description="the unit's key")
    string_id: Id = Field(description="the first source string with this text")
    detail: str = Field(description="what was expected and what was found, in one line")


class ExportLine(Model):
    """One source string with its translation: a line of the delivered file."""

    id: Id = Field(description="the source string's id")
    module: str = Field(description="dotted module name")
    line: int = Field(ge=1, description="line of the source file")
    source: str = Field(description="the source text")
    target: str = Field(description="the translated text")
    status: Status = Field(description="how the translation came about")
    reused: bool = Field(description="whether an earlier string with the same text was translated")


class Usage(Model):
    """What a step has worked through. Pseudo-localisation costs nothing, so there is no price."""

    tokens_in: Count = Field(description="words and punctuation marks read")
    tokens_out: Count = Field(description="words and punctuation marks written")
    cost_usd: float = Field(ge=0, description="always 0: no paid service is asked")
