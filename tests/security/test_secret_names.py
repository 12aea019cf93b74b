"""Security, secrets: which names say that a secret follows, and which only sound like it."""

from typing import Any

import pytest
from pydantic import ValidationError

from journal.secretpatterns import named, words_of
from journal.secrets import DEFAULT_GUARD, SecretsGuard
from tests.security.planted import HOLDING, NOT_HOLDING, VALUE


def cleaned(value: Any, guard: SecretsGuard = DEFAULT_GUARD) -> Any:
    """Return the value as it would be recorded."""
    return guard.cleaner().value(value)


@pytest.mark.parametrize("name", HOLDING)
def test_a_text_under_a_secrets_name_is_taken_out(name: str) -> None:
    """Security: whatever case and separator somebody writes, the name says what follows."""
    gone = cleaned({name: VALUE})[name]
    assert gone.startswith("[redacted:")
    assert VALUE not in gone
    assert cleaned({"a": [{name: [VALUE, ""]}]})["a"][0][name] == [gone, ""]


@pytest.mark.parametrize("name", NOT_HOLDING)
def test_a_text_under_a_name_that_only_sounds_like_it_stays(name: str) -> None:
    """Security: what is taken out by mistake is lost, and no log gives it back."""
    for each in (name, name.upper(), name.replace("_", "-")):
        assert cleaned({each: VALUE}) == {each: VALUE}


@pytest.mark.parametrize("name", ["password", "token", "usage.token", "API_KEY"])
def test_only_texts_are_taken_out(name: str) -> None:
    """Security: a count, a flag or nothing is no secret; it may be what the run is about."""
    for value in (0, 8000, 0.25, True, None, [], [1, 2.5], {}, {"limit": 3}):
        assert cleaned({name: value}) == {name: value}


def test_what_was_taken_out_and_references_stay() -> None:
    """Security: who copies a redacted event does not lose which kind of secret it was."""
    for value in ("", "[redacted:api_key]", "[secret:db.password]", "********", "${API_KEY}"):
        assert cleaned({"password": value}) == {"password": value}


def test_a_token_of_a_text_is_no_credential() -> None:
    """Security: language models and parsers say token, too; what stands beside it tells."""
    for beside in ("logprob", "lemma", "column", "offset"):
        assert cleaned({"token": "Hello", beside: 1}) == {"token": "Hello", beside: 1}
    assert cleaned({"token": "Hello", "expires": 1})["token"] == "[redacted:token]"


def test_a_name_beside_its_value_counts() -> None:
    """Security: environments, headers and patches keep names and values apart."""
    assert cleaned({"name": "DB_PASSWORD", "value": VALUE})["value"] == "[redacted:password]"
    assert cleaned([{"key": "api_key", "value": VALUE}])[0]["value"] == "[redacted:api_key]"
    patch = {"op": "replace", "path": "/parameters/api_key", "value": VALUE}
    assert cleaned(patch)["value"] == "[redacted:api_key]"
    assert cleaned({"name": "colour", "value": VALUE})["value"] == VALUE


def test_an_object_under_a_secrets_name() -> None:
    """Security: old and new values are secrets; a schema that describes one holds none."""
    assert cleaned({"password": {"old": VALUE, "new": VALUE}})["password"] == {
        "old": "[redacted:password]",
        "new": "[redacted:password]",
    }
    assert cleaned({"api_keys": {"acme": VALUE}})["api_keys"] == {"acme": "[redacted:api_keys]"}
    schema = {"token": {"type": "string", "description": "which token"}}
    assert cleaned({"properties": schema}) == {"properties": schema}
    assert cleaned({"required": ["password", "token"]}) == {"required": ["password", "token"]}


def test_keys_of_ones_own_count_as_the_well_known_do() -> None:
    """Security: only the house itself knows what it calls its secrets."""
    guard = SecretsGuard(keys={"membershipNumber", "КЛЮЧ"})
    for name in ("membership_number", "MEMBERSHIP-NUMBER", "old.membership.number"):
        assert cleaned({name: VALUE}, guard) == {name: "[redacted:membership_number]"}
        assert guard.suspects(f'{{"{name}":"x"}}'.encode())
    assert guard.suspects('{"КЛЮЧ":"x"}'.encode())
    assert cleaned({"membership_numbers": VALUE}, guard) == {"membership_numbers": VALUE}


def test_what_is_allowed_stays() -> None:
    """Security: a name that means something else in this house is left alone, and only that one."""
    guard = SecretsGuard(allow={"token"})
    assert cleaned({"token": VALUE}, guard) == {"token": VALUE}
    assert cleaned({"auth_token": VALUE}, guard) != {"auth_token": VALUE}


def test_switched_off_it_takes_nothing_out_but_ones_own() -> None:
    """Security: off is what somebody said in so many words."""
    assert cleaned({"password": VALUE}, SecretsGuard(well_known=False)) == {"password": VALUE}
    own = SecretsGuard(well_known=False, keys={"code"})
    assert cleaned({"password": VALUE, "code": VALUE}, own) == {
        "password": VALUE,
        "code": "[redacted:code]",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": "password"},
        {"keys": {"--"}},
        {"keys": {3}},
        {"patterns": {"x": "("}},
        {"patterns": {"x": "a*"}},
        {"patterns": {"No Name": "a"}},
        {"well_known": "no"},
        {"off": True},
    ],
)
def test_a_guard_that_would_not_guard_is_refused(wrong: dict[str, Any]) -> None:
    """Security: a slip in the configuration must not switch the guard off, or take out all."""
    with pytest.raises(ValidationError):
        SecretsGuard(**wrong)


def test_a_guard_never_changes() -> None:
    """Security: what counted when the store was opened counts until it is closed."""
    guard = SecretsGuard(allow={"jwt"})
    with pytest.raises(ValidationError):
        setattr(guard, "allow", frozenset())  # noqa: B010 - a type checker knows that it cannot be set


def test_names_are_remembered_within_bounds() -> None:
    """Security: keys come from anywhere; a long one must not stay in memory for ever."""
    words_of.cache_clear()
    named.cache_clear()
    cleaned({"x" * 100_000 + "_password": VALUE, **{f"n{n}": "x" for n in range(5000)}})
    assert named.cache_info().currsize <= 2048
    assert cleaned({"x" * 100_000 + "_password": VALUE}) != {"x" * 100_000 + "_password": VALUE}
