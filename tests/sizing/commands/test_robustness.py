"""Input that once broke something, and thousands of random command lines: never a traceback, always a fitting exit code."""

import json
import random
from pathlib import Path

import pytest

from sizing.commands.main import run
from sizing.drivers import drivers
from sizing.models import models
from sizing.regions import regions
from sizing.selection import candidates
from sizing.workload import OVERRIDABLE

HEADER = "provider,service,sku,region,unit,amount,currency,as_of,evidence,role,source,note\n"


def outcome(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert "defect of reme-size" not in err
    return int(stopped.value.code or 0), out, err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--users", "500", "--embedding", "local-gpu", "--architecture", "arm64"],
        ["--users", "500", "--budget", "nan"],
        ["--users", "500", "--budget", "-1"],
        ["--users", "0", "--memories", "5"],
        ["--users", "500", "--region", "aws:us-east-1=²"],
        ["--users", "500", "--region", "aws:us-east-1=9999999"],
        ["--users", "9" * 400],
        ["--users", "500", "--rate", "USD=2"],
        ["--users", "500", "--rate", "CNY=1e-27"],
        ["--users", "50", "--balancer", "alb"],
        ["prices", "check", "--rate", "CNY=nan"],
    ],
)
def test_bad_input_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err


def test_a_vanishing_number_of_memories_plans(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "--users", 500, "--memories", "1e-300")[0] == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.toml", f"users = {'9' * 400}\n"),
        ("w.toml", f"users = {'9' * 5000}\n"),
        ("w.toml", "users = " + "[" * 3000),
        ("w.yaml", "users: 5\nname: 2026-13-45\n"),
        ("w.yaml", 'users: !!int ""\n'),
        ("w.yaml", "users: !!float x\n"),
        ("w.json", "[" * 50_000),
        ("w.yaml", "users: 5\nusers: 500\n"),
    ],
)
def test_junk_files_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert outcome(capsys, "--file", path)[0] == 2
    assert outcome(capsys, "diff", path, path)[0] == 2


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("aws,s3,standard,us-east-1,TB-month,23.5,USD,2026,high,list,s,", "GB-month"),
        ("openai,llm,gpt-4o-mini:input,global,1K tokens,0.00015,USD,2026,high,list,s,", "1M tokens"),
        ("aws,ec2,c6i.xlarge,us-east-1,month,120,USD,2026,high,list,s,", "hour"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,1e30,USD,2026,high,list,s,", "1e30"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,1e-400,USD,2026,high,list,s,", "1e-400"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,0,USD,2026,high,list,s,", "free"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,-0,USD,2026,high,list,s,", "-0"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,1,USD,20261101,high,list,s,", "20261101"),
        ("aws,ec2,c6i.xlarge,us-east-1,hour,1,USD,2026,high,junk,s,", "junk"),
        ("aws,ec2,*,us-east-1,hour,1,USD,2026,high,list,s,", "names its SKU"),
    ],
)
def test_slips_in_a_price_file_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, row: str, word: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + row + "\n")
    code, out, err = outcome(capsys, "--users", 500, "--prices", path)
    assert (code, out) == (2, "")
    assert word in err


def test_a_price_file_from_a_spreadsheet_may_start_with_a_mark(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + "aws,ec2,c6i.xlarge,us-east-1,hour,0.1,USD,2026,high,list,s,\n", encoding="utf-8-sig")
    assert outcome(capsys, "--users", 500, "--prices", path)[0] == 0


def test_one_bad_row_leaves_the_others(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(
        "users,embedding,architecture,gdpr\n50,remote,x86_64,yes\n50,local-gpu,arm64,\n50,remote,x86_64,maybe\n"
    )
    assert outcome(capsys, "batch", source, "-o", target)[0] == 2
    rows = target.read_text().splitlines()
    assert "single-host" in rows[1]
    assert "arm64" in rows[2]
    assert "maybe" in rows[3]


def test_a_column_given_twice_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("users,users\n1,2\n")
    assert outcome(capsys, "batch", source)[0] == 2


@pytest.mark.parametrize("spoil", ["nan", "twice", "total", "shape"])
def test_a_spoiled_report_is_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "r.json"
    outcome(capsys, "--users", 5, "--format", "json", "-o", path)
    document = json.loads(path.read_text())
    lines = document["cost"]["lines"]
    if spoil == "nan":
        lines[0]["monthly_usd"]["low"] = "NaN"
    elif spoil == "twice":
        lines.append(lines[0])
    elif spoil == "total":
        document["cost"]["total"]["expected"] = "1.00"
    else:
        document["cost"]["lines"] = 3
    path.write_text(json.dumps(document))
    assert outcome(capsys, "diff", path, path)[0] == 2


def random_arguments(rng: random.Random) -> list[str]:
    """Return a command line of known flags with values that range from usual to absurd."""
    numbers = [
        "0",
        "1",
        "5",
        "50",
        "101",
        "500",
        "5000",
        "1e6",
        "1e15",
        "-1",
        "0.5",
        "1e-9",
        "1..2..3",
        "3..2..1",
        "",
        "x",
    ]
    arguments = ["--users", rng.choice(["1", "50", "500", "5000", "200000", "1e8", "0", "300..500..900"])]
    for driver in rng.sample(list(drivers()), rng.randint(0, 3)):
        if driver != "users":
            arguments += [f"--{driver.replace('_', '-')}", rng.choice(numbers)]
    for component in rng.sample(OVERRIDABLE, rng.randint(0, 2)):
        arguments += [f"--{component.replace('_', '-')}", rng.choice(candidates(component))]
    for _ in range(rng.choice([0, 0, 1, 2])):
        nodes = rng.choice(["", "", "=1", "=3", "=0"])
        arguments += ["--region", rng.choice(list(regions().values())).key + nodes]
    wishes = [
        ["--residency", rng.choice(["cn", "eu", "us", "sg", "jp", "hk"])],
        ["--cloud", rng.choice(["aws", "alicloud"])],
        ["--availability", rng.choice(["99", "99.9", "99.99", "100", "nan"])],
        ["--embedding", rng.choice(["remote", "local-cpu", "local-gpu"])],
        ["--architecture", rng.choice(["x86_64", "arm64"])],
        ["--dimensions", rng.choice(["64", "512", "999", "1024", "3072", "8192"])],
        ["--llm", rng.choice([name for name, model in models().items() if model.kind == "llm"])],
        ["--apply", rng.choice(["arm64", "vector-store", "model-tiers", "single-nat", "cache"])],
        ["--gdpr"],
    ]
    for wish in rng.sample(wishes, rng.randint(0, 3)):
        arguments += wish
    return [
        *arguments,
        "--format",
        rng.choice(["table", "json", "csv", "infracost-json"]),
        "--lang",
        rng.choice(["en", "zh"]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_command_lines_plan_or_refuse(capsys: pytest.CaptureFixture[str], seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    codes = set()
    for _ in range(60):
        arguments = random_arguments(rng)
        code, out, err = outcome(capsys, *arguments)
        assert code in (0, 2), arguments
        assert bool(out) == (code == 0), arguments
        assert bool(err) == (code == 2), arguments
        codes.add(code)
    assert codes == {0, 2}
