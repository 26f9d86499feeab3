"""Secrets are found and marked, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.recording.redaction import (
    MARK,
    Redactor,
    names_a_secret,
    redacted,
    redacted_arguments,
    redacted_value,
    without_credentials,
)

# Put together here, so that no scanner of repositories takes them for real ones.
SHAPES = {
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub": "ghp_" + "a1B2" * 9,
    "GitHub, fine-grained": "github_pat_" + "11ABCDEFG0" * 3,
    "GitLab": "glpat-" + "x1Yz" * 5,
    "Slack": "xoxb-" + "123456789012-abcdefghijkl",
    "Google": "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw",
    "OpenAI": "sk-proj-" + "Ab1" * 12,
    "Anthropic": "sk-ant-api03-" + "Zx9-" * 10,
    "Hugging Face": "hf_" + "AbCd" * 9,
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "npm": "npm_" + "a1B2" * 9,
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" * 4,
    "Databricks": "dapi" + "0123456789abcdef" * 2,
    "Mainspring": "msp_" + "abcdefghijklmnopqrstuvwx01234567",
    "JWT": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "dBjftJeZ4CVPmB92K27u",
}
GIVEN = [
    'password = "{}"',
    "password: '{}'",
    '"api_key": "{}",',
    'os.environ["SECRET_KEY"] = "{}"',
    "PASSWORD={}",
    "export DB_PASSWORD={}",
    "ENV API_TOKEN={}",
    "password: {}",
    "+  client_secret: {}",
    "Server=db;Database=x;Password={};",
    "postgresql://user:{}@db.example/x",
    "https://example.org/data?api_key={}&page=2",
    "Authorization: Bearer {}",
    'auth = HTTPBasic("me", password="{}")',
    "train.py --password {} --epochs 3",
    "train.py --api-key={}",
    'def connect(password: str = "{}"):',
    'if password == "{}":',
]
CODE = [
    "token = read_token()",
    'pad_token = "<pad>"',
    'eos_token = "end_of_text"',
    "max_tokens = 512",
    "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')",
    "password = config.password",
    "def login(password: str | None = None) -> None:",
    "password: str",
    "sorted(rows, key=lambda row: row.age)",
    'key = "learning_rate"',
    'secrets = ["password", "token", "api_key"]',
    'password = os.environ["DB_PASSWORD"]',
    "password: ${DB_PASSWORD}",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "parser.add_argument('--password', help='the password')",
    "  --token TOKEN  the token to sign in with",
    "epoch 3 loss 0.3412 tokens/s 1200",
    "sk-learn-is-a-name-of-scikit",
    "key: value",
    "index 83db48f..bf269f4 100644",
]


@pytest.mark.parametrize("secret", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("line", ["{}", "-{}", "x = '{}'  # mine", "curl -H 'X-Key:{}'"])
def test_a_well_known_key_is_marked_wherever_it_stands(secret: str, line: str) -> None:
    shown, count = redacted(line.format(secret))

    assert shown == line.format(MARK)
    assert count == 1


@pytest.mark.parametrize("line", GIVEN)
def test_what_is_given_to_a_secrets_name_is_marked(line: str) -> None:
    shown, count = redacted(line.format("hunter2-Correct"))

    assert shown == line.format(MARK)
    assert count == 1


@pytest.mark.parametrize("line", CODE)
def test_code_that_holds_no_secret_stays_as_it_is(line: str) -> None:
    assert redacted(line) == (line, 0)


def test_a_long_random_value_is_marked_under_a_weak_name_too() -> None:
    line = 'wandb.login(key="0a1b2c3d4e5f60718293a4b5c6d7e8f901234567")'

    assert redacted(line)[0] == f'wandb.login(key="{MARK}")'


def test_a_private_key_is_marked_line_by_line_and_a_diff_keeps_its_shape() -> None:
    lines = [
        "+-----BEGIN RSA PRIVATE KEY-----",
        "+MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn",
        "+ygWyF8PbnGcY5unA67hqxnWEgWGhpTz==",
        "+-----END RSA PRIVATE KEY-----",
        "+rate = 0.1",
    ]

    shown, count = redacted("\n".join(lines))

    assert shown.split("\n") == [lines[0], f"+{MARK}", f"+{MARK}", lines[3], lines[4]]
    assert count == 1


def test_a_private_key_that_never_ends_hides_nothing_of_the_code_behind_it() -> None:
    text = (
        'MARK = "-----BEGIN PRIVATE KEY-----"\n\ndef train(rate: float) -> None:\n    fit(rate)\n'
    )

    assert redacted(text)[0] == text


def test_a_key_in_one_string_is_marked() -> None:
    key = "-----BEGIN PRIVATE KEY-----\\nMIIEvAIBADANBgkqhkiG9w0BAQ\\nabc=\\n-----END PRIVATE KEY-----"

    assert "MIIE" not in redacted(f'{{"private": "{key}"}}')[0]


def test_lines_are_read_one_by_one_with_what_came_before() -> None:
    redactor = Redactor()

    shown = [redactor.line(line) for line in ("-----BEGIN PRIVATE KEY-----\n", "MIIEvAIBADAN\n")]

    assert shown[1] == f"{MARK}\n"


def test_arguments_are_marked_by_their_names() -> None:
    given = ["--password", "x", "--api-key=abc", "db.password=y", "--epochs", "3", "--token", "t",
             "--verbose", "--secret", "--fast", "rate=0.1", "--key", "column"]  # fmt: skip

    assert redacted_arguments(given) == [
        "--password", MARK, f"--api-key={MARK}", f"db.password={MARK}", "--epochs", "3", "--token",
        MARK, "--verbose", "--secret", "--fast", "rate=0.1", "--key", "column",
    ]  # fmt: skip


def test_a_variable_is_marked_by_its_name_or_its_value() -> None:
    assert redacted_value("DB_PASSWORD", "x") == MARK
    assert redacted_value("DATABASE", "postgres://me:pw@db/x") == f"postgres://me:{MARK}@db/x"
    assert redacted_value("OMP_NUM_THREADS", "4") == "4"
    assert names_a_secret("aws-secret-access-key")
    assert not names_a_secret("max_tokens")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:pw@host/x.git", "https://host/x.git"),
        ("https://ghp_token@host/x.git", "https://host/x.git"),
        ("git@host:x.git", "git@host:x.git"),
        ("ssh://git@host/x.git", "ssh://host/x.git"),
        ("/srv/x.git", "/srv/x.git"),
    ],
)
def test_an_address_is_kept_without_user_and_password(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ-", "token=", 'token="', "token='\"", "://u:", "://", "sk-", "password: ", "a", "A-",
        "-----BEGIN PRIVATE KEY-----", "--pass-word-", "api_", "password\\", '"\\', "x_token:",
        "authorization:", "bearer ", "?a=&", "SG.a", "password:a b ", "secret[", "key := ",
    ],
)  # fmt: skip
def test_reading_ends_for_long_lines_made_to_keep_it_busy(piece: str) -> None:
    text = piece * (200_000 // len(piece))

    assert len(redacted(text + "\npassword=12345x\n")[0]) > 0


@given(st.text(st.sampled_from("pasword=:\"'- \n\\[]token{}()sk_AB12/@;,&?"), max_size=300))
def test_the_lines_of_a_text_stay_its_lines(text: str) -> None:
    shown, count = redacted(text)

    assert shown.count("\n") == text.count("\n")
    assert (shown == text) == (count == 0)
    assert redacted(shown)[1] == 0
