"""The code blocks of the pages that people read, as what they would type."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# [^\n]*$")
SHELLS = ("console", "sh", "bash")


@dataclass(frozen=True)
class Block:
    """What stands between two fences of a page, without the indentation of both."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """What a reader types into a shell, each command with the lines that it goes on over.

        In a block that shows a console, these are the lines after `$ `, and further ones for as long as a quote is
        open or a backslash ends the line.
        """
        found: list[str] = []
        for line in self.text.splitlines():
            if found and _is_open(found[-1]):
                found[-1] += f"\n{line}"
            elif self.language != "console" and line.strip():
                found.append(line)
            elif line.startswith("$ "):
                found.append(line[2:])
        return [COMMENT.sub("", command) for command in found]


def blocks(page: str) -> list[Block]:
    """All blocks of a page, from top to bottom."""
    found = BLOCK.findall((ROOT / page).read_text())
    return [Block(page, language, dedent(text)) for _, language, text in found]


def _is_open(command: str) -> bool:
    """Whether the shell would wait for more."""
    try:
        shlex.split(command, comments=True)
    except ValueError:  # a quote without its end
        return True
    return command.endswith("\\")
