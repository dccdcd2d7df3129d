"""The forms of the pages about webhooks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import gettext_noop

from events.models import EventType
from messaging.api.serializers import MAX_SEQUENCE
from webhooks.formats import FORMATS
from webhooks.models import Endpoint

URL_LENGTH, TOKEN_LENGTH = 2048, 128

TYPE_NAMES = {
    EventType.MESSAGE_RECEIVED: gettext_noop("A message came in"),
    EventType.MESSAGE_SENT_ELSEWHERE: gettext_noop("A message was written on the phone"),
    EventType.MESSAGE_STATUS: gettext_noop("A message was sent, delivered, read, or failed"),
    EventType.MESSAGE_EDITED: gettext_noop("A message was corrected"),
    EventType.MESSAGE_DELETED: gettext_noop("A message was deleted"),
    EventType.MESSAGE_LOST: gettext_noop("A message was lost"),
    EventType.REACTION_ADDED: gettext_noop("A reaction was added"),
    EventType.REACTION_REMOVED: gettext_noop("A reaction was removed"),
    EventType.MEDIA_READY: gettext_noop("A file is there"),
    EventType.MEDIA_FAILED: gettext_noop("A file could not be fetched"),
    EventType.CONNECTION_CHANGED: gettext_noop("The connection to WhatsApp changed"),
    EventType.PHONE_SILENT: gettext_noop("The phone was not heard from for days"),
    EventType.PHONE_SEEN: gettext_noop("The phone was heard from again"),
}
FORMAT_NAMES = {
    "standard": gettext_noop("Standard Webhooks"),
    "cloud": gettext_noop("As Meta's Cloud API sends them"),
}


class EndpointForm(forms.Form):
    """An endpoint: where to, which events, in which format."""

    url = forms.CharField(
        max_length=URL_LENGTH,
        error_messages={"required": lazy("Where are the events to be sent? Write the address.")},
    )
    types = forms.MultipleChoiceField(required=False, choices=EventType.choices)
    format = forms.ChoiceField(required=False, initial="standard")
    verify_token = forms.CharField(required=False, max_length=TOKEN_LENGTH)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"] = forms.ChoiceField(
            required=False, choices=[(name, name) for name in FORMATS]
        )

    @classmethod
    def of(cls, endpoint: Endpoint) -> EndpointForm:
        """Return the form with what an endpoint is."""
        return cls(
            initial={"url": endpoint.url, "types": endpoint.types, "format": endpoint.format}
        )

    def clean_format(self) -> str:
        return str(self.cleaned_data["format"] or "standard")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        found = FORMATS.get(data.get("format", ""))
        if data.get("verify_token") and found is not None and not found.has_verify_token:
            data["verify_token"] = ""
        return data

    @property
    def type_choices(self) -> list[tuple[str, str, bool]]:
        """Each type, what it means, and whether it is chosen."""
        chosen = set(self["types"].value() or ())
        return [(each.value, _(TYPE_NAMES[each]), each.value in chosen) for each in EventType]

    @property
    def format_choices(self) -> list[tuple[str, str, bool]]:
        """Each format, its name, and whether it is chosen."""
        chosen = self["format"].value() or "standard"
        return [(name, _(FORMAT_NAMES.get(name, name)), name == chosen) for name in FORMATS]


class ReplayForm(forms.Form):
    """From where on events are sent again: a number of the log, or a time."""

    sequence = forms.IntegerField(required=False, min_value=1, max_value=MAX_SEQUENCE)
    time = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        error_messages={"invalid": lazy("Write the time like 2026-03-01 09:30.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and (data["sequence"] is None) == (data["time"] is None):
            raise forms.ValidationError(_("Write either the number of an event, or a time."))
        return data
