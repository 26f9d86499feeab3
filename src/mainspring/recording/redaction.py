"""Secrets are taken out of what is captured: code, arguments, console, environment variables.

Two rules find them: shapes that only secrets have (keys of well-known services, tokens, private keys,
passwords in addresses), and values that are given to a name like `password`. Code stays readable:
`token = read_token()` hides nothing and is left alone. Every pattern reads a text once: those that
could begin anywhere are bound to the first character of their run.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

MARK = "[redacted]"

# Where a token may begin: behind a character that no token has, or the first of a diff's line.
_START = r"(?:(?<![A-Za-z0-9_-])|(?<=^[+-]))"
_SHAPES = re.compile(
    _START
    + r"(?:"
    + "|".join(
        (
            r"msp_[A-Za-z0-9]{20,}",  # Mainspring
            r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
            r"gh[pousr]_[A-Za-z0-9]{30,}",  # GitHub
            r"github_pat_[A-Za-z0-9_]{22,}",
            r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[A-Za-z0-9_.-]{20,}",  # GitLab
            r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
            r"xapp-[A-Za-z0-9-]{20,}",
            r"AIza[A-Za-z0-9_-]{35}",  # Google
            r"ya29\.[A-Za-z0-9_-]{20,}",
            r"GOCSPX-[A-Za-z0-9_-]{20,}",
            r"sk-(?=[A-Za-z_-]*[0-9A-Z])[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic and their like
            r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
            r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
            r"(?:wandb_v1|dop_v1)_[A-Za-z0-9_]{30,}",
            r"r8_[A-Za-z0-9]{30,}",  # Replicate
            r"npm_[A-Za-z0-9]{36}",
            r"pypi-[A-Za-z0-9_-]{40,}",
            r"dapi[0-9a-f]{32}",  # Databricks
            r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}",  # SendGrid
            r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",  # JWT
        )
    )
    + r")",
    re.MULTILINE,
)
_HINTS = (
    "msp_", "AKIA", "ASIA", "ABIA", "ACCA", "gh", "_pat_", "gl", "xox", "xapp-", "AIza", "ya29.", "GOCSPX",
    "sk-", "k_", "hf_", "wandb_", "dop_", "r8_", "npm_", "pypi-", "dapi", "SG.", "eyJ",
)  # fmt: skip
_WORDS = ("pass", "secret", "key", "token", "auth", "cred", "pwd", "dsn", "bearer")
_SLACK_HOOK = re.compile(r"(hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9_/+-]{10,}")
_BEARER = re.compile(r"\b(bearer[ \t]{1,4})([A-Za-z0-9+/=._~-]{12,})", re.IGNORECASE)
_BASIC = re.compile(
    r"(authorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?basic[ \t]{1,4})([A-Za-z0-9+/=_-]{6,})",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(://[^\s/@:'\"<>]*:)([^\s/@'\"<>{}]+)(?=@)")
_ADDRESS_TOKEN = re.compile(r"(://)([^\s/@:'\"<>{}]{16,})(?=@)")
_QUERY = re.compile(
    r"([?&](?:[a-z0-9_.-]{0,30}(?:token|secret|password|api_?key|signature|credential)|sig|key)=)"
    r"([^&\s\"'<>{}]+)",
    re.IGNORECASE,
)

_STRONG = (
    r"pass(?:word|wd|phrase)|secret(?:[_-]?access)?[_-]?key|client[_-]?secret|secret"
    r"|api[_-]?(?:key|secret|token)|apikey|access[_-]?key|account[_-]?key|private[_-]?key"
    r"|encryption[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|bearer[_-]?token"
    r"|credentials?"
)
_WEAK = r"(?<![a-z])(?:token|key|auth|pwd|pass|dsn)|(?<=[a-z])(?:Token|Key)"
_NAME = rf"(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK}))(?:_?(?:value|str|string|[0-9]{{1,3}}))?"
_BARE = r"[^\s\"',;&(){}\[\]<>`|]"
_REST = re.compile(_BARE + "*+")
# A name, whatever closes it, perhaps a type, and what gives it a value or compares it with one.
_GIVEN = re.compile(
    _NAME
    + r"(?P<given>[\"'\]]{0,3}[ \t]{0,8}(?::[ \t]{0,4}[A-Za-z_][A-Za-z_.|\[\] ]{0,40}=(?!=)"
    + r"|:=|=>|[=!]=|=|:|,(?=[ \t]{0,4}[\"']))[ \t]{0,8})"
    + r"[rbfuRBFU]{0,2}"
    + r"(?:\"(?P<double>(?:[^\"\\\n]|\\.)++)|'(?P<single>(?:[^'\\\n]|\\.)++)"
    + rf"|(?P<bare>{_BARE}{{1,200}}))",
    re.IGNORECASE,
)
_OPTION = re.compile(
    rf"(?<![\w-])--?(?:[A-Za-z0-9]{{1,20}}[_-]){{0,4}}(?:{_STRONG}|token)(?:[ \t]{{1,4}}|=)"
    r"(?P<bare>[^\s\"'`$<\[({-][^\s\"'`,)]{0,512})",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    rf"(?:{_STRONG}|(?:^|[_.-])(?:token|pwd|pass|dsn|pat))(?:_?[0-9]{{1,3}})?$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"[$<{%]|\[|\*{3}|\.{3}|(?:none|null|true|false|str|string|bytes|int|float|bool|any|optional"
    r"|secretstr|self|os|env|getenv|x{3,})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_ALONE_ON_ITS_LINE = re.compile(r"[+\- ]?[ \t]*(?:-[ \t]+)?[\"']?[A-Za-z0-9_.-]*$")
_CODE_NAME = re.compile(r"[A-Za-z_.]+|[\d.]+")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = re.compile(r"([+\- ]?[\s\"']*)[A-Za-z0-9+/=:, .\\-]{1,200}([\s\"',)]*)$")
_KEY_INSIDE = re.compile(r"(?:[A-Za-z0-9+/=]|\\[nr]){16,}")
_LONGEST_KEY = 120


def redacted(text: str) -> tuple[str, int]:
    """The text with every secret marked, line for line, and how many were found."""
    redactor = Redactor()
    return "".join(redactor.line(line) for line in text.splitlines(keepends=True)), redactor.found


class Redactor:
    """Reads a text line by line: a private key is a secret of many lines."""

    def __init__(self) -> None:
        self.found = 0
        self._key_lines = 0
        """How many more lines may belong to the private key that has begun."""

    def line(self, text: str) -> str:
        """The line with its secrets marked."""
        if self._key_lines or "-----BEGIN" in text:
            return self._in_key(text)
        return self._plain(text)

    def _in_key(self, text: str) -> str:
        if _KEY_ENDS.search(text) and not _KEY_BEGINS.search(text):
            self._key_lines = 0
            return text
        begins = _KEY_BEGINS.search(text)
        if begins is not None:
            self.found += 1
            self._key_lines = 0 if _KEY_ENDS.search(text, begins.end()) else _LONGEST_KEY
            # In a string, the line ends of the key are written \n.
            return text[: begins.end()] + _KEY_INSIDE.sub(MARK, text[begins.end() :])
        inside = _KEY_LINE.match(text) if self._key_lines else None
        if inside is None:
            self._key_lines = 0
            return self._plain(text)
        self._key_lines -= 1
        return f"{inside[1]}{MARK}{inside[2]}" if text.strip("+- \t\r\n") else text

    def _plain(self, text: str) -> str:
        # Most lines hold nothing, and looking for words in them is quick.
        low = text.lower()
        if any(map(text.__contains__, _HINTS)):
            text = self._marked(_SHAPES, text)
        if "://" in text:
            for pattern in (_ADDRESS, _ADDRESS_TOKEN):
                text = self._marked(pattern, text)
        if "slack.com" in low:
            text = self._marked(_SLACK_HOOK, text)
        if any(map(low.__contains__, _WORDS)):
            for pattern in (_BEARER, _BASIC):
                text = self._marked(pattern, text)
            text = self._options(self._given(text))
        if "=" in text and ("?" in text or "&" in text):
            text = self._marked(_QUERY, text)
        return text

    def _marked(self, pattern: re.Pattern[str], text: str) -> str:
        """Mark what the pattern finds, but for its first group."""

        def mark(match: re.Match[str]) -> str:
            if MARK in match[0]:
                return match[0]
            self.found += 1
            return (match[1] if pattern.groups else "") + MARK

        return pattern.sub(mark, text)

    def _given(self, text: str) -> str:
        """Mark the values that are given to names like `password`."""
        done, at = [], 0
        while match := _GIVEN.search(text, at):
            quoted = match["double"] or match["single"]
            if _is_quoted_secret(match, quoted) if quoted else _is_bare_secret(match, text):
                self.found += 1
                begins, end = match.span(match.lastgroup or "bare")
                done += [text[at:begins], MARK]
                rest = None if quoted else _REST.match(text, end)
                at = rest.end() if rest else end
            else:
                # Only past the sign: the value may itself be a name with a value.
                done.append(text[at : match.end("given")])
                at = match.end("given")
        return "".join(done) + text[at:]

    def _options(self, text: str) -> str:
        if "--" not in text:
            return text

        def mark(match: re.Match[str]) -> str:
            value = match["bare"]
            # `--password PASSWORD` in a help text names what is wanted.
            if value == MARK or (value.replace("_", "").isalpha() and value.isupper()):
                return match[0]
            self.found += 1
            return match[0][: match.start("bare") - match.start()] + MARK

        return _OPTION.sub(mark, text)


def _is_quoted_secret(match: re.Match[str], value: str) -> bool:
    if value == MARK or _PLACEHOLDER.match(value):
        return False
    if match["strong"] and "," not in match["given"]:  # words in a list are no names
        return True
    return _looks_random(value)


def _is_bare_secret(match: re.Match[str], text: str) -> bool:
    value = match["bare"]
    behind = text[match.end() : match.end() + 1]
    if MARK in value or _PLACEHOLDER.match(value) or behind in ("(", "[", "{", "<"):
        return False
    if _looks_random(value):
        return True
    return _is_setting(match, text, behind)


def _is_setting(match: re.Match[str], text: str, behind: str) -> bool:
    """Whether the bare value stands where settings do, and not the code that reads a secret."""
    name, value, given = match["strong"] or match["weak"], match["bare"], match["given"]
    if given == "=" and name.isupper() and name != "KEY" and not value.isdigit():
        return True  # PASSWORD=hunter2 in a shell
    if match["strong"] is None:
        return False
    if behind == ";" and "=" in given:
        return True  # Server=db;Password=hunter2;
    is_alone = not text[match.end() : match.end() + 80].strip() and bool(
        _ALONE_ON_ITS_LINE.match(text[max(0, match.start() - 80) : match.start()])
    )
    # In YAML any word is a value; behind `=` stands code as well, where words are names.
    return is_alone and (given.startswith(":") or not _CODE_NAME.fullmatch(value))


def _looks_random(value: str) -> bool:
    """Whether somebody drew the characters: long, letters and digits mixed, few repeated."""
    if len(value) < 16 or not re.fullmatch(r"[A-Za-z0-9+/=_.~:!@#%^*?-]+", value):
        return False
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isalpha() for character in value)
    if digits < 2 or letters < 2 or "/" in value[:2] or value.count(".") > 2:
        return False
    counts = Counter(value).values()
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts)
    return entropy >= 3.0


def names_a_secret(name: str) -> bool:
    """Whether a variable, an option or a field of this name holds a secret."""
    return bool(_SECRET_NAME.search(name.replace("-", "_")))


def redacted_value(name: str, value: str) -> str:
    """The value of a variable, as far as it may be shown."""
    return MARK if value and names_a_secret(name) else redacted(value)[0]


def redacted_arguments(arguments: Sequence[str]) -> list[str]:
    """The words of a command line; what follows `--password` or `token=` is marked."""
    found, hide = [], False
    for word in arguments:
        name, sign, value = word.partition("=")
        if hide and not word.startswith("--"):
            found.append(MARK)
            hide = False
            continue
        hide = word.startswith("-") and not sign and names_a_secret(name)
        if sign and value and names_a_secret(name):
            found.append(f"{name}={value if _PLACEHOLDER.match(value) else MARK}")
        else:
            found.append(redacted(word)[0])
    return found


def without_credentials(address: str) -> str:
    """An address without user and password; `git@host:path` names no secret."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]{0,20}://)[^/@\s]{0,1000}@", r"\1", address.strip())
