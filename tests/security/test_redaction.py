"""Security, secrets: no byte of one reaches a disk, whatever event or artifact it stood in."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta
from pydantic import BaseModel

from journal import Event, Journal, Run, SecretsGuard, StorageError, StorageErrorCode
from journal.draft import Draft, body_digest, freeze
from journal.errors import storage_error
from journal.events.base import ErrorInfo
from journal.events.log import LogEmitted, SnapshotRecorded
from journal.events.phase import PhaseCompleted
from journal.events.run import RunCreated
from journal.limits import MESSAGE_CHARS_MAX
from journal.testing import memory_journal, records
from tests.security.planted import FORMS, SECRETS, VALUE
from tests.unit.lines import RUN

KEY = FORMS["api_key"]


class SignedIn(Event, frozen=True, kw_only=True):
    """Somebody signed in."""

    event_name: ClassVar[str] = "acme.signed_in"
    user: str
    password: str
    attempts: int = 1

    def sentence(self, phase: str | None) -> str:
        return f"{self.user} signed in with {self.password}."


class Pinned(Event, frozen=True, kw_only=True):
    """An event whose own types leave no room for anything else."""

    event_name: ClassVar[str] = "acme.pinned"
    token: Annotated[str, Meta(max_length=10)]


class Ready(Event, frozen=True, kw_only=True):
    """An event that carries ready-made JSON."""

    event_name: ClassVar[str] = "acme.ready"
    body: msgspec.Raw


class Session(BaseModel):
    """A model with a secret in it."""

    user: str
    access_token: str
    note: str = ""


def refused(event: Event, **fields: Any) -> StorageError:
    """Return the error with which an event is refused."""
    with pytest.raises(StorageError) as caught:
        freeze(RUN, event, **fields)
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    assert VALUE not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


async def tell_everything(run: Run, secret: str) -> None:
    """Say a secret in every way in which a run can say something."""
    quoted = f"request failed: {{'password': '{secret}', 'user': 'bob'}}"
    run.log("info", f"using {secret}", api_key=secret, nested=[{"token": secret}])
    run.log("info", quoted)
    await run.annotate(quoted, actor="bob")
    await run.append(SignedIn(user="bob", password=secret))
    with suppress(ConnectionError):
        async with run.phase("fetch") as phase:
            phase.summarize(api_key=secret, answer=quoted)
            phase.log("warning", quoted, headers={"Authorization": secret})
            with suppress(ConnectionError):
                async with phase.step("call"):
                    raise ConnectionError(quoted)
            await phase.store(
                Session(user="bob", access_token=secret, note=f"https://bob:{secret}@host/"),
                description=quoted,
                metadata={"secret": secret},
            )
            await phase.store([Session(user="bob", access_token=secret)], description="lines")
            await phase.store(f"see https://bob:{secret}@host/", description="text")
            raise ConnectionError(quoted)


@pytest.mark.anyio
async def test_no_file_of_a_store_holds_a_secret(tmp_path: Path) -> None:
    """Security: redaction stands before hashing, so that nothing has to be forgotten later."""
    store = tmp_path / "store"
    with suppress(ConnectionError):
        async with Journal.open(store) as journal:
            parameters = {"api_key": VALUE, "url": f"https://bob:{VALUE}@host/", "day": 3}
            async with journal.run(project="p", parameters=parameters) as run:
                await tell_everything(run, VALUE)
                raise ConnectionError(f"request failed with --password={VALUE}")
    files = [path for path in store.rglob("*") if path.is_file()]
    assert len(files) > 6
    assert [path.name for path in files if VALUE.encode() in path.read_bytes()] == []
    log = next(store.rglob("events.jsonl")).read_text()
    assert '"api_key":"[secret:api_key]"' in log
    assert '"user":"bob"' in log
    assert "run_failed" in log


@pytest.mark.anyio
async def test_running_text_of_an_artifact_is_content() -> None:
    """A manual that shows ``passwd='…'`` must reach the next phase as the first one wrote it."""
    manual = "db = connect(user='klem', passwd='hunter2')\nexport API_KEY=abc\n"
    async with memory_journal() as journal, journal.run(project="p") as run:
        async with run.phase("extract") as phase:
            text = await phase.store(manual)
            model = await phase.store(Session(user="bob", access_token=VALUE, note=manual))
        assert (text.redacted, await journal.load(text)) == (0, manual)
        kept = await journal.load(model, Session)
        assert isinstance(kept, Session)
        assert (kept.note, kept.access_token) == (manual, "[redacted:token]")


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_no_line_holds_a_secret_of_a_known_form(form: str) -> None:
    """Security: a form is a secret under whatever name, or under none."""
    secret = FORMS[form]
    async with memory_journal() as journal:
        async with journal.run(project="p", parameters={"note": secret, "n": 1}) as run:
            run.log("info", f"said {secret} twice", data=[secret], note={"a": {"b": secret}})
            async with run.phase("fetch") as phase:
                stored = await phase.store(f"first\n{secret}\nlast")
        lines = b"".join(journal.log.read(run.id))
        assert SECRETS[form].split("\n")[0].encode() not in lines
        assert stored.redacted == 1
        text = await journal.load(stored)
        assert isinstance(text, str)
        assert SECRETS[form] not in text
        assert (text[:5], text[-4:]) == ("first", "last")
        assert records(journal, run.id)[-1].event == "run_completed"


def test_a_sentence_is_made_of_what_is_left() -> None:
    """Security: an event tells its own fields; short secrets are in there, too."""
    draft = freeze(RUN, SignedIn(user="bob", password="abc"))
    assert draft.event == SignedIn(user="bob", password="[redacted:password]")
    assert b'"message":"bob signed in with [redacted:password]."' in draft.middle
    assert b"abc" not in draft.middle


def test_a_message_beside_a_named_secret_does_not_tell_it() -> None:
    """Security: who logs a secret as a field often says it in the text as well."""
    draft = freeze(RUN, LogEmitted(data={"api_key": VALUE}), message=f"using {VALUE}.")
    assert b'"message":"using [redacted:api_key]."' in draft.middle


def test_counts_of_tokens_are_left_alone() -> None:
    """Security: a usage without its numbers would be a log without its costs."""
    data = {"usage": {"prompt_tokens": 3, "token_count": 4, "tokens": "5"}, "max_tokens": 6}
    event = LogEmitted(data=data)
    assert freeze(RUN, event).event == event


def test_ready_made_json_hides_nothing_behind_escapes() -> None:
    """Security: only our own encoder spells a name in one way."""
    for body in (
        f'{{"\\u0061pi_key":"{VALUE}"}}',
        f'{{"a":"https:\\/\\/bob:{VALUE}@host"}}',
        f'{{"to\\u006ben":"{VALUE}"}}',
    ):
        draft = freeze(RUN, Ready(body=msgspec.Raw(body.encode())))
        assert VALUE.encode() not in draft.middle
        assert b"[redacted:" in draft.middle
    plain = Ready(body=msgspec.Raw(b'{"a":"line\\nline"}'))
    assert freeze(RUN, plain).event == plain


def test_a_name_that_looks_like_a_secret_is_refused() -> None:
    """Security: two partitions must not become one, nor two appends one append."""
    event = PhaseCompleted(revision=1, duration_s=0.0, partition=KEY)
    assert "partition" in refused(event, phase="fetch").info.message
    assert "key" in refused(LogEmitted(), key=f"{KEY}-1").info.message
    assert "phase" in refused(LogEmitted(), phase="glpat-" + "x" * 20).info.message


def test_what_its_types_would_not_admit_is_refused() -> None:
    """Security: neither the secret is written, nor an event that could not be read again."""
    assert "types" in refused(Pinned(token="k-123")).info.message


def test_an_actor_is_cleaned() -> None:
    """Security: a note's author may come from a header."""
    draft = freeze(RUN, LogEmitted(), actor=f"{FORMS['bearer']} (bob)")
    assert b'"actor":"[redacted:bearer] (bob)"' in draft.middle


