"""The form that invites a colleague."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Case, When
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as lazy

from organizations.colleagues.actions import Colleague
from organizations.models import ColleagueInvitation, Organization
from organizations.names import validate_name, validate_username

Role = ColleagueInvitation.Role

ALL, CHOSEN = "all", "chosen"
CHOOSE = lazy("Choose at least one organization, or all.")


def _extents() -> list[tuple[str, str]]:
    """Return the choices. They say how many organizations "all" are now."""
    count = Organization.objects.present().count()
    text = ngettext(
        "The {count} organization of today", "All {count} organizations of today", count
    )
    return [(ALL, text.format(count=count)), (CHOSEN, gettext("Only these:"))]


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
        choices=_extents,
        initial=ALL,
        widget=forms.RadioSelect,
        help_text=lazy(
            "“All” are those of today, and those that are made until the colleague accepts. Later "
            "ones are not included: add the colleague there, under Members. An administrator has "
            "all, always."
        ),
    )
    organizations = forms.ModelMultipleChoiceField(
        label=lazy("Only these organizations"),
        queryset=Organization.objects.present(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show the organizations that are ticked from the beginning first: there may be many."""
        super().__init__(*args, **kwargs)
        if ticked := self.initial.get("organizations"):
            field = self.fields["organizations"]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            first = Case(When(pk__in=ticked, then=0), default=1)
            present = Organization.objects.present()
            field.queryset = present.order_by(first, "folded_name", "pk")

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
