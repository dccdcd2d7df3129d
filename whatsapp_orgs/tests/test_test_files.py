"""A file of tests that lost its tests would pass unnoticed."""

import re
from pathlib import Path

from django.conf import settings

TEST = re.compile(r"^\s*(async )?def test_|^Test\w+ = ", re.MULTILINE)


def test_every_test_file_has_tests() -> None:
    root = Path(settings.BASE_DIR)
    folders = [path for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    files = [file for folder in folders for file in folder.rglob("test_*.py")]
    assert len(files) > 100
    assert [file.name for file in files if not TEST.search(file.read_text())] == []
