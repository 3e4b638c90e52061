"""The command line as a user types it: what it prints, what it refuses, how it exits."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sizing.commands.main import SUBCOMMANDS, run
from sizing.drivers import drivers

PINNED = ["--today", "2026-11-22"]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def reme_size(capsys: pytest.CaptureFixture[str]) -> "Runner":
    return Runner(capsys)


class Runner:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as stopped:
            run([str(argument) for argument in arguments])
        out, err = self.capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), out, err)


def test_a_head_count_is_enough(reme_size: Runner) -> None:
    done = reme_size("--users", 500)
    assert done.code == 0
    assert done.err == ""
    for words in ("high availability", "AWS us-east-1", "Planning", "Next limit", "Cheapest honest change"):
        assert words in done.out


def test_chinese(reme_size: Runner) -> None:
    done = reme_size("--users", 500, "--lang", "zh")
    for words in ("高可用", "每月成本", "下一个限制"):
        assert words in done.out


@pytest.mark.parametrize("form", ["table", "json", "markdown", "csv", "infracost-json"])
def test_every_light_form(reme_size: Runner, form: str) -> None:
    done = reme_size("--users", 500, "--format", form, *PINNED)
    assert done.code == 0
    assert done.out
    if "json" in form:
        json.loads(done.out)


def test_details_show_what_the_summary_leaves_out(reme_size: Runner) -> None:
    done = reme_size("--users", 500, "--details")
    for words in (
        "Where the prices come from",
        "What would save money",
        "Clouds side by side",
        "When the plan stops fitting",
    ):
        assert words in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--users", "-5"], ["users", "-5", "Valid:"]),
        (["--users", "nan"], ["users", "nan"]),
        (["--users", "many"], ["users", "many"]),
        (["--region", "mars", "--users", "5"], ["mars", "aws:us-east-1"]),
        (["--region", "aws:us-east-1=many", "--users", "5"], ["=many", "NODES"]),
        (["--users", "5", "--llm", "gpt-9"], ["gpt-9", "gpt-4o-mini"]),
        (["--users", "5", "--task-model", "rerank"], ["rerank", "TASK=MODEL"]),
        (["--users", "5", "--memories", "9", "--memories-per-user", "1"], ["not both"]),
        (["--users", "500", "--database", "sqlite"], ["sqlite", "2 nodes"]),
        (["--users", "5", "--tier", "huge"], ["huge", "single-host"]),
        (["--users", "5", "--apply", "prayer"], ["prayer", "arm64"]),
        (["--users", "5", "--samples", "3"], ["samples", "3"]),
        (["--users", "5", "--prices", "/nowhere.csv"], ["/nowhere.csv"]),
        (["--users", "5", "--rate", "CNY=zero"], ["CNY=zero", "CNY=7.2"]),
        (["--users", "5", "-o", "/nowhere/report.txt"], ["/nowhere/report.txt", "folder"]),
        (["--file", "/nowhere.toml"], ["/nowhere.toml"]),
        (["--active-share", "0.5"], ["users", "--users"]),
        (["--user", "5"], ["--user"]),
        (["workload.toml"], ["--file workload.toml"]),
        (["--users", "5", "prices", "list"], ["users"]),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_two(
    reme_size: Runner, arguments: list[str], words: list[str]
) -> None:
    done = reme_size(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def test_nothing_given_shows_the_help(reme_size: Runner) -> None:
    done = reme_size()
    assert done.code == 2
    assert "Usage:" in done.out


def test_the_help_names_every_driver_with_default_and_origin(reme_size: Runner) -> None:
    done = reme_size("--help")
    assert done.code == 0
    for driver in drivers().values():
        assert driver.flag in done.out
    assert "§5.2" in done.out
    for command in SUBCOMMANDS:
        assert command in done.out


@pytest.mark.parametrize("command", sorted(SUBCOMMANDS))
def test_every_command_has_help(reme_size: Runner, command: str) -> None:
    done = reme_size(command, "--help")
    assert done.code == 0
    assert "Usage: reme-size" in done.out


def test_flags_win_over_the_file(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text('users = 50\nname = "ours"\n[models]\nrerank = "gpt-4o"\n[overrides]\nmonitoring = "prometheus"\n')
    done = reme_size("--file", path, "--users", 500, "--task-model", "task=qwen-plus", "--format", "json")
    document = json.loads(done.out)
    assert document["workload"]["users"] == 500
    assert document["workload"]["name"] == "ours"
    assert document["workload"]["models"] == {"rerank": "gpt-4o", "task": "qwen-plus"}
    assert document["workload"]["overrides"] == {"monitoring": "prometheus"}


def test_a_flag_replaces_the_other_way_of_saying_the_same(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text("users = 50\nmemories = 100000\n")
    document = json.loads(reme_size("--file", path, "--memories-per-user", 7, "--format", "json").out)
    assert document["workload"]["memories_per_user"] == 7


def test_over_budget_is_a_finding(reme_size: Runner) -> None:
    over = reme_size("--users", 500, "--budget", 100)
    assert over.code == 3
    assert "over budget" in over.err
    assert reme_size("--users", 500, "--budget", 100_000).code == 0


def test_output_is_whole_or_not_at_all(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    assert reme_size("--users", -1, "--format", "json", "-o", path).code == 2
    assert path.read_text() == "old"
    done = reme_size("--users", 5, "--format", "json", "-o", path)
    assert done.code == 0
    assert json.loads(path.read_text())
    assert str(path) in done.err
    assert list(tmp_path.iterdir()) == [path]


def test_own_prices_and_rates_replace_ours(reme_size: Runner, tmp_path: Path) -> None:
    header = "provider,service,sku,region,unit,amount,currency,as_of,evidence,role,source,note\n"
    path = tmp_path / "own.csv"
    path.write_text(header + "aws,ec2,t3.medium,us-east-1,hour,0.02,USD,2026-11-01,high,list,our contract,\n")
    document = json.loads(reme_size("--users", 50, "--format", "json", "--prices", path).out)
    line = next(line for line in document["cost"]["lines"] if line["sku"] == "t3.medium")
    assert line["monthly_usd"]["expected"] == "14.60"
    assert line["price"]["origin"] == str(path)
    yuan = json.loads(reme_size("--users", 50, "--cloud", "alicloud", "--format", "json", "--rate", "CNY=14").out)
    node = next(line for line in yuan["cost"]["lines"] if line["resource"] == "compute/node")
    assert node["price"]["per_usd"] == "14"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("aws,ec2,x,us-east-1,hour,-1,USD,2026,high,list,s,", ["line 2", "-1"]),
        ("aws,ec2,x,us-east-1,hour,1,XXX,2026,high,list,s,", ["XXX"]),
        ("aws,ec2,x,us-east-1,hour,1,USD,2026,sure,list,s,", ["sure", "high"]),
        ("aws,ec2,x,us-east-1,hour,1,USD,yesterday,high,list,s,", ["yesterday"]),
        ("aws,ec2,x,us-east-1,hour,1,USD,2026,high,list,,", ["source"]),
        ("aws,ec2,x,us-east-1,hour,1,USD,2026,none,list,s,", ["none"]),
        ("openai,llm,m:input,global,1M tokens,0.0005,USD,2026,high,list,s,", ["per 1K or per token"]),
        ("openai,llm,m:input,global,1M tokens,5000,USD,2026,high,list,s,", ["outside"]),
        ("aws,ec2,x,us-east-1", ["columns"]),
        ("aws,ec2,x,r,hour,1,USD,2026,high,list,s,\naws,ec2,x,r,hour,2,USD,2026,high,list,s,", ["line 3", "twice"]),
    ],
)
def test_a_bad_price_file_names_the_line(reme_size: Runner, tmp_path: Path, row: str, words: list[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text("provider,service,sku,region,unit,amount,currency,as_of,evidence,role,source,note\n" + row + "\n")
    for arguments in (["--users", "5", "--prices", path], ["prices", "check", path], ["prices", "compare", path]):
        done = reme_size(*arguments)
        assert done.code == 2
        for word in [*words, str(path)]:
            assert word in done.err


def test_prices_list_finds_and_says_when_it_does_not(reme_size: Runner) -> None:
    assert "0.0416" in reme_size("prices", "list", "aws/ec2/t3.medium@us-east-1").out
    assert "no list price" in reme_size("prices", "list", "alicloud/tair").out
    documents = json.loads(reme_size("prices", "list", "qwen/llm", "--format", "json").out)
    assert all(document["source"] for document in documents)
    assert reme_size("prices", "list", "unobtainium").code == 2


def test_the_listed_prices_are_a_price_file(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text(reme_size("prices", "list", "--format", "csv").out)
    assert reme_size("prices", "check", path).code == 0
    assert reme_size("prices", "compare", path).out.splitlines()[-1].startswith("0 of")
    assert json.loads(reme_size("prices", "compare", path, "--format", "json").out) == []


def test_prices_check_reports_age_and_second_sources(reme_size: Runner) -> None:
    done = reme_size("prices", "check", "--today", "2026-11-22")
    assert done.code == 0
    assert "second sources" in done.out
    assert reme_size("prices", "check", "--fail-stale", "--today", "2026-11-22").code == 3


def test_prices_compare_shows_what_moved(reme_size: Runner, tmp_path: Path) -> None:
    header = "provider,service,sku,region,unit,amount,currency,as_of,evidence,role,source,note\n"
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(header + "a,b,c,r,hour,1.0,USD,2026,high,list,s,\na,b,gone,r,hour,1,USD,2026,high,list,s,\n")
    new.write_text(header + "a,b,c,r,hour,1.1,USD,2026,high,list,s,\na,b,new,r,hour,1,USD,2026,high,list,s,\n")
    changes = json.loads(reme_size("prices", "compare", old, new, "--format", "json").out)
    assert {change["name"]: change["change"] for change in changes} == {
        "a/b/c@r": "+10.0 %",
        "a/b/gone@r": "removed",
        "a/b/new@r": "added",
    }


def test_init_writes_a_file_that_plans_and_never_overwrites(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    assert reme_size("init", path, "--users", 77).code == 0
    document = json.loads(reme_size("--file", path, "--format", "json").out)
    assert document["workload"]["users"] == 77
    assert reme_size("init", path).code == 2
    assert reme_size("init", path, "--force").code == 0


def test_the_template_means_what_its_comments_say(reme_size: Runner, tmp_path: Path) -> None:
    """Uncommenting every driver changes nothing: the comments show the defaults."""
    path, spelled = tmp_path / "w.toml", tmp_path / "spelled.toml"
    reme_size("init", path)
    names = set(drivers())
    lines = [
        line.removeprefix("# ") if line.removeprefix("# ").partition(" = ")[0] in names else line
        for line in path.read_text().splitlines()
    ]
    spelled.write_text("\n".join(lines))
    first, second = (json.loads(reme_size("--file", p, "--format", "json", *PINNED).out) for p in (path, spelled))
    assert first["cost"] == second["cost"]
    assert first["plan"] == second["plan"]


def test_diff_of_files_and_reports(reme_size: Runner, tmp_path: Path) -> None:
    small, large, report = tmp_path / "s.toml", tmp_path / "l.toml", tmp_path / "r.json"
    small.write_text("users = 500\n")
    large.write_text("users = 900\n")
    reme_size("--file", small, "--format", "json", "-o", report)
    same = json.loads(reme_size("diff", small, report, "--format", "json").out)
    assert (float(same["delta_usd"]), same["unknown"], same["lines"]) == (0.0, 0, [])
    there = json.loads(reme_size("diff", small, large, "--format", "json").out)
    back = json.loads(reme_size("diff", large, small, "--format", "json").out)
    assert float(there["delta_usd"]) == -float(back["delta_usd"]) > 0
    assert reme_size("diff", small, large, "--max-increase", 1).code == 3
    assert reme_size("diff", small, large, "--max-increase", 100_000).code == 0
    assert "~" in reme_size("diff", small, large).out
    assert "每月" in reme_size("diff", small, large, "--lang", "zh").out


def test_diff_refuses_what_is_no_report(reme_size: Runner, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"kind": "reme-size/report", "cost": 3}')
    done = reme_size("diff", path, path)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_batch_plans_good_rows_and_names_bad_ones(reme_size: Runner, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(
        "name,users,availability_percent,clouds,regions,override.vector_store,model.rerank,gdpr\n"
        "a,50,,,,,,\nb,800,99.9,aws,aws:eu-west-1=3,pgvector,gpt-4o,yes\nc,-1,,,,,,\nd,5,often,,,,,\n"
    )
    done = reme_size("batch", source, "-o", target)
    assert done.code == 2
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["tier"] for row in rows] == ["single-host", "ha", "", ""]
    assert "-1" in rows[2]["error"]
    assert "often" in rows[3]["error"]
    single = json.loads(reme_size("--users", 50, "--name", "a", "--format", "json").out)
    assert rows[0]["monthly_usd_expected"] == single["cost"]["total"]["expected"]


def test_batch_in_several_processes_gives_the_same(reme_size: Runner, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("users\n" + "\n".join(str(users) for users in range(1, 600)) + "\n")
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    assert reme_size("batch", source, "-o", one, "--jobs", 1).code == 0
    done = subprocess.run(
        [sys.executable, "-m", "sizing", "batch", str(source), "-o", str(two), "--jobs", "2"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert one.read_text() == two.read_text()


@pytest.mark.parametrize("text", ["", "users\n", "users,name\n1\n", "users\n1,2\n"])
def test_batch_refuses_malformed_tables(reme_size: Runner, tmp_path: Path, text: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text(text)
    assert reme_size("batch", source).code == 2


@pytest.mark.parametrize("kind", ["workload", "plan"])
def test_schemas_are_printed(reme_size: Runner, kind: str) -> None:
    assert json.loads(reme_size("schema", kind).out)["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(reme_size: Runner, shell: str) -> None:
    assert "_REME_SIZE_COMPLETE" in reme_size("completion", shell).out


def test_the_shell_completes_regions() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sizing"],
        env={
            "_REME_SIZE_COMPLETE": "bash_complete",
            "COMP_WORDS": "reme-size --region alicloud:cn-b",
            "COMP_CWORD": "2",
            "PATH": "/usr/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "alicloud:cn-beijing" in done.stdout


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m sizing prices list --format json | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
