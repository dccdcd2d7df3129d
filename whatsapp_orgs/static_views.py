"""Static files at the addresses of other versions, for pages that such a version has made."""

import re

from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe

VERSION = re.compile(r"^[0-9a-f]{12}/")


@require_safe
def other_version(request: HttpRequest, static_file: str) -> HttpResponse:
    """Redirect to the file of this version. While web processes are upgraded, two versions run."""
    name = VERSION.sub("", static_file)
    current = static(name)
    if current == request.path or not finders.find(name):
        raise Http404
    return redirect(current)
