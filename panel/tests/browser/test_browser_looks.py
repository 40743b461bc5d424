"""Looks: axe-core's rules in both schemes, narrow screens, the keyboard alone."""

import pytest
from chromium import AXE, axe, too_wide
from serving import ASK, HELLO, SLOW, serving


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A server with something on every page, and the paths."""
    with serving(
        tmp_path_factory.mktemp("looks"), OPCODE_VAULT_KEY="a passphrase that is long enough"
    ) as server:
        schema = {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": "whom"},
                "n": {"type": "integer", "default": 3},
                "mode": {"enum": ["a", "b"]},
                "loud": {"type": "boolean", "description": "shout"},
                "more": {"type": "object"},
            },
        }
        for name, workflow in (("hello", HELLO), ("ask", ASK), ("slow", SLOW)):
            server.ask(
                "/api/v1/define",
                {"name": name, "definition": workflow, "agent_id": "ada", "description": "It is for tests"},
            )
        server.ask(
            "/api/v1/define",
            {
                "name": "hello",
                "definition": {**HELLO, "timeout": "3m"},
                "agent_id": "ada",
                "input_schema": schema,
            },
        )
        _, done = server.ask(
            "/api/v1/run", {"template_name": "hello", "agent_id": "ada", "params": {"name": "x" * 900}}
        )
        _, asks = server.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})
        _, resolved = server.ask("/api/v1/run", {"template_name": "ask", "agent_id": "ada"})
        server.ask(
            "/api/v1/signal",
            {
                "workflow_id": resolved["workflow_id"],
                "signal_type": "decision",
                "payload": {"choice": "yes"},
                "reasoning": "fine",
                "agent_id": "bob",
            },
        )
        failing = {
            "steps": [
                {"id": "no", "action": "workflow.fail", "params": {"reason": "a reason"}},
                {"id": "then", "action": "crypto.uuid", "depends_on": ["no"]},
            ]
        }
        _, failed = server.ask("/api/v1/execute", {"definition": failing, "name": "fails"})
        _, running = server.ask("/api/v1/run", {"template_name": "slow", "agent_id": "ada", "wait": False})
        server.opcode("secret", "set", "KEY", input="value")
        yield (
            server,
            [
                "/",
                "/workflows",
                "/workflows?status=nope",
                f"/workflows/{done['workflow_id']}",
                f"/workflows/{asks['workflow_id']}",
                f"/workflows/{failed['workflow_id']}",
                f"/workflows/{running['workflow_id']}",
                f"/workflows/{resolved['workflow_id']}",
                "/decisions",
                "/decisions?status=resolved",
                f"/decisions/{asks['pending_decisions'][0]['id']}",
                f"/decisions/{resolved['pending_decisions'][0]['id']}",
                "/templates",
                "/templates/hello",
                "/templates/hello?version=v2&against=v1",
                "/templates/-/new",
                "/templates/-/new?template=hello",
                "/events",
                "/events?step_id=x",
                "/agents",
                "/plugins",
                "/secrets",
                "/workflows/nope",
            ],
        )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(opened, shown, width):
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make panel): NO PAGE IS CHECKED FOR ACCESSIBILITY")
    server, paths = shown
    with opened(server, refusals=True) as page:
        page.set_viewport_size({"width": width, "height": 900})
        wrong = {}
        for path in paths:
            page.goto(path, wait_until="load")
            page.evaluate("() => document.querySelectorAll('details').forEach((e) => { e.open = true; })")
            found = []
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                found += axe(page)
            found += [f"too wide: {one}" for one in too_wide(page)]
            if found:
                wrong[path] = found
        assert not wrong, "\n".join(f"{path}: {one}" for path, found in wrong.items() for one in found)


def test_axe_finds_nothing_at_the_login(opened, tmp_path):
    with serving(tmp_path, OPCODE_TOKEN="a-long-random-text") as server:
        for scheme in ("light", "dark"):
            with opened(server, color_scheme=scheme) as page:
                page.goto("/login")
                assert axe(page) == []


def test_every_page_has_its_landmarks(opened, shown):
    server, paths = shown
    titles = set()
    with opened(server, refusals=True) as page:
        for path in paths:
            page.goto(path)
            assert page.get_by_role("main").count() == 1
            assert page.get_by_role("navigation", name="Pages").count() == 1
            assert page.get_by_role("heading", level=1).count() == 1, path
            assert page.locator("html").get_attribute("lang") == "en"
            titles.add(page.title())
    assert len(titles) > 10


def test_the_keyboard_alone_is_enough(opened, shown):
    server, _ = shown
    with opened(server) as page:
        page.goto("/")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.textContent") == "To the content"
        assert page.locator(".skip").bounding_box()["x"] >= 0  # seen when it has the focus
        page.keyboard.press("Enter")
        assert page.evaluate("() => document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className").startswith("counter")
        focused = []
        page.goto("/templates/hello")
        for _ in range(40):
            page.keyboard.press("Tab")
            box = page.evaluate("""() => {
                const e = document.activeElement, s = getComputedStyle(e);
                if (e === document.body) return null;
                const r = e.getBoundingClientRect();
                return {name: e.tagName, y: r.top + scrollY, seen: s.outlineStyle !== 'none' || s.boxShadow !== 'none',
                        shown: r.width > 0 && r.right > 0};
            }""")
            if box is None:
                break
            focused.append(box)
        assert all(box["seen"] and box["shown"] for box in focused), focused
        names = [box["name"] for box in focused]
        assert names.index("INPUT") < names.index("BUTTON")
        in_main = [box["y"] for box in focused if box["name"] in ("INPUT", "SELECT", "TEXTAREA")]
        assert in_main == sorted(in_main)
        page.get_by_label("name", exact=False).first.focus()
        page.keyboard.type("Ada")
        page.keyboard.press("Enter")
        page.wait_for_url("**/workflows/*")
