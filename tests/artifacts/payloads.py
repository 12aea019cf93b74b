"""Models that tests store: ordinary ones, and ones that do not come back."""

from typing import Any

import pytest
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

from journal.artifacts.codec import encode
from journal.errors import StorageError

SECRET = "the cook's secret"


class Line(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    number: int
    text: str
    score: float | None = None
    extra: JsonValue = None


class Camel(BaseModel):
    """Writes names and by itself would read aliases only."""

    line_count: int = Field(alias="lineCount")


class Area(BaseModel):
    """Writes a field that it refuses to read."""

    model_config = ConfigDict(extra="forbid")

    side: int

    @computed_field
    def area(self) -> int:
        return self.side**2


class Loose(BaseModel):
    """Takes anything, as a model does whose author trusted everybody."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    value: object = None


unchecked: Any = Line.model_construct
texts = st.text(st.characters(exclude_categories=["Cs"]))

LINE = Line(number=1, text="één")
LINE_JSON = '{"number":1,"text":"één","score":null,"extra":null}\n'.encode()


def everything(payload: Any) -> bytes:
    return b"".join(encode(payload))


def refusal(payload: Any) -> StorageError:
    with pytest.raises(StorageError) as raised:
        everything(payload)
    return raised.value
