"""Groups by name."""

from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from quorate.errors import LocalError, Unavailable
from quorate.groups import SECP256K1, allow_toy, group_named, registry
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.toy import TOY_GROUP


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that packages bring these entry points."""

    def install(*entries: EntryPoint) -> None:
        def listed(*, group: str, name: str) -> list[EntryPoint]:
            return [entry for entry in entries if (entry.group, entry.name) == (group, name)]

        monkeypatch.setattr(registry, "entry_points", listed)
        registry._plugged.cache_clear()

    yield install
    registry._plugged.cache_clear()


def test_our_curve_is_known_by_name() -> None:
    assert group_named("secp256k1") is SECP256K1


@pytest.mark.parametrize("name", ["", "SECP256K1", "secp256r1", "Toy", "quorate.groups.toy"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(Unavailable, match="no installed package"):
        group_named(name)


def test_the_toy_group_is_refused_unless_a_simulation_opts_in() -> None:
    with pytest.raises(LocalError, match="no security"):
        group_named("toy")
    with allow_toy():
        assert group_named("toy") is TOY_GROUP
    with pytest.raises(LocalError):
        group_named("toy")


def test_leaving_by_an_exception_takes_the_toy_group_back() -> None:
    with pytest.raises(RuntimeError), allow_toy():
        raise RuntimeError
    with pytest.raises(LocalError):
        group_named("toy")


def test_another_package_brings_a_group(plugged: Any) -> None:
    plugged(EntryPoint("pure", "quorate.groups.pure:PURE_SECP256K1", registry.ENTRY_POINTS))
    assert group_named("pure") is PURE_SECP256K1


def test_no_package_replaces_ours_or_the_toy(plugged: Any) -> None:
    plugged(
        EntryPoint("secp256k1", "quorate.groups.pure:PURE_SECP256K1", registry.ENTRY_POINTS),
        EntryPoint("toy", "quorate.groups.pure:PURE_SECP256K1", registry.ENTRY_POINTS),
    )
    assert group_named("secp256k1") is SECP256K1
    with pytest.raises(LocalError):
        group_named("toy")


def test_two_packages_with_one_name_are_refused(plugged: Any) -> None:
    one = EntryPoint("pure", "quorate.groups.pure:PURE_SECP256K1", registry.ENTRY_POINTS)
    plugged(one, one)
    with pytest.raises(Unavailable, match="keep one"):
        group_named("pure")


def test_an_entry_that_is_no_group_is_refused(plugged: Any) -> None:
    plugged(EntryPoint("odd", "quorate.groups.pure:Jacobian", registry.ENTRY_POINTS))
    with pytest.raises(Unavailable, match="is not a Group"):
        group_named("odd")


def test_without_libsecp256k1_nobody_gets_the_pure_curve_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    from quorate.groups import secp256k1

    def absent(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(secp256k1, "import_module", absent)
    with pytest.raises(Unavailable, match="install btclib-secp256k1 or coincurve"):
        secp256k1._first_backend()


def test_coincurve_takes_over_where_btclib_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("coincurve")
    from quorate.groups import secp256k1

    real = secp256k1.import_module

    def without_btclib(name: str) -> ModuleType:
        if name.startswith("btclib"):
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(secp256k1, "import_module", without_btclib)
    assert secp256k1._first_backend().name == "coincurve"
