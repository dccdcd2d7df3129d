"""The form that invites a colleague."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as lazy

from organizations.colleagues.actions import Colleague
from organizations.models import ColleagueInvitation, Organization
from organizations.names import validate_name, validate_username

Role = ColleagueInvitation.Role

ALL, CHOSEN = "all", "chosen"
CHOOSE = lazy("Choose at least one organization, or all.")


class ColleagueForm(forms.Form):
    """Name, mail address, role and organizations of a colleague without an account."""

    name = forms.CharField(
        label=lazy("Name"), max_length=150, validators=[validate_name], required=True
    )
    email = forms.EmailField(
        label=lazy("Mail address"),
        max_length=150,
        help_text=lazy("They log in with it."),
    )
    role = forms.ChoiceField(
        label=lazy("Role"),
        choices=Role.choices,
        initial=Role.OPERATOR,
        widget=forms.RadioSelect,
    )
    extent = forms.ChoiceField(
        label=lazy("Organizations"),
        choices=[
            (ALL, lazy("All that there are when they accept")),
            (CHOSEN, lazy("Only these:")),
        ],
        initial=ALL,
        widget=forms.RadioSelect,
    )
    organizations = forms.ModelMultipleChoiceField(
        label=lazy("Only these organizations"),
        queryset=Organization.objects.present(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        validate_username(email)
        return email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        chosen = cleaned.get("extent") == CHOSEN and cleaned.get("role") != Role.ADMINISTRATOR
        if chosen and not cleaned.get("organizations"):
            self.add_error("organizations", str(CHOOSE))
        return cleaned

    @property
    def colleague(self) -> Colleague:
        """The colleague of a valid form."""
        data = self.cleaned_data
        return Colleague(
            data["name"],
            data["email"],
            Role(data["role"]),
            data["extent"] != CHOSEN,
            list(data["organizations"]),
        )
