"""Security, errors: none holds a byte of a payload, wherever it was met (case 84)."""

import pickle
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from pydantic import BaseModel

from journal import Event, Journal, SecretsGuard, StorageError
from journal.draft import freeze
from journal.errors import StorageBatchError
from journal.events.log import LogEmitted
from journal.testing import memory_journal
from projections import Projections
from tests.unit.lines import RUN

PLANTED = "zq9-planted-payload"
OFF = SecretsGuard(well_known=False)  # the guard must not be what keeps them clean


class Chosen(Event, frozen=True, kw_only=True):
    """An event whose types refuse much."""

    event_name: ClassVar[str] = "acme.chosen"
    choice: Literal["a", "b"] = "a"
    short: Annotated[str, Meta(max_length=3)] = ""
    number: int = 0
    more: Any = None


class Row(BaseModel):
    """A model that refuses much."""

    number: int
    text: str = ""


def told(failure: BaseException) -> str:
    """Return all that a person or a program gets of an error."""
    assert isinstance(failure, StorageError)
    parts = [str(failure), repr(failure), failure.info.model_dump_json()]
    parts.append(str(pickle.loads(pickle.dumps(failure))))  # noqa: S301 - our own, just made
    if isinstance(failure, StorageBatchError):
        parts += [told(each) for each in failure.errors]
    return "\n".join(parts)


values = st.one_of(
    st.just(PLANTED),
    st.just(PLANTED + "\ud800"),
    st.just({PLANTED: PLANTED, "n": float("nan")}),
    st.just((PLANTED,)),
    st.just(PLANTED.encode()),
    st.just([{PLANTED: 2**70}]),
    st.just(PLANTED * 60_000),
)


def refusal(call: Callable[[], object]) -> str:
    """Return what is said when something is refused; nothing where it is not."""
    try:
        call()
    except StorageError as failure:
        return told(failure)
    except (TypeError, AttributeError) as failure:  # a slip of the code: a key that is no text
        return str(failure)
    return ""


@given(values, st.sampled_from(["choice", "short", "number", "more"]))
@settings(max_examples=60)
def test_a_refused_event_is_not_quoted(value: Any, field: str) -> None:
    """Case 84 and Security: what was refused may be what should not have been said."""
    given_away = [
        refusal(lambda: freeze(RUN, Chosen(**{field: value}), guard=OFF)),
        refusal(lambda: freeze(RUN, LogEmitted(data={"x": value}), guard=OFF)),
        refusal(lambda: freeze(RUN, LogEmitted(), message=value, guard=OFF)),
        refusal(lambda: freeze(RUN, LogEmitted(), key=value, guard=OFF)),
        refusal(lambda: freeze(RUN, LogEmitted(), actor=value, guard=OFF)),
    ]
    assert [said for said in given_away if PLANTED in said] == []


async def rows(items: list[Any]) -> AsyncIterator[Any]:
    """Items as they come."""
    for item in items:
        yield item


@pytest.mark.anyio
async def test_a_refused_payload_is_not_quoted() -> None:
    """Case 84 and Security: neither in the error, nor in the event that tells it."""
    wrong: list[Any] = [
        f"{PLANTED}\ud800",
        {PLANTED: PLANTED},
        [Row(number=1, text=PLANTED), PLANTED],
        Row.model_construct(number=PLANTED),  # type: ignore[arg-type]  # the point of it
        rows([Row(number=1), {PLANTED: 1}]),
        Row.model_construct(number=1, text=f"{PLANTED}\udfff"),
        12,
    ]
    async with memory_journal() as made:
        journal = Journal(made.log, made.artifacts, secrets=OFF)
        async with journal.run(project="p") as run:
            for payload in wrong:
                with pytest.raises(StorageError) as caught:
                    await run.store(payload)
                assert PLANTED not in told(caught.value)
            stored = await run.store(f'{{"number": "{PLANTED}", "{PLANTED}": 1}}', format="txt")
            as_json = stored.model_copy(update={"format": "json"})
            with pytest.raises(StorageError) as caught:
                await journal.load(as_json, Row)
            assert PLANTED not in told(caught.value)
        await journal.close()
        lines = b"".join(journal.log.read(run.id))
        assert PLANTED.encode() not in lines


async def _made(store: Path) -> str:
    async with Journal.open(store, secrets=OFF) as journal:
        parameters = {PLANTED: PLANTED}
        async with journal.run(project="p", parameters=parameters) as run:
            for number in range(4):
                run.log("info", PLANTED, n=number, **{PLANTED: PLANTED})
            async with run.phase("a") as phase:
                await phase.store(PLANTED * 3, description=PLANTED, metadata={PLANTED: PLANTED})
    return run.id


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with the payload in every place that it can be in."""
    store = tmp_path_factory.mktemp("planted") / "store"
    return store, anyio.run(_made, store)


async def _everything(store: Path, run_id: str) -> list[str]:
    """Do all that reads a damaged store; return all errors and findings as text."""
    said: list[str] = []

    async def attempt(act: Callable[[], Awaitable[object]]) -> None:
        try:
            said.append(repr(await act()))
        except StorageError as failure:
            said.append(told(failure))

    async def errors_listed() -> list[Any]:
        async with Projections.open(store) as runs:
            return [record.error for record in await runs.list()]

    async def verify() -> list[Any]:
        async with Projections.open(store) as runs:
            return [finding.model_dump_json() for finding in await runs.verify()]

    async def read() -> None:
        async with Projections.open(store) as runs:
            await runs.state(run_id)
            async for _ in runs.records(run_id):
                pass

    async def load() -> None:
        async with Projections.open(store) as runs:
            for artifact in await runs.artifacts(run_id):
                async for _ in runs.open_artifact(artifact.artifact_id):
                    pass

    async def resume() -> None:
        async with Journal.open(store) as journal, journal.resume(run_id):
            pass

    for act in (verify, errors_listed, read, load, resume):
        await attempt(act)
    return said


DAMAGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "a flipped bit": lambda data, dice: _flip(data, dice.randrange(len(data))),
    "cut off": lambda data, dice: data[: dice.randrange(1, len(data))],
    "half of it again": lambda data, dice: data + data[dice.randrange(len(data)) :],
    "no quote": lambda data, dice: data.replace(b'"', b"", 1 + dice.randrange(9)),
    "a line twice": lambda data, dice: data + data.splitlines(keepends=True)[0],
    "text": lambda data, dice: PLANTED.encode() * 40,
}


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


@pytest.mark.parametrize("name", ["events.jsonl", "head", "checkpoint", "artifact"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_described_without_what_is_in_it(
    tmp_path: Path, whole: tuple[Path, str], damage: str, name: str
) -> None:
    """Case 84 and Security: errors go into reports and tickets, logs do not."""
    for seed in range(2):
        store = tmp_path / str(seed)
        shutil.copytree(whole[0], store)
        place = "artifacts/*" if name == "artifact" else name
        path = next(store.glob(f"runs/*/*/*/{whole[1]}/{place}"))
        path.write_bytes(DAMAGE[damage](path.read_bytes(), random.Random(seed)))
        said = anyio.run(_everything, store, whole[1])
        assert len(said) == 5
        assert [text for text in said if PLANTED in text] == [], (damage, name, seed)
        shutil.rmtree(store)
