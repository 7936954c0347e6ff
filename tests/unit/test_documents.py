"""What the documents say exists: links, files, tests, tags."""

import re
from pathlib import Path

import pytest

from quorate.primitives.tags import Tag

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_to_exists(page: Path) -> None:
    text = page.read_text()
    links = {target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target}
    missing = {link for link in links if link and not (page.parent / link).exists()}
    paths = set(
        re.findall(r"`((?:tests|docs|src|examples|requirements|tools)/[A-Za-z0-9_./-]*)(?:::\w+)?`", text)
    )
    missing |= {path for path in paths if not (ROOT / path).exists()}
    assert not missing


def test_a_test_named_by_a_page_stands_in_the_file_it_names() -> None:
    for page in DOCUMENTS:
        for path, test in re.findall(r"`(tests/[A-Za-z0-9_./-]+\.py)::(\w+)`", page.read_text()):
            assert re.search(rf"def {test}\b", (ROOT / path).read_text()), f"{page.name}: {path}::{test}"


def test_a_tag_named_by_a_protocol_page_is_registered() -> None:
    tags = {str(tag) for tag in Tag}
    sections = "|".join(sorted({re.escape(tag.split("/")[0]) for tag in tags}))
    pages = sorted((ROOT / "docs" / "protocols").glob("*.md"))
    assert pages
    for page in pages:
        named = set(re.findall(rf"`((?:{sections})/[a-z0-9/-]+)`", page.read_text()))
        assert named <= tags, page.name
