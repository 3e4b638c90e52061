"""The rendered settings against a real database: the password comes from PGPASSWORD alone."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from infra.service.configuration import ServiceAddresses, configure_service
from infra.service.delivery import write_preparation
from tests.infra.service.plans import PERSONAL, plan_region
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ADMIN_KEY = "rk_00112233445566778899aabbccddeeff"
NOBODY = "http://127.0.0.1:9/v1"


PASSWORD = "of-the-service"  # noqa: S105 - of a server that lives for a test


@pytest.fixture
def database(own_postgres: PostgresServer) -> str:
    """A database of a user who is asked for a password, as RDS asks."""
    rules = own_postgres.data / "pg_hba.conf"
    rules.write_text(f"host all reme all scram-sha-256\n{rules.read_text(encoding='utf-8')}", encoding="utf-8")
    own_postgres.execute(f"CREATE ROLE reme LOGIN PASSWORD '{PASSWORD}' SUPERUSER")
    own_postgres.execute("SELECT pg_reload_conf()")
    return own_postgres.new_database().replace("postgres@", "reme@")


def prepare(dsn: str, folder: Path, password: str) -> "subprocess.CompletedProcess[str]":
    parts = urlsplit(dsn)
    addresses = ServiceAddresses(
        database_host=parts.hostname or "",
        database_port=parts.port or 5432,
        database_name=parts.path.lstrip("/"),
        database_user=unquote(parts.username or ""),
        database_tls=False,  # the test's server has no certificate
    )
    plan = plan_region(**PERSONAL, overrides={"database": "postgresql"})
    overrides = {"working_dir": str(folder), "embedding.api_base": NOBODY, "llm.default.api_base": NOBODY}
    settings = configure_service(plan, addresses, overrides=overrides)
    keys = dict.fromkeys((name for name in settings.secrets if name != "PGPASSWORD"), "sk-test")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("REME_", "PG"))}
    environment = {**plain, **settings.environment, **keys, "PGPASSWORD": password, "ADMIN_KEY": ADMIN_KEY}
    return subprocess.run(
        [sys.executable, "-c", write_preparation()], env=environment, capture_output=True, text=True, check=False
    )


def test_the_preparation_brings_the_database_up_to_date(
    database: str, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    for _ in range(2):
        done = prepare(database, tmp_path, PASSWORD)
        assert done.returncode == 0, done.stderr
    with own_postgres.connect(database.replace("reme@", "postgres@")) as connection:
        [(keys, migrations)] = connection.execute(
            "SELECT (SELECT count(*) FROM api_keys), (SELECT count(*) FROM migrations)"
        ).fetchall()
    assert keys == 1
    assert migrations > 0


def test_a_wrong_password_is_refused_and_not_shown(database: str, tmp_path: Path) -> None:
    done = prepare(database, tmp_path, "not-the-password")
    assert done.returncode == 1
    assert "not-the-password" not in done.stderr
    assert done.stderr.startswith("reme: error: ")
