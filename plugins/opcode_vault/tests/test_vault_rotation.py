"""The passphrase is changed as a whole or not at all, whoever dies, and whoever else is at work."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from serving import OPCODE, environment_of
from vault_workbench import FEW, contents

from opcode_core import ErrorCode, OpcodeError

OLD, NEW = "the old passphrase", "the new passphrase"
SECRETS = {"A": "value of A", "B": "value of B", "C": "value of C\n" * 1000}


async def filled(file, secrets=SECRETS, passphrase=OLD):
    vault = await file.vault(passphrase)
    for name, value in secrets.items():
        await vault.set(name, value)
    return vault


def child(file, passphrase, *command, kill_at=0):
    """A process that waits for a line before it begins."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("vault_child.py"), file.path, passphrase, *command],
        env={**environment_of(file.path.parent), "KILL_AT": str(kill_at)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process, within=60):
    """Its exit code, and whether it came to its end; what it said when it failed otherwise than by a kill."""
    try:
        out, err = process.communicate("go\n", timeout=within)
    finally:
        process.kill()
    assert process.returncode in (0, -signal.SIGKILL), err
    return process.returncode, "done" in out


async def who_opens(file):
    """Which of the two passphrases opens everything; the other one must open nothing."""
    opening = []
    for passphrase in (OLD, NEW):
        vault = await file.vault(passphrase)
        try:
            found = await contents(vault)
        except OpcodeError as error:
            assert error.code is ErrorCode.VAULT_ERROR
            assert "is not that of the vault" in error.message
            for name in await vault.names():
                with pytest.raises(OpcodeError, match="is not that of the vault"):
                    await vault.get(name)
        else:
            opening.append((passphrase, found))
    ((passphrase, found),) = opening
    return passphrase, found


async def test_afterwards_the_new_passphrase_opens_all_and_the_old_one_nothing(file):
    vault = await filled(file)
    before, times, values = file.head(), await vault.entries(), file.values()
    assert await vault.rotate(NEW) == 3
    assert await who_opens(file) == (NEW, SECRETS)
    after = file.head()
    assert after["salt"] != before["salt"]
    assert after["id"] == before["id"]
    assert await vault.entries() == times
    assert len(file.values()) == 3
    assert not file.values() & values


async def test_more_rounds_and_never_fewer(file):
    vault = await filled(file, {"A": "1"})
    await vault.rotate(NEW, iterations=2 * FEW)
    assert file.head()["iterations"] == 2 * FEW
    newer = await file.vault(NEW)
    await newer.rotate(OLD, iterations=1)
    assert file.head()["iterations"] == 2 * FEW
    assert await contents(vault) == {"A": "1"}


async def test_the_same_passphrase_gives_a_new_key(file):
    vault = await filled(file)
    salt = file.head()["salt"]
    await vault.rotate(OLD)
    assert file.head()["salt"] != salt
    assert await contents(vault) == SECRETS


async def test_what_cannot_be_rotated(file):
    vault = await file.vault(OLD)
    with pytest.raises(OpcodeError, match="there are no secrets yet"):
        await vault.rotate(NEW)
    await vault.set("A", "1")
    with pytest.raises(OpcodeError, match="the new passphrase is empty"):
        await vault.rotate("")
    assert await contents(vault) == {"A": "1"}


@pytest.mark.parametrize(
    ("command", "possible"),
    [
        (("rotate", NEW), [SECRETS]),
        (("set", "A", "changed"), [SECRETS, {**SECRETS, "A": "changed"}]),
        (("set", "D", "added"), [SECRETS, {**SECRETS, "D": "added"}]),
        (("delete", "B"), [SECRETS, {name: SECRETS[name] for name in "AC"}]),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, tuple) else "",
)
async def test_killed_at_any_moment_it_is_as_before_or_as_after(file, command, possible):
    await filled(file)
    kept = file.sql("SELECT shelf, key, value, version, updated_at FROM items")
    seen, kill_at, code = [], 0, -signal.SIGKILL
    while code:
        kill_at += 1
        assert kill_at < 100
        file.sql("DELETE FROM items")
        for row in kept:
            file.sql(
                "INSERT INTO items (shelf, key, value, version, updated_at) VALUES (?, ?, ?, ?, ?)", *row
            )
        code, _ = ended(child(file, OLD, *command, kill_at=kill_at))
        passphrase, found = await who_opens(file)
        assert found in possible
        seen.append((passphrase, found))
        # and whatever is left over goes with the next change
        await (await file.vault(passphrase)).set("NEXT", "1")
        assert len(file.values()) == len(found) + 1
    assert kill_at > 8
    before, after = seen[0], seen[-1]
    assert before == (OLD, SECRETS)
    assert after != before
    change = seen.index(after)
    assert seen == [before] * change + [after] * (len(seen) - change)


