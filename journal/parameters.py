"""
Parameters of a run: what is recorded of them, and how secret ones are supplied again.

A secret parameter is recorded as a reference, ``[secret:db.password]``: its place among the
parameters, and nothing of its value. Secret are pydantic's ``SecretStr`` and ``SecretBytes``, and
whatever the secrets guard finds; it is the whole value then, for half a parameter would be wrong
without a word. Who resumes the run supplies the values again: by hand, or in the environment.

Below: errors, secrets, artifacts.models. Above: journal, pipeline, and the command's ``resume``.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from journal.artifacts.models import decode_model, holds_special
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.secrets import SecretsGuard, marker

_REFERENCE = re.compile(r"\[secret:([^\[\]]{1,256})\]")
_SECRET = marker("secret")


def plain_parameters(parameters: BaseModel | Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters as plain JSON, secrets in the clear: what the run works with, never recorded."""
    return _with_marks(parameters)[0]


def recorded_parameters(
    parameters: BaseModel | Mapping[str, Any] | None, guard: SecretsGuard
) -> dict[str, Any]:
    """
    Parameters as ``run_created`` records them: plain JSON, references in place of secrets.

    Raises ``validation_error`` for a key that is a secret, and for two secrets of one name.
    """
    plain, marked = _with_marks(parameters)
    cleaner = guard.cleaner()
    try:
        cleaned = cleaner.value(marked)
    except RecursionError as failure:
        raise _refused("they are nested too deeply, or hold themselves") from failure
    if marked is plain and not cleaner.count:
        return plain
    found: dict[str, Any] = _refer(plain, cleaned, "", set())
    return found


def check_parameters(parameters: BaseModel) -> None:
    """
    Refuse parameters with which the run could not be resumed.

    Raises ``validation_error`` for what their own model would not take back, for NaN and infinity.
    """
    text = json.dumps(plain_parameters(parameters)).encode()
    if holds_special(parameters.model_dump(warnings=False)):
        raise _refused("they hold NaN or infinity")
    decode_model(text, type(parameters), "what the parameters write")


def secret_names(recorded: Mapping[str, Any]) -> list[str]:
    """The secret parameters that a run was created with, in the order of the parameters."""
    found: list[str] = []

    def note(name: str) -> str:
        found.append(name)
        return ""

    _replace(recorded, note)
    return found


def variable_of(name: str) -> str:
    """The environment variable that supplies a secret parameter."""
    return "JOURNAL_SECRET_" + re.sub(r"[^A-Z0-9]+", "_", name.upper())


def supplied_parameters(
    recorded: Mapping[str, Any],
    given: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    run_id: str,
) -> dict[str, Any]:
    """
    Recorded parameters with their secrets supplied: out of ``given``, else ``environment``.

    Raises ``validation_error`` (reason ``secret_missing``) that names what nobody supplied, and
    (reason ``no_secret``) for a name in ``given`` that is no secret parameter of the run.
    """
    names = secret_names(recorded)
    strange = [name for name in given if name not in names]
    if strange:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"run {run_id} has no secret parameter {strange[0]!a}; all others are as the run was "
            "created. Nothing was written.",
            run_id=run_id,
            reason="no_secret",
            next_action=f"supply {', '.join(names) or 'none'}",
        )
    values = {**{name: environment.get(variable_of(name)) for name in names}, **given}
    missing = [name for name in names if values[name] is None]
    if missing:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"run {run_id} was created with secret parameters, which are not recorded: "
            f"{', '.join(missing)}. Nothing was written.",
            run_id=run_id,
            reason="secret_missing",
            next_action=f"set {' and '.join(map(variable_of, missing))}, then "
            f"journal resume {run_id}",
        )
    filled: dict[str, Any] = _replace(recorded, values.__getitem__)
    return filled


def _with_marks(
    parameters: BaseModel | Mapping[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plain JSON in the clear, and the same with a mark where a model holds ``SecretStr``."""
    if parameters is None:
        return {}, {}
    if not isinstance(parameters, BaseModel):
        plain = dict(parameters)
        return plain, plain
    try:
        typed = parameters.model_dump(warnings=False)
        written = json.loads(parameters.model_dump_json(warnings=False))
    except (ValueError, RecursionError) as failure:
        raise _refused("they cannot be written as JSON") from failure
    if not isinstance(written, dict):
        raise _refused("they are no object")
    return _reveal(typed, written)


def _reveal(typed: Any, written: Any) -> tuple[Any, Any]:
    """Walk what a model holds beside what it writes: that is stars where the secret is."""
    if isinstance(typed, SecretStr | SecretBytes):
        secret = typed.get_secret_value()
        text = secret if isinstance(secret, str) else secret.decode("utf-8", "surrogateescape")
        return text, _SECRET if text else text
    if isinstance(typed, Mapping) and isinstance(written, dict) and len(typed) == len(written):
        pairs = {
            key: _reveal(value, written[key])
            for key, value in zip(written, typed.values(), strict=True)
        }
        return {k: pair[0] for k, pair in pairs.items()}, {k: pair[1] for k, pair in pairs.items()}
    if isinstance(typed, list | tuple) and isinstance(written, list) and len(typed) == len(written):
        both = [_reveal(*each) for each in zip(typed, written, strict=True)]
        return [pair[0] for pair in both], [pair[1] for pair in both]
    return written, written


def _refer(plain: Any, cleaned: Any, path: str, used: set[str]) -> Any:
    """``plain`` with a reference wherever ``cleaned`` differs."""
    if isinstance(plain, dict):
        if list(plain) != list(cleaned):
            raise _refused("the name of one looks like a secret")
        return {
            key: _refer(value, cleaned[key], f"{path}.{key}" if path else str(key), used)
            for key, value in plain.items()
        }
    if isinstance(plain, list):
        both = enumerate(zip(plain, cleaned, strict=True))
        return [_refer(*pair, f"{path}.{number}", used) for number, pair in both]
    if plain == cleaned:
        return plain
    name = re.sub(r"[\[\]\s]", "_", path)
    if name in used or len(name) > 256:
        raise _refused("two secrets among them would have the same name, or one an endless one")
    used.add(name)
    return f"[secret:{name}]"


def _replace(recorded: Any, value_of: Callable[[str], Any]) -> Any:
    if isinstance(recorded, Mapping):
        return {key: _replace(value, value_of) for key, value in recorded.items()}
    if isinstance(recorded, list | tuple):
        return [_replace(value, value_of) for value in recorded]
    match = _REFERENCE.fullmatch(recorded) if isinstance(recorded, str) else None
    return recorded if match is None else value_of(match[1])


def _refused(why: str) -> StorageError:
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"the parameters are refused: {why}. Nothing was written.",
        reason="parameters",
        next_action="mend the parameters, then try again",
    )
