"""PostgreSQL and Redis of deploy/compose.yaml have an ordinary role and a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError
from redis.retry import Retry

from tests.deploy.files import DEPLOY, ROOT, compose
from tests.support.services import (
    Postgres,
    end_with_parent,
    free_port,
    postgres_program,
    redis_program,
)
from whatsapp_orgs.tests.support import isolation

PASSWORD = "0123456789abcdef"
SECONDS = 60


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server prepared by the init script of Compose."""
    with Postgres() as running:
        programs = Path(postgres_program("psql")).parent
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(running.port),
            "POSTGRES_USER": running.name,
            "APPLICATION_PASSWORD": PASSWORD,
        }
        script = DEPLOY / "postgres" / "application_role.sh"
        subprocess.run(["sh", str(script)], env=environment, check=True, timeout=SECONDS)
        yield running


def of_application(postgres: Postgres, database: str = "whatsapp_orgs") -> str:
    return f"postgres://whatsapp_orgs:{PASSWORD}@127.0.0.1:{postgres.port}/{database}"


def test_role_of_the_application_is_ordinary(postgres: Postgres) -> None:
    [row] = postgres.sql(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
        " FROM pg_roles WHERE rolname = 'whatsapp_orgs'"
    )
    assert row == (False, False, False, False, False, True)
    [[kept]] = postgres.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'whatsapp_orgs'")
    assert str(kept).startswith("SCRAM-SHA-256$")
    with psycopg.connect(of_application(postgres), autocommit=True) as connection:
        for forbidden in (b"CREATE ROLE other", b"COPY (SELECT 1) TO PROGRAM 'true'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


def migrate(url: str, data_dir: Path) -> None:
    environment = {**isolation.environment(data_dir), "DATABASE_URL": url, "REDIS_URL": ""}
    command = [sys.executable, "manage.py", "migrate", "--noinput"]
    subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=SECONDS
    )


def test_role_suffices_for_migrations_and_credentials(postgres: Postgres, tmp_path: Path) -> None:
    url = of_application(postgres)
    migrate(url, tmp_path)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA wa_1_attempt_1")
        connection.execute("DROP SCHEMA wa_1_attempt_1")


def test_database_of_a_superuser_moves_to_the_ordinary_role(
    postgres: Postgres, tmp_path: Path
) -> None:
    """A dump of one role is restored by the other (docs/operations.md)."""
    old = postgres.new_database("old")
    migrate(old, tmp_path)
    with psycopg.connect(old, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA wa_1_attempt_1 CREATE TABLE kept (word TEXT)")
        connection.execute("INSERT INTO wa_1_attempt_1.kept VALUES ('all')")
    postgres.sql("CREATE DATABASE moved OWNER whatsapp_orgs")
    new, dump = of_application(postgres, "moved"), tmp_path / "whatsapp-orgs.dump"
    kinds = ("--format=custom", "--no-owner")
    for command in (
        (postgres_program("pg_dump"), *kinds, f"--file={dump}", old),
        (postgres_program("pg_restore"), "--no-owner", "--exit-on-error", "-d", new, str(dump)),
    ):
        subprocess.run(command, check=True, timeout=SECONDS)
    with psycopg.connect(new, autocommit=True) as connection:
        kept = connection.execute("SELECT word FROM wa_1_attempt_1.kept").fetchall()
        owners = (
            "SELECT DISTINCT tableowner FROM pg_tables"
            " WHERE schemaname IN ('public', 'wa_1_attempt_1')"
        )
        assert kept == [("all",)]
        assert connection.execute(owners).fetchall() == [("whatsapp_orgs",)]
    migrate(new, tmp_path)


def test_another_role_does_not_reach_the_database(postgres: Postgres) -> None:
    postgres.sql("CREATE ROLE stranger LOGIN")
    url = f"postgres://stranger@127.0.0.1:{postgres.port}/whatsapp_orgs"
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url)


def test_second_login_of_the_role_reaches_the_database(postgres: Postgres) -> None:
    """As docs/operations.md tells it, to change a password under running workers."""
    postgres.sql("CREATE ROLE whatsapp_orgs_2 LOGIN PASSWORD 'NEW' IN ROLE whatsapp_orgs")
    postgres.sql("ALTER ROLE whatsapp_orgs_2 SET role = 'whatsapp_orgs'")
    url = of_application(postgres).replace("whatsapp_orgs:", "whatsapp_orgs_2:")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA wa_2_attempt_1")
        who = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'wa_2_attempt_1'"
        assert connection.execute(who).fetchall() == [("whatsapp_orgs",)]


def test_processes_use_the_ordinary_role() -> None:
    services = compose()["services"]
    url = services["web"]["environment"]["DATABASE_URL"]
    assert url.startswith("postgres://${POSTGRES_LOGIN:-whatsapp_orgs}:${POSTGRES_PASSWORD")
    given = services["postgres"]["environment"]
    assert given["APPLICATION_PASSWORD"] == "${POSTGRES_PASSWORD}"
    # The image's superuser is called postgres unless POSTGRES_USER says otherwise.
    assert "POSTGRES_USER" not in given
    assert given["POSTGRES_PASSWORD"].startswith("${POSTGRES_ADMIN_PASSWORD:?")
    mounted = [volume.split(":")[:2] for volume in services["postgres"]["volumes"]]
    script = ["./postgres/application_role.sh", "/docker-entrypoint-initdb.d/application_role.sh"]
    assert script in mounted


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """A Redis that the command of Compose has started, on a port of loopback."""
    service = compose()["services"]["redis"]
    assert service["environment"] == {"REDISCLI_AUTH": "${REDIS_PASSWORD}"}
    port = free_port()
    shell, option, script = service["command"]
    ours = f"{redis_program()} - --bind 127.0.0.1 --port {port} --dir {tmp_path}"
    script = script.replace("$$", "$").replace("redis-server -", ours, 1)
    environment = {"REDISCLI_AUTH": PASSWORD, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [*end_with_parent(), shell, option, script], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        command_line = Path(f"/proc/{process.pid}/cmdline")
        assert not command_line.exists() or PASSWORD not in command_line.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(SECONDS)


def _answers(port: int) -> bool:
    try:
        with Client(port=port, password=PASSWORD, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except ConnectionError:
        return False


def test_redis_requires_its_password(redis_port: int) -> None:
    for password in (None, "wrong"):
        once = Retry(NoBackoff(), 0)
        client = Client(port=redis_port, password=password, retry=once)
        with client, pytest.raises(AuthenticationError):
            client.ping()
    with Client(port=redis_port, password=PASSWORD) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(128 * 1024 * 1024)}


def test_processes_know_the_password_of_redis() -> None:
    url = compose()["services"]["worker"]["environment"]["REDIS_URL"]
    assert url == "redis://:${REDIS_PASSWORD:?see deploy/.env.example}@redis:6379/0"
    assert "rediss://:PASSWORD@" in (DEPLOY / "kubernetes/secret.example.yaml").read_text()
