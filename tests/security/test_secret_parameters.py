"""Security, keys: those that a run needs are recorded by name, supplied again by who resumes."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr

from journal import Journal, Phase, Pipeline, SecretsGuard, StorageError
from journal.events.run import RunCreated
from journal.ids import parse_run_id
from journal.parameters import (
    plain_parameters,
    recorded_parameters,
    secret_names,
    supplied_parameters,
    variable_of,
)
from journal.secrets import DEFAULT_GUARD
from journal.testing import memory_journal, records
from tests.cli.support import Command
from tests.security.planted import FORMS, VALUE


class Database(BaseModel):
    """Where data comes from."""

    url: str
    password: SecretStr


class Parameters(BaseModel):
    """Parameters of every kind: plain, secret by type, by name, by form."""

    day: str = "2026-11-22"
    key: SecretStr = Field(SecretStr(VALUE), min_length=12)
    raw: SecretBytes | None = None
    databases: list[Database] = []
    api_key: str = ""
    note: str = ""


FULL = Parameters(
    key=SecretStr(VALUE),
    raw=SecretBytes(VALUE.encode()),
    databases=[Database(url=f"https://bob:{VALUE}@host/", password=SecretStr(VALUE))],
    api_key=VALUE,
    note=f"with {FORMS['github_token']}",
)
RECORDED = {
    "day": "2026-11-22",
    "key": "[secret:key]",
    "raw": "[secret:raw]",
    "databases": [{"url": "[secret:databases.0.url]", "password": "[secret:databases.0.password]"}],
    "api_key": "[secret:api_key]",
    "note": "[secret:note]",
}


def code(caught: pytest.ExceptionInfo[StorageError]) -> tuple[str, str | None]:
    """Return what kind of refusal it was."""
    return caught.value.code.value, caught.value.info.details.reason


def test_a_secret_parameter_is_recorded_as_its_place() -> None:
    """Security: half a parameter would be a wrong one, so the whole value is a reference."""
    assert recorded_parameters(FULL, DEFAULT_GUARD) == RECORDED
    assert recorded_parameters(plain_parameters(FULL), DEFAULT_GUARD) == {
        **RECORDED,
        "key": VALUE,  # a plain text under a name that says nothing
        "raw": VALUE,
    }


def test_a_secret_type_is_a_reference_also_without_a_guard() -> None:
    """Security: stars would be taken for the secret when the run goes on."""
    recorded = recorded_parameters(FULL, SecretsGuard(well_known=False))
    assert recorded["key"] == "[secret:key]"
    assert recorded["api_key"] == VALUE


def test_supplied_again_they_are_what_they_were() -> None:
    """Security: what was taken out can be put back at its place, and only there."""
    given = dict.fromkeys(secret_names(RECORDED), VALUE)
    given |= {"databases.0.url": FULL.databases[0].url, "note": FULL.note}
    assert supplied_parameters(RECORDED, given, {}, run_id="r") == plain_parameters(FULL)
    around = {variable_of(name): value for name, value in given.items()}
    assert "JOURNAL_SECRET_DATABASES_0_PASSWORD" in around
    assert supplied_parameters(RECORDED, {}, around, run_id="r") == plain_parameters(FULL)
    around["JOURNAL_SECRET_API_KEY"] = "another"
    assert supplied_parameters(RECORDED, given, around, run_id="r")["api_key"] == VALUE


def test_what_nobody_supplies_is_named_and_said_how() -> None:
    """Security: a run that goes on with a reference for a password would fail far away."""
    with pytest.raises(StorageError) as caught:
        supplied_parameters(RECORDED, {"key": VALUE}, {}, run_id="r")
    assert code(caught) == ("validation_error", "secret_missing")
    assert "api_key" in caught.value.info.message
    assert "JOURNAL_SECRET_API_KEY" in str(caught.value.info.details.next_action)
    assert VALUE not in str(caught.value)


def test_what_is_no_secret_cannot_be_changed_on_the_way() -> None:
    """Security: a resumed run has the parameters that it was created with."""
    with pytest.raises(StorageError) as caught:
        supplied_parameters(RECORDED, {"day": "2026-11-23"}, {}, run_id="r")
    assert code(caught) == ("validation_error", "no_secret")


@pytest.mark.parametrize(
    "wrong",
    [
        {FORMS["github_token"]: 1},
        {"a.b": {"password": "x1"}, "a": {"b": {"password": "x2"}}},
        {"a": {"a" * 300: {"password": "x1"}}},
    ],
)
def test_secrets_that_could_not_be_told_apart_are_refused(wrong: dict[str, Any]) -> None:
    """Security: one reference for two secrets would give both the same value."""
    with pytest.raises(StorageError) as caught:
        recorded_parameters(wrong, DEFAULT_GUARD)
    assert code(caught) == ("validation_error", "parameters")


class Seen(BaseModel):
    """What a phase saw."""

    lengths: list[int]


def fetching(seen: list[str], fail: int = 1) -> Pipeline:
    """Return a pipeline that sees its secrets and fails as often as it is told."""
    pipeline = Pipeline("fetching", parameters=Parameters)

    @pipeline.phase()
    async def fetch(phase: Phase, parameters: Parameters) -> Seen:
        phase.log("info", f"with {parameters.key.get_secret_value()}", api_key=parameters.api_key)
        seen.append(parameters.key.get_secret_value())
        if len(seen) <= fail:
            raise ConnectionError(f"refused: {{'api_key': '{parameters.api_key}'}}")
        return Seen(lengths=[len(parameters.api_key)])

    return pipeline


async def failed_run(journal: Journal, pipeline: Pipeline) -> str:
    """Return the id of a run that failed at its first try."""
    ids: list[str] = []
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, FULL, on_run=lambda run: ids.append(run.id))
    return ids[0]


@pytest.mark.anyio
async def test_phases_get_the_secret_and_the_log_its_name() -> None:
    """Security: that is the point of a secret parameter."""
    seen: list[str] = []
    async with memory_journal() as journal:
        run_id = await failed_run(journal, fetching(seen))
        created = records(journal, run_id)[0].data
        assert isinstance(created, RunCreated)
        assert created.parameters == RECORDED
        assert seen == [VALUE]
        assert VALUE.encode() not in b"".join(journal.log.read(parse_run_id(run_id)))


@pytest.mark.anyio
async def test_a_resumed_run_gets_its_secrets_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Security: by hand or by the environment; without them nothing is written."""
    seen: list[str] = []
    pipeline = fetching(seen, fail=1)
    async with memory_journal() as journal:
        run_id = await failed_run(journal, pipeline)
        before = len(records(journal, run_id))
        with pytest.raises(StorageError) as caught:
            await pipeline.resume(journal, run_id)
        assert code(caught) == ("validation_error", "secret_missing")
        assert len(records(journal, run_id)) == before
        for name in secret_names(RECORDED):
            monkeypatch.setenv(variable_of(name), f"{VALUE}-2")
        result = await pipeline.resume(journal, run_id, secrets={"api_key": "abc"})
        assert seen[-1] == f"{VALUE}-2"
        assert result.outputs["fetch"] == Seen(lengths=[3])


