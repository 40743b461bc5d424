import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from opcode_core import ErrorCode, OpcodeError, PathPolicy
from opcode_core.isolation import ChosenIsolator
from opcode_core.process_isolator import ProcessIsolator
from opcode_shell.execute import execute
from opcode_shell.limits import limits_of

PRINT_ARGS = "import sys, json; print(json.dumps(sys.argv[1:]))"


async def refused(call) -> OpcodeError:
    with pytest.raises(OpcodeError) as caught:
        await call
    return caught.value


async def test_output_has_exactly_the_documented_shape(shell):
    output = await shell(command="sh", args=["-c", "echo out; echo err >&2; exit 3"])
    assert output.pop("duration_ms") >= 0
    assert output == {
        "stdout": "out\n",
        "stdout_raw": "out\n",
        "stderr": "err\n",
        "exit_code": 3,
        "killed": False,
    }
    Draft202012Validator(execute.output_schema).validate({**output, "duration_ms": 1})


def test_it_is_an_external_async_action():
    assert (execute.name, execute.effect, execute.is_async) == ("shell.exec", "external", True)
    assert set(execute.params_schema["properties"]) == {
        "command", "args", "env", "cwd", "stdin", "timeout", "shell", "fail_on_error", "limits",
    }  # fmt: skip
    assert execute.params_schema["required"] == ["command"]
    assert execute.params_schema["properties"]["timeout"]["default"] == "30s"
    assert execute.params_schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("printed", "parsed"),
    [
        ('{"a": [1, 2.5, null]}\n', {"a": [1, 2.5, None]}),
        ("[]", []),
        (" 42 \n", 42),
        ("true", True),
        ('"text"', "text"),
        ("", ""),
        ("plain\n", "plain\n"),
        ('{"a": 1} and more', '{"a": 1} and more'),
        ("NaN", "NaN"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
async def test_stdout_is_parsed_if_it_is_json(shell, printed, parsed):
    output = await shell(command="cat", stdin=printed)
    assert output["stdout"] == parsed
    assert output["stdout_raw"] == printed


async def test_bytes_that_are_not_utf8_are_replaced(shell):
    output = await shell(command=r"printf 'a\377b'; printf '\300' >&2", shell=True)
    assert (output["stdout"], output["stderr"]) == ("a�b", "�")


async def test_no_shell_reads_the_arguments(shell, tmp_path):
    hostile = f"$(touch {tmp_path}/hit); `touch {tmp_path}/hit` && * ~ $HOME ${{{{ secrets.X }}}}"
    output = await shell(command=sys.executable, args=["-c", PRINT_ARGS, hostile, "", "ü\n"])
    assert output["stdout"] == [hostile, "", "ü\n"]
    assert not (tmp_path / "hit").exists()


async def test_arguments_may_be_numbers_and_booleans(shell):
    output = await shell(command=sys.executable, args=["-c", PRINT_ARGS, 1, 2.5, True])
    assert output["stdout"] == ["1", "2.5", "true"]


async def test_shell_true_reads_the_command_and_quotes_the_arguments(shell, tmp_path):
    output = await shell(
        command="echo one | cat; echo", args=["$HOME", f"; touch {tmp_path}/hit", "a  b"], shell=True
    )
    assert output["stdout"] == f"one\n$HOME ; touch {tmp_path}/hit a  b\n"
    assert not (tmp_path / "hit").exists()


async def test_without_shell_a_pipe_is_no_pipe(shell):
    error = await refused(shell(command="echo one | cat"))
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert error.message == "cannot start 'echo one | cat': there is no such command on the PATH"


async def test_a_failing_script_inside_a_shell_is_a_result(shell):
    output = await shell(command="no-such-command-xyz", shell=True)
    assert output["exit_code"] == 127
    assert "not found" in output["stderr"]


async def test_env_is_added_to_the_inherited(shell, monkeypatch):
    monkeypatch.setenv("INHERITED", "yes")
    monkeypatch.setenv("REMOVED", "yes")
    env = {"ADDED": "ü", "NUMBER": 8080, "FLAG": True, "REMOVED": None}
    script = 'echo "$INHERITED $ADDED $NUMBER $FLAG ${REMOVED-none}"'
    output = await shell(command=script, shell=True, env=env)
    assert output["stdout"] == "yes ü 8080 true none\n"


async def test_the_programs_own_secrets_are_never_inherited(shell, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "hunter2-key")
    monkeypatch.setenv("OPCODE_TOKEN", "hunter2-token")
    output = await shell(command="env")
    assert "hunter2" not in output["stdout_raw"]
    assert "PATH=" in output["stdout_raw"]


@pytest.mark.parametrize(
    ("stdin", "received"),
    [("text", "text"), ({"a": [1]}, '{"a":[1]}'), ([1, "x"], '[1,"x"]'), (5, "5"), (None, ""), ("", "")],
)
async def test_stdin(shell, stdin, received):
    assert (await shell(command="cat", stdin=stdin))["stdout_raw"] == received


async def test_cwd(shell, tmp_path):
    assert (await shell(command="pwd", cwd=str(tmp_path)))["stdout"] == f"{tmp_path.resolve()}\n"


async def test_cwd_obeys_the_path_policy(shell, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (tmp_path / "link").symlink_to(secret)
    policy = PathPolicy(deny=(secret,))
    error = await refused(shell(policy, command="pwd", cwd=str(tmp_path / "link")))
    assert error.code == ErrorCode.PATH_DENIED


async def test_a_cwd_that_does_not_exist_is_named(shell, tmp_path):
    error = await refused(shell(command="pwd", cwd=str(tmp_path / "none")))
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert f"working directory {tmp_path.resolve()}/none" in error.message


@pytest.mark.parametrize("timeout", ["200ms", 0.2])
async def test_timeout_kills_and_gives_what_there_is(shell, timeout):
    started = time.monotonic()
    output = await shell(command="echo before; sleep 30", shell=True, timeout=timeout)
    assert time.monotonic() - started < 3
    assert output["killed"]
    assert output["exit_code"] == -signal.SIGKILL
    assert output["stdout"] == "before\n"
    assert output["duration_ms"] >= 200


async def test_the_sooner_of_both_timeouts_counts(shell):
    output = await shell(command="sleep", args=[30], timeout="20s", limits={"timeout": "100ms"})
    assert output["killed"]
    assert output["duration_ms"] < 3000


async def test_cancelling_kills_the_command(shell, tmp_path):
    pid_file = tmp_path / "pid"
    task = asyncio.create_task(shell(command=f"echo $$ > {pid_file}; exec sleep 30", shell=True))
    while not (pid_file.exists() and pid_file.read_text().endswith("\n")):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{int(pid_file.read_text())}").exists()


async def test_fail_on_error_tells_the_exit_code_and_the_end_of_stderr(shell):
    script = "head -c 9000 /dev/zero | tr '\\0' x >&2; echo the reason >&2; exit 7"
    error = await refused(shell(command=script, shell=True, fail_on_error=True))
    assert error.code == ErrorCode.EXECUTION_ERROR
    assert "ended with exit code 7: xxx" in error.message
    assert error.message.endswith("the reason")
    assert len(error.message) < 2300
    assert error.details["exit_code"] == 7


async def test_fail_on_error_without_stderr(shell):
    error = await refused(shell(command="false", fail_on_error=True))
    assert error.message == "'false' ended with exit code 1"


async def test_fail_on_error_tells_a_kill(shell):
    error = await refused(shell(command="sleep", args=[30], timeout="100ms", fail_on_error=True))
    assert error.message == "'sleep' ran into a limit and was killed (its timeout was 100ms)"
    assert error.details["killed"] is True


async def test_fail_on_error_lets_success_pass(shell):
    assert (await shell(command="true", fail_on_error=True))["exit_code"] == 0


async def test_more_output_than_is_kept_says_so(shell):
    script = "head -c 11000000 /dev/zero; echo done >&2"
    output = await shell(command=script, shell=True)
    assert len(output["stdout_raw"]) == 10 * 1024 * 1024
    assert output["stderr"] == "done\n\n[only the first 10485760 bytes of stdout and of stderr were kept]\n"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"command": "echo", "args": ["a", "b\0c"]}, "args[1] holds a NUL character"),
        ({"command": "ec\0ho"}, "command holds a NUL character"),
        ({"command": " "}, "command is empty"),
        ({"command": "echo", "args": [{"a": 1}]}, "args[0] must be a text, a number or a boolean, not dict"),
        ({"command": "echo", "env": {"A": "b\0"}}, "env.A holds a NUL character"),
        ({"command": "echo", "env": {"A=B": "c"}}, "env has 'A=B', which cannot be the name of a variable"),
        ({"command": "echo", "env": {"A": []}}, "env.A must be a text, a number or a boolean, not list"),
        ({"command": "echo", "stdin": 2**70}, "stdin cannot be sent as JSON"),
        ({"command": "echo", "timeout": "soon"}, "timeout: cannot read the duration 'soon'"),
        ({"command": "echo", "timeout": -1}, "timeout: a duration cannot be negative"),
        ({"command": "echo", "timeout": 0}, "timeout: must be longer than 0"),
        ({"command": "echo", "limits": {"timeout": "x"}}, "limits.timeout: cannot read the duration 'x'"),
        (
            {"command": "echo", "limits": {"max_memory": 5}},
            "limits.max_memory: is not a limit; did you mean 'max_memory_bytes'?",
        ),
        ({"command": "echo", "limits": {"zzz": 5}}, "limits.zzz: is not a limit; there are: max_memory_bytes, "),
        ({"command": "echo", "limits": {"max_pids": 0}}, "limits.max_pids: must be a number above 0, not 0"),
        ({"command": "echo", "limits": {"max_pids": 1.5}}, "limits.max_pids: must be a whole number, not 1.5"),
        ({"command": "echo", "limits": {"max_memory_bytes": "1G"}}, "must be a number above 0, not '1G'"),
        ({"command": "echo", "limits": {"allow_network": "no"}}, "allow_network: must be true or false, not 'no'"),
        ({"command": "echo", "limits": {"deny_paths": "/etc"}}, "deny_paths: must be a list of paths, not '/etc'"),
    ],
)  # fmt: skip
async def test_params_that_make_no_sense_are_named(shell, params, message):
    error = await refused(shell(**params))
    assert error.code == ErrorCode.VALIDATION_ERROR
    assert message in error.message


