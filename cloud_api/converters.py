"""The URL converter of the version of Meta's API that a path names."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class VersionConverter(StringConverter):
    """Matches `v23.0`."""

    regex = r"v\d{1,3}\.\d{1,2}"


register_converter(VersionConverter, "graph_version")
