"""From HTML on standard input to {"title", "text", "words"} on standard output."""

import json
import sys
from html.parser import HTMLParser


class Text(HTMLParser):
    """Collects the title, and what stands in paragraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.parts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:  # noqa: ARG002 - HTMLParser's signature
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("title", "h1"):
            self.title = self.title or data.strip()
        elif self.inside == "p":
            self.parts.append(data.strip())


page = Text()
page.feed(sys.stdin.read())
text = " ".join(page.parts)
if not text:
    sys.exit("the page has no paragraphs")
json.dump({"title": page.title, "text": text, "words": len(text.split())}, sys.stdout)