async def test_memory_limit_reaches_the_command(shell):
    script = "input(); bytearray(512 * 1024 * 1024)"
    output = await shell(
        command=sys.executable,
        args=["-I", "-S", "-c", script],
        stdin="\n",
        limits={"max_memory_bytes": 256 * 1024 * 1024},
    )
    assert "MemoryError" in output["stderr"]


async def test_limits_that_the_isolator_cannot_keep_are_its_error(shell):
    error = await refused(shell(command="echo", limits={"allow_network": False, "deny_paths": ["/etc"]}))
    assert error.code == ErrorCode.ISOLATION_ERROR
    assert error.details["limits"] == ["allow_network", "deny_paths"]


async def test_limits_cannot_give_a_command_more_than_the_program_may(shell, tmp_path):
    policy = PathPolicy(read_only=(tmp_path,))
    error = await refused(shell(policy, command="echo", limits={"writable_paths": [str(tmp_path)]}))
    assert error.code == ErrorCode.PATH_DENIED
    assert "may only be read" in error.message


async def test_limits_that_are_null_are_no_limits(shell):
    limits = {"max_pids": None, "allow_network": True, "deny_paths": []}
    assert (await shell(command="true", limits=limits, env=None, args=None, cwd=None))["exit_code"] == 0


async def test_a_secret_in_the_environment_of_the_call_stays_out_of_errors(shell):
    error = await refused(shell(command="no-such-command-xyz", env={"KEY": "hunter2"}, args=["hunter2"]))
    assert "hunter2" not in f"{error.message} {error.details}"


