"""`manage.py run` (`make run`): start everything on one machine with one command."""

import json
import os
import secrets
from functools import partial
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from connections import file_lock
from organizations.access import COMMAND_LINE
from organizations.actions import create_organization, create_token
from organizations.models import ApiToken, Organization
from organizations.tokens import find_token
from whatsapp_orgs import private_files
from whatsapp_orgs.management.commands.serve import exit_process, serve
from whatsapp_orgs.server import fork

DEMO_ORGANIZATIONS = ("Padaria Estrela", "Clínica Horizonte", "Oficina do Bairro")
TOKEN_NAME = "make run"
FIRST_STEPS = (
    "  Try it: open an organization under Connections, press Reconnect and scan the code with the\n"
    "  simulated phone. Then write as a customer on its Messages tab, and answer. On its Webhooks\n"
    "  tab, catch the events that your software would get.\n"
    "  The API docs begin with first calls, which can be copied. To try an operation there, press\n"
    "  Authorize and enter the token: it may do everything.\n\n"
)


class Command(BaseCommand):
    help = "Prepare the data folder, start the simulator if it is used, and serve."

    def handle(self, *args: Any, **options: Any) -> None:
        with self._acquire_lock():
            self._run(port_from_environment())
        exit_process()

    def _acquire_lock(self) -> IO[str]:
        try:
            return file_lock.exclusive(settings.DATA_DIR / "run.lock")
        except file_lock.Locked as error:
            raise CommandError(
                f"{settings.DATA_DIR} is in use by another `make run`. "
                "Stop that one first, or set DATA_DIR."
            ) from error

    def _run(self, port: int) -> None:
        _migrate()
        run_info = self._run_info(port)
        simulator = self._start_simulator() if settings.WHATSAPP_SERVER == "simulator" else None
        try:
            serve("127.0.0.1", port, partial(self._announce, run_info))
        finally:
            if simulator is not None:
                simulator.stop()
            (settings.DATA_DIR / "run.json").unlink(missing_ok=True)

    def _run_info(self, port: int) -> dict[str, Any]:
        """Return the content of run.json. The password and the token are kept between starts."""
        path = settings.DATA_DIR / "login.json"
        saved = json.loads(path.read_text()) if path.exists() else {}
        password = saved.get("password") or secrets.token_urlsafe(12)
        admin, created = User.objects.get_or_create(
            username="admin", defaults={"is_staff": True, "is_superuser": True}
        )
        if created:
            admin.set_password(password)
            admin.save()
            for name in DEMO_ORGANIZATIONS:
                create_organization(name, COMMAND_LINE)
        token = saved.get("token")
        if not token or not _has_every_scope(token):
            scopes = list(ApiToken.MessageScope)
            _, token = create_token(admin, TOKEN_NAME, COMMAND_LINE, message_scopes=scopes)
        private_files.write(path, json.dumps({"password": password, "token": token}) + "\n")
        return {
            "url": f"http://127.0.0.1:{port}/",
            "username": "admin",
            "password": password,
            "token": token,
            "whatsapp_server": settings.WHATSAPP_SERVER,
            "pid": os.getpid(),
            "organizations": list(Organization.objects.values("id", "name")),
        }

    def _start_simulator(self) -> Any:
        from simulator import process

        return process.start(settings.SIMULATOR_STATE.parent, parent_pid=os.getpid())

    def _announce(self, run_info: dict[str, Any]) -> None:
        """Print the addresses and logins, and write them to run.json for scripts."""
        private_files.write(settings.DATA_DIR / "run.json", json.dumps(run_info, indent=2) + "\n")
        self.stdout.write(
            f"\n  WhatsApp Orgs      {run_info['url']}admin/\n"
            f"  Login              {run_info['username']} / {run_info['password']}\n"
            f"  API docs           {run_info['url']}{reverse('api-docs').lstrip('/')}\n"
            f"  API token          {run_info['token']}\n"
            f"  WhatsApp server    {run_info['whatsapp_server']}\n"
            f"  Data               {settings.DATA_DIR}\n\n"
            f"  First call         {first_call(run_info)}\n\n"
            f"{FIRST_STEPS if run_info['whatsapp_server'] == 'simulator' else ''}"
            "  Stop with Ctrl-C.\n"
        )
        self.stdout.flush()


def _migrate() -> None:
    """Migrate in a process of its own: what it loads would stay in memory. Raises CommandError."""
    child = fork.start(partial(call_command, "migrate", verbosity=0))
    if (code := fork.wait(child)) != 0:
        raise CommandError(f"the migration ended with code {code}: see its error above")


def first_call(run_info: dict[str, Any]) -> str:
    """Return a line for a shell that lists the organizations."""
    url = f"{run_info['url']}{reverse('api-organizations').lstrip('/')}"
    return f'curl -H "Authorization: Bearer {run_info["token"]}" {url}'


def _has_every_scope(text: str) -> bool:
    """Return whether this is a valid token that may also send and read messages."""
    found = find_token(text)
    return found is not None and found.message_scopes == list(ApiToken.MessageScope)


def port_from_environment() -> int:
    """Return PORT, 8000 if it is not set. Raises CommandError."""
    value = os.environ.get("PORT") or "8000"
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise CommandError(f"PORT must be a number from 1 to 65535, not {value!r}.")
    return int(value)
