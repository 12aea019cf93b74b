"""Security, secrets: what is one by itself, what holds one, and what a text must not do."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.secretpatterns import FORMS
from journal.secrets import DEFAULT_GUARD, SecretsGuard
from tests.security import planted
from tests.security.planted import HOLDING, VALUE


def cleaned(text: str, guard: SecretsGuard = DEFAULT_GUARD) -> str:
    """Return the text as it would be recorded."""
    return guard.cleaner().text(text)


@pytest.mark.parametrize("name", planted.FORMS)
def test_a_form_is_taken_out_of_a_text_and_the_rest_stays(name: str) -> None:
    """Security: a key in the middle of an error text is as readable as one in a field."""
    secret = planted.FORMS[name]
    for before, after in (("", ""), ("said: ", " (twice)"), ("{'x': '", "'}"), ("\n", "\n")):
        gone = cleaned(before + secret + after)
        assert planted.SECRETS[name] not in gone
        assert gone.startswith(before)
        assert gone.endswith(after)
        assert f"[redacted:{name}]" in gone


def test_every_form_has_a_sample() -> None:
    """A form without one would be taken on trust."""
    assert set(FORMS) - set(planted.FORMS) == {"azure_key", "userinfo"}
    assert "abcd" not in cleaned(f"AccountName=x;AccountKey={'abcd' * 12}==;")


@pytest.mark.parametrize("name", ["aws_access_key", "jwt", "api_key"])
def test_a_form_that_is_allowed_stays(name: str) -> None:
    """Security: a house that writes about keys can keep its examples."""
    guard = SecretsGuard(allow={name})
    assert cleaned(f"see {planted.FORMS[name]}", guard) == f"see {planted.FORMS[name]}"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://bob:{}@db.example/x",
        "https://{}".replace("{}", "bob:{}@host:8080/path?q=1"),
        "https://host/cb?user=1&api_key={}&x=2",
        "connect failed: {{'password': '{}', 'user': 'bob'}}",
        'HTTP 401: {{"error": "no", "access_token": "{}"}}',
        'body: "{{\\"client_secret\\": \\"{}\\"}}"',
        "Settings(host='x', api_key='{}', retries=3)",
        'API_KEY = "{}"',
        "ran: tool --token={} --verbose",
        'ran: tool --api-key="{}" --verbose',
        "env: HOME=/x DB_PASSWORD={} LANG=C",
        "Server=x;Password={};Database=y",
        "> Authorization: ApiKey {}\r\n> Host: x",
        "x-api-key: {}",
        "Cookie: session={}; theme=dark\nHost: x",
        "unclosed: {{'password': '{}",
    ],
)
def test_a_value_beside_its_name_is_taken_out_of_a_text(text: str) -> None:
    """Security: exceptions quote their arguments, requests and command lines."""
    said = text.format(VALUE)
    gone = cleaned(said)
    assert VALUE not in gone
    assert "[redacted:" in gone
    assert gone[:5] == said[:5]


@pytest.mark.parametrize(
    "text",
    [
        "unexpected token: 'foo' at 3",
        "the secret of success, and the password of the day",
        "Bearer authentication is used here",
        "a bearer of bad news",
        "Basic understanding of authorization: none",
        "sk-SK, sk-translation-of-the-whole-document, sk-SK-2024-guide-part-12",
        "task-1234567890abcdef1234 and risk-assessment-2024-report-final",
        "at 20241122T091011Z in guide.sk-20241122T091011Z",
        "the key 'colour' was not found: {'key': 'colour', 'value': 'red'}",
        "tokenizer(pad_token='<pad>', eos_token='</s>')",
        "https://example.org/@bob and mailto:bob@example.org, user@host:path",
        "http://localhost:8080/x@y",
        "token_type=bearer, max_tokens=4096&n=2",
        "eyJ is how they begin; AKIA too; ghp_ as well; -----BEGIN CERTIFICATE-----",
        "secret_name: 'db', passwordless: 'yes', password_hint = 'the dog'",
        "expires: 3\ntoken: expected ','\npassword: must have 8 characters",
        "the slide has 1200 tokens; 640 tokens out",
    ],
)
def test_a_text_about_secrets_stays_as_it_is(text: str) -> None:
    """Security: prose, parsers' errors and file names are what a run is about."""
    assert cleaned(text) == text


