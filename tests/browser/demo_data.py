"""A demo fleet for screenshots: real states, and a generated history."""

from __future__ import annotations

import json

from tests.browser.scenes import Scenes
from tests.support.application import Application

CONNECTED = (
    *("Academia Corpo em Forma", "Clínica Horizonte", "Doceria Mel e Canela"),
    *("Escola Pequeno Mundo", "Imobiliária Lar Certo", "Mercado Vila Nova"),
    "Restaurante Sabor da Terra",
)
# Names by the state in the screenshots.
OTHERS = {
    "logged_out": "Farmácia Boa Vida",
    "wrong_number": "Livraria Ponto e Vírgula",
    "expired": "Salão Bela Rosa",
    "reconnecting": "Transportes Rápido Sul",
    "banned": "Pet Shop Amigo Fiel",
}

# A month of links, drops and recoveries in a fixed pattern.
PAST = """
import json, random
from datetime import timedelta
from django.utils import timezone
from connections.models import Connection, ConnectionEvent

dice, now = random.Random(7), timezone.now()
facts = json.loads('''{facts}''')
events = []

def add(pk, ago, before, state, reason, actor=""):
    events.append(ConnectionEvent(
        connection_id=pk, at=now - timedelta(hours=ago), observation=reason,
        state_before=before, state=state, reason=reason, actor=actor,
    ))

for place, pk in enumerate(facts["lived"]):
    again = facts["since"].get(str(pk), 0) + 0.1
    ago = 24.0 * (31 - place % 5) - place
    add(pk, ago, "disconnected", "connecting", "requested", "marina.alves")
    add(pk, ago - 0.02, "connecting", "connected", "linked")
    for _ in range(4 + place % 4):
        ago -= dice.uniform(20, 130)
        lasted = dice.choice([0.05, 0.2, 0.6, 2.5, 7.0])
        if ago - lasted < again + 3:
            break
        add(pk, ago, "connected", "reconnecting", dice.choice(["link_lost", "not_answering"]))
        add(pk, ago - lasted, "reconnecting", "connected", "resumed")
    if place % 3 == 1 and again < 8:
        add(pk, 9.5 + place, "connected", "reconnecting", "link_lost")
        add(pk, 8.0 + place, "reconnecting", "connected", "resumed")
    add(pk, again, "connected", "disconnected", "disconnected", "marina.alves")
ConnectionEvent.objects.bulk_create(events)

# Move the current events into the last hours.
for pk, hours in facts["since"].items():
    connection = Connection.objects.get(pk=pk)
    shift = timedelta(hours=hours)
    for event in connection.events.filter(at__gt=now - timedelta(hours=1)):
        ConnectionEvent.objects.filter(pk=event.pk).update(at=event.at - shift)
    Connection.objects.filter(pk=pk).update(since=connection.since - shift)
"""


class Demo:
    """The organizations by state or by name."""

    def __init__(self, application: Application) -> None:
        scenes = Scenes(application)
        self.ids: dict[str, int] = {
            state: getattr(scenes, state)(name) for state, name in OTHERS.items()
        }
        known = {found["name"]: int(found["id"]) for found in application.facts["organizations"]}
        self.ids["fresh"] = known["Padaria Estrela"]
        self.ids["owned"] = known["Oficina do Bairro"]
        for name in CONNECTED:
            self.ids[name] = known.get(name) or scenes.organization(name)
            scenes.connect(self.ids[name])
        self.ids["connected"] = self.ids["Restaurante Sabor da Terra"]
        application.api("POST", self.ids["connected"], "test-message")


def past(application: Application, demo: Demo) -> None:
    """Give the fleet a month of history."""
    lived = [demo.ids[name] for name in CONNECTED]
    lived += [demo.ids[state] for state in ("logged_out", "reconnecting", "banned")]
    hours = [290.0, 5.2, 52.0, 0.8, 130.0, 21.0, 76.0]
    since = {demo.ids[name]: ago for name, ago in zip(CONNECTED, hours, strict=True)}
    since |= {demo.ids["logged_out"]: 3.1, demo.ids["wrong_number"]: 0.3, demo.ids["expired"]: 19.0}
    facts = json.dumps({"lived": lived, "since": since})
    application.manage("shell", "-c", PAST.format(facts=facts))


TALK = (
    ("5511976540001", "Carla Mendes", "Bom dia! O pedido 1042 já saiu?", "Sim, chega até as 18h."),
    ("5511976540002", "Rafael Lima", "Vocês têm mesa para seis hoje?", "Temos! Às 20h está bom?"),
    ("5511976540003", "Dona Lúcia", "O bolo pode ser sem lactose?", "Pode, sim, sem custo a mais."),
)
NOBODY = "5511976549999"


def talk(application: Application, organization: int) -> None:
    """Let customers write to an organization and be answered; one message finds nobody."""
    simulator = application.simulator
    number = str(application.api("GET", organization, "status").body["number"])
    path = f"/api/v1/organizations/{organization}/messages"
    for customer, name, question, answer in TALK:
        simulator.save_person(customer, name, auto="read")
        simulator.say(customer, number, question)
        body = {"to": f"+{customer}", "type": "text", "text": {"body": answer}}
        assert application.request("POST", path, body=body).status == 202
    body = {"to": f"+{NOBODY}", "type": "text", "text": {"body": "Olá!"}}
    assert application.request("POST", path, body=body).status == 202


TELL = """
from datetime import time
from django.contrib.auth.models import User
from django.utils import timezone
from notices.models import Address, Preferences
from organizations.models import Membership

now = timezone.now()
staff = User.objects.get(username="{username}")
owner = User.objects.create(username="marina.alves", is_staff=True)
Membership.objects.create(user=owner, organization_id={organization}, role="owner")
for user, kind, label in (
    (staff, "mail", "operations@example.com"),
    (staff, "chat", "Telegram"),
    (owner, "mail", "marina.alves@example.com"),
):
    Address.objects.create(
        user=user, kind=kind, target=label, label=label, confirmed_at=now, on_since=now
    )
Preferences.objects.create(
    user=staff, time_zone="America/Sao_Paulo", quiet_from=time(22), quiet_until=time(7)
)
"""


def tell(application: Application, organization: int) -> None:
    """Let an administrator and an owner be told of an organization."""
    script = TELL.format(username=application.facts["username"], organization=organization)
    application.manage("shell", "--no-imports", "-c", script)
