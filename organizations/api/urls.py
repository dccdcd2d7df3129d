"""The API routes of members, invitations and tokens."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from organizations.api import views_invitations, views_members, views_tokens


class UsernameConverter(StringConverter):
    """Matches the usernames that Django allows."""

    regex = r"[\w.@+-]{1,150}"


register_converter(UsernameConverter, "username")

urlpatterns = [
    path(
        "organizations/<int:organization_id>/members",
        views_members.MembersView.as_view(),
        name="api-members",
    ),
    path(
        "organizations/<int:organization_id>/members/<username:member>",
        views_members.MemberView.as_view(),
        name="api-member",
    ),
    path(
        "organizations/<int:organization_id>/invitations",
        views_invitations.InvitationsView.as_view(),
        name="api-invitations",
    ),
    path(
        "organizations/<int:organization_id>/invitations/<uuid:invitation_id>",
        views_invitations.InvitationView.as_view(),
        name="api-invitation",
    ),
    path(
        "invitations",
        views_invitations.ReceivedInvitationsView.as_view(),
        name="api-received-invitations",
    ),
    path(
        "invitations/<uuid:invitation_id>/accept",
        views_invitations.AcceptView.as_view(),
        name="api-accept-invitation",
    ),
    path(
        "invitations/<uuid:invitation_id>/decline",
        views_invitations.DeclineView.as_view(),
        name="api-decline-invitation",
    ),
    path(
        "organizations/<int:organization_id>/tokens",
        views_tokens.OrganizationTokensView.as_view(),
        name="api-organization-tokens",
    ),
    path(
        "organizations/<int:organization_id>/tokens/<uuid:number>",
        views_tokens.OrganizationTokenView.as_view(),
        name="api-organization-token",
    ),
    path("tokens", views_tokens.OwnTokensView.as_view(), name="api-own-tokens"),
    path("tokens/<uuid:number>", views_tokens.OwnTokenView.as_view(), name="api-own-token"),
]
