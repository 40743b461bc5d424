"""`opcode secret` as a real process: what it prints, what it never prints, how it ends."""

import json
import os
import pty
import subprocess
import time

import pytest
from serving import OPCODE, environment_of

KEY = "correct horse battery"
VALUE = "canary-9d2c-value"


def run_with(opcode, workflow, tmp_path, **variables):
    (tmp_path / "w.json").write_text(json.dumps({"steps": workflow}))
    return opcode("run", "w.json", "--json", **variables)


def hash_of(secret):
    return [{"id": "a", "action": "crypto.hash", "params": {"data": f"${{{{secrets.{secret}}}}}"}}]


def test_set_list_use_delete(opcode, tmp_path):
    done = opcode("secret", "set", "TOKEN", stdin=VALUE, OPCODE_VAULT_KEY=KEY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "TOKEN is stored\n", "")
    done = opcode("secret", "set", "TOKEN", stdin=VALUE, OPCODE_VAULT_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, "TOKEN is replaced\n")
    listed = opcode("secret", "list")
    assert listed.returncode == 0
    assert listed.stdout.split()[1:] == ["TOKEN"]
    ran = run_with(opcode, hash_of("TOKEN"), tmp_path, OPCODE_VAULT_KEY=KEY)
    assert ran.returncode == 0, ran.stderr
    assert VALUE not in ran.stdout + ran.stderr
    done = opcode("secret", "delete", "TOKEN", OPCODE_VAULT_KEY=KEY)
    assert (done.returncode, done.stdout) == (0, "TOKEN is deleted\n")
    assert opcode("secret", "list").stdout == ""
    ran = run_with(opcode, hash_of("TOKEN"), tmp_path, OPCODE_VAULT_KEY=KEY)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["error"]["code"] == "NOT_FOUND"


def test_for_programs(opcode):
    def answer(*arguments, **options):
        done = opcode("secret", *arguments, "--json", OPCODE_VAULT_KEY=KEY, **options)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    assert answer("list") == {"secrets": []}
    assert answer("set", "A", stdin=VALUE) == {"name": "A", "created": True}
    assert answer("set", "A", stdin=VALUE) == {"name": "A", "created": False}
    (listed,) = answer("list")["secrets"]
    assert listed["name"] == "A"
    assert listed["updated_at"].endswith("Z")
    assert answer("rotate", OPCODE_VAULT_NEW_KEY="another long passphrase") == {"secrets": 1}
    refused = opcode("secret", "delete", "A", "--json", OPCODE_VAULT_KEY=KEY)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "VAULT_ERROR"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "what"),
    [
        (("set", "A", VALUE), "", 2, "a value is no argument"),
        (("set", "A", "--value", VALUE), "", 2, "a value is no argument"),
        (("set", f"A={VALUE}"), "", 2, "a value is no argument"),
        (("set", "A"), "", 1, "a secret cannot be empty"),
        (("set", "A"), "\n", 1, "a secret cannot be empty"),
        (("set", "A"), b"\xff\xfe", 2, "is not UTF-8 text; encode it, as with base64"),
        (("set", "A"), "x" * 65537, 1, "a secret has at most 65,536"),
        (("set", "A", "--from-env", "NOWHERE"), "", 2, "the variable NOWHERE is not set"),
        (("set", "1A"), VALUE, 1, "is not a secret's name"),
        (("set",), "", 2, "NAME"),
        (("delete", "NONE"), "", 1, "there is no secret 'NONE'"),
        (("rotate",), "", 2, "set OPCODE_VAULT_NEW_KEY"),
        (("rotate", "--iterations", "1000"), "", 2, "600000"),
        (("get", "A"), "", 2, "No such command"),
    ],
)
def test_what_it_refuses(opcode, arguments, stdin, code, what):
    refused = opcode("secret", *arguments, stdin=stdin, OPCODE_VAULT_KEY=KEY)
    assert refused.returncode == code, refused.stderr
    assert what in refused.stderr
    assert VALUE not in refused.stdout + refused.stderr
    assert opcode("secret", "list").stdout == ""


def test_a_value_of_several_lines_is_kept_as_it_is(opcode, tmp_path):
    def stored(stdin, *options, **variables):
        done = opcode("secret", "set", "A", *options, stdin=stdin, OPCODE_VAULT_KEY=KEY, **variables)
        assert done.returncode == 0, done.stderr
        ran = run_with(opcode, hash_of("A"), tmp_path, OPCODE_VAULT_KEY=KEY)
        return json.loads(ran.stdout)["output"]["a"]["hash"]

    from hashlib import sha256

    for given, kept in (
        ("one line", "one line"),
        ("one line\n", "one line"),
        ("one line\r\n", "one line"),
        ("two\nlines\n", "two\nlines\n"),
        ("ü\0\t 😀", "ü\0\t 😀"),
    ):
        assert stored(given) == sha256(kept.encode()).hexdigest()
    assert stored("", "--from-env", "MINE", MINE="from there\n") == sha256(b"from there\n").hexdigest()


def test_without_a_passphrase(opcode, tmp_path):
    refused = opcode("secret", "set", "A", stdin=VALUE)
    assert refused.returncode == 1
    assert refused.stderr == (
        "opcode: VAULT_ERROR: the secret 'A' cannot be stored: OPCODE_VAULT_KEY is not set;"
        " set it to the passphrase of the vault\n"
    )
    opcode("secret", "set", "A", stdin=VALUE, OPCODE_VAULT_KEY=KEY)
    ran = run_with(opcode, hash_of("A"), tmp_path)
    assert ran.returncode == 1
    error = json.loads(ran.stdout)["error"]
    assert (error["code"], error["step_id"]) == ("VAULT_ERROR", "a")
    assert "OPCODE_VAULT_KEY is not set; set it to the passphrase of the vault" in error["message"]


