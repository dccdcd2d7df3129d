"""The form that makes an API token. It begins with little: one organization, reading, 90 days."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations.access import SCOPE_NOT_HELD, Caller
from organizations.actions import INCOMPLETE_TOKEN
from organizations.models import ApiToken
from organizations.token_texts import SENTENCES, values_of

FIELDS = [
    "name",
    "reach",
    "organization",
    "scope",
    "sends_messages",
    "reads_messages",
    "expires_in_days",
    "kind",
]
ORGANIZATION, USER = "organization", "user"
CHOOSE_ORGANIZATION = lazy("Choose the organization that it opens.")


class NewTokenForm(forms.ModelForm[ApiToken]):
    """A form for an organization's token, or for a personal token."""

    reach = forms.ChoiceField(
        label=lazy("It opens"),
        choices=[
            (ORGANIZATION, lazy("One organization")),
            (USER, lazy("All that you may see: it stands for you")),
        ],
        initial=ORGANIZATION,
        widget=forms.RadioSelect,
    )
    kind = forms.ChoiceField(
        label=lazy("Kind"),
        choices=ApiToken.Kind.choices,
        required=False,
        initial=ApiToken.Kind.REST,
        help_text=lazy(
            "One kind opens nothing of the other. A token of the Cloud API needs an organization, "
            "a right to messages and an expiry; its scope is not looked at."
        ),
    )
    scope = forms.ChoiceField(
        label=lazy("Scope"), choices=ApiToken.Scope.choices, initial=ApiToken.Scope.READ
    )
    expires_in_days = forms.IntegerField(
        label=lazy("Expires in days"),
        min_value=1,
        max_value=3650,
        required=False,
        initial=ApiToken.DEFAULT_LIFETIME.days,
        help_text=lazy("Left empty, it does not expire."),
    )

    class Meta:
        model = ApiToken
        fields = FIELDS

    caller: Caller

    def clean(self) -> dict[str, Any] | None:
        """Refuse a right to messages that the caller does not have, and what lacks its limits."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reach") == USER:
            cleaned["organization"] = None
        elif not cleaned.get("organization") and "organization" not in self.errors:
            self.add_error("organization", str(CHOOSE_ORGANIZATION))
        limits = ("organization", "expires_in_days")
        if cleaned.get("kind") == ApiToken.Kind.GRAPH and not (
            message_scopes(cleaned) and all(cleaned.get(name) for name in limits)
        ):
            raise forms.ValidationError(_(INCOMPLETE_TOKEN))
        if not self.caller.may_grant(message_scopes(cleaned), cleaned.get("organization")):
            raise forms.ValidationError(_(SCOPE_NOT_HELD))
        return cleaned

    def sentences(self) -> list[tuple[str, bool, SafeString]]:
        """Return what tokens may do: the condition, whether it holds as filled in, the sentence."""
        days = self["expires_in_days"].value()
        values = values_of(
            organization=self["reach"].value() != USER,
            kind=self["kind"].value() or ApiToken.Kind.REST,
            scope=self["scope"].value(),
            sends=bool(self["sends_messages"].value()),
            reads=bool(self["reads_messages"].value()),
            expires=bool(days),
        )
        shown = format_html("<span data-days>{}</span>", days)
        return [
            (each.condition, each.holds(values), format_html(str(each.text), days=shown))
            for each in SENTENCES
        ]


def message_scopes(cleaned: dict[str, Any]) -> list[ApiToken.MessageScope]:
    """Return the message scopes that are ticked in the form."""
    scopes = ApiToken.MessageScope
    ticked = {"sends_messages": scopes.SEND, "reads_messages": scopes.READ}
    return [scope for name, scope in ticked.items() if cleaned.get(name)]
