"""Tests in a headless Chromium against a real server; each page is watched for what must never happen."""

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def chromium():
    """One browser a file: the library keeps an event loop of its own, which no other test may meet."""
    from chromium import CHROMIUM, QUIET, VENDOR, sync_api

    if CHROMIUM is None:
        pytest.skip("chromium is not installed: NO PAGE IS TESTED IN A BROWSER")
    if not VENDOR.exists():
        pytest.skip("the panel's front-end files are not built (make panel): NO PAGE IS TESTED IN A BROWSER")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Opens a watched page at a server: `with opened(server, **context options) as page`; checks it at the end."""
    from chromium import PATIENCE, Faults

    @contextmanager
    def open_(server, *, lost_connections=False, refusals=False, **options):
        faults = Faults(server.url, lost_connections=lost_connections, refusals=refusals)
        context = chromium.new_context(
            base_url=server.url, viewport={"width": 1280, "height": 900}, **options
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.faults = faults
        faults.watch(page)
        try:
            yield page
        finally:
            context.close()
        assert faults.found == []

    return open_
