"""The form of the login."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.utils.translation import gettext_lazy as lazy

MAX_LENGTH = 254
"""Of a mail address; a username is shorter."""


class LoginForm(AdminAuthenticationForm):
    """Django's form. The field of the username takes a mail address, too."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": lazy(
            "There is no staff account with this username or mail address and this password. "
            "Capital letters count in usernames and passwords."
        ),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["username"]
        field.label = lazy("Username or mail address")
        field.widget.attrs["maxlength"] = MAX_LENGTH
