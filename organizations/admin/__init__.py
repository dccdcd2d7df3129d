"""Django admin of the tenants: users see their own rows; every change goes through `actions`."""

from organizations.admin.audit import AuditEntryAdmin
from organizations.admin.invitations import InvitationAdmin
from organizations.admin.members import MembershipAdmin
from organizations.admin.organizations import OrganizationAdmin
from organizations.admin.tokens import ApiTokenAdmin
from organizations.admin.users import OwnUserAdmin

__all__ = [
    "ApiTokenAdmin",
    "AuditEntryAdmin",
    "InvitationAdmin",
    "MembershipAdmin",
    "OrganizationAdmin",
    "OwnUserAdmin",
]
