"""Errors of the API; whatsapp_orgs.api gives all errors the same shape."""

from rest_framework.exceptions import APIException


class RefusedResponse(APIException):
    """An error with a code. `wait`: the seconds after which to try again."""

    def __init__(self, status: int, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(message, code)
        self.status_code = status
        self.wait = wait  # Django REST framework makes Retry-After of it.
