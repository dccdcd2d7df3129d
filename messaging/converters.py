"""The URL converter of messages' public ids."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from messaging.models import PUBLIC_ID_PATTERN


class PublicIdConverter(StringConverter):
    """Matches the public ids of messages and files."""

    regex = PUBLIC_ID_PATTERN


register_converter(PublicIdConverter, "public_id")