def test_with_a_wrong_passphrase(opcode, tmp_path):
    opcode("secret", "set", "A", stdin=VALUE, OPCODE_VAULT_KEY=KEY)
    for arguments in (("set", "B"), ("list",), ("delete", "A"), ("rotate",)):
        refused = opcode(
            "secret", *arguments, stdin=VALUE, OPCODE_VAULT_KEY="wrong", OPCODE_VAULT_NEW_KEY="x" * 20
        )
        assert refused.returncode == 1
        assert "VAULT_ERROR" in refused.stderr
        assert "is not that of the vault" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    ran = run_with(opcode, hash_of("A"), tmp_path, OPCODE_VAULT_KEY="wrong")
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (1, "VAULT_ERROR")


def test_rotate(opcode, tmp_path):
    new = "another long passphrase"
    assert (
        "there are no secrets yet"
        in opcode("secret", "rotate", OPCODE_VAULT_KEY=KEY, OPCODE_VAULT_NEW_KEY=new).stderr
    )
    opcode("secret", "set", "A", stdin=VALUE, OPCODE_VAULT_KEY=KEY)
    unlocked = opcode("secret", "rotate", OPCODE_VAULT_NEW_KEY=new)
    assert (unlocked.returncode, "OPCODE_VAULT_KEY is not set" in unlocked.stderr) == (1, True)
    done = opcode(
        "secret", "rotate", "--iterations", "700000", OPCODE_VAULT_KEY=KEY, OPCODE_VAULT_NEW_KEY=new
    )
    assert (done.returncode, done.stdout.startswith("1 secret under the new passphrase")) == (0, True)
    assert run_with(opcode, hash_of("A"), tmp_path, OPCODE_VAULT_KEY=KEY).returncode == 1
    assert run_with(opcode, hash_of("A"), tmp_path, OPCODE_VAULT_KEY=new).returncode == 0


def test_what_is_weak_is_said(opcode):
    done = opcode("secret", "set", "PIN", stdin="123", OPCODE_VAULT_KEY="short")
    assert done.returncode == 0
    assert "the value of PIN has fewer than 4 characters, too few to be hidden reliably" in done.stderr
    assert "the passphrase has fewer than 12 characters" in done.stderr
    assert "123" not in done.stdout + done.stderr
    done = opcode("secret", "rotate", OPCODE_VAULT_KEY="short", OPCODE_VAULT_NEW_KEY="tiny")
    assert "the passphrase has fewer than 12 characters" in done.stderr


def on_a_terminal(tmp_path, *arguments, answers, **variables):
    """What stands on the terminal at the end, and the exit code."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [OPCODE, *arguments],
        env=environment_of(tmp_path, TERM="dumb", **variables),
        stdin=side,
        stdout=side,
        stderr=side,
        cwd=tmp_path,
    )
    os.close(side)
    seen, deadline = "", time.monotonic() + 30
    try:
        for prompt, answer in answers:
            while prompt not in seen.rpartition("\n")[2]:
                assert time.monotonic() < deadline, seen
                seen += os.read(main, 1000).decode()
            os.write(main, answer.encode() + b"\n")
            seen += "\n"
        while True:
            try:
                more = os.read(main, 1000).decode()
            except OSError:  # the other end is closed
                break
            seen += more
        return process.wait(30), seen
    finally:
        process.kill()
        process.wait()
        os.close(main)


def test_at_a_terminal_what_is_typed_is_not_seen(opcode, tmp_path):
    code, seen = on_a_terminal(
        tmp_path,
        "secret",
        "set",
        "A",
        answers=[("value of A", VALUE), ("Repeat for confirmation", VALUE)],
        OPCODE_VAULT_KEY=KEY,
    )
    assert (code, "A is stored" in seen) == (0, True)
    assert VALUE not in seen
    new = "another long passphrase"
    code, seen = on_a_terminal(
        tmp_path,
        "secret",
        "rotate",
        answers=[("new passphrase", new), ("Repeat for confirmation", new)],
        OPCODE_VAULT_KEY=KEY,
    )
    assert (code, "1 secret under the new passphrase" in seen) == (0, True)
    assert new not in seen
    assert run_with(opcode, hash_of("A"), tmp_path, OPCODE_VAULT_KEY=new).returncode == 0


def test_it_works_in_a_database_of_one_s_own(opcode, tmp_path):
    at = ("--db-path", str(tmp_path / "other.db"))
    assert opcode(*at, "secret", "set", "A", stdin=VALUE, OPCODE_VAULT_KEY=KEY).returncode == 0
    assert "A" in opcode(*at, "secret", "list").stdout
    assert opcode("secret", "list").stdout == ""


IMPORTED = """
import sys
from opcode_core.hosting import PluginManager
PluginManager().registry()
print([name for name in sys.modules if name.partition(".")[0] == "cryptography"])
"""


def test_what_is_only_installed_loads_nothing_heavy():
    python = os.path.dirname(OPCODE) + "/python"
    imported = subprocess.run([python, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert imported.stdout.strip() == "[]"
