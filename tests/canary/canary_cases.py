"""For every installed action: how a secret is given to it, and how it ends.

A case is a list of steps, or a whole definition. `{S}` becomes the template of the secret, `{URL}` the echoing server,
`{DIR}` a folder. The end that is expected comes first: `ok`, an error code, or `?` where it depends on the secret.
"""

S = "${{secrets.{KEY}}}"


def one(action, params, **fields):
    """A step, and another that is given what it put out."""
    return [
        {"id": "a", "action": action, "params": params, **fields},
        {
            "id": "after",
            "action": "workflow.log",
            "depends_on": ["a"],
            "params": {"message": "got ${{steps.a.output}}", "data": "${{steps.a.output}}"},
        },
    ]


def several(*steps):
    """Steps one after the other, called a, b, c, ...; each is an action and its params."""
    made, before = [], []
    for name, (action, params) in zip("abcdefgh", steps, strict=False):
        made.append({"id": name, "action": action, "params": params, "depends_on": before})
        before = [name]
    return made


def http(action):
    method = {"method": "POST"} if action == "http.request" else {}
    return [
        ("ok", one(action, {"url": "{URL}/echo", "query": {"token": S}, **method})),
        ("ok", one(action, {"url": "{URL}/echo/500", "query": {"token": S}, **method})),
        ("ok", one(action, {"url": "{URL}/echo", "body": {"token": S, "more": [S]}, **method})),
        ("ok", one(action, {"url": "{URL}/echo", "body": {"token": S}, "body_encoding": "form", **method})),
        ("ok", one(action, {"url": "{URL}/text", "body": f"x{S}y", "body_encoding": "text", **method})),
        ("ok", one(action, {"url": "{URL}/echo", "body": S, "body_encoding": "raw", **method})),
        ("?", one(action, {"url": "{URL}/echo", "headers": {"X-Token": S}, **method})),
        ("?", one(action, {"url": "{URL}/echo", "auth": {"type": "bearer", "token": S}, **method})),
        (
            "ok",
            one(
                action,
                {"url": "{URL}/echo", "auth": {"type": "basic", "username": "ad", "password": S}, **method},
            ),
        ),
        (
            "?",
            one(
                action,
                {
                    "url": "{URL}/echo",
                    "auth": {"type": "api_key", "header_name": "X-Token", "header_value": S},
                    **method,
                },
            ),
        ),
        (
            "EXECUTION_ERROR",
            one(
                action,
                {"url": "{URL}/echo/418", "query": {"token": S}, "fail_on_error_status": True, **method},
            ),
        ),
        ("ok", one(action, {"url": "{URL}/redirect/text", "query": {"token": S}, **method})),
        (
            "ok",
            one(
                action,
                {"url": "{URL}/redirect/text", "query": {"t": S}, "follow_redirects": False, **method},
            ),
        ),
        (
            "EXECUTION_ERROR",
            one(
                action,
                {"url": "{URL}/redirect/redirect/redirect", "query": {"t": S}, "max_redirects": 1, **method},
            ),
        ),
        ("EXECUTION_ERROR", one(action, {"url": "{URL}/broken", "query": {"token": S}, **method})),
        ("ok", one(action, {"url": "{URL}/echo", **method})),
        ("?", one(action, {"url": "http://127.0.0.1:9/" + S, **method}, retry={"max": 1})),
        ("ok", one(action, {"url": "{URL}/echo", **method})),
        ("?", one(action, {"url": f"http://{S}/", **method})),
        ("?", one(action, {"url": S, **method})),
        ("VALIDATION_ERROR", one(action, {"url": "{URL}/echo", "timeout": S, **method})),
        ("VALIDATION_ERROR", one(action, {"url": "{URL}/echo", "max_redirects": S, **method})),
        ("ok", one(action, {"url": "{URL}/echo", **method})),
    ]


def shell(params):
    return one("shell.exec", {"env": {"T": S}, "shell": True, **params})


