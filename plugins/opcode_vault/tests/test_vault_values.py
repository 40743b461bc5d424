"""Secrets in, secrets out, and nothing of them in the file."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vault_workbench import FEW, contents

from opcode_core import ErrorCode, OpcodeError, StoredVault, Vault
from opcode_core.memory import MemoryStorage
from opcode_vault.keys import ITERATIONS, derive
from opcode_vault.plugin import opcode_vaults
from opcode_vault.vault import SecretVault

CANARY = 'canary-4b1f-"quoted"-ü'


async def test_what_is_set_is_got_listed_and_deleted(file):
    vault = await file.vault()
    await vault.set("TOKEN", CANARY)
    await vault.set("A.b-c_1", "other")
    assert await vault.get("TOKEN") == CANARY
    assert await vault.names() == ["A.b-c_1", "TOKEN"]
    await vault.set("TOKEN", "newer")
    assert await contents(vault) == {"A.b-c_1": "other", "TOKEN": "newer"}
    assert await vault.delete("TOKEN") is True
    assert await vault.delete("TOKEN") is False
    assert await vault.names() == ["A.b-c_1"]
    with pytest.raises(OpcodeError) as gone:
        await vault.get("TOKEN")
    assert gone.value.code is ErrorCode.NOT_FOUND


async def test_it_is_noted_when_each_was_set(file):
    times = iter(range(100, 200))
    vault = await file.vault(now=lambda: next(times))
    await vault.set("A", "1")
    first = (await vault.entries())["A"]
    await vault.set("B", "2")
    await vault.set("A", "3")
    after = await vault.entries()
    assert list(after) == ["A", "B"]
    assert first < after["B"] < after["A"]


async def test_another_process_sees_a_change_at_once(file):
    one, two = await file.vault(), await file.vault()
    await one.set("A", "1")
    assert await two.get("A") == "1"
    await two.set("A", "2")
    assert await one.get("A") == "2"


async def test_nothing_of_a_value_is_in_the_file_and_what_is_replaced_goes(file):
    vault = await file.vault()
    for _ in range(3):
        await vault.set("TOKEN", CANARY)
        await vault.set("GONE", CANARY)
        await vault.delete("GONE")
    assert len(file.values()) == 1
    found = file.bytes()
    assert b"TOKEN" in found
    for form in (CANARY.encode(), CANARY.encode("utf-16-le"), json.dumps(CANARY).encode()[1:-1], b"4b1f"):
        assert form not in found
        assert base64.b64encode(form)[:-4] not in found


async def test_the_same_value_never_looks_the_same(file):
    vault = await file.vault()
    for name in "AB":
        await vault.set(name, CANARY)
    sealed = [file.value(name)[1]["sealed"] for name in "AB"]
    assert sealed[0]["nonce"] != sealed[1]["nonce"]
    assert sealed[0]["data"] != sealed[1]["data"]


async def test_it_is_aes_256_gcm_under_pbkdf2_of_the_passphrase(file):
    """Whoever has the passphrase can open it with any program that follows the documents."""
    vault = await file.vault("pass", iterations=FEW)
    await vault.set("TOKEN", CANARY)
    head, (item, row) = file.head(), file.value("TOKEN")
    key = hashlib.pbkdf2_hmac("sha256", b"pass", base64.b64decode(head["salt"]), head["iterations"])
    about = json.dumps(["opcode-vault", 1, "value", head["id"], "TOKEN", item]).encode()
    sealed = {name: base64.b64decode(text) for name, text in row["sealed"].items()}
    assert (len(key), len(sealed["nonce"])) == (32, 12)
    assert AESGCM(key).decrypt(sealed["nonce"], sealed["data"], about) == CANARY.encode()


async def test_a_new_vault_has_a_salt_of_its_own_and_600_000_rounds(tmp_path):
    assert ITERATIONS == 600_000
    heads = []
    for _ in range(2):
        vault = SecretVault(MemoryStorage(), passphrase=lambda: "pass")
        await vault.set("A", "1")
        heads.append((await vault.storage.item("vault", "head")).value)
    assert [head["iterations"] for head in heads] == [600_000] * 2
    salts = [base64.b64decode(head["salt"]) for head in heads]
    assert salts[0] != salts[1]
    assert all(len(salt) == 16 for salt in salts)


def test_the_key_is_pbkdf2_hmac_sha256():
    """A vector of its own: RFC 7914, section 11, the first 32 bytes."""
    assert derive("passwd", b"salt", 1).hex() == (
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    )


async def test_rounds_are_those_of_the_vault(file):
    await (await file.vault(iterations=2_000)).set("A", "1")
    later = await file.vault(iterations=FEW)
    assert await later.get("A") == "1"
    await later.set("B", "2")
    assert file.head()["iterations"] == 2_000


@pytest.mark.parametrize("passphrase", ["wrong", "correct horse ", "Correct horse"])
async def test_a_wrong_passphrase_opens_nothing_and_changes_nothing(file, passphrase):
    await (await file.vault()).set("A", "1")
    before = file.sql("SELECT * FROM items ORDER BY key")
    wrong = await file.vault(passphrase)
    for call in (
        wrong.get("A"),
        wrong.get("NONE"),
        wrong.set("A", "2"),
        wrong.set("B", "2"),
        wrong.delete("A"),
        wrong.rotate("new"),
        wrong.verify(),
    ):
        with pytest.raises(OpcodeError, match="is not that of the vault") as refused:
            await call
        assert refused.value.code is ErrorCode.VAULT_ERROR
        assert passphrase not in str(refused.value)
    assert file.sql("SELECT * FROM items ORDER BY key") == before
    assert await wrong.names() == ["A"]


async def test_without_a_passphrase_only_names_are_seen(file):
    await (await file.vault()).set("A", "1")
    none = await file.vault("")
    for call in (none.get("A"), none.get("NONE"), none.set("A", "2"), none.rotate("new")):
        with pytest.raises(OpcodeError, match="OPCODE_VAULT_KEY is not set; set it to") as refused:
            await call
        assert refused.value.code is ErrorCode.VAULT_ERROR
    assert await none.names() == ["A"]
    await none.verify()
    assert await none.delete("A") is True


async def test_an_emptied_vault_takes_another_passphrase(file):
    """Whoever lost theirs deletes what nobody can read any more, and begins anew."""
    await (await file.vault("lost")).set("A", "1")
    await (await file.vault("")).delete("A")
    again = await file.vault("found")
    await again.set("A", "2")
    assert await again.get("A") == "2"


@pytest.mark.parametrize(
    "name",
    ["", " ", "1A", "-a", ".a", "a b", "a=b", "a/b", "ä", "a\n", "a\0", "x" * 129, "${{secrets.A}}", "A}}"],
)
async def test_a_bad_name(file, name):
    vault = await file.vault()
    with pytest.raises(OpcodeError, match="is not a secret's name") as refused:
        await vault.set(name, CANARY)
    assert refused.value.code is ErrorCode.VALIDATION_ERROR
    assert CANARY not in str(refused.value)
    assert await vault.names() == []


async def test_the_longest_name(file):
    vault = await file.vault()
    await vault.set("x" * 128, "1")
    assert await contents(vault) == {"x" * 128: "1"}


@pytest.mark.parametrize(
    "value",
    [
        "x",
        "\0",
        "".join(map(chr, range(256))),
        "\ud800 half a pair",
        "😀" * 100,
        " leading and trailing \r\n",
        "-----BEGIN KEY-----\n" + "QUJD\n" * 1000 + "-----END KEY-----\n",
        "${{secrets.A}}{{7*7}}",
        "x" * 64 * 1024,
    ],
    ids=str.__len__,
)
async def test_any_text_comes_back_as_it_was(file, value):
    vault = await file.vault()
    await vault.set("A", value)
    assert await vault.get("A") == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "a secret cannot be empty"),
        ("x" * (64 * 1024 + 1), "the value has 65,537 bytes; a secret has at most 65,536"),
        ("ü" * (32 * 1024 + 1), "the value has 65,538 bytes"),
        (5, "a secret is a text, not int"),
        (b"x", "a secret is a text, not bytes"),
        (None, "a secret is a text, not NoneType"),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_what_is_no_value(file, value, why):
    vault = await file.vault()
    with pytest.raises(OpcodeError, match=why):
        await vault.set("A", value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True), st.text(min_size=1)))
async def test_any_secrets_come_back(secrets):
    vault = SecretVault(MemoryStorage(), passphrase=lambda: "pass", iterations=1)
    for name, value in secrets.items():
        await vault.set(name, value)
    assert await contents(vault) == secrets


async def test_a_name_that_is_nearly_right(file):
    vault = await file.vault()
    await vault.set("GITHUB_TOKEN", "1")
    with pytest.raises(OpcodeError, match="did you mean 'GITHUB_TOKEN'"):
        await vault.get("GITHUB_TOKN")
    with pytest.raises(OpcodeError, match="opcode secret set OTHER"):
        await vault.get("OTHER")


def test_each_engine_is_given_a_vault_of_its_own():
    (offered,) = opcode_vaults()
    assert isinstance(offered, StoredVault)
    one, two = (offered.bind(MemoryStorage()) for _ in range(2))
    assert one.storage is not two.storage
    typed: Vault = one
    assert typed is one


# ---- a hand on the database


async def test_a_value_moved_to_another_name_does_not_open(file):
    vault = await file.vault()
    await vault.set("MINE", "harmless")
    await vault.set("YOURS", CANARY)
    (mine, row), (yours, other) = file.value("MINE"), file.value("YOURS")
    head = file.head()
    for change in (
        lambda: file.write_head(
            {**head, "secrets": {"MINE": head["secrets"]["YOURS"], "YOURS": head["secrets"]["MINE"]}}
        ),
        lambda: (file.write_value(mine, other), file.write_value(yours, row)),
        lambda: file.write_value(mine, {**row, "sealed": other["sealed"]}),
    ):
        change()
        with pytest.raises(OpcodeError, match="'MINE' is damaged or was exchanged; set it again") as refused:
            await vault.get("MINE")
        assert refused.value.code is ErrorCode.VAULT_ERROR
        file.write_head(head)
        file.write_value(mine, row)
        file.write_value(yours, other)
    assert await contents(vault) == {"MINE": "harmless", "YOURS": CANARY}


async def test_a_value_of_another_vault_does_not_open(file, tmp_path):
    from vault_workbench import File

    other = File(tmp_path / "other.db")
    for one in (file, other):
        await (await one.vault()).set("A", f"of {one.path.name}")
    item, _ = file.value("A")
    file.write_value(item, other.value("A")[1])
    with pytest.raises(OpcodeError, match="damaged or was exchanged"):
        await (await file.vault()).get("A")
    await other.close()


async def test_an_older_value_put_back_does_not_open(file):
    vault = await file.vault()
    await vault.set("A", "old")
    _, old = file.value("A")
    await vault.set("A", "new")
    item, _ = file.value("A")
    file.write_value(item, old)
    with pytest.raises(OpcodeError, match="damaged or was exchanged"):
        await vault.get("A")


def flipped(text):
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: {**row, "sealed": {**row["sealed"], "data": flipped(row["sealed"]["data"])}},
        lambda row: {**row, "sealed": {**row["sealed"], "nonce": flipped(row["sealed"]["nonce"])}},
        lambda row: {**row, "sealed": {**row["sealed"], "data": row["sealed"]["data"][:8]}},
        lambda row: {**row, "sealed": {**row["sealed"], "data": ""}},
        lambda row: {**row, "sealed": {**row["sealed"], "nonce": "!"}},
        lambda row: {**row, "sealed": {**row["sealed"], "data": "ü"}},
        lambda row: {**row, "sealed": {**row["sealed"], "data": 5}},
        lambda row: {**row, "sealed": {}},
        lambda row: {**row, "sealed": None},
        lambda row: {},
        lambda row: [],
        lambda row: "text",
        lambda row: None,
    ],
)
async def test_a_damaged_value_is_noticed_and_the_others_open(file, damage):
    vault = await file.vault()
    await vault.set("A", CANARY)
    await vault.set("B", "fine")
    item, row = file.value("A")
    file.write_value(item, damage(row))
    with pytest.raises(OpcodeError, match="'A' is damaged or was exchanged"):
        await vault.get("A")
    with pytest.raises(OpcodeError, match="'A' is damaged or was exchanged"):
        await vault.rotate("new")
    assert await vault.get("B") == "fine"
    await vault.set("A", "again")
    assert await contents(vault) == {"A": "again", "B": "fine"}


async def test_a_value_that_is_gone(file):
    vault = await file.vault()
    await vault.set("A", CANARY)
    file.sql("DELETE FROM items WHERE shelf = 'vault.values'")
    with pytest.raises(OpcodeError, match="'A' is damaged or was exchanged"):
        await vault.get("A")
    assert await vault.delete("A") is True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, r"written by another version of opcode-vault \(format 2\)"),
        ({"format": "x" * 1000}, "written by another version"),
        ({"salt": "!"}, "head is damaged"),
        ({"salt": None}, "head is damaged"),
        ({"iterations": 0}, "head is damaged"),
        ({"iterations": -1}, "head is damaged"),
        ({"iterations": 10**10}, "head is damaged"),
        ({"iterations": "many"}, "head is damaged"),
        ({"secrets": None}, "head is damaged"),
        ({"secrets": {"A": "x"}}, "head is damaged"),
        ({"secrets": ["A"]}, "head is damaged"),
        ({"check": None}, "head is damaged"),
        ({"check": {}}, "is not that of the vault"),
        ({"check": 5}, "is not that of the vault"),
        ({"iterations": FEW + 1}, "is not that of the vault"),
        ({"salt": base64.b64encode(bytes(16)).decode()}, "is not that of the vault"),
        ({"id": "another"}, "is not that of the vault"),
    ],
    ids=repr,
)
async def test_a_damaged_head_is_noticed(file, change, why):
    vault = await file.vault()
    await vault.set("A", CANARY)
    file.write_head({**file.head(), **change})
    with pytest.raises(OpcodeError, match=why) as refused:
        await vault.get("A")
    assert refused.value.code is ErrorCode.VAULT_ERROR
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("head", [None, 5, "text", [], {}])
async def test_a_head_that_is_none(file, head):
    vault = await file.vault()
    await vault.set("A", CANARY)
    file.write_head(head)
    for call in (vault.get("A"), vault.names(), vault.set("A", "1"), vault.rotate("new")):
        with pytest.raises(OpcodeError, match="head is damaged; take the database from a backup"):
            await call
