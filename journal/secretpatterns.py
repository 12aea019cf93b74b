"""
What a secret looks like: the words that name one, and the forms that well-known ones have.

Pure tables and the functions that read them; decides nothing about events or artifacts. Each
repetition is bounded or begins behind a literal, so that no text takes more than linear time.

Below: nothing. Above: secrets, which applies this.
"""

import re
from collections.abc import Iterator
from functools import lru_cache


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Names whose last words are one of these hold a secret.
_ONE_WORD = _split(
    """password passwords passwd passphrase passphrases passcode secret secrets token apikey apikeys
    authtoken accesstoken refreshtoken bearertoken clientsecret appsecret sharedsecret secretkey
    privatekey accesskey authorization cookie credential credentials"""
)
_BEFORE_KEY = _split(
    "access api auth encryption master preshared private secret shared signing subscription"
)
_BEFORE_TOKENS = _split("access api auth refresh")

# Glued to another word they are no other word: dbpassword, PGPASSWORD.
_GLUED = ("password", "passwd", "passphrase")

# Behind a name of a secret these leave it one; any other word makes it something else, such as
# password_hint, token_count, api_key_id, secret_name.
_SAME_THING = _split(
    """backup base64 b64 confirm confirmation current default dev header live new old original plain
    plaintext prev previous primary prod production raw repeat repeated secondary staging str string
    test text value v"""
)

# In front of ``token`` these make it a place in a list or a piece of text.
_NO_CREDENTIAL = _split(
    """audio begin bos cancel cancellation cls completion continuation current delimiter delta end
    eos first generated image input last lexer mask max min next output pad padding page pagination
    per prev previous prompt punctuation reasoning resume sampled sep separator source special start
    stop subword sync syntax target text unk unknown vocab word"""
)

# Beside a bare ``token`` these say the same: answers of language models, parsers, lexers.
TEXT_TOKEN_SIBLINGS = _split("col column lemma logprob logprobs offset pos top_logprobs")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_NAME_CHARS_MAX = 128


@lru_cache(maxsize=2048)
def words_of(name: str) -> tuple[str, ...]:
    """``X-API-Key``, ``apiKey``, ``api_key`` -> lower-case words; separators and case vanish."""
    cut = _CAMEL.sub(" ", name[-_NAME_CHARS_MAX:])
    return tuple(word.lower() for word in _WORDS.findall(cut))


def is_same_thing(name: str) -> bool:
    """Whether ``name`` alone says nothing of its own: ``value``, ``old``, ``2``."""
    words = words_of(name)
    return bool(words) and all(word in _SAME_THING or word.isdecimal() for word in words)


@lru_cache(maxsize=2048)
def named(name: str, more: frozenset[tuple[str, ...]], *, well_known: bool) -> str | None:
    """
    The secret that ``name`` says it holds, such as ``api_key``; ``None`` where it says none.

    ``more`` are tails of the user's own, as ``words_of`` gives them.
    """
    words = list(words_of(name))
    while len(words) > 1 and (words[-1] in _SAME_THING or words[-1].isdecimal()):
        words.pop()
    for size in range(1, min(len(words), 6) + 1):
        if tuple(words[-size:]) in more:
            return "_".join(words[-size:])
    return _well_known(words) if well_known else None


def _well_known(words: list[str]) -> str | None:
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "token":
        return None if before in _NO_CREDENTIAL else "token"
    if last == "pwd":  # alone, and as OLD_PWD, it is a folder
        return "password" if before not in {"", "old"} else None
    if last in {"key", "keys"}:
        return f"{before}_{last}" if before in _BEFORE_KEY else None
    if last == "tokens":
        return f"{before}_{last}" if before in _BEFORE_TOKENS else None
    if last in _ONE_WORD:
        return last
    return next((tail for tail in _GLUED if last.endswith(tail)), None)


_END = r"(?![A-Za-z0-9_-])"
_START = r"(?<![A-Za-z0-9_-])"
_WORD = r"(?<![A-Za-z0-9_])"

