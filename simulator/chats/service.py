"""All of the messages of one world: what sessions, the control API and pairings use."""

from __future__ import annotations

import time

from simulator.certificates import MEDIA_HOST
from simulator.jids import Jid
from simulator.nodes import Attribute, Node
from simulator.phone import Phone
from simulator.roles import ClientConnection
from simulator.stanzas import notification
from simulator.store import Device
from simulator.world import World

from .attachments import Attachments
from .delivery import Delivery
from .directory import Directory, parse_upload, participant_hash
from .history import BOOTSTRAP, RECENT, Histories
from .mailbox import Mailboxes
from .media import MediaStore
from .phones import Phones
from .router import Router
from .store import ChatStore, Person
from .switches import Switches


class Chats:
    """The messages of a world. A world tells it about linked and unlinked devices."""

    def __init__(self, world: World, media: MediaStore) -> None:
        self._world = world
        self.media = media
        self.store = ChatStore(world.store.database)
        self.directory = Directory(world)
        delivery = Delivery(world.faults, self._note_delivery)
        self._mailboxes = Mailboxes(self.store, delivery)
        self.switches = Switches(self.store, self._mailboxes)
        self.phones = Phones(
            world, self.store, Attachments(media), self.directory, self._mailboxes, self.switches
        )
        self._router = Router(world, self.directory, self._mailboxes, self.phones, self.switches)
        off = [phone.jid(0) for phone in world.phones.values() if self.switches.is_off(phone)]
        self._mailboxes.load({str(jid): jid for jid in (*world.devices, *off)})
        self._histories = Histories(
            world, self.store, media, lambda number: self.phones.people.get(number, Person(number))
        )
        self._wait_for_history: set[Jid] = set()  # linked companions without keys
        world.on_link = self._linked
        world.on_unlink = self._unlinked
        world.on_few_prekeys = self._notify_few_prekeys

    def attach(self, device: Device, connection: ClientConnection) -> None:
        """Deliver a companion's stanzas on a connection."""
        self._mailboxes.of(device.jid).attach(connection)

    def detach(self, device: Device, connection: ClientConnection) -> None:
        """Deliver nothing more on a connection."""
        self._mailboxes.of(device.jid).detach(connection)

    def take(self, device: Device, node: Node, connection: ClientConnection) -> None:
        """Handle a companion's message, receipt, ack or typing."""
        self._router.take(device, node, connection)

    def switch_phone(self, phone: Phone, on: bool) -> None:
        """Switch a phone off, or on: then it gets what waited for it, and confirms that."""
        if not on:
            self.switches.turn_off(phone)
        elif self.switches.is_off(phone):
            for node in self.switches.turn_on(phone):
                self._router.pass_held(phone, node)

    @property
    def typing(self) -> dict[str, dict[str, str | bool]]:
        """Return who typed last to a number, and whether they still do."""
        return self._router.typing

    def waiting(self, device: Device) -> int:
        """Return how many stanzas a companion has not confirmed."""
        return len(self._mailboxes.of(device.jid))

    def upload(self, device: Device, query: Node) -> None:
        """Store a companion's keys."""
        prekeys = query.child("list")
        device.prekeys += len(prekeys.children()) if prekeys else 0
        self._world.statistics.prekey_uploads += 1
        self._world.store.save_device(device)
        if bundle := parse_upload(query):
            self._world.upload(device, *bundle)
            self._send_first_history(device)

    def send_history(
        self, phone: Phone, kind: str, inline: bool = False, older: int = 0
    ) -> tuple[list[str], list[str]]:
        """Send a phone's history to its companions; return them and the ids in it.

        See `Histories.notice`. Raises PhoneOff.
        """
        self.switches.require_on(phone)
        notice, ids = self._histories.notice(phone, kind, inline, older)
        companions = self.directory.companions(phone)
        reached = [d for d in companions if self.phones.send_peer(phone, d, notice)]
        return [str(device.jid) for device in reached], ids

    def _send_first_history(self, device: Device) -> None:
        """Send a companion that was just linked what phones send then, in their order."""
        if device.jid not in self._wait_for_history or self.switches.is_off(device.phone):
            return
        self._wait_for_history.discard(device.jid)
        for kind in (BOOTSTRAP, "push_name", RECENT):
            inline = kind == BOOTSTRAP
            notice, _ = self._histories.notice(device.phone, kind, inline, 0)
            self.phones.send_peer(device.phone, device, notice)

    def media_hosts(self) -> Node:
        """Return where companions upload and download media."""
        attrs: dict[str, Attribute] = {"auth": "simulated", "ttl": "300", "auth_ttl": "21600"}
        host = Node("host", {"hostname": MEDIA_HOST})
        return Node("media_conn", attrs | {"max_buckets": "12"}, [host])

    def reset(self) -> None:
        """Delete everything."""
        self.store.delete_all()
        self.media.clear()
        self.directory.clear()
        self._router.clear()
        self._mailboxes.clear()
        self.phones.clear()
        self.switches.clear()
        self._wait_for_history.clear()

    def _note_delivery(self, node: Node) -> None:
        self.phones.note_delivery(node)

    def _linked(self, device: Device) -> None:
        if self._world.settings.history:
            self._wait_for_history.add(device.jid)
        self._notify_device_list(device)

    def _unlinked(self, device: Device) -> None:
        for node in self._mailboxes.delete(device.jid):
            self.phones.note_drop(node)
        self._wait_for_history.discard(device.jid)
        self.phones.forget_device(device)
        self._router.forget_device(device)
        self._notify_device_list(device)

    def _notify_device_list(self, changed: Device) -> None:
        """Notify those who know the account's old device list, and its other companions."""
        phone = changed.phone
        jids = self.directory.device_jids(phone)
        digest = participant_hash(jids)
        attrs: dict[str, Attribute] = {"from": phone.lid_jid(0), "type": "devices"}
        update = [Node("update", {"hash": digest})]
        for device in self.directory.watchers(phone):
            if device.phone is not phone:
                self._put_notification(device, attrs, update)
        own: dict[str, Attribute] = {"from": phone.lid_jid(0), "type": "account_sync"}
        listed = [Node("device", {"jid": jid}) for jid in jids]
        for device in self.directory.companions(phone):
            if device is not changed:
                self._put_notification(device, own, [Node("devices", {"dhash": digest}, listed)])

    def _put_notification(
        self, device: Device, attrs: dict[str, Attribute], content: list[Node]
    ) -> None:
        stanza_id = f"n{time.time_ns()}"
        times: dict[str, Attribute] = {"id": stanza_id, "t": str(int(time.time()))}
        self._mailboxes.of(device.jid).put(Node("notification", attrs | times, content))

    def _notify_few_prekeys(self, device: Device) -> None:
        """Ask a companion that is there for more one-time keys; others ask at their login."""
        count = Node("count", {"value": str(device.prekeys)})
        node = notification("encrypt", f"n{time.time_ns()}", [count])
        self._mailboxes.of(device.jid).put_if_online(node)
