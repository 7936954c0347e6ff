"""Schemes by name, and threshold ECDSA as one of them."""

import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from tests.support.signing import DIGEST, KEY_ID, PAYLOAD, table

from quorate.errors import LocalError, ProofRejected, Unavailable
from quorate.groups import ED25519, SECP256K1, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.parameters import TOY
from quorate.schemes import registry
from quorate.schemes.ecdsa.scheme import ECDSA, Ecdsa
from quorate.schemes.registry import scheme_named, scheme_names
from quorate.schemes.scheme import Scheme
from quorate.schemes.schnorr.suites.ed25519 import SCHEME as ED25519_SCHEME
from quorate.schemes.tweak import Tweak
from quorate.session import Party
from quorate.testing import Simulation


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that packages bring these entry points."""

    def install(*entries: EntryPoint) -> None:
        def listed(*, group: str, name: str | None = None) -> list[EntryPoint]:
            return [entry for entry in entries if entry.group == group and name in (None, entry.name)]

        monkeypatch.setattr(registry, "entry_points", listed)
        registry._plugged.cache_clear()

    yield install
    registry._plugged.cache_clear()


@pytest.mark.parametrize("name", scheme_names())
def test_every_listed_scheme_is_there_under_its_name_and_on_its_curve(name: str) -> None:
    scheme = scheme_named(name)
    assert (scheme.name, scheme.curve) == (name, scheme.curves[0])
    assert scheme.suite(group_named(scheme.curve)).startswith(f"{scheme.curve}/")
    assert scheme.declaration.name.endswith(".sign")
    assert scheme is scheme_named(name)


@pytest.mark.parametrize("name", ["", "ECDSA", "ed448", "quorate.schemes"])
def test_an_unknown_scheme_is_refused(name: str) -> None:
    with pytest.raises(Unavailable, match="no installed package"):
        scheme_named(name)


class Renamed(Ecdsa):
    """A scheme that a package brings."""

    name = "renamed"


OTHER = Renamed()
NOT_A_SCHEME = "a name"


def test_a_package_brings_a_scheme_and_never_replaces_one(plugged: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "a_plug_in", sys.modules[__name__])
    entry = EntryPoint("renamed", "a_plug_in:OTHER", registry.ENTRY_POINTS)
    plugged(entry, EntryPoint("ecdsa", "a_plug_in:OTHER", registry.ENTRY_POINTS))
    assert scheme_named("renamed") is OTHER
    assert scheme_named("ecdsa") is ECDSA
    assert scheme_names()[-1] == "renamed"
    plugged(entry, EntryPoint("renamed", "another:OTHER", registry.ENTRY_POINTS))
    with pytest.raises(Unavailable, match="keep one"):
        scheme_named("renamed")
    plugged(EntryPoint("misnamed", "a_plug_in:OTHER", registry.ENTRY_POINTS))
    with pytest.raises(Unavailable, match="calls itself 'renamed'"):
        scheme_named("misnamed")
    plugged(EntryPoint("none", "a_plug_in:NOT_A_SCHEME", registry.ENTRY_POINTS))
    with pytest.raises(Unavailable, match="is not a Scheme"):
        scheme_named("none")


def signed(tweak: Tweak | None = None, path: str = "") -> tuple[Any, Any]:
    """What the adapter makes of a toy key, and the key."""
    key = table("2 of (1 of (n1), device)", ("n1", "device"))
    scheme = Ecdsa(TOY)

    async def run(party: Party) -> bytes | None:
        pairs = key.pairs[party.me]
        seat = key.seats[party.me]
        return await scheme.sign(party, seat, DIGEST, combiner="device", pairs=pairs, tweak=tweak, path=path)

    result = Simulation(
        scheme.declaration,
        run,
        key.names,
        group=TOY_GROUP,
        suite=scheme.suite(TOY_GROUP),
        key=KEY_ID,
        payload=PAYLOAD,
        journaled=False,
    ).run()
    return result, key.public_key


def test_ecdsa_signs_through_the_interface_and_for_child_keys() -> None:
    tweak = Tweak(TOY_GROUP.scalar(77))
    for moved, path in ((None, ""), (Tweak.none(TOY_GROUP), ""), (tweak, "0/7")):
        result, root = signed(moved, path)
        result.assert_sound()
        assert result.values["n1"] is None
        signature = result.values["device"]
        assert len(signature) == ECDSA.signature_length
        child = root if moved is None else moved.child(root)
        ECDSA.verify(child, DIGEST, signature)
    with pytest.raises(ProofRejected):
        ECDSA.verify(root, DIGEST, signature)


def test_ecdsa_takes_no_x_only_tweak() -> None:
    async def run(party: Party) -> bytes | None:
        moved = Tweak(SECP256K1.scalar(0), b"\x01" * 32)
        return await ECDSA.sign(party, None, DIGEST, combiner="device", tweak=moved)  # type: ignore[arg-type]

    coroutine = run(None)  # type: ignore[arg-type]
    with pytest.raises(LocalError, match="BIP 340"):
        coroutine.send(None)


def test_every_byte_of_an_ecdsa_signature_counts_the_recovery_id_too() -> None:
    from eth_keys import keys

    key = keys.PrivateKey(bytes(range(1, 33)))
    made = key.sign_msg_hash(DIGEST).to_bytes()
    public = SECP256K1.point_from_bytes(key.public_key.to_compressed_bytes())
    ECDSA.verify(public, DIGEST, made)
    for place in range(len(made)):
        changed = bytearray(made)
        changed[place] ^= 1
        with pytest.raises(ProofRejected):
            ECDSA.verify(public, DIGEST, bytes(changed))
    for wrong in (made[:-1], made + b"\0", b"", made[:-1] + b"\x04"):
        with pytest.raises(ProofRejected):
            ECDSA.verify(public, DIGEST, wrong)


def test_a_scheme_says_which_curves_it_is_for() -> None:
    assert ED25519_SCHEME.suite(ED25519) == "ed25519/ed25519"
    with pytest.raises(LocalError, match="signs on ed25519"):
        ED25519_SCHEME.suite(SECP256K1)
    assert ECDSA.needs_pairs
    assert not ED25519_SCHEME.needs_pairs
    assert repr(ECDSA) == "<scheme ecdsa>"
    assert issubclass(Renamed, Scheme)