CASES = {
    "crypto.hash": [
        ("ok", one("crypto.hash", {"data": S})),
        ("VALIDATION_ERROR", one("crypto.hash", {"data": "x", "algorithm": S})),
    ],
    "crypto.hmac": [
        ("ok", one("crypto.hmac", {"data": S, "key": S})),
        ("VALIDATION_ERROR", one("crypto.hmac", {"data": "x", "key": S, "algorithm": f"a{S}"})),
    ],
    "crypto.uuid": [
        ("ok", one("crypto.uuid", {}, retry={"max": 1})),
    ],
    "crypto.encode": [
        *(
            ("ok", one("crypto.encode", {"data": f"{before}{S}!", "encoding": encoding}))
            for encoding in ("base64", "base64url", "hex", "url")
            for before in ("", "a", "ab")
        ),
        ("VALIDATION_ERROR", one("crypto.encode", {"data": S, "encoding": S})),
    ],
    "crypto.decode": [
        ("?", one("crypto.decode", {"data": S, "encoding": "hex"})),
        ("?", one("crypto.decode", {"data": S, "encoding": "base64"})),
        ("?", one("crypto.decode", {"data": S, "encoding": "url"})),
        ("VALIDATION_ERROR", one("crypto.decode", {"data": "x", "encoding": S})),
    ],
    "assert.equals": [
        ("ok", one("assert.equals", {"expected": S, "actual": S})),
        ("ASSERTION_FAILED", one("assert.equals", {"expected": S, "actual": "other", "message": f"not {S}"})),
        ("ASSERTION_FAILED", one("assert.equals", {"expected": {"a": [S]}, "actual": {"a": ["x"]}})),
        ("ASSERTION_FAILED", one("assert.equals", {"expected": 1, "actual": S}, retry={"max": 2})),
        ("ASSERTION_FAILED", one("assert.equals", {"expected": f"{'y' * 300}{S}", "actual": f"{'y' * 300}"})),
    ],
    "assert.equal": [
        ("ok", one("assert.equal", {"expected": S, "actual": S})),
        ("ASSERTION_FAILED", one("assert.equal", {"expected": f"{S}1", "actual": f"{S}2"})),
    ],
    "assert.contains": [
        ("ok", one("assert.contains", {"haystack": f"a{S}b", "needle": S})),
        ("ASSERTION_FAILED", one("assert.contains", {"haystack": [S, f"b{S}"], "needle": "x"})),
        ("ASSERTION_FAILED", one("assert.contains", {"haystack": "text", "needle": S, "message": S})),
        ("?", one("assert.contains", {"haystack": 5, "needle": S})),
    ],
    "assert.matches": [
        ("ok", one("assert.matches", {"value": S, "pattern": "(?s)(.*)"})),
        ("ASSERTION_FAILED", one("assert.matches", {"value": S, "pattern": "^never$"})),
        ("?", one("assert.matches", {"value": "text", "pattern": S})),
        ("?", one("assert.matches", {"value": "text", "pattern": f"({S}"})),
    ],
    "assert.schema": [
        ("ok", one("assert.schema", {"data": S, "schema": {"type": "string"}})),
        (
            "ASSERTION_FAILED",
            one("assert.schema", {"data": {"a": S}, "schema": {"additionalProperties": False}}),
        ),
        ("ASSERTION_FAILED", one("assert.schema", {"data": S, "schema": {"type": "integer"}, "message": S})),
        ("ASSERTION_FAILED", one("assert.schema", {"data": "x", "schema": {"const": S}})),
        ("?", one("assert.schema", {"data": "x", "schema": {"type": S}})),
    ],
    "assert.truthy": [
        ("ok", one("assert.truthy", {"value": S})),
        ("ASSERTION_FAILED", one("assert.truthy", {"value": "", "message": f"no {S}"})),
    ],
    "fs.write": [
        ("ok", one("fs.write", {"path": "{DIR}/written", "content": S})),
        ("?", one("fs.write", {"path": f"{{DIR}}/no/such/{S}/folder", "content": S})),
        ("VALIDATION_ERROR", one("fs.write", {"path": "{DIR}/written", "content": "x", "mode": S})),
    ],
    "fs.append": [
        ("ok", one("fs.append", {"path": "{DIR}/appended", "content": S})),
        ("?", one("fs.append", {"path": f"{{DIR}}/no/such/{S}/folder", "content": S})),
    ],
    "fs.read": [
        (
            "ok",
            several(
                ("fs.write", {"path": "{DIR}/read", "content": f"a {S} b"}),
                ("fs.read", {"path": "{DIR}/read"}),
                ("fs.read", {"path": "{DIR}/read", "encoding": "base64"}),
                ("workflow.log", {"message": "${{steps.b.content}} ${{steps.c.content}}"}),
            ),
        ),
        ("NOT_FOUND", one("fs.read", {"path": f"{{DIR}}/none-{S}"})),
        ("VALIDATION_ERROR", one("fs.read", {"path": "{DIR}/read", "encoding": S})),
    ],
    "fs.list": [
        (
            "ok",
            several(
                ("fs.write", {"path": f"{{DIR}}/listed/{S}", "content": "x", "create_dirs": True}),
                ("fs.list", {"path": "{DIR}/listed", "recursive": True}),
                ("workflow.log", {"message": "listed", "data": "${{steps.b}}"}),
            ),
        ),
        ("NOT_FOUND", one("fs.list", {"path": f"{{DIR}}/none-{S}", "pattern": S})),
        ("ok", one("fs.list", {"path": "{DIR}", "pattern": S})),
    ],
    "fs.stat": [
        (
            "ok",
            several(
                ("fs.write", {"path": f"{{DIR}}/stat/{S}", "content": "x", "create_dirs": True}),
                ("fs.stat", {"path": f"{{DIR}}/stat/{S}"}),
            ),
        ),
        ("NOT_FOUND", one("fs.stat", {"path": f"{{DIR}}/none-{S}"})),
    ],
    "fs.copy": [
        (
            "ok",
            several(
                ("fs.write", {"path": "{DIR}/copied", "content": S}),
                ("fs.copy", {"src": "{DIR}/copied", "dst": f"{{DIR}}/copy/{S}", "create_dirs": True}),
            ),
        ),
        ("NOT_FOUND", one("fs.copy", {"src": f"{{DIR}}/none-{S}", "dst": f"{{DIR}}/to-{S}"})),
    ],
    "fs.move": [
        (
            "ok",
            several(
                ("fs.write", {"path": "{DIR}/moved", "content": S}),
                ("fs.move", {"src": "{DIR}/moved", "dst": f"{{DIR}}/move/{S}", "create_dirs": True}),
            ),
        ),
        ("NOT_FOUND", one("fs.move", {"src": f"{{DIR}}/none-{S}", "dst": f"{{DIR}}/to-{S}"})),
    ],
    "fs.delete": [
        (
            "ok",
            several(
                ("fs.write", {"path": f"{{DIR}}/deleted/{S}", "content": S, "create_dirs": True}),
                ("fs.delete", {"path": f"{{DIR}}/deleted/{S}"}),
            ),
        ),
        ("?", one("fs.delete", {"path": f"{{DIR}}/none-{S}"})),
    ],
    "shell.exec": [
        ("ok", shell({"command": 'printf %s "$T"'})),
        ("ok", shell({"command": 'printf %s "$T" >&2; exit 3'})),
        (
            "ok",
            shell(
                {
                    "command": 'printf %s "$T" | base64 -w0; printf a%s "$T" | base64; printf ab%s "$T" | base64'
                }
            ),
        ),
        ("ok", shell({"command": "printf %s \"$T\" | od -An -v -tx1 | tr -d ' \\n'"})),
        ("ok", shell({"command": "env"})),
        (
            "EXECUTION_ERROR",
            shell({"command": 'echo "$T"; echo "bad $T" >&2; exit 3', "fail_on_error": True}),
        ),
        ("ok", shell({"command": "true"})),
        ("ok", one("shell.exec", {"command": "printf", "args": ["%s|", S, f"--token={S}"]})),
        ("ok", one("shell.exec", {"command": "cat", "stdin": f"in {S}"})),
        ("ok", one("shell.exec", {"command": "cat", "stdin": {"token": S, "list": [S]}})),
        ("?", one("shell.exec", {"command": S})),
        ("ok", shell({"command": "true"})),
        ("?", one("shell.exec", {"command": "true", "cwd": f"{{DIR}}/{S}"})),
        ("ok", shell({"command": 'printf %s "$T"; sleep 9', "timeout": "300ms"})),
        ("VALIDATION_ERROR", shell({"command": "true", "timeout": S})),
        ("VALIDATION_ERROR", shell({"command": "true", "limits": {"max_pids": S}})),
        (
            "ok",
            shell({"command": 'python3 -c \'import json,os; print(json.dumps({"t": os.environ["T"]}))\''}),
        ),
        (
            "ok",
            shell({"command": 'python3 -c \'import os; print(ascii(os.environ["T"]), os.environb[b"T"])\''}),
        ),
    ],
    "workflow.run": [
        ("VALIDATION_ERROR", one("workflow.run", {"template_name": "child", "params": {"token": S}})),
        ("NOT_FOUND", one("workflow.run", {"template_name": f"none-{S}"})),
        ("VALIDATION_ERROR", one("workflow.run", {"template_name": "child", "version": f"v{S}"})),
        ("ok", one("workflow.run", {"template_name": "child-{KEY}"})),
        ("?", one("workflow.run", {"template_name": "failing-{KEY}"})),
    ],
    "workflow.emit": [
        (
            "ok",
            one("workflow.emit", {"event_type": "mine", "payload": {"token": S, "list": [{"x": f"a{S}"}]}}),
        ),
        ("ok", one("workflow.emit", {"event": "mine", "data": {"token": S}})),
        ("VALIDATION_ERROR", one("workflow.emit", {"event_type": S})),
        ("VALIDATION_ERROR", one("workflow.emit", {"event_type": "a", "signal": S})),
    ],
    "workflow.context": [
        (
            "ok",
            several(
                ("workflow.context", {"action": "update", "data": {"token": S}, "agent_notes": f"use {S}"}),
                ("workflow.context", {"action": "read"}),
                ("workflow.log", {"message": "${{context.token}} ${{steps.b.agent_notes}}"}),
            ),
        ),
        ("NOT_FOUND", one("workflow.context", {"action": "read", "workflow_id": f"none-{S}"})),
        ("NOT_FOUND", one("workflow.context", {"action": "update", "workflow_id": S, "data": {"a": S}})),
        ("VALIDATION_ERROR", one("workflow.context", {"action": S})),
    ],
    "workflow.fail": [
        ("NON_RETRYABLE", one("workflow.fail", {"reason": f"because of {S}"})),
    ],
    "workflow.log": [
        *(
            ("ok", one("workflow.log", {"message": f"m {S}", "level": level, "data": {"t": [S]}, "more": S}))
            for level in ("debug", "info", "warning", "error")
        ),
        ("ok", one("workflow.log", {"message": {"object": S}})),
        ("VALIDATION_ERROR", one("workflow.log", {"message": "m", "level": S})),
    ],
    "workflow.notify": [
        ("ok", one("workflow.notify", {"message": f"see {S}", "data": {"token": S}})),
        ("ok", one("workflow.notify", {"message": {"object": S}})),
    ],
    "expr.eval": [
        ("?", one("expr.eval", {"expression": S, "engine": "python"})),
        ("?", one("expr.eval", {"expression": S, "engine": "cel"})),
        ("?", one("expr.eval", {"expression": S, "engine": "jq"})),
        ("?", one("expr.eval", {"expression": S, "engine": "expr"})),
        ("VALIDATION_ERROR", one("expr.eval", {"expression": "1", "engine": S})),
    ],
    "http.request": [
        *http("http.request"),
        ("?", one("http.request", {"url": "{URL}/echo", "method": S})),
    ],
    "http.get": http("http.get"),
    "http.post": http("http.post"),
}
"""By action."""

