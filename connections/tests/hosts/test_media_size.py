"""How long an answer of the media host is."""

from __future__ import annotations

import io

import pytest

from connections.worker.child import media_size

pytestmark = pytest.mark.sqlite_only


class Answer(io.BytesIO):
    """An HTTP answer with so many bytes, which counts what was read."""

    def __init__(self, size: int, **headers: str) -> None:
        super().__init__(bytes(size))
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def test_stated_length_counts_and_nothing_is_read() -> None:
    answer = Answer(10, Content_Length="5000000000")
    assert media_size.length_of(answer, 100) == 5_000_000_000
    assert answer.tell() == 0


def test_unstated_length_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_size, "CHUNK_BYTES", 10)
    assert media_size.length_of(Answer(95), 100) == 95
    large = Answer(1000)
    assert media_size.length_of(large, 100) > 100
    assert large.tell() <= 120


def test_slow_answer_of_unstated_length_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_size, "READ_SECONDS", -1.0)
    with pytest.raises(OSError, match="slow"):
        media_size.length_of(Answer(10), 100)
