"""The workers in Django admin, and the action that drains them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from connections import actions
from connections.models import Worker
from organizations.access import Caller
from organizations.admin.base import ListAdmin, caller_of, format_timestamp, is_staff, two_line_cell

DRAIN = lazy(
    "They hand over all their organizations to the other workers, one after the other, and take no "
    "new ones. Nobody is logged out. With no other worker that has room, they keep what they have."
)


class AliveFilter(admin.SimpleListFilter):
    """Show only living workers unless all are chosen: each start of a worker adds a row."""

    title = lazy("state")
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return [("all", _("All of the last seven days"))]

    def choices(self, changelist: Any) -> Any:
        """Rename Django's "All", which shows the living workers here."""
        alive, *others = super().choices(changelist)
        return [{**alive, "display": _("Running")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Worker]) -> QuerySet[Worker]:
        return queryset if self.value() == "all" else queryset.alive()  # type: ignore[attr-defined]


@admin.register(Worker)
class WorkerAdmin(ListAdmin[Worker]):
    """The workers, for superusers only: a worker holds connections of all tenants."""

    list_display = ["called", "condition", "holds", "hosts", "begun", "heard"]
    list_filter = [AliveFilter]
    ordering = ["-pk"]
    actions = ["drain", "resume"]

    def visible(self, caller: Caller) -> QuerySet[Worker]:
        return Worker.objects.all() if caller.is_superuser else Worker.objects.none()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if Worker.are_shared() else {}

    def has_view_permission(self, request: HttpRequest, obj: Worker | None = None) -> bool:
        return is_staff(request) and caller_of(request).is_superuser

    @admin.display(description=lazy("Name"), ordering="name")
    def called(self, worker: Worker) -> str:
        return worker.name

    @admin.display(description=lazy("State"))
    def condition(self, worker: Worker) -> str:
        if worker.stopped_at is not None:
            return _("Stopped")
        if not worker.alive:
            return _("Gives no sign of life")
        return _("Draining") if worker.draining_since else _("Running")

    @admin.display(description=lazy("Organizations"), ordering="sessions")
    def holds(self, worker: Worker) -> SafeString:
        text = _("of {capacity} at most").format(capacity=worker.capacity)
        return two_line_cell(str(worker.sessions), text if worker.capacity else "")

    @admin.display(description=lazy("Started"), ordering="started_at")
    def begun(self, worker: Worker) -> str:
        return format_timestamp(worker.started_at)

    @admin.display(description=lazy("Last sign of life"), ordering="heartbeat_at")
    def heard(self, worker: Worker) -> SafeString:
        seconds = int((timezone.now() - worker.heartbeat_at).total_seconds())
        ago = _("{seconds} s ago").format(seconds=seconds) if worker.alive else ""
        return two_line_cell(format_timestamp(worker.heartbeat_at), ago)

    @admin.action(description=lazy("Drain selected workers"))
    def drain(self, request: HttpRequest, queryset: QuerySet[Worker]) -> HttpResponse | None:
        workers = [worker for worker in queryset if worker.stopped_at is None]
        if "confirmed" not in request.POST:
            rows = [(worker.pk, worker) for worker in workers]
            return self.confirmation(request, str(DRAIN), _("Drain"), rows, "drain")
        self._write(request, workers, drain=True)
        return None

    @admin.action(description=lazy("Let selected workers take organizations again"))
    def resume(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._write(request, list(queryset), drain=False)

    def _write(self, request: HttpRequest, workers: list[Worker], drain: bool) -> None:
        for worker in workers:
            actions.drain_worker(worker.pk, drain, caller_of(request).actor)
        text = _("Draining: {what}.") if drain else _("Taking organizations again: {what}.")
        names = ", ".join(worker.name for worker in workers)
        messages.success(request, text.format(what=names))