ENGINES = {
    "python": [
        ("ok", "data['t'] + '!'"),
        ("ok", "{'in': [data]}"),
        ("?", "data['none']"),
        ("?", "int(data['t'])"),
    ],
    "cel": [("ok", "data.t + '!'"), ("ok", "{'in': [data]}"), ("?", "data.none"), ("?", "int(data.t)")],
    "jq": [("ok", '.t + "!"'), ("ok", "{in: [.]}"), ("?", ".t | error"), ("?", ".t + 1")],
    "expr": [("ok", "data.t + '!'"), ("ok", "[data]"), ("?", "data.t + 1"), ("?", "int(data.t)")],
}
"""By expression engine, what expr.eval makes of a secret."""

FLOWS = {
    "a retry, and then a fallback": {
        "steps": [
            {
                "id": "a",
                "action": "workflow.context",
                "params": {"action": "read", "workflow_id": f"none-{S}"},
                "on_error": {"strategy": "fallback_step", "fallback_step": "b"},
            },
            {"id": "b", "action": "workflow.log", "params": {"message": f"instead: {S}"}},
            {
                "id": "c",
                "action": "workflow.log",
                "depends_on": ["a"],
                "params": {"message": "${{steps.a.output}}"},
            },
        ],
    },
    "hooks": {
        "steps": [{"id": "a", "action": "workflow.fail", "params": {"reason": f"no {S}"}}],
        "on_error": {
            "id": "oops",
            "action": "workflow.log",
            "params": {"message": "${{workflow.error.message}}", "t": S},
        },
    },
    "an input's default": {
        "inputs": {"token": f"Bearer {S}", "plain": "x"},
        "steps": one("crypto.encode", {"data": "${{inputs.token}}", "encoding": "hex"}),
        "on_complete": {"id": "well", "action": "workflow.log", "params": {"message": S}},
        "output": {"it": "${{steps.a.result}}"},
    },
    "blocks": {
        "steps": [
            {
                "id": "each",
                "type": "loop",
                "config": {
                    "over": "[1, 2]",
                    "concurrency": 2,
                    "body": [
                        {"id": "x", "action": "crypto.encode", "params": {"data": f"${{{{loop.item}}}}{S}"}}
                    ],
                },
            },
            {
                "id": "fan",
                "type": "parallel",
                "depends_on": ["each"],
                "config": {
                    "mode": "all",
                    "branches": [
                        [
                            {
                                "id": "p",
                                "action": "shell.exec",
                                "params": {"command": "printf", "args": ["%s", S]},
                            }
                        ],
                        [
                            {
                                "id": "q",
                                "action": "workflow.log",
                                "params": {"message": "${{steps.each.results}}"},
                            }
                        ],
                    ],
                },
            },
            {
                "id": "check",
                "type": "condition",
                "depends_on": ["fan"],
                "config": {
                    "expression": "steps.fan.branches[0].stdout_raw",
                    "branches": {"***": [{"id": "y", "action": "workflow.log", "params": {"message": S}}]},
                    "default": [{"id": "n", "action": "workflow.log", "params": {"message": S}}],
                },
            },
        ],
    },
}
"""Ways on which a secret goes through a run."""
