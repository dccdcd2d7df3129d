"""The API routes of removals."""

from django.urls import path

from removal.api.views import OrganizationRemovalView, RemovalView
from removal.api.views_data import ArchiveView, RetentionView

urlpatterns = [
    path(
        "organizations/<int:organization_id>/removal",
        OrganizationRemovalView.as_view(),
        name="api-organization-removal",
    ),
    path(
        "organizations/<int:organization_id>/retention",
        RetentionView.as_view(),
        name="api-organization-retention",
    ),
    path(
        "organizations/<int:organization_id>/archive",
        ArchiveView.as_view(),
        name="api-organization-archive",
    ),
    path("removals/<int:organization_id>", RemovalView.as_view(), name="api-removal"),
]