FORMS: dict[str, str] = {
    "private_key": (
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.)*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
    "jwt": (rf"{_START}eyJ[\w-]{{8,}}(?:\.eyJ[\w-]{{4,}}(?:\.[\w-]*)?|(?:\.[\w-]+){{4}})"),
    "aws_access_key": rf"{_WORD}(?:AKIA|ASIA)[A-Z0-9]{{16}}(?![A-Za-z0-9])",
    "github_token": rf"{_WORD}(?:gh[pousr]_[A-Za-z0-9]{{20,}}|github_pat_[A-Za-z0-9_]{{20,}})",
    "gitlab_token": rf"{_START}gl(?:pat|dt|rt|cbt|ptt)-[\w-]{{20,}}",
    "slack_token": rf"{_START}(?:xox[abceoprs]|xapp)-(?=[\w-]*\d)[\w-]{{10,}}",
    "slack_webhook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{12,}",
    "google_api_key": rf"{_START}AIza[\w-]{{35}}{_END}",
    "google_token": rf"{_WORD}ya29\.[\w-]{{20,}}",
    "api_key": (
        rf"{_START}sk-(?:(?:proj|ant|svcacct|admin)-(?=[A-Za-z_-]*\d)[\w-]{{16,}}"
        rf"|(?:(?:or-v1|live|test)-)?(?=[A-Za-z]*\d)(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{{16,}}{_END})"
    ),
    "stripe_key": rf"{_WORD}(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{{16,}}",
    "registry_token": (
        rf"{_WORD}(?:npm_[A-Za-z0-9]{{36}}|hf_[A-Za-z0-9]{{30,}}|pypi-AgE[\w-]{{32,}})"
    ),
    "sendgrid_key": rf"{_WORD}SG\.[\w-]{{16,}}\.[\w-]{{32,}}",
    "azure_key": r"(?<=AccountKey=)[A-Za-z0-9+/]{40,}={0,2}",
    "authorization": (
        r"(?i:(?<=authorization: )|(?<=authorization:)|(?<=authorization=))"
        r"(?i:basic|digest|token|bearer|negotiate) +[^\s'\",;\\]+"
    ),
    "bearer": (
        rf"{_WORD}[Bb][Ee][Aa][Rr][Ee][Rr] +(?:(?=[A-Za-z._~+/-]*\d)[\w.~+/-]{{6,}}=*"
        r"|(?=[a-z._~+/-]*[A-Z])(?=[A-Z._~+/-]*[a-z])[\w.~+/-]{20,}=*)"
    ),
    "userinfo": r"(?<=://)[^\s/?#@:'\"\\]{0,256}:[^\s/?#'\"]{1,512}@",  # user:password@
}
"""Name -> form. A match is taken out as a whole, but for the user name in a URL."""

PRIVATE_KEY = re.compile(FORMS["private_key"])

# Two looks at a text in lower case; every secret above passes both. The first is made of literals
# alone: that is ten times as fast as any other expression, and most texts end there.
FIRST_LOOK = (
    r"passw|passp|passc|pwd|secret|creden|authori|cookie|bearer|key"
    r"|token(?:[^s_]|s[^_]|s_[^io]|_(?:[^c]|c[^o]|co[^u])|s?$)"
    r"|sk-|k_live_|k_test_|whsec_|eyj|akia|asia[a-z0-9]{8}|ghp_|gho_|ghu_|ghs_|ghr_|github_pat_"
    r"|glpat-|gldt-|glrt-|glcbt-|glptt-|xox|xapp-|hooks\.slack|aiza|ya29\.|npm_|hf_|pypi-age"
    r"|sg\.[a-z0-9_-]{16}|-----begin|://[^/\"]*@"
)
SECOND_LOOK = (
    r"passw|passphrase|passcode|pwd|secret|credential|authoriz|cookie|bearer"
    r"|token[^s]|token$|(?:access|api|auth|refresh)[^a-z0-9]{0,4}tokens"
    r"|(?:access|api|auth|encryption|master|preshared|private|shared|signing|subscription)"
    r"[^a-z0-9]{0,4}key"
    r"|sk-|[sr]k_live_|[sr]k_test_|whsec_|eyj|akia|asia[a-z0-9]{8}"
    r"|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt)-|xox[abceoprs]-|xapp-"
    r"|hooks\.slack|aiza|ya29\.|npm_|hf_|pypi-age|sg\.[a-z0-9_-]{16}|accountkey=|-----begin"
    r"|://[^/?#\s\"]*@"
)

