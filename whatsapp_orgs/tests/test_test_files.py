"""A file of tests that lost its tests would pass unnoticed."""

import re
from pathlib import Path

from django.conf import settings

TEST = re.compile(r"^\s*(async )?def test_|^Test\w+ = ", re.MULTILINE)


def test_every_test_file_has_tests() -> None:
    root = Path(settings.BASE_DIR)
    files = [file for mark in root.glob("*/__init__.py") for file in mark.parent.rglob("test_*.py")]
    assert len(files) > 100
    assert [file.name for file in files if not TEST.search(file.read_text())] == []
