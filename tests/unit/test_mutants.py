"""The mutants that `make mutate` runs: each can still be made, and the tool tells killed from surviving."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool() -> ModuleType:
    loader = SourceFileLoader("mutate", str(ROOT / "tools" / "mutate"))
    spec = importlib.util.spec_from_loader("mutate", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


MUTATE = tool()
MUTANTS = MUTATE.load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_of_a_mutant_is_still_there_and_changes_something(mutant: Any) -> None:
    assert mutant.problem(ROOT) == ""
    assert mutant.text != mutant.replacement
    changed = (ROOT / mutant.file).read_text().replace(mutant.text, mutant.replacement)
    compile(changed, mutant.file, "exec")


def test_the_lists_are_named_after_the_protocols_they_are_about() -> None:
    for path in sorted((ROOT / "tools" / "mutants").glob("*.toml")):
        assert any(mutant.name.startswith(f"{path.stem}/") for mutant in MUTANTS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "toy.py").write_text("def least(a, b):\n    return min(a, b)\n")
    (tmp_path / "test_toy.py").write_text(
        "from toy import least\ndef test_least() -> None:\n    assert least(1, 2) == 1\n"
    )
    (tmp_path / "page.md").write_text("Order does not\nmatter to a minimum.\n")
    return tmp_path


def mutant(**changed: Any) -> Any:
    fields = {
        "name": "toy/min",
        "file": "src/toy.py",
        "text": "min(a, b)",
        "replacement": "max(a, b)",
        "tests": ("test_toy.py",),
    }
    return MUTATE.Mutant(**{**fields, **changed})


def test_a_mutant_that_a_test_notices_is_killed_and_the_file_is_put_back(tree: Path) -> None:
    assert MUTATE.passes(tree, ("test_toy.py",))
    before = (tree / "src" / "toy.py").read_text()
    assert not MUTATE.survives(tree, mutant())
    assert MUTATE.survives(tree, mutant(replacement="min(b, a)"))
    assert not MUTATE.survives(tree, mutant(replacement="min(a, b")), "what does not compile is noticed"
    assert (tree / "src" / "toy.py").read_text() == before


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, ""),
        ({"text": "max(a, b)"}, "stands 0 times"),
        ({"text": "a"}, "times in src/toy.py"),
        ({"file": "src/other.py"}, "stands 0 times"),
        ({"tests": ("test_other.py",)}, "no such tests"),
        ({"tests": ()}, "no such tests"),
        ({"survives": "page.md: Order does not matter"}, ""),
        ({"survives": "page.md: Luck"}, "does not say"),
        ({"survives": "nothing.md: Order"}, "does not say"),
        ({"survives": "just so"}, "does not say"),
    ],
)
def test_entries_that_cannot_be_run_are_found(tree: Path, changed: dict[str, Any], problem: str) -> None:
    found = mutant(**changed).problem(tree)
    assert problem in found
    assert bool(found) == bool(problem)


def test_an_entry_with_unknown_fields_or_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    lists = tmp_path / "tools" / "mutants"
    lists.mkdir(parents=True)
    entry = '[[mutant]]\nname = "a/b"\nfile = "f"\ntext = "t"\nreplacement = "r"\ntests = ["x"]\n'
    (lists / "a.toml").write_text(entry)
    assert [found.name for found in MUTATE.load(tmp_path)] == ["a/b"]
    (lists / "b.toml").write_text(entry)
    with pytest.raises(ValueError, match="used twice"):
        MUTATE.load(tmp_path)
    (lists / "b.toml").write_text(entry.replace("a/b", "b/c") + 'reason = "none"\n')
    with pytest.raises(ValueError, match="fields"):
        MUTATE.load(tmp_path)
