"""What others wrote, on every page: shown as it is, run never."""

import json
import urllib.parse

import pytest
from chromium import too_wide
from serving import serving

MARK = "window.hit=(window.hit||0)+1"
CORPUS = [
    f"<script>{MARK}</script>",
    f"</script></style></textarea></title><script>{MARK}</script>",
    f'"><img src=x onerror="{MARK}">',
    f"' onmouseover='{MARK}' autofocus onfocus='{MARK}' x='",
    f"`;{MARK};`${{{MARK}}}",
    f"javascript:{MARK}",
    f'<a href="javascript:{MARK}">click</a>',
    f"<svg onload={MARK}><animate onbegin={MARK} attributeName=x dur=1s></svg>",
    "</style><style>body{display:none}</style>",
    "x;background:url(http://evil.example/a.png);position:fixed;inset:0",
    '<link rel="stylesheet" href="//evil.example/x.css"><base href="//evil.example/">',
    '<meta http-equiv="refresh" content="0;url=//evil.example/">',
    '<iframe srcdoc="<script>parent.hit=1</script>"></iframe>',
    f'<div hx-get="//evil.example/" hx-trigger="load" hx-on:click="{MARK}" data-copy="x">x</div>',
    "{{7*7}} {% raw %} ${7*7} #{7*7} <%= 7*7 %> [[${7*7}]]",
    "${{secrets.KEY}} ${{inputs.x}}",
    '"];x --> y; click x "javascript:alert(1)"; %%{init: {"securityLevel":"loose"}}%%',
    "\u202egnp.exe\u202c \u2066\u2067אבג مرحبا\u2069",
    "W" * 300,
    "👩‍👩‍👧‍👦🏳️‍🌈 Zalgo: Z̸̢̛͎̗͚̙̈́̓a̷͖͒l̶̰̄g̵̣͠o̶̯͝",
    "tab\there\r\nline\u2028sep\u2029par\x01\x1b[31mred\x7f\u0000-less".replace("\u0000", "\\0"),
    "&lt;script&gt;&amp;&#60;img src=x onerror=alert(1)&#62; %3Cscript%3E",
    "../../etc/passwd?x=1#frag/%2e%2e;a=b&c=d+e",
    "__proto__",
    " ",
]
WIDTHS = (1280, 390)


def definition(text, number):
    """The text wherever a workflow lets its author write; ids are letters only, so they have their own."""
    text = text.replace("${{", "$ {{")  # as a template it would mean something
    return {
        "inputs": {"x": text, "name": "n"},
        "context": {"intent": text, "notes": text, text or "empty": text},
        "metadata": {text or "empty": text},
        "steps": [
            {
                "id": f"say_{number}",
                "action": "workflow.log",
                "params": {"message": text, "data": {text or "e": text}},
            },
            {
                "id": "L" * 120 + f"-{number}",
                "type": "condition",
                "config": {
                    "expression": "inputs.x",
                    "branches": {
                        text.replace("[", "(").replace("]", ")"): [{"id": "in", "action": "crypto.uuid"}]
                    },
                },
            },
            {
                "id": f"ask_{number}",
                "type": "reasoning",
                "depends_on": [f"say_{number}"],
                "config": {
                    "prompt_context": "${{inputs.x}}",
                    "data_inject": {"data": "${{inputs.x}}", "rows": "${{inputs.name}}"},
                    "options": [
                        {"id": text or "empty", "description": text},
                        {"id": "no", "description": text},
                    ],
                    "response_schema": {
                        "type": "object",
                        "properties": {
                            text or "empty": {
                                "type": "string",
                                "title": text,
                                "description": text,
                                "default": text,
                            },
                            "pick": {"enum": [text, "b"]},
                        },
                    },
                },
            },
        ],
        "output": {text or "empty": "${{inputs.x}}"},
    }


