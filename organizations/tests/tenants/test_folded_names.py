"""The names without accents and case, which searches read."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Upper

from organizations.folding import fold
from organizations.models import Organization
from organizations.models.organizations import FOLDED_LENGTH


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ótica São José", "otica sao jose"),
        ("SALÃO", "salao"),
        ("Groß & Söhne", "gross & sohne"),
        ("İstanbul Çiçek", "istanbul cicek"),
        ("Ｆｕｌｌ ﬁnish ①", "full finish 1"),
        ("Ёлка", "елка"),
        ("हिन्दी".replace("\u094d", ""), "हिनदी"),  # noqa: RUF001
    ],
)
def test_folded_text_has_neither_accents_nor_case(text: str, folded: str) -> None:
    assert fold(text) == folded


def folded() -> str:
    return Organization.objects.get().folded_name


def test_every_way_to_write_a_name_folds_it(db: None) -> None:
    (made,) = Organization.objects.bulk_create([Organization(name="Água")])
    assert folded() == "agua"
    made.name = "Pão"
    made.save()
    assert folded() == "pao"
    made.name = "Maçã"
    made.save(update_fields=["name"])
    assert folded() == "maca"
    Organization.objects.update(name="Café")
    assert folded() == "cafe"
    made.name = "Ímã"
    Organization.objects.bulk_update([made], ["name"])
    assert folded() == "ima"
    made.expected_number = "5511987654321"
    made.save(update_fields=["expected_number"])
    assert folded() == "ima"


def test_name_from_an_expression_is_refused(db: None) -> None:
    with pytest.raises(TypeError):
        Organization.objects.update(name=Upper(Value("água")))


def test_longest_folded_name_fits(db: None) -> None:
    Organization.objects.create(name="\ufdfa" * 200)
    assert len(folded()) == FOLDED_LENGTH


def test_migration_folds_the_names_that_there_are(db: None) -> None:
    Organization.objects.bulk_create(Organization(name=f"Ação {n}") for n in range(3))
    Organization.objects.update(folded_name="")
    migration = import_module("organizations.migrations.0005_folded_name")
    migration.fold_names(apps, connection.schema_editor())
    names = Organization.objects.values_list("folded_name", flat=True)
    assert list(names) == ["acao 0", "acao 1", "acao 2"]
