"""The models: organizations, members, tokens, invitations, audit, logins, second factors."""

from organizations.models.audit import ACTOR_LENGTH, AuditEntry
from organizations.models.colleagues import ColleagueInvitation
from organizations.models.invitations import Invitation
from organizations.models.login_counts import LoginCount
from organizations.models.organizations import Membership, Organization
from organizations.models.retention import Retention
from organizations.models.second_factor import AuthenticatorApp, RecoveryCodes
from organizations.models.tokens import ApiToken

__all__ = [
    "ACTOR_LENGTH",
    "ApiToken",
    "AuditEntry",
    "AuthenticatorApp",
    "ColleagueInvitation",
    "Invitation",
    "LoginCount",
    "Membership",
    "Organization",
    "RecoveryCodes",
    "Retention",
]
