"""The form that makes an API token. It begins with little: one organization, reading, 90 days."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations.access import SCOPE_NOT_HELD, Caller
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
NEEDS_ORGANIZATION = lazy("A token of the Cloud API opens one organization.")
NEEDS_RIGHT = lazy("A token of the Cloud API needs a right to messages.")
NEEDS_EXPIRY = lazy("A token of the Cloud API needs an expiry.")
FIELD_OF_SCOPE = {
    ApiToken.MessageScope.SEND: "sends_messages",
    ApiToken.MessageScope.READ: "reads_messages",
}


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Marked as such wherever it is shown: what stands for a user hides it.
        self.fields["organization"].required = True
        self.fields["organization"].error_messages["required"] = str(CHOOSE_ORGANIZATION)

    def full_clean(self) -> None:
        """Require an organization only for what opens one."""
        organization = self.fields["organization"]
        organization.required = self["reach"].value() != USER
        super().full_clean()
        organization.required = True

    def clean(self) -> dict[str, Any] | None:
        """Refuse a right to messages that the caller does not have, and what lacks its limits."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reach") == USER:
            cleaned["organization"] = None
        if cleaned.get("kind") == ApiToken.Kind.GRAPH:
            self._check_cloud_api(cleaned)
        scopes = message_scopes(cleaned)
        if not self.caller.may_grant(scopes, cleaned.get("organization")):
            self.add_error(FIELD_OF_SCOPE[scopes[0]], _(SCOPE_NOT_HELD))
        return cleaned

    def _check_cloud_api(self, cleaned: dict[str, Any]) -> None:
        """Refuse a token of the Cloud API that lacks one of its limits, at the field of each."""
        if cleaned.get("reach") == USER:
            self.add_error("reach", str(NEEDS_ORGANIZATION))
        if not message_scopes(cleaned):
            self.add_error("sends_messages", str(NEEDS_RIGHT))
        if not cleaned.get("expires_in_days") and "expires_in_days" not in self.errors:
            self.add_error("expires_in_days", str(NEEDS_EXPIRY))

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
    return [scope for scope, name in FIELD_OF_SCOPE.items() if cleaned.get(name)]
