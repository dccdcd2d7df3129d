"""Sets of ids as text."""

import pytest

from organizations.id_sets import MAX_IDS, InvalidIds, format_ids, parse_ids


def test_neighbours_are_written_as_their_ends() -> None:
    assert format_ids([9, 3, 4, 5, 3]) == "3-5,9"
    assert parse_ids("3-5,9") == [3, 4, 5, 9]
    assert parse_ids("9,3") == [9, 3]
    assert parse_ids(format_ids([])) == []


def test_too_many_ids_are_refused() -> None:
    assert len(parse_ids(f"1-{MAX_IDS}")) == MAX_IDS
    for text in (f"1-{MAX_IDS + 1}", f"1-{MAX_IDS},{MAX_IDS + 1}", "1-999999999999999999"):
        with pytest.raises(InvalidIds):
            parse_ids(text)
