"""What holds of the repository itself: its locks and its imports."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("demo", "test", "dev")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]) for line in requirements}


EXTRAS = {extra: names(lines) for extra, lines in PROJECT["project"]["optional-dependencies"].items()}
RUN_TIME = names(PROJECT["project"]["dependencies"])
BUILD = names(PROJECT["dependency-groups"]["build"])
EVERY = set().union(RUN_TIME, BUILD, *EXTRAS.values()) - {"quorate"}


def entries(lock: str) -> dict[str, str]:
    """Each requirement of a lock with its pin, markers and hashes, by normal name."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = lines.replace("\\\n", " ")
    return {
        normal(re.split(r"==| ", line, maxsplit=1)[0]): line for line in joined.splitlines() if line.strip()
    }


def pins(lock: str) -> dict[str, str]:
    return {name: line.split("--hash")[0].strip() for name, line in entries(lock).items()}


def committed() -> list[Path]:
    listed = None
    if shutil.which("git"):
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
        )
    if listed is None or listed.returncode:
        pytest.skip("not a checkout that git can read: there is no list of committed files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_of_a_lock_is_pinned_with_hashes(lock: str) -> None:
    assert entries(lock)
    for name, line in entries(lock).items():
        assert re.match(r"[A-Za-z0-9_.-]+==\S+", line), f"{name} has no exact version"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), f"{name} has no hash"


def test_the_locks_are_nested_and_agree_in_every_version() -> None:
    demo, test, dev = (pins(lock) for lock in LOCKS)
    for smaller, larger in ((demo, test), (test, dev)):
        for name, pin in smaller.items():
            # a larger lock may need on every system what a smaller one needs on some
            assert larger.get(name) in (pin, pin.partition(" ; ")[0])


def test_the_locks_hold_what_the_project_asks_for() -> None:
    demo, test, dev = (set(entries(lock)) for lock in LOCKS)
    assert demo >= RUN_TIME | BUILD | EXTRAS["evm"]
    assert test >= EXTRAS["test"] - {"quorate"}
    assert dev >= EVERY


def test_the_demo_installs_no_tool_of_tests_or_checks() -> None:
    assert not set(entries("demo")) & ((EXTRAS["test"] | EXTRAS["dev"]) - {"quorate"})


def test_no_committed_file_names_a_package_index() -> None:
    # Put together here, so that this file does not name one either.
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs", "index" + ".crates.io"]
    options = ["--" + "index-url", "--extra-" + "index-url", "--" + "find-links", "index" + "-url ="]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in committed()
        for word in hosts + options
        if word in path.read_text(errors="ignore")
    ]
    assert not found


def test_the_page_of_dependencies_names_each_one() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    listed = {normal(name) for name in re.findall(r"^\| ([A-Za-z0-9_.-]+) \|", page, re.MULTILINE)}
    assert listed >= EVERY
    assert listed - {"package"} <= EVERY, "a line for a package that is no longer used"


def test_the_package_imports_only_what_it_declares() -> None:
    """The tests' environment holds more than the demo's, so a stray import would not fail by itself."""
    product = set(EXTRAS) - {"oracles", "test", "dev"}
    declared = RUN_TIME.union(*(EXTRAS[extra] for extra in product))
    distributions = packages_distributions()
    stray = set()
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            for module in modules:
                top = module.split(".")[0]
                if top in sys.stdlib_module_names or top == "quorate":
                    continue
                owners = {normal(name) for name in distributions.get(top, [top])}
                if not owners & declared:
                    stray.add(f"{path.relative_to(ROOT)} imports {top}, of {', '.join(sorted(owners))}")
    assert not stray