# What forms alone have in them: a text that only speaks of secrets need not be searched for one.
FORM_LOOK = (
    r"sk-|[sr]k_live_|[sr]k_test_|whsec_|eyj|akia|asia|gh[pousr]_|github_pat_|glpat-|gldt-|glrt-"
    r"|glcbt-|glptt-|xox|xapp-|hooks\.slack|aiza|ya29\.|npm_|hf_|pypi-age|sg\.|accountkey="
    r"|-----begin|://|bearer |authorization[:=]"
)

# A name in front of its value inside a text: as JSON or Python writes it, on a command line, in a
# URL, in an environment, in a header. The value begins where this ends.
IN_TEXT = re.compile(
    r"(?P<quote>\\{0,8}[\"'])(?P<key>[^\W_][\w .:-]{0,63})(?P=quote)"
    r"\s{0,9}[:=]\s{0,99}[bru]?(?P<opened>\\{0,8}[\"'])"
    r"|(?<![\w.-])(?:--)?(?P<argument>[A-Za-z_][\w-]{0,63})\s{0,2}=\s{0,2}[bru]?(?P<begun>\\{0,8}[\"'])"
    r"|(?:[?&;]\s?|(?<![\w-])--)(?P<option>[A-Za-z][\w.-]{0,63})="
    r"|(?<![\w.])(?P<variable>[A-Z][A-Z0-9_]{2,63})="
    r"|(?im:^[ \t<>*]{0,4}(?P<header>[a-z][a-z-]{2,40}):[ \t]{1,4})"
)
_VALUES = {
    "'": re.compile(r"[^'\\]*(?:\\.[^'\\]*)*", re.DOTALL),
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL),
}
"""How a quoted value goes on, by its quote."""

BLOCK_CHARS = 4096
"""A text longer than this is looked at piece by piece."""

_BLOCK_END = re.compile(r"(?<![:=\s])\n")
"""Where a long text may be cut: a name and its value stand on one side, but for a PEM key."""


_BARE_VALUE = re.compile(r"[^\s&;'\"\\)\],]*")
_HEADER_VALUE = re.compile(r"[^\r\n]*")

HEADERS = _split(
    """authorization proxy-authorization cookie set-cookie x-api-key x-auth-token
    x-amz-security-token private-token"""
)
"""The only headers that are taken at their word: a parser may say ``token: expected ','``."""


def blocks(text: str) -> Iterator[str]:
    """A long text cut at ends of lines: most of it is looked at but quickly."""
    start = 0
    while start < len(text):
        end = _BLOCK_END.search(text, start + BLOCK_CHARS)
        yield text[start : end.end() if end else None]
        start = end.end() if end else len(text)


def value_at(text: str, match: re.Match[str]) -> str:
    """The value that begins where ``match`` ends; one without its closing quote goes to the end."""
    quote = match["opened"] or match["begun"]
    if quote is None:
        form = _BARE_VALUE if match["header"] is None else _HEADER_VALUE
        found = form.match(text, match.end())
        return found[0] if found else ""
    if quote in _VALUES:
        found = _VALUES[quote].match(text, match.end())
        return found[0] if found else ""
    end = text.find(quote, match.end())  # a quote inside a quoted text: \" or \\"
    return text[match.end() : end if end >= 0 else None]
