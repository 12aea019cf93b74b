"""Security, secrets: models and text lose them before they are stored; bytes do not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import Meta
from pydantic import BaseModel, SecretStr, field_serializer

from journal import StorageError, StorageErrorCode
from journal.testing import memory_journal, records
from tests.security.planted import VALUE


class Session(BaseModel):
    """A model with a secret in it."""

    user: str
    access_token: str


async def sessions() -> AsyncIterator[Session]:
    """Models as they come."""
    for number in range(3):
        yield Session(user=f"u{number}", access_token=VALUE)


@pytest.mark.anyio
async def test_every_kind_of_model_payload_is_cleaned_and_counted() -> None:
    """Security: an artifact says how many secrets it is without."""
    one = Session(user="bob", access_token=VALUE)
    async with memory_journal() as journal, journal.run(project="p") as run:
        for payload, count in ((one, 1), ([one, one], 2), (sessions(), 3), (iter([one]), 1)):
            stored = await run.store(payload)
            assert stored.redacted == count
            text = await journal.load(stored)
            assert isinstance(text, str)
            assert VALUE not in text
            assert text.count("[redacted:access_token]") + text.count("[redacted:token]") == count
        persisted = records(journal, run.id)[-1]
        assert "1 secrets taken out" in persisted.message


@pytest.mark.anyio
async def test_bytes_and_files_are_stored_as_they_are(tmp_path: Path) -> None:
    """Security: a file that was changed on its way would not be that file; the docs say so."""
    path = tmp_path / "settings.json"
    path.write_text(f'{{"password":"{VALUE}"}}')
    async with memory_journal() as journal, journal.run(project="p") as run:
        for payload in (path, path.read_bytes()):
            stored = await run.store(payload)
            assert stored.redacted == 0
            found = await journal.load(stored)
            raw = found.encode() if isinstance(found, str) else found
            assert raw == path.read_bytes()


class Hidden(BaseModel):
    """A model whose secret pydantic writes as stars."""

    key: SecretStr


class Shown(BaseModel):
    """A model that writes its secret itself."""

    api_key: SecretStr

    @field_serializer("api_key")
    def _write(self, key: SecretStr) -> str:
        return key.get_secret_value()


@pytest.mark.anyio
async def test_a_secret_type_is_counted_and_never_written() -> None:
    """Security: stars do not come back as the secret, so they count as taken out."""
    async with memory_journal() as journal, journal.run(project="p") as run:
        for model in (Hidden(key=SecretStr(VALUE)), Shown(api_key=SecretStr(VALUE))):
            stored = await run.store(model)
            assert stored.redacted == 1
            assert VALUE not in str(await journal.load(stored))


@pytest.mark.anyio
async def test_a_model_that_admits_nothing_else_is_refused() -> None:
    """Security: what would not come back is refused before a byte is stored."""

    class Strict(BaseModel):
        password: Annotated[str, Meta()]

        def model_post_init(self, context: Any, /) -> None:
            if self.password.startswith("[") or not self.password:
                raise ValueError("no password")

    async with memory_journal() as journal, journal.run(project="p") as run:
        with pytest.raises(StorageError) as caught:
            await run.store(Strict(password=VALUE))
        assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
        assert VALUE not in b"".join(journal.log.read(run.id)).decode()