@pytest.mark.timeout(180)
async def test_the_command_is_killed_by_chance(tmp_path, file):
    """`opcode secret rotate` itself, with its 600,000 rounds; killed later and later until it gets through."""
    home = tmp_path / "home"
    home.mkdir()
    environment = environment_of(
        home, OPCODE_DB_PATH=str(file.path), OPCODE_VAULT_KEY=OLD, OPCODE_VAULT_NEW_KEY=NEW
    )
    await filled(file, {f"S{i}": f"value {i}" for i in range(40)})
    secrets = await contents(await file.vault(OLD))
    chance, killed, given_up_at = random.Random(7), 0, 0.3
    while True:
        rotating = subprocess.Popen(
            [OPCODE, "secret", "rotate"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            rotating.communicate(timeout=given_up_at)
        except subprocess.TimeoutExpired:
            rotating.kill()
            rotating.communicate()
            killed += 1
        passphrase, found = await who_opens(file)
        assert found == secrets
        if rotating.returncode == 0:
            break
        assert rotating.returncode == -signal.SIGKILL
        if passphrase == NEW:  # it was killed between its change and its end
            break
        given_up_at += chance.uniform(0.02, 0.15)
    assert (passphrase, killed > 1) == (NEW, True)


async def test_many_processes_set_at_once_and_none_is_lost(file):
    await filled(file, {"A": "value of A"})
    crowd = [child(file, OLD, "set-many", prefix, "6") for prefix in "xyz"]
    crowd += [child(file, OLD, "set-same", prefix, "6") for prefix in "pq"]
    at_once(crowd)
    found = await contents(await file.vault(OLD))
    assert found.pop("SAME") in {"p5", "q5"}
    assert found == {
        "A": "value of A",
        **{f"{prefix}{i}": f"value of {prefix}{i}" for prefix in "xyz" for i in range(6)},
    }
    await (await file.vault(OLD)).set("LAST", "1")
    assert len(file.values()) == len(found) + 2


async def test_readers_beside_a_rotation_see_the_value_or_that_the_passphrase_is_another(file):
    await filled(file, {"A": "value of A", "B": "value of B"})
    at_once(
        [
            child(file, OLD, "rotate-often", NEW, "20"),
            *(child(file, OLD, "read-often", OLD, NEW, "60") for _ in range(2)),
        ]
    )
    assert (await who_opens(file))[1] == {"A": "value of A", "B": "value of B"}


async def test_a_secret_set_beside_a_rotation_is_kept_or_refused(file):
    await filled(file, {f"S{i}": "x" for i in range(20)})
    rotating, setting = child(file, OLD, "rotate", NEW), child(file, OLD, "set-many", "n", "8")
    for process in (rotating, setting):
        process.stdout.readline()
    results = at_once([rotating, setting], may_fail=(setting,))
    passphrase, found = await who_opens(file)
    assert passphrase == NEW
    told = results[setting]
    if setting.returncode:
        assert "is not that of the vault" in told
    else:
        assert {f"n{i}" for i in range(8)} <= set(found)
    assert {name for name in found if name.startswith("n")} == {f"n{i}" for i in range(len(found) - 20)}


def at_once(crowd, may_fail=()):
    """Let all begin in the same moment; what each said on standard error."""
    said = {}
    try:
        for process in crowd:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in crowd:
            _, said[process] = process.communicate(timeout=60)
    finally:
        for process in crowd:
            process.kill()
            process.communicate()
    for process in crowd:
        assert process.returncode == 0 or process in may_fail, said[process]
    return said
