"""Runs of a project's stacks before and after a change: offline on a state of their own, or on the live one.

Offline, base is brought up with the plugins of `infra.preview.offline` on a state in a temporary folder, and head is
previewed on that state: no credentials, no network, no vendor's plugin. Live, head is previewed on the real state.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import yaml

from infra.deployment.engine import find_command
from infra.preview.checkouts import Checkout, Checkouts
from infra.preview.engine import Engine, EngineRun
from infra.preview.isolation import isolate, open_folder
from infra.preview.offline.record import VARIABLE, Note, read_notes
from infra.preview.projects import (
    find_changed_secrets,
    find_interpreter,
    has_secrets,
    read_project,
    write_config,
)
from infra.preview.sides import Side, choose_stacks, copy_side
from infra.preview.states import export_state, lift_protection

Status = Literal["compared", "new", "removed", "failed"]
Say = Callable[[str, str], None]
"""Hears of progress: a stack's name and what happens to it now."""
LIMIT_S = 900.0
"""How long one run of the engine may take."""


def say_nothing(_stack: str, _action: str) -> None:
    """Keep progress to itself."""


@dataclass(frozen=True, kw_only=True)
class StackRun:
    """One stack of both sides.

    `base_state` is as `pulumi stack export` writes it, `preview` as `pulumi preview --json --show-sames` does.

    A new stack has no base, a removed one no preview, a failed one `errors`. `placeholders` are the keys of its
    configuration whose secrets were replaced, `changed_secrets` those of them that differ in the files of both sides,
    `seconds` how long each run of the engine took.
    """

    name: str
    status: Status
    base_state: Path | None = None
    preview: Path | None = None
    base_config: Path | None = None
    head_config: Path | None = None
    errors: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    changed_secrets: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def made_up(self) -> tuple[Note, ...]:
        """Look-ups whose answers are made up."""
        return tuple(each for each in self.notes if each.kind == "made-up")

    @property
    def unsure(self) -> Mapping[str, tuple[str, ...]]:
        """Resources (URNs) that the change may replace, with the properties of which that is not known."""
        return {each.urn: each.details for each in self.notes if each.kind == "unsure"}

    @property
    def unknown_packages(self) -> tuple[str, ...]:
        """Packages of which nothing is known but what the program says."""
        return tuple(sorted({each.about for each in self.notes if each.kind == "unknown-package"}))


@contextmanager
def run_offline(
    checkouts: Checkouts,
    stacks: Sequence[str] = (),
    *,
    secrets: Sequence[str] = (),
    policy_pack: Path | None = None,
    jobs: int = 0,
    limit_s: float = LIMIT_S,
    say: Say = say_nothing,
) -> Iterator[tuple[StackRun, ...]]:
    """Run stacks (by default all of both sides) offline; their files are there for as long as the context is open.

    `secrets` are keys of the configuration, such as `shop:api-key`, that get a placeholder where a file has no value:
    those that a user sets only where the stack is deployed.
    `jobs` is how many stacks run at a time, by default one a core. Raises EngineMissing, and InvalidProject for a
    project or a stack that neither side has. What fails in one stack is in its `errors`.
    """
    before = read_project(checkouts.base.root, checkouts.base.project)
    after = read_project(checkouts.head.root, checkouts.head.project)
    names = choose_stacks(before, after, stacks, checkouts.head.project)
    command = Path(find_command(checkouts.here.project).command)
    with open_folder() as folder:
        # The environment that the project names in the working tree is the one of both sides.
        interpreter = find_interpreter(after or before, checkouts.here.project)  # type: ignore[arg-type]
        shared = isolate(folder, command, interpreter, checkouts.here.project)
        sides = [
            None if project is None else copy_side(project, folder / name, interpreter, shared, checkouts.here.root)
            for name, project in (("base", before), ("head", after))
        ]
        offline = _Offline(folder, command, limit_s, sides[0], sides[1], tuple(secrets), policy_pack, say)
        yield _run_all(names, offline.run, offline.stop, jobs)


