"""This product in its default installation: SQLite, and an embedded worker."""

from __future__ import annotations

import subprocess
import sys

from bench.service import Service
from tests.support import migrated_database
from tests.support.application import ROOT

PREPARE_SECONDS = 120


class Product(Service):
    """`manage.py serve` with the worker embedded."""

    name = "this product"
    manage_seconds: float = PREPARE_SECONDS

    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "serve", "--port", str(self.port)]

    def settings(self) -> dict[str, str]:
        return {
            "WHATSAPP_SERVER": "simulator",
            "SIMULATOR_STATE": str(self.simulator_folder / "simulator.json"),
            "DJANGO_SUPERUSER_PASSWORD": "of no use",
            # One caller requests hundreds of codes here; the peer has no limits.
            "RECONNECTS_PER_CALLER": "100000",
            "RECONNECTS_PER_ORGANIZATION": "1000",
        }

    def prepare(self) -> None:
        if self.environment().get("DATABASE_URL"):
            self.manage("migrate", "--verbosity=0")
        else:
            migrated_database.copy_sqlite(self.folder)
        self.manage("createsuperuser", "--noinput", "--username=bench", "--email=b@example.org")
        scopes = ("manage", "messages:send", "messages:read")
        named = [f"--scope={scope}" for scope in scopes]
        self.token = self.manage("create_token", "bench", "bench", "--personal", *named).strip()

    def manage(self, *arguments: str) -> str:
        """Run a management command on the same data. Return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=self.manage_seconds,
        )
        return done.stdout
