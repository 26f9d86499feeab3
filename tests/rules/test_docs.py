"""What the documentation lists is what the code has."""

from __future__ import annotations

import pytest

from tests.rules.pages import DOCS, PAGES, inserted


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_lists_what_the_code_has(name: str) -> None:
    text = (DOCS / name).read_text()

    assert inserted(text, PAGES[name]()) == text, "run: python -m tests.rules.pages"


def test_every_page_is_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text()

    assert [page.name for page in DOCS.glob("*.md") if page.name not in index] == ["index.md"]
