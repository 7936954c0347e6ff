"""What every test may rely on: `requires(name)`, the marker of a test that needs something outside Quorate.

Such a test skips, with its reason, where the thing is missing. On a machine that is meant to have it,
`QUORATE_REQUIRE=postgresql` (names separated by commas) turns that skip into a failure.

Hypothesis draws the same examples every time where `CI` or `QUORATE_REQUIRE` is set, so that a build does not
fail by luck; elsewhere it keeps searching. No deadlines: the machines that run this are shared.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.postgresql"]

settings.register_profile("search", deadline=None)
settings.register_profile("repeatable", settings.get_profile("search"), derandomize=True)
settings.load_profile("repeatable" if {"CI", "QUORATE_REQUIRE"} & set(os.environ) else "search")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    required = {name for name in os.environ.get("QUORATE_REQUIRE", "").split(",") if name}
    needs = {str(mark.args[0]) for mark in item.iter_markers("requires")}
    missing = sorted(required & needs)
    if report.skipped and missing:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but QUORATE_REQUIRE names {', '.join(missing)}"
    return report