@contextmanager
def run_live(
    head: Checkout,
    stacks: Sequence[str] = (),
    *,
    policy_pack: Path | None = None,
    jobs: int = 0,
    limit_s: float = LIMIT_S,
    say: Say = say_nothing,
) -> Iterator[tuple[StackRun, ...]]:
    """Preview head's stacks on their live state, with the credentials and the backend of this environment.

    Head must be the working tree, whose stacks' files have the real secrets. Raises as `run_offline` does.
    """
    project = read_project(head.root, head.project)
    names = choose_stacks(None, project, stacks, head.project)
    command = Path(find_command(head.project).command)
    with open_folder() as folder:
        environment = {**os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        environment |= {"PULUMI_SKIP_UPDATE_CHECK": "true"}
        engine = Engine(command=command, environment=environment, limit_s=limit_s)

        def run(name: str) -> StackRun:
            say(name, "reading the live state")
            state = folder / f"{name}.state.json"
            export = engine.run("export", head.project, "stack", "export", "--stack", name, "--file", str(state))
            if export.errors:
                return _failed(name, (export,))
            say(name, "previewing head on the live state")
            done = _preview(engine, head.project, folder, name, policy_pack)
            if done.errors:
                return _failed(name, (export, done))
            config = project.stacks.get(name) if project is not None else None
            written = folder / f"{name}.preview.json"
            found = StackRun(name=name, status="compared", base_state=state, preview=written, head_config=config)
            return replace(found, seconds=_seconds((export, done)))

        yield _run_all(names, run, engine.stop, jobs)


class _Offline:
    """The runs of one preview, each stack on its own."""

    def __init__(
        self,
        folder: Path,
        command: Path,
        limit_s: float,
        base: Side | None,
        head: Side | None,
        secrets: tuple[str, ...],
        policy_pack: Path | None,
        say: Say,
    ) -> None:
        self._folder, self._command, self._limit_s = folder, command, limit_s
        self._base, self._head, self._secrets = base, head, secrets
        self._policy_pack, self._say = policy_pack, say
        self._engines: list[Engine] = []
        self._stopped = False

    def stop(self) -> None:
        """End what runs, and start nothing else."""
        self._stopped = True
        for engine in tuple(self._engines):
            engine.stop()

    def run(self, name: str) -> StackRun:
        """Bring base up and preview head."""
        base = self._base if self._base is not None and name in self._base.project.stacks else None
        head = self._head if self._head is not None and name in self._head.project.stacks else None
        runs: list[EngineRun] = []
        placeholders = self._open(name, base, head, runs)
        state: Path | None = None
        if base is not None and not runs[-1].errors:
            self._say(name, "bringing base up offline")
            up = ("up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", name)
            runs.append(self._engine(base, name, "base").run("base", base.copy, *up, events=self._events(name, "base")))
            checkpoint = self._checkpoint(base, name)
            state = export_state(checkpoint, self._folder / f"{name}.state.json")
            lift_protection(checkpoint)
        if head is not None and not runs[-1].errors:
            self._say(name, "previewing head offline")
            engine = self._engine(head, name, "head")
            runs.append(_preview(engine, head.copy, self._folder, name, self._policy_pack))
        notes = tuple(note for side in ("base", "head") for note in read_notes(self._folder / f"{name}.{side}.notes"))
        preview = self._folder / f"{name}.preview.json"
        status: Status = "new" if base is None else "removed" if head is None else "compared"
        found = StackRun(
            name=name,
            status=status,
            base_state=state,
            preview=preview if preview.is_file() else None,
            base_config=base.project.stacks[name] if base is not None else None,
            head_config=head.project.stacks[name] if head is not None else None,
            placeholders=placeholders,
            changed_secrets=_compare_secrets(name, base, head),
            notes=tuple(dict.fromkeys(notes)),
            seconds=_seconds(runs),
        )
        failed = _failed(name, runs)
        return replace(found, status="failed", errors=failed.errors) if failed.errors else found

    def _open(self, name: str, base: Side | None, head: Side | None, runs: list[EngineRun]) -> tuple[str, ...]:
        """Make the stack on the run's own backend, with a key of its own, and write its configuration."""
        sides = [side for side in (base, head) if side is not None]
        side = sides[-1]
        seed = self._folder / "seeds" / name
        seed.mkdir(parents=True)
        about = {"name": side.project.name, "runtime": "python"}
        (seed / "Pulumi.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
        engine = self._engine(side, name, "open")
        runs.append(engine.run("open", seed, "stack", "init", name, "--no-select"))
        files = [each.project.stacks[name] for each in sides]
        if not runs[-1].errors and (self._secrets or any(has_secrets(file) for file in files)):
            value = ("config", "set", "--secret", "--stack", name, "preview:placeholder", "placeholder")
            runs.append(engine.run("placeholders", seed, *value))
        if runs[-1].errors:
            return ()
        made = yaml.safe_load((seed / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))
        placeholder = ((made.get("config") or {}).get("preview:placeholder") or {}).get("secure", "")
        replaced: list[str] = []
        for each in sides:
            file, salt = each.project.stacks[name], made["encryptionsalt"]
            replaced += write_config(file, each.copy, salt=salt, placeholder=placeholder, wanted=self._secrets)
        return tuple(dict.fromkeys(replaced))

    def _engine(self, side: Side, name: str, action: str) -> Engine:
        environment = {**side.environment, VARIABLE: str(self._folder / f"{name}.{action}.notes")}
        engine = Engine(command=self._command, environment=environment, limit_s=self._limit_s)
        self._engines.append(engine)
        if self._stopped:
            engine.stop()
        return engine

    def _events(self, name: str, action: str) -> Path:
        return self._folder / f"{name}.{action}.events"

    def _checkpoint(self, side: Side, name: str) -> Path:
        return self._folder / "state" / ".pulumi" / "stacks" / side.project.name / f"{name}.json"


def _preview(engine: Engine, project: Path, folder: Path, name: str, policy_pack: Path | None) -> EngineRun:
    more = () if policy_pack is None else ("--policy-pack", str(policy_pack.absolute()))
    command = ("preview", "--json", "--show-sames", "--stack", name, *more)
    done = engine.run("head", project, *command, events=folder / f"{name}.head.events")
    (folder / f"{name}.preview.json").write_text(done.output, encoding="utf-8")
    return replace(done, output="")


def _run_all(
    names: Sequence[str], run: Callable[[str], StackRun], stop: Callable[[], None], jobs: int
) -> tuple[StackRun, ...]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=min(jobs or cores, max(len(names), 1))) as pool:
        futures = [pool.submit(run, name) for name in names]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            return tuple(future.result() for future in futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def _compare_secrets(name: str, base: Side | None, head: Side | None) -> tuple[str, ...]:
    if base is None or head is None:
        return ()
    return find_changed_secrets(base.project.stacks[name], head.project.stacks[name])


def _failed(name: str, runs: Sequence[EngineRun]) -> StackRun:
    errors = tuple(f"{run.action}: {error}" for run in runs for error in run.errors)
    return StackRun(name=name, status="failed", errors=errors, seconds=_seconds(runs))


def _seconds(runs: Sequence[EngineRun]) -> Mapping[str, float]:
    return {each.action: round(each.seconds, 3) for each in runs}
