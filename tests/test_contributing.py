"""CONTRIBUTING.md lists every place that a change of its kind has to touch."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = dict(re.findall(r"^### (.*?)\n(.*?)(?=^#|\Z)", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S))
PRODUCT = [*(path for folder in ("releve", "tasks", "flows") for path in (ROOT / folder).rglob("*.py"))]
PAGES = [*(ROOT / "docs").glob("*.md"), ROOT / "GLOSSARY.md", ROOT / "params.yaml"]


def places(recipe: str) -> list[tuple[str, str]]:
    """The files that a recipe names, each with the symbol that stands in it; "" where it names none."""
    return re.findall(r"`([\w/]+\.(?:py|yaml|md|toml))`(?::\s+`([\w: ]+)`)?", RECIPES[recipe])


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_file_of_a_recipe_has_what_the_recipe_names(recipe):
    found = places(recipe)

    assert found
    assert [(path, symbol) for path, symbol in found if symbol not in (ROOT / path).read_text()] == []


@pytest.mark.parametrize("recipe", [name for name, text in RECIPES.items() if "Compare with" in text])
def test_a_recipe_misses_no_file_that_knows_the_one_to_compare_with(recipe):
    code, page = re.search(r"^Compare with: `(\w+)`(?:, in pages \"([^\"]+)\")?", RECIPES[recipe], re.M).groups()
    in_code = rf"\b{code}\b|[\"']{code.lower()}[\"']"
    in_pages = rf"\b{code}\b|(?i:{(page or code).replace(' ', '[ _]')})"

    knowing = {str(path.relative_to(ROOT)) for path in PRODUCT if re.search(in_code, path.read_text())}
    knowing |= {
        str(path.relative_to(ROOT)) for path in PAGES if re.search(in_pages, " ".join(path.read_text().split()))
    }

    assert knowing
    assert knowing - {path for path, _ in places(recipe)} == set()


def test_one_class_has_one_name():
    named = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*PRODUCT, *(ROOT / "conformance").rglob("*.py"))
        for name in re.findall(r"^class (\w+)", path.read_text(), re.M)
    ]
    by_name = Counter(each.split(": ")[1] for each in named)

    assert [each for each in named if by_name[each.split(": ")[1]] > 1] == []
