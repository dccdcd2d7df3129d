"""The forms of the pages about a removal."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as lazy

from messaging.admin.forms import EraseAllForm
from removal.refusals import HistoryTooShort
from removal.retention import LONGEST_DAYS, LONGEST_DELIVERY_DAYS, check_history_days

WAIT, ANYWAY = "wait", "anyway"


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

    retention_days = forms.IntegerField(min_value=0, max_value=LONGEST_DAYS)
    media_days = forms.IntegerField(required=False, min_value=0, max_value=LONGEST_DAYS)
    delivery_days = forms.IntegerField(required=False, min_value=1, max_value=LONGEST_DELIVERY_DAYS)
    history_days = forms.IntegerField(required=False, min_value=0, max_value=LONGEST_DAYS)

    def clean_history_days(self) -> int | None:
        days: int | None = self.cleaned_data["history_days"]
        try:
            check_history_days(days)
        except HistoryTooShort as refused:
            raise forms.ValidationError(str(refused)) from refused
        return days
