"""URLconf with views that fail, beside the real ones."""

from django.db import InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path
from psycopg import errors
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from whatsapp_orgs import urls

handler500 = urls.handler500


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret detail")


def without_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError("database is locked")


def read_only_database(request: HttpRequest) -> HttpResponse:
    raise InternalError("it only reads") from errors.ReadOnlySqlTransaction()


class WithoutDatabaseView(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise OperationalError("database is locked")


class BrokenView(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise RuntimeError("a secret detail")


class EchoView(APIView):
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        return Response(request.data)


class InvalidView(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise exceptions.ValidationError({"number": ["Digits only.", "Too short."]})


class SlowDownView(APIView):
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        raise exceptions.Throttled(wait=7)


urlpatterns = [
    path("broken", broken),
    path("api/v1/broken", broken),
    path("without-database", without_database),
    path("read-only-database", read_only_database),
    path("api/v1/without-database", WithoutDatabaseView.as_view()),
    path("api/v1/broken-view", BrokenView.as_view()),
    path("api/v1/echo", EchoView.as_view()),
    path("api/v1/invalid", InvalidView.as_view()),
    path("api/v1/slow-down", SlowDownView.as_view()),
    *urls.urlpatterns,
]