def test_a_patch_of_a_snapshot_is_cleaned() -> None:
    """Security: a document that is adopted brings its parameters along."""
    patch = ({"op": "add", "path": "/parameters/api_key", "value": VALUE},)
    event = SnapshotRecorded(document="run_state", sha256="0" * 64, patch=patch)
    assert VALUE.encode() not in freeze(RUN, event).middle


@pytest.mark.anyio
async def test_a_retry_with_the_same_secret_is_the_same_append() -> None:
    """Security: the digest behind a key is of what was written, and that is the same twice."""
    async with memory_journal() as journal, journal.run(project="p") as run:
        first = await run.append(SignedIn(user="bob", password=VALUE), key="sign-in-1")
        again = await run.append(SignedIn(user="bob", password=VALUE), key="sign-in-1")
        assert first == again
        with pytest.raises(StorageError) as caught:
            await run.append(SignedIn(user="eve", password=VALUE), key="sign-in-1")
        assert caught.value.code is StorageErrorCode.CONFLICT


def test_the_digest_of_a_body_holds_nothing_to_guess_from() -> None:
    """Security: a short secret could be found again by trying all."""

    def digest(password: str) -> str:
        drafts: list[Draft] = [freeze(RUN, SignedIn(user="bob", password=password))]
        return body_digest(draft.middle for draft in drafts)

    assert digest("1234") == digest("9876")


def test_half_a_secret_is_not_left_where_a_text_is_cut() -> None:
    """Security: error texts are cut to their bound, and a cut secret has no form any more."""
    clean = SecretsGuard().cleaner().text
    for shift in range(0, 90, 7):
        said = "x" * (MESSAGE_CHARS_MAX - 40 - shift) + f" {{'password': '{VALUE * 3}'}}" + "y" * 90
        told = ErrorInfo.of(ValueError(said), clean=clean)
        assert VALUE[:6] not in told.message
        assert VALUE[:6] not in (told.traceback or "")


@pytest.mark.anyio
async def test_the_guard_is_of_the_journal() -> None:
    """Security: what counts is said where a store is opened, once for all of its runs."""
    guard = SecretsGuard(keys={"code"}, allow={"token"})
    async with memory_journal() as made:
        journal = Journal(made.log, made.artifacts, secrets=guard)
        async with journal.run(project="p") as run:
            await run.log("info", "x", code=VALUE, token="kept", password=VALUE)
        await journal.close()
        data = records(journal, run.id)[2].data
        assert isinstance(data, LogEmitted)
        assert data.data == {
            "code": "[redacted:code]",
            "token": "kept",
            "password": "[redacted:password]",
        }


@pytest.mark.anyio
async def test_off_is_said_and_not_forgotten(tmp_path: Path) -> None:
    """Security: a setting that came out empty must not switch the guard off."""
    with pytest.raises(StorageError) as caught:
        async with Journal.open(tmp_path / "store", secrets=None):  # type: ignore[arg-type]
            pass
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    assert not (tmp_path / "store").exists()


def test_errors_of_the_storage_keep_their_places() -> None:
    """Security: run ids, digests and paths are no secrets, whatever they look like."""
    failure = storage_error(
        StorageErrorCode.CORRUPT, f"run {RUN} line 3: {'a' * 64}", run_id=RUN, path="/a/b"
    )
    told = ErrorInfo.of(failure, clean=SecretsGuard().cleaner().text)
    assert told.message == str(failure)
    created = RunCreated.__struct_fields__
    assert "target" in created
