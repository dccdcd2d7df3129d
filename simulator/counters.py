"""Counters since the start of the process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counters of events since the start."""

    dials: int = 0
    refused: int = 0
    handshakes: int = 0
    qr_refs_issued: int = 0
    scans: int = 0
    pairings: int = 0
    pairings_refused: int = 0
    logins: int = 0
    resumes: int = 0
    login_failures: int = 0
    logouts: int = 0
    unlinks: int = 0
    replaced: int = 0
    pings: int = 0
    prekey_uploads: int = 0
    messages: int = 0
    messages_unreadable: int = 0
    people_messages: int = 0
    protocol_errors: int = 0


@dataclass(slots=True)
class LoginCount:
    """Successful logins and all attempts of one phone number's linked devices."""

    logins: int = 0
    attempts: int = 0
