import subprocess
import sys

from opcode_http import plugin


def test_the_plugin_offers_the_three_actions():
    assert [action.name for action in plugin.opcode_actions()] == ["http.request", "http.get", "http.post"]


def test_importing_the_plugin_does_not_import_the_http_library():
    script = "import sys, opcode_http.plugin; print([m for m in sys.modules if m.startswith(('httpx', 'httpcore', 'anyio'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
