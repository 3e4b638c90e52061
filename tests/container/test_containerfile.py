"""The Containerfile and its lists: what it says, and that the program that runs its steps leaves nothing out."""

import re
import tomllib
from pathlib import Path

import pytest

from tools.containerfile import UnknownStep, read_ignored, read_instructions, write_steps

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".containerignore").read_text(encoding="utf-8")
ALLOW = "*\n!app\n**/__pycache__\n"


def instructions(keyword: str) -> list[str]:
    return [found.text for found in read_instructions(CONTAINERFILE) if found.keyword == keyword]


def pinned(name: str) -> dict[str, frozenset[str]]:
    """Each requirement of a lock file, with its marker, and its hashes."""
    blocks = re.split(r"^(?=[A-Za-z0-9_.-]+==)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        re.sub(r"\s*;.*", "", block.splitlines()[0]).rstrip(" \\"): frozenset(re.findall(r"sha256:[0-9a-f]{64}", block))
        for block in blocks
    }


def test_every_step_of_the_containerfile_is_understood() -> None:
    steps = list(write_steps(CONTAINERFILE, IGNORE))
    assert steps[0] == "leave_out __pycache__"
    assert [step.split()[1] for step in steps if step.startswith("begin")] == ["build", "final"]
    assert "set_entrypoint reme" in steps
    assert "set_command serve" in steps


def test_the_image_runs_as_a_numbered_user_and_writes_only_its_volume() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert instructions("VOLUME") == ['["/var/lib/reme"]']
    assert instructions("EXPOSE") == ["8002"]
    [environment] = [text for text in instructions("ENV") if "REME_" in text]
    assert "REME_WORKING_DIR=/var/lib/reme" in environment
    assert "REME_HTTP__HOST=0.0.0.0" in environment


def test_the_last_stage_needs_no_shell() -> None:
    last = CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]
    for found in read_instructions(last.lstrip()):
        if found.keyword in ("RUN", "CMD", "ENTRYPOINT"):
            assert found.text.startswith("[")
        if found.keyword == "HEALTHCHECK":
            assert 'CMD ["python"' in found.text
            assert "/livez" in found.text


def test_both_stages_stand_on_one_versioned_base_that_can_be_pinned() -> None:
    bases = {text.split()[0] for text in instructions("FROM")}
    assert bases == {"python:${PYTHON_VERSION}-slim-bookworm${BASE_DIGEST}"}
    arguments = dict(text.split("=") for text in instructions("ARG"))
    assert arguments == {"PYTHON_VERSION": "3.12", "BASE_DIGEST": ""}


def test_what_is_installed_from_an_index_has_hashes() -> None:
    installs = [text for text in instructions("RUN") if "pip" in text and " install " in text]
    assert len(installs) == 3
    for text in installs:
        assert "--no-deps" in text
        assert "--require-hashes" in text or "--no-index" in text


@pytest.mark.parametrize("name", ["app/requirements.lock", "app/build-requirements.lock"])
def test_the_image_s_lists_are_parts_of_the_one_lock(name: str) -> None:
    whole, part = pinned("requirements.lock"), pinned(name)
    assert part
    for requirement, hashes in part.items():
        assert whole.get(requirement) == hashes, (
            f"{name}: {requirement} is not that of requirements.lock: run make lock"
        )


def test_the_image_s_list_holds_what_the_service_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["app"]]
    names = {requirement.split("==")[0].lower() for requirement in pinned("app/requirements.lock")}
    assert {re.split(r"[<>=]", requirement)[0].lower() for requirement in wanted} <= names
    assert not names & {"pulumi", "pandas", "matplotlib", "pytest", "mypy"}
    [backend] = project["build-system"]["requires"]
    assert backend in {requirement.split("==")[0] for requirement in pinned("app/build-requirements.lock")}


def test_what_is_copied_is_what_the_wheel_packs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    allowed, _ = read_ignored(IGNORE)
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= allowed


def test_steps_are_written_as_calls() -> None:
    text = (
        "# note\nARG V=3\nFROM base:${V} AS one\nRUN a && \\\n  # inside\n  b\n"
        'COPY app app\nFROM base:$V\nCOPY --from=one /x /y\nENV A=1 B="2 3"\nUSER 5\nRUN ["i", "-d"]\nLABEL x=y\n'
        'HEALTHCHECK --interval=3s CMD ["true"]\n'
    )
    assert list(write_steps(text, ALLOW)) == [
        "leave_out __pycache__",
        "begin one base:3",
        "run_shell 'a && b'",
        "copy app app",
        "begin final base:3",
        "copy_from one /y /x",
        "set_env A 1 B '2 3'",
        "set_user 5",
        "run_exec i -d",
        "set_health true",
    ]


@pytest.mark.parametrize(
    ("text", "ignore", "words"),
    [
        ("ADD x y", ALLOW, "ADD"),
        ("FROM a b c d", ALLOW, "FROM"),
        ("FROM a WITH b", ALLOW, "FROM"),
        ("FROM a\nRUN --mount=type=cache x", ALLOW, "RUN"),
        ("FROM a\nCMD serve", ALLOW, "CMD"),
        ("FROM a\nRUN [1]", ALLOW, "RUN"),
        ("FROM a\nENTRYPOINT [oops", ALLOW, "ENTRYPOINT"),
        ("FROM a\nENV A", ALLOW, "ENV"),
        ("FROM a\nCOPY --chown=5 app app", ALLOW, "COPY"),
        ("FROM a\nCOPY secrets secrets", ALLOW, "leaves out secrets"),
        ("FROM a\nRUN x \\", ALLOW, "ends inside"),
        ("FROM a", "!app\n", "begin with *"),
        ("FROM a", "*\nother\n", "'other'"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, ignore: str, words: str) -> None:
    with pytest.raises(UnknownStep, match=re.escape(words)):
        list(write_steps(text, ignore))