def test_a_pattern_of_ones_own() -> None:
    """Security: a house's own tokens have a form, too; escapes of JSON do not hide it."""
    guard = SecretsGuard(patterns={"acme": r"acme\s[0-9]{4}"})
    cleaner = guard.cleaner()
    assert cleaner.json(b'{"a":"say acme\\n1234 now"}') == b'{"a":"say [redacted:acme] now"}'
    assert cleaner.count == 1


def test_a_key_that_is_a_secret_goes_and_hides_no_other() -> None:
    """Security: a table keyed by tokens keeps all of its rows."""
    one, two = planted.FORMS["github_token"], planted.FORMS["github_token"][:-1] + "b"
    gone = DEFAULT_GUARD.cleaner().value({one: 1, two: 2})
    assert list(gone.values()) == [1, 2]
    assert one not in json.dumps(gone)


texts = st.text(max_size=30)
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | texts | st.sampled_from(list(planted.FORMS.values())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(HOLDING), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(anything)
def test_the_quick_look_misses_nothing(value: Any) -> None:
    """Security: what the close look would take out, the quick one must not wave through."""
    cleaner = DEFAULT_GUARD.cleaner()
    cleaner.value(value)
    if cleaner.count:
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        assert DEFAULT_GUARD.suspects(written.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", HOLDING)
def test_the_quick_look_sees_every_name(name: str) -> None:
    """Security: the two looks are two tables, so they are compared."""
    assert DEFAULT_GUARD.suspects(f'"{name}":"x"'.encode())
    assert DEFAULT_GUARD.suspects(f"{name}")


@given(anything)
def test_cleaning_twice_changes_nothing_more(value: Any) -> None:
    """Security: a retry with the same secret is the same body, so its key finds the first one."""
    once = DEFAULT_GUARD.cleaner().value(value)
    again = DEFAULT_GUARD.cleaner()
    assert again.value(once) == once


HOSTILE = {
    "words": "a." * 50_000 + "://",
    "users": "://a:" * 20_000,
    "users that end": "://" + "a:" * 50_000,
    "quotes": "'password': " * 10_000,
    "quotes that open": "'password':'" * 10_000,
    "backslashes": "\\" * 100_000 + '"password":"x',
    "escaped": "'password':'" + "\\" * 99_999,
    "begins of keys": ("-----BEGIN RSA PRIVATE" + " KEY-----\n") * 3_000,
    "begins of tokens": "eyJ-" * 25_000,
    "parts of tokens": "eyJaaaaaaaa." * 9_000,
    "bearers": "Bearer " * 15_000,
    "spaces": "authorization: basic " + " " * 100_000,
    "blanks": "password" + " " * 100_000 + "=",
    "dashes": "sk-" + "a-" * 50_000,
    "options": "--token-" * 12_000,
    "names": "PASSWORD_" * 11_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_takes_linear_time(kind: str) -> None:
    """Security: a text that makes the guard think for minutes would stop the run."""
    text = HOSTILE[kind]
    work = _steps(text[: len(text) // 4]), _steps(text)
    assert work[1] < 12 * max(work[0], 0.01)


def _steps(text: str) -> float:
    """Seconds of the processor's own time: nobody else's work counts."""
    import time

    began = time.process_time()
    cleaned(text)
    return time.process_time() - began


def test_a_long_text_is_cleaned_to_its_end() -> None:
    """Security: pieces that are looked at one by one leave nothing between them."""
    lines = [f"line {n}: {'x' * 50}" for n in range(5000)]
    for at in range(0, 5000, 97):
        lines[at] = f'  "password":\n    "{VALUE}",'
    for secret in planted.FORMS.values():
        lines.insert(2500, secret)
    gone = cleaned("\n".join(lines))
    assert VALUE not in gone
    assert [secret for secret in planted.SECRETS.values() if secret in gone] == []
    assert len(re.findall("^line", gone, re.MULTILINE)) == 5000 - len(range(0, 5000, 97))
    assert gone.count("[redacted:password]") == len(range(0, 5000, 97))
