"""The forms of the messages page."""

from __future__ import annotations

import uuid
from copy import copy
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from messaging.actions import media
from messaging.admin.attachments import (
    CAPTION_LENGTH,
    LONG_CAPTION,
    MISMATCH,
    SOUND_WITH_TEXT,
    TOO_LARGE,
    Attachment,
    max_megabytes,
)
from messaging.limits import TEXT_LENGTH
from messaging.media_types import Mismatch
from messaging.models import MessagingSettings
from organizations.audit import MAX_REASON, MIN_REASON
from organizations.models import Organization
from organizations.phone_numbers import ForeignCharacters, parse_phone_number

MAX_NUMBER, MAX_KEY = 32, 64


NOTHING = lazy("There is nothing to send: write a text or attach a file.")


class PersonForm(forms.Form):
    """The number of a person."""

    number = forms.CharField(
        max_length=MAX_NUMBER, error_messages={"required": lazy("Write the number.")}
    )

    def clean_number(self) -> str:
        try:
            return parse_phone_number(self.cleaned_data["number"])
        except ForeignCharacters as error:
            raise forms.ValidationError(str(error)) from error
        except ValueError as error:
            raise forms.ValidationError(
                _("Write the whole number with + and the country code, like +55 11 98765-4321.")
            ) from error


class WriteForm(PersonForm):
    """One text, one file or both to one number. `key`: a form that is sent twice sends once."""

    number = forms.CharField(
        max_length=MAX_NUMBER, error_messages={"required": lazy("To whom? Write the number.")}
    )
    text = forms.CharField(strip=False, required=False)
    preview = forms.BooleanField(required=False)
    attachment = forms.FileField(
        required=False, error_messages={"empty": lazy("This file is empty.")}
    )
    key = forms.CharField(max_length=MAX_KEY, required=False)

    def renew_key(self) -> None:
        """Let what is shown again be sent as another message."""
        data: Any = copy(self.data)
        data["key"] = new_key()
        self.data = data

    def clean_text(self) -> str:
        # Browsers send line breaks as CR LF.
        text = self.cleaned_data["text"].replace("\r\n", "\n")
        if len(text) > TEXT_LENGTH:
            problem = _("The text has {count} characters; WhatsApp takes {most} at most.")
            raise forms.ValidationError(problem.format(count=len(text), most=TEXT_LENGTH))
        return str(text)

    def clean_attachment(self) -> Attachment | None:
        file = self.cleaned_data["attachment"]
        if file is None:
            return None
        if file.size > media.max_bytes():
            raise forms.ValidationError(_(TOO_LARGE).format(size=max_megabytes()))
        try:
            return Attachment.of(file)
        except Mismatch as error:
            raise forms.ValidationError(_(MISMATCH).format(found=error.found)) from error

    def clean(self) -> None:
        if "text" in self.errors or "attachment" in self.errors:
            return
        text, attachment = self.cleaned_data["text"], self.cleaned_data["attachment"]
        if attachment is None:
            if not text.strip():
                self.add_error("text", NOTHING)
        elif text.strip() and attachment.kind == "audio":
            self.add_error("text", _(SOUND_WITH_TEXT))
        elif len(text) > CAPTION_LENGTH:
            problem = _(LONG_CAPTION).format(most=CAPTION_LENGTH, count=len(text))
            self.add_error("text", problem)


def new_key() -> str:
    """Return a key for a form that is shown."""
    return uuid.uuid4().hex


class EraseAllForm(forms.Form):
    """The organization's name, typed: what follows cannot be undone."""

    name = forms.CharField(required=False)

    def __init__(self, organization: Organization, data: Any = None) -> None:
        super().__init__(data)
        self._organization = organization

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name != self._organization.name.strip():
            raise forms.ValidationError(_("This is not the name of the organization."))
        return name


class OpenForm(forms.Form):
    """Why an administrator needs to read an organization's messages."""

    reason = forms.CharField(
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        error_messages={
            "required": lazy("Write why you need to read them."),
            "min_length": lazy("Write why you need to read them."),
        },
    )


class SettingsForm(forms.Form):
    """What an owner decides about the organization's messages. Empty limits: the installation's."""

    operators_read_messages = forms.BooleanField(required=False)
    messages_per_minute = forms.IntegerField(required=False, min_value=1, max_value=10_000)
    new_recipients_per_day = forms.IntegerField(required=False, min_value=0, max_value=100_000)
    erase_delivered_texts = forms.BooleanField(required=False)
    groups = forms.BooleanField(required=False)
    interactive_as_text = forms.BooleanField(required=False)
    token_in_query = forms.BooleanField(required=False)

    @classmethod
    def of(cls, organization: Organization) -> SettingsForm:
        """Return the form with the organization's settings."""
        own = MessagingSettings.of(organization.pk)
        values: dict[str, Any] = {
            name: getattr(own, name) for name in cls.base_fields if hasattr(own, name)
        }
        values["operators_read_messages"] = organization.operators_read_messages
        return cls(initial=values)
