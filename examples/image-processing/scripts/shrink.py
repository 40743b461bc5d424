"""Makes a picture smaller: shrink.py SOURCE TARGET WIDTH. For plain PPM, so that nothing has to be installed."""

import sys
from pathlib import Path

source, target, width = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
words = [word for line in source.read_text("ascii").splitlines() for word in line.split("#")[0].split()]
if words[:1] != ["P3"]:
    sys.exit(f"{source.name} is no plain PPM")
columns, rows, most = (int(word) for word in words[1:4])
values = [int(word) for word in words[4:]]
if len(values) != columns * rows * 3:
    sys.exit(f"{source.name} has {len(values)} values instead of {columns * rows * 3}")
height = max(1, rows * width // columns)


def pixel(x: int, y: int) -> list[int]:
    """The pixel that lies where this one will be."""
    start = (y * rows // height * columns + x * columns // width) * 3
    return values[start : start + 3]


lines = [" ".join(str(value) for x in range(width) for value in pixel(x, y)) for y in range(height)]
target.write_text("\n".join([f"P3\n{width} {height}\n{most}", *lines, ""]), "ascii")