class Signed(BaseModel):
    """What a phase returns and should not."""

    access_token: str


def signing(secrets: SecretsGuard = DEFAULT_GUARD) -> tuple[Pipeline, list[str]]:
    """Return a pipeline whose first phase returns a token; its second fails at first."""
    pipeline, got = Pipeline("signing", secrets=secrets), []

    @pipeline.phase()
    async def sign(phase: Phase) -> Signed:
        return Signed(access_token=VALUE)

    @pipeline.phase(after=["sign"])
    async def use(phase: Phase, sign: Signed) -> None:
        got.append(sign.access_token)
        if len(got) == 1:
            raise ConnectionError("try again")

    return pipeline, got


@pytest.mark.anyio
async def test_an_output_without_its_secrets_is_not_handed_back() -> None:
    """Security: it is not what the phase returned, and nobody is to go on with another value."""
    pipeline, got = signing()
    ids: list[str] = []
    async with memory_journal() as journal:
        with pytest.raises(ConnectionError):
            await pipeline.run(journal, on_run=lambda run: ids.append(run.id))
        assert got == [VALUE]
        with pytest.raises(StorageError) as caught:
            await pipeline.resume(journal, ids[0])
        assert code(caught) == ("conflict", "redacted")
        assert "--redo sign" in str(caught.value)
        await pipeline.resume(journal, ids[0], redo=["sign"])
        assert got == [VALUE, VALUE]


@pytest.mark.anyio
async def test_a_house_that_allows_the_name_gets_it_back() -> None:
    """Security: what is no secret here is kept, and handed back as it was."""
    pipeline, got = signing(SecretsGuard(allow={"access_token"}))
    ids: list[str] = []
    async with memory_journal() as made:
        journal = Journal(made.log, made.artifacts, secrets=pipeline.secrets)
        with pytest.raises(ConnectionError):
            await pipeline.run(journal, on_run=lambda run: ids.append(run.id))
        await pipeline.resume(journal, ids[0])
        await journal.close()
        assert got == [VALUE, VALUE]


TARGET = """
from pydantic import BaseModel, SecretStr
from journal import Phase, Pipeline, SecretsGuard

class Parameters(BaseModel):
    api_key: SecretStr
    days: int = 1

pipeline = Pipeline("calls", parameters=Parameters, secrets=SecretsGuard(keys={"codeword"}))

@pipeline.phase()
async def call(phase: Phase, parameters: Parameters) -> str:
    phase.log("info", "x", codeword="abracadabra")
    key = parameters.api_key.get_secret_value()
    if key.endswith("-1"):
        raise ValueError("no")
    return f"{len(key)} characters"
"""


def test_the_command_takes_secrets_from_the_environment(tmp_path: Path) -> None:
    """Security: what is typed stays in a history; and what is missing is asked for by name."""
    (tmp_path / "calls.py").write_text(TARGET)
    command = Command(tmp_path)
    ran = command.process("run", "calls.py", JOURNAL_SECRET_API_KEY=f"{VALUE}-1")
    run_id = ran.stdout.strip()
    assert ran.returncode == 1
    shown = json.loads(command.process("show", run_id, "--json").stdout)
    assert shown["parameters"]["api_key"] == "[secret:api_key]"
    asked = command.process("resume", run_id)
    assert asked.returncode == 1
    assert "JOURNAL_SECRET_API_KEY" in asked.stderr
    assert command.process("resume", run_id, "-p", "days=2").returncode == 1
    assert command.process("resume", run_id, "-p", f"api_key={VALUE}-2").returncode == 0
    log = next((tmp_path / ".journal").rglob("events.jsonl")).read_bytes()
    assert VALUE.encode() not in log
    assert b"abracadabra" not in log
