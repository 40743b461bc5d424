"""A secret's value is shown nowhere, whatever it is wrapped in."""

import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcode_core.redaction import redact

ODD = "s3\"cr\\et/ü\n%+ '&"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc-hunter2-xyz", "abc-***-xyz"),
        ("hunter2hunter2", "******"),
        ({"k": ["hunter2", {"hunter2": 1}]}, {"k": ["***", {"***": 1}]}),
        (("hunter2", 5), ["***", 5]),
        ("HUNTER2", "HUNTER2"),
        (5, 5),
        (None, None),
        (True, True),
        ({"a": 1.5}, {"a": 1.5}),
    ],
)
def test_a_secret_is_masked_at_any_depth(value, shown):
    assert redact(value, ["hunter2"]) == shown


@pytest.mark.parametrize(
    "wrapped",
    [
        ODD,
        f"before {ODD} after",
        json.dumps({"token": ODD}),
        json.dumps({"token": ODD}, ensure_ascii=False),
        repr(ODD),
        repr({"token": ODD}),
        f"https://x/?q={quote(ODD, safe='')}",
        f"https://x/?q={quote_plus(ODD)}",
        urlencode({"q": ODD}),
    ],
)
def test_a_secret_is_masked_also_where_it_stands_escaped(wrapped: str):
    masked = redact(wrapped, [ODD])
    assert "***" in masked
    assert not any(piece in masked for piece in ("s3", "cr", "et/", "et%2F"))


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_no_secret_masks_nothing(secrets: list[str]):
    value = {"a": ["text", 1]}
    assert redact(value, secrets) is value


def test_a_secret_inside_another_does_not_betray_the_rest():
    assert redact("prefix-secret-suffix", ["secret", "prefix-secret-suffix"]) == "***"


def test_the_given_value_is_left_alone():
    value = {"a": ["hunter2"]}
    assert redact(value, ["hunter2"]) == {"a": ["***"]}
    assert value == {"a": ["hunter2"]}


def test_secrets_may_come_from_an_iterator_and_hold_lone_surrogates():
    assert redact("x\ud800y z", iter(["x\ud800y"])) == "*** z"


@given(st.text(min_size=4), st.text(), st.text())
def test_the_value_itself_is_never_left(secret: str, before: str, after: str):
    masked = redact({"a": [before + secret + after]}, [secret])["a"][0]
    assert secret not in masked.replace("***", "\0") or secret in (before, after)
