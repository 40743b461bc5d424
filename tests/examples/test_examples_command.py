"""`opcode examples`, as a stranger meets it: in the repository, and installed from wheels."""

import json
import os
import pty
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path
from select import select

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OPCODE = Path(sys.executable).with_name("opcode")
UV = Path(sys.executable).with_name("uv")


def opcode(folder: Path, *arguments: str, command: Path = OPCODE) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    return subprocess.run(
        [command, "examples", *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_list_names_all(tmp_path: Path):
    listed = json.loads(opcode(tmp_path, "list", "--json").stdout)["examples"]
    assert len(listed) == 45
    assert {"name", "title", "category", "summary"} == set(listed[0])
    lines = opcode(tmp_path, "list").stdout.splitlines()
    assert len(lines) == 45
    assert any(line.startswith("deploy-gate ") and "DevOps" in line for line in lines)


def test_show_gives_the_page_and_the_place(tmp_path: Path):
    shown = opcode(tmp_path, "show", "deploy-gate").stdout
    assert shown.startswith("# Deploy gate")
    assert f"files: {ROOT / 'examples/deploy-gate'}" in shown
    answer = json.loads(opcode(tmp_path, "show", "deploy-gate", "--json").stdout)
    assert next(iter(answer["scenarios"])) == "healthy"
    assert answer["workflow"]["inputs"]["service"] == "checkout"


def test_run_lets_a_stranger_see_it_work(tmp_path: Path):
    done = opcode(tmp_path, "run", "deploy-gate")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "deployed"
    assert "approve asks: Deploy checkout 2.4.0 to production? – the scenario says" in done.stderr
    assert "gate.ship.settle" in done.stderr
    assert "--scenario hurting|nobody-answers|red-build" in done.stderr
    assert list(tmp_path.iterdir()) == [] or [path.name for path in tmp_path.iterdir()] == [".cache"]


def test_answers_come_from_the_command_and_decide(tmp_path: Path):
    done = opcode(tmp_path, "run", "deploy-gate", "--answer", "approve=hold", "--quiet")
    assert json.loads(done.stdout)["outcome"] == "held"
    assert done.stderr.startswith("see also:")
    answer = '{"choice": "approve", "data": {"budget": "travel"}}'
    given = ["--answer", "manager=approve", "--answer", "director=approve", "--answer", f"finance={answer}"]
    done = opcode(tmp_path, "run", "approval-chain", "--scenario", "three-approvals", "-q", *given)
    assert json.loads(done.stdout)["decided_by"] == ["manager", "director", "finance"]


def test_an_answer_that_is_no_option_is_refused_in_a_sentence(tmp_path: Path):
    done = opcode(tmp_path, "run", "deploy-gate", "--answer", "approve=later", "-q")
    assert done.returncode == 1
    assert "later" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_fails_says_why_and_exits_with_1(tmp_path: Path):
    done = opcode(tmp_path, "run", "deploy-gate", "--scenario", "red-build", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "ASSERTION_FAILED"


def test_what_was_written_is_kept_where_one_says(tmp_path: Path):
    done = opcode(tmp_path, "run", "batch-file-processor", "--folder", "here", "-q")
    assert done.returncode == 0, done.stderr
    assert "written: done/monday.csv" in done.stderr
    assert (tmp_path / "here/failed/tuesday.csv.why").exists()
    again = opcode(tmp_path, "run", "batch-file-processor", "--folder", "here")
    assert (again.returncode, again.stderr) == (2, "opcode: here is there already; name another folder\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "deploy-gates"), "there is no example 'deploy-gates'; did you mean 'deploy-gate'?"),
        (
            ("run", "deploy-gate", "--scenario", "x"),
            "deploy-gate has no scenario 'x'; there are healthy, hurting",
        ),
        (("run", "deploy-gate", "--answer", "approve"), "--answer 'approve': write STEP=OPTION"),
        (("run", "deploy-gate", "-p", "colour=red"), "unknown param 'colour' (it has: base_url, service"),
    ],
)
def test_what_is_called_wrongly_is_said_in_a_sentence(arguments: tuple[str, ...], says: str, tmp_path: Path):
    done = opcode(tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_copy_runs_by_itself_against_the_stub_beside_it(tmp_path: Path):
    copied = opcode(tmp_path, "copy", "health-check-sweep")
    assert copied.returncode == 0, copied.stderr
    here = tmp_path / "health-check-sweep"
    assert {"workflow.json", "README.md", "scenarios.json", "input_schema.json"} <= {
        path.name for path in here.iterdir()
    }
    assert opcode(tmp_path, "copy", "health-check-sweep").returncode == 2
    stub = subprocess.Popen(
        [sys.executable, here / "stub.py", ".", "all-well", "0"], cwd=here, stdout=subprocess.PIPE, text=True
    )
    try:
        assert stub.stdout is not None
        address = stub.stdout.readline().split("; ")[0].split(": ", 1)[1]
        done = subprocess.run(
            [OPCODE, "run", "workflow.json", "-q", "-p", f"base_url={address}"],
            cwd=here,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        stub.terminate()
        stub.communicate()
    assert json.loads(done.stdout) == {"checked": 3, "unwell": []}, done.stderr


CTRL_C = b"\x03"


def at_a_terminal(folder: Path, typed: dict[bytes, bytes], *arguments: str) -> tuple[int, str]:
    """Run on a terminal, and type what is given once its key is shown; the exit code and all that was shown.

    Ctrl-C is typed again while nothing happens, as people do: the interpreter hears none that comes between its
    last look and the read that it then waits in.
    """
    main, side = pty.openpty()
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "dumb"}
    command = [OPCODE, "examples", "run", *arguments]
    running = subprocess.Popen(
        command, env=environment, cwd=folder, stdin=side, stdout=side, stderr=side, start_new_session=True,
        preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - so that Ctrl-C reaches it
    )  # fmt: skip
    os.close(side)
    shown, left, until = b"", dict(typed), time.monotonic() + 60
    try:
        while time.monotonic() < until:
            if not select([main], [], [], 5)[0]:
                if CTRL_C in typed.values() and not left:
                    os.write(main, CTRL_C)
                continue
            try:
                shown += os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            for prompt in [prompt for prompt in left if prompt in shown]:
                os.write(main, left.pop(prompt))
        return running.wait(10), shown.decode()
    finally:
        running.kill()
        running.wait()
        os.close(main)


def test_a_person_at_the_terminal_is_asked(tmp_path: Path):
    code, text = at_a_terminal(tmp_path, {b"approve [ship]:": b"perhaps\nhold\n"}, "deploy-gate")
    assert code == 0, text
    assert "touches_payments: true" in text
    assert "hold  not today; the run ends without a change" in text
    assert "'perhaps' is not one of" in text
    assert '"outcome": "held"' in text


def test_a_person_may_write_freely_within_the_schema(tmp_path: Path):
    data = b'{"reply": "You are right, keep the lamp.", "refund": 5, "mood": "fine"}\n'
    code, text = at_a_terminal(
        tmp_path, {b"answer [replied]:": b"\n", b"data (JSON) [": data}, "free-form-decision"
    )
    assert code == 0, text
    assert '"refunded": 5' in text


def test_a_question_may_be_left_by_ctrl_c(tmp_path: Path):
    code, text = at_a_terminal(tmp_path, {b"approve [ship]:": CTRL_C}, "deploy-gate")
    assert code == 1
    assert "stopped" in text
    assert "Traceback" not in text


def built(folder: Path, *packages: str) -> list[Path]:
    for package in packages:
        subprocess.run(
            [UV, "build", "--quiet", "--no-progress", "--wheel", "--out-dir", folder, ROOT / package],
            check=True,
            timeout=120,
        )
    return sorted(folder.glob("*.whl"))


@pytest.mark.timeout(300)
def test_they_work_from_installed_wheels_and_the_core_says_how_to_get_them(tmp_path: Path):
    needed = ["opcode_http", "opcode_shell", "opcode_fs", "opcode_crypto"]
    needed += [f"plugins/opcode_{name}" for name in ("assert", "workflow", "cel", "jq", "asteval", "expr")]
    environment, wheels = tmp_path / "env", tmp_path / "wheels"
    python, command = environment / "bin/python", environment / "bin/opcode"
    quiet = ["--quiet", "--no-progress"]
    subprocess.run([UV, "venv", *quiet, "--python", sys.executable, environment], check=True)

    def install(*what: Path) -> None:
        constraints = ["--constraint", ROOT / "constraints.txt"]
        subprocess.run(
            [UV, "pip", "install", *quiet, "--python", python, *constraints, *what], check=True, timeout=200
        )

    install(*built(tmp_path / "core", "opcode_core"))
    alone = opcode(tmp_path, "list", command=command)
    assert (alone.returncode, alone.stderr) == (
        2,
        "opcode: the examples are not installed: pip install opcode-examples\n",
    )
    install(*[ROOT / package for package in needed], *built(wheels, "examples"))
    assert len(opcode(tmp_path, "list", command=command).stdout.splitlines()) == 45
    done = opcode(tmp_path, "run", "deploy-gate", "--yes", "-q", command=command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "deployed"
    done = opcode(tmp_path, "run", "content-summarizer", "--yes", "-q", command=command)
    assert done.returncode == 0, done.stderr
