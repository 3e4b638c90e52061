"""The page about Python as a reader pastes it: every block, in order, in one program, against a real server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.mcp.serving import Served
from tests.docs.pages import FENCE, ROOT, read
from tests.servers.waiting import PATIENCE_S

PAGE = "docs/howto/use-from-python.md"


@pytest.mark.slow
def test_the_page_prints_what_it_shows(tmp_path: Path, served: Served) -> None:
    blocks = [(block["lang"], block["body"]) for block in FENCE.finditer(read(PAGE))]
    program = "".join(body for lang, body in blocks if lang == "python")
    shown = "".join(body for lang, body in blocks if lang == "text")
    assert program.count("print(") == 7
    (tmp_path / "page.py").write_text(program.replace("http://127.0.0.1:8002", served.url), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (shown, "", 0)


def test_the_page_about_tools_names_them_all() -> None:
    from app.mcp.tools import COMPATIBLE, TOOLS

    page = read("docs/howto/use-mcp.md")
    named = set(re.findall(r"`([a-z_]+)`", page))
    assert {*(tool.name for tool in TOOLS), *(tool.name for tool in COMPATIBLE)} <= named
