"""What every renderer must do, and that no terminal is harmed."""

from wcwidth import wcswidth

from opcode_ascii import AsciiRenderer
from opcode_testkit.diagrams import RendererConformance


class TestAscii(RendererConformance):
    renderer = AsciiRenderer()

    def check(self, drawing, diagram):
        for line in drawing.split("\n"):
            assert wcswidth(line) >= 0
            assert line == line.rstrip()
