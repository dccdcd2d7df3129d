"""The API routes of removals."""

from django.urls import path

from removal.api.views import OrganizationRemovalView, RemovalView

urlpatterns = [
    path(
        "organizations/<int:organization_id>/removal",
        OrganizationRemovalView.as_view(),
        name="api-organization-removal",
    ),
    path("removals/<int:organization_id>", RemovalView.as_view(), name="api-removal"),
]
