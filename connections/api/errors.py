"""What the API refuses, in the one shape that whatsapp_orgs.api gives to every error."""

from rest_framework.exceptions import APIException


class Refused(APIException):
    """A request that cannot be granted now. `wait`: after how many seconds to try again."""

    def __init__(self, status: int, code: str, message: str, wait: int | None = None) -> None:
        super().__init__(message, code)
        self.status_code = status
        self.wait = wait  # Django REST framework makes Retry-After of it.
