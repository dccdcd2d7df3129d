"""The forms of the pages about notices."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _

from notices.models import Address, Preferences

TARGET_LENGTH = 2048


class AddressForm(forms.Form):
    """A new address."""

    kind = forms.ChoiceField(choices=Address.Kind.choices, required=False)
    target = forms.CharField(max_length=TARGET_LENGTH)


class PreferencesForm(forms.ModelForm[Preferences]):
    """How a person is told."""

    time_zone = forms.CharField(max_length=60)

    class Meta:
        model = Preferences
        fields = ["language", "time_zone", "quiet_from", "quiet_until"]

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"])
        if name not in time_zones():
            raise forms.ValidationError(_("Choose a time zone of the list."))
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if (data.get("quiet_from") is None) != (data.get("quiet_until") is None):
            self.add_error("quiet_from", _("Give both times, or none."))
        return data


@lru_cache
def time_zones() -> tuple[str, ...]:
    """Return the names of time zones that people choose from."""
    regions = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe")
    named = {
        name
        for name in available_timezones()
        if name.partition("/")[0] in (*regions, "Indian", "Pacific")
    }
    return tuple(sorted(named | {"UTC", settings.TIME_ZONE}))
