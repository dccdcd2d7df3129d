"""Forms of the second factor. No typed value is shown again."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as lazy

CODE_LENGTH = 40


def _code(label: object, help_text: object = "") -> forms.CharField:
    """Return a field for a code that password managers and phones can fill in."""
    attributes = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
    widget = forms.TextInput(attrs=attributes)
    return forms.CharField(
        label=label,  # type: ignore[arg-type]
        help_text=help_text,  # type: ignore[arg-type]
        max_length=CODE_LENGTH,
        widget=widget,
    )


class CodeForm(forms.Form):
    """The code at the second step of a login."""

    code = _code(lazy("Code"), lazy("Six digits from your authenticator app, or a recovery code."))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["code"].widget.attrs["autofocus"] = True


class ConfirmForm(forms.Form):
    """The code and the password that confirm a change of the second factor."""

    code = _code(lazy("Code"), lazy("Six digits from your authenticator app, or a recovery code."))
    password = forms.CharField(
        label=lazy("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class SetUpForm(ConfirmForm):
    """The first code of a new app. `sealed` returns the encrypted secret, which is stored then."""

    code = _code(lazy("Code"), lazy("The six digits that the app shows now."))
    sealed = forms.CharField(max_length=80, widget=forms.HiddenInput)
