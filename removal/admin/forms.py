"""The forms of the pages about a removal."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from messaging.admin.forms import EraseAllForm

WAIT, ANYWAY = "wait", "anyway"
# The timeline and the uptime read so far back.
SHORTEST_HISTORY_DAYS = 30


class RemoveForm(EraseAllForm):
    """The organization's name, typed, and what to do when WhatsApp cannot be reached."""

    logout = forms.ChoiceField(
        choices=[(WAIT, lazy("Wait")), (ANYWAY, lazy("Remove anyway"))], initial=WAIT
    )

    @property
    def waits(self) -> bool:
        return bool(self.cleaned_data["logout"] == WAIT)


class RetentionForm(forms.Form):
    """The days to keep things. 0: for ever; empty: as in the installation."""

    retention_days = forms.IntegerField(min_value=0, max_value=3650)
    media_days = forms.IntegerField(required=False, min_value=0, max_value=3650)
    delivery_days = forms.IntegerField(required=False, min_value=1, max_value=365)
    history_days = forms.IntegerField(required=False, min_value=0, max_value=3650)

    def clean_history_days(self) -> int | None:
        days: int | None = self.cleaned_data["history_days"]
        if days and days < SHORTEST_HISTORY_DAYS:
            problem = _("The page shows {days} days, so keep at least so many, or 0 for ever.")
            raise forms.ValidationError(problem.format(days=SHORTEST_HISTORY_DAYS))
        return days
