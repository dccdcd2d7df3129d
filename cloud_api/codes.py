"""The codes of Meta's errors that the façade uses, with what Meta calls them."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """A code of an error. Clients decide by it."""

    TOO_MANY_CALLS = 4
    NOT_ALLOWED = 10
    INVALID = 100
    BAD_TOKEN = 190
    BANNED = 368
    UNKNOWN_PATH = 2500
    QUEUE_FULL = 130429
    UNKNOWN = 131000
    MISSING_FIELD = 131008
    BAD_FIELD = 131009
    UNAVAILABLE = 131016
    UNDELIVERABLE = 131026
    RESTRICTED = 131048
    UNSUPPORTED_TYPE = 131051
    MEDIA_NOT_FETCHED = 131052
    MEDIA_NOT_UPLOADED = 131053
    TOO_MANY_TO_RECIPIENT = 131056
    MESSAGE_UNAVAILABLE = 131060
    NO_TEMPLATE = 132001


TITLES: dict[Code, str] = {
    Code.TOO_MANY_CALLS: "API Too Many Calls",
    Code.NOT_ALLOWED: "Permission denied",
    Code.INVALID: "Invalid parameter",
    Code.BAD_TOKEN: "Invalid OAuth access token",
    Code.BANNED: "Temporarily blocked for policies violations",
    Code.UNKNOWN_PATH: "Unknown path components",
    Code.QUEUE_FULL: "Rate limit hit",
    Code.UNKNOWN: "Something went wrong",
    Code.MISSING_FIELD: "Required parameter is missing",
    Code.BAD_FIELD: "Parameter value is not valid",
    Code.UNAVAILABLE: "Service unavailable",
    Code.UNDELIVERABLE: "Message undeliverable",
    Code.RESTRICTED: "Spam rate limit hit",
    Code.UNSUPPORTED_TYPE: "Unsupported message type",
    Code.MEDIA_NOT_FETCHED: "Media download error",
    Code.MEDIA_NOT_UPLOADED: "Media upload error",
    Code.TOO_MANY_TO_RECIPIENT: "Business account and consumer account pair rate limit hit",
    Code.MESSAGE_UNAVAILABLE: "This message is unavailable",
    Code.NO_TEMPLATE: "Template name does not exist in the translation",
}
