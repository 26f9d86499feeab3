"""What is wrong with a request, in words."""

from __future__ import annotations

import pytest

from mainspring.administration.contract import add_person
from mainspring.core.errors import Invalid
from mainspring.core.operation import checked


def test_what_is_missing_is_said_in_plain_words() -> None:
    with pytest.raises(Invalid) as caught:
        checked(add_person, {})

    assert (caught.value.message, caught.value.field) == (
        "name is missing and has to be given",
        "name",
    )


@pytest.mark.parametrize("name", [" paul", "paul ", ".paul", "1", " ", ""])
def test_a_name_that_looks_like_another_is_none(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked(add_person, {"name": name})

    assert caught.value.field == "name"