async def test_a_limit_that_was_not_enforced_is_named_in_stderr_and_in_the_log(shell, caplog):
    isolator = ChosenIsolator({"process": ProcessIsolator()}, "auto")
    output = await shell(isolator=isolator, command="echo x >&2", shell=True, limits={"max_pids": 5})
    assert output["stderr"] == "x\n\n[not enforced on this machine: max_pids]\n"
    assert "max_pids was not enforced" in caplog.text


async def test_the_programs_own_path_rules_hold_for_commands_too(shell, tmp_path):
    for policy in (PathPolicy(deny=(tmp_path,)), PathPolicy(writable=(tmp_path,))):
        error = await refused(shell(policy, command="touch", args=[str(tmp_path / "x")]))
        assert error.code == ErrorCode.ISOLATION_ERROR  # for this isolator cannot hold them
    assert not (tmp_path / "x").exists()


def test_a_step_cannot_write_what_the_program_may_only_read_below_it(tmp_path):
    fixed = tmp_path / "fixed"
    policy = PathPolicy(writable=(tmp_path,), read_only=(fixed, Path("/usr")))
    limits = limits_of({"writable_paths": [str(tmp_path)]}, None, policy)
    assert limits.writable_paths == (tmp_path.resolve(),)
    assert limits.read_only_paths == (fixed,)
    assert limits_of({}, None, policy).read_only_paths == (fixed, Path("/usr"))
