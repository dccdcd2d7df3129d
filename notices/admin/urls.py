"""The routes of the pages about notices."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, path

from notices.admin import links, mine, sent, tab


def _path(route: str, view: Callable[..., HttpResponse], url_name: str, **fixed: str) -> URLPattern:
    """Return a route of the admin site."""
    return path(route, admin.site.admin_view(view), fixed, name=url_name)


organization_urlpatterns = [
    _path("notices/", tab.tab_view, "organization_notices"),
    _path("notices/<int:address_id>/", tab.choose_view, "notices_choose"),
]

installation_urlpatterns = [
    _path("", sent.sent_view, "notices"),
    _path("<int:notice_id>/retry/", sent.retry_view, "notice_retry"),
    _path("mine/", mine.mine_view, "my_notices"),
    _path("mine/add/", mine.add_view, "notice_address_add"),
    *(
        _path(f"mine/<int:address_id>/{act}/", mine.act_view, f"notice_address_{act}", act=act)
        for act in mine.ACTS
    ),
]

open_urlpatterns = [
    path("confirm/<str:signed>/", links.confirm_view, name="notice_confirm"),
    path("stop/<str:signed>/", links.stop_view, name="notice_stop"),
]