@pytest.fixture(scope="module")
def infested(tmp_path_factory):
    """A server in which every text of the corpus has been everywhere; and the pages that show it."""
    with serving(tmp_path_factory.mktemp("infested")) as server:
        paths = [
            "/",
            "/workflows",
            "/workflows?status=failed",
            "/decisions",
            "/decisions?status=rejected",
            "/decisions?status=resolved",
            "/templates",
            "/events",
            "/agents",
            "/plugins",
        ]
        for number, text in enumerate(CORPUS):
            name = f"{''.join(c for c in text if c.isprintable())[:150]} {number}".strip()
            schema = {"properties": {text or "empty": {"type": "string", "title": text, "default": text}}}
            agent = f"{text[:60]} {number}" if text.isprintable() else f"agent {number}"
            status, answer = server.ask(
                "/api/v1/define",
                {
                    "name": name,
                    "definition": definition(text, number),
                    "agent_id": agent,
                    "description": text,
                    "input_schema": schema,
                },
            )
            assert status == 200, (text, answer)
            status, run = server.ask(
                "/api/v1/run", {"template_name": name, "agent_id": agent, "params": {"x": text}}
            )
            assert status == 200, (text, run)
            paths.append(f"/templates/{urllib.parse.quote(name, safe='')}")
            paths.append(f"/workflows/{run['workflow_id']}")
            if not run["pending_decisions"]:
                continue
            paths.append(f"/decisions/{run['pending_decisions'][0]['id']}")
            if number % 3:
                kind = (
                    {"reject": text}
                    if number % 3 == 1
                    else {"choice": text or "empty", "data": {"pick": text}}
                )
                said = {
                    "workflow_id": run["workflow_id"],
                    "signal_type": "decision",
                    "payload": kind,
                    "agent_id": agent,
                    "reasoning": text,
                }
                server.ask("/api/v1/signal", said)
        failing = {"steps": [{"id": "no", "action": "workflow.fail", "params": {"reason": "".join(CORPUS)}}]}
        _, run = server.ask("/api/v1/execute", {"definition": failing, "name": CORPUS[2] + "W" * 200})
        paths.append(f"/workflows/{run['workflow_id']}")
        for text in CORPUS:
            server.ask(
                "/api/v1/execute",
                {
                    "name": text[:100].replace("\x01", "") or "x",
                    "definition": {
                        "steps": [
                            {
                                "id": "emit",
                                "action": "workflow.emit",
                                "params": {"event_type": "custom", "payload": {"a": text}},
                            }
                        ]
                    },
                },
            )
            quoted = urllib.parse.quote(text, safe="")
            paths += [f"/events?event_type={quoted}", f"/workflows?agent_id={quoted}&status={quoted}"]
        for text in CORPUS[:6]:
            quoted = urllib.parse.quote(text, safe="")
            paths += [
                f"/workflows/{quoted}",
                f"/decisions/{quoted}",
                f"/templates/{quoted}?version={quoted}",
                f"/workflows?cursor={quoted}",
                f"/templates/-/new?template={quoted}",
            ]
        yield server, paths


@pytest.mark.timeout(300)
def test_what_others_wrote_is_shown_and_never_run(opened, infested):
    server, paths = infested
    assert len(paths) > 140
    with opened(server, refusals=True) as page:
        wide = {}
        for path in paths:
            answer = page.goto(path, wait_until="load")
            assert answer.status in (200, 404, 422), path
            assert page.title().endswith("· OPCODE"), path
            assert page.evaluate("() => window.hit") is None, path
            assert (
                page.locator("main script, main style, main iframe, main link, main base, main meta").count()
                == 0
            )
            assert page.locator("main [onload], main [onerror], main [onfocus], main [style]").count() == 0, (
                path
            )
            assert page.locator("main a[href^='javascript']").count() == 0
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                if sticking := too_wide(page):
                    wide[f"{path} {width}"] = sticking
        assert wide == {}


def test_what_others_wrote_stays_text_while_the_page_changes(opened, infested):
    """The parts that are fetched while a page is open, too."""
    server, paths = infested
    run = next(path for path in paths if path.startswith("/workflows/"))
    with opened(server) as page:
        page.goto(run)
        page.wait_for_selector("#liveness.online")
        server.ask(
            "/api/v1/signal",
            {
                "workflow_id": run.rpartition("/")[2],
                "signal_type": "data",
                "payload": {f"<img src=x onerror='{MARK}'>": f"</script><script>{MARK}</script>"},
                "agent_id": "ada",
            },
        )
        page.wait_for_selector("text=variable_set")
        page.goto("/")
        page.wait_for_selector("#liveness.online")
        server.ask(
            "/api/v1/execute",
            {
                "name": f"<img src=x onerror='{MARK}'>",
                "definition": {
                    "steps": [{"id": "a", "action": "workflow.fail", "params": {"reason": CORPUS[1]}}]
                },
            },
        )
        page.get_by_role("link", name=f"<img src=x onerror='{MARK}'>").first.wait_for()
        assert page.evaluate("() => window.hit") is None


def test_the_editor_shows_what_is_wrong_with_a_hostile_text(opened, infested):
    server, _ = infested
    with opened(server, refusals=True) as page:
        page.goto("/templates/-/new")
        for text in CORPUS:
            page.get_by_label("Definition").fill(
                json.dumps({"steps": [{"id": text, "action": text, text: text}]})
            )
            page.wait_for_selector("#check .alert")
        page.get_by_label("Definition").fill(json.dumps(definition(CORPUS[0], 1)))
        page.wait_for_selector("#check .good")
        assert page.evaluate("() => window.hit") is None


def test_the_policy_is_strict(opened, infested):
    server, _ = infested
    with opened(server) as page:
        policy = page.goto("/").headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        page.faults.found.clear()
        page.evaluate("""() => {
            const script = document.createElement('script'); script.textContent = 'window.hit = 1';
            document.body.append(script);
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.hit = 2">');
        }""")
        page.wait_for_timeout(200)
        assert page.evaluate("() => window.hit") is None
        assert any("Content Security Policy" in fault for fault in page.faults.found)
        page.faults.found.clear()
