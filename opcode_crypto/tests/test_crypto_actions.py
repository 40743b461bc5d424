"""Digests and encodings against known values."""

import uuid

import pytest

from opcode_core import ErrorCode, OpcodeError
from opcode_crypto import actions


def call(action, **params):
    return action.call(params, None)


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha384",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "sha512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ],
)
def test_the_digests_of_fips_180_and_rfc_1321(algorithm: str, digest: str):
    assert call(actions.hash_, data="abc", algorithm=algorithm) == {"hash": digest, "algorithm": algorithm}


def test_sha256_is_the_default_and_text_is_utf_8():
    assert call(actions.hash_, data="é")["algorithm"] == "sha256"
    assert (
        call(actions.hash_, data="é")["hash"]
        == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    )


def test_the_hmac_of_rfc_4231():
    made = call(actions.hmac_, data="what do ya want for nothing?", key="Jefe")
    assert made == {
        "hmac": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "algorithm": "sha256",
    }


def test_uuids_are_random_and_of_version_4():
    first, second = call(actions.uuid_)["uuid"], call(actions.uuid_)["uuid"]
    assert first != second
    assert uuid.UUID(first).version == 4


@pytest.mark.parametrize("encoding", ["base64", "base64url", "hex", "url"])
@pytest.mark.parametrize("text", ["", "a", "hello", 'quote " and \\', "é ü 🎉", "a/b?c=d&e f", "\x00\x01"])
def test_what_is_encoded_can_be_decoded(encoding: str, text: str):
    encoded = call(actions.encode, data=text, encoding=encoding)
    assert encoded["encoding"] == encoding
    assert call(actions.decode, data=encoded["result"], encoding=encoding)["result"] == text


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [("base64", "8J+OiQ=="), ("base64url", "8J-OiQ=="), ("hex", "f09f8e89"), ("url", "%F0%9F%8E%89")],
)
def test_encodings_are_the_usual_ones(encoding: str, encoded: str):
    assert call(actions.encode, data="🎉", encoding=encoding)["result"] == encoded
    assert call(actions.decode, data=encoded.rstrip("="), encoding=encoding)["result"] == "🎉"


@pytest.mark.parametrize(
    ("encoding", "data", "why"),
    [
        ("base64", "a*b", "is not base64"),
        ("base64", "é", "is not base64"),
        ("hex", "xyz", "is not hex"),
        ("base64", "/w==", "not UTF-8"),
        ("hex", "ff", "not UTF-8"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_the_reason(encoding: str, data: str, why: str):
    with pytest.raises(OpcodeError, match=why) as refused:
        call(actions.decode, data=data, encoding=encoding)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR


def test_base64_may_be_broken_into_lines_as_programs_write_it():
    assert call(actions.decode, data="aGVs\r\nbG8=\n")["result"] == "hello"


def test_half_a_surrogate_pair_has_no_bytes():
    with pytest.raises(OpcodeError, match="'data' holds half a surrogate pair at character 1"):
        call(actions.hash_, data="a\ud800")
