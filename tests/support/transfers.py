"""OT setups for tests, both ends by the real protocol; on the toy group where the curve hardly matters."""

from dataclasses import dataclass
from functools import cache

from quorate.entropy import Rng, SeededRng
from quorate.groups import Group
from quorate.groups.pure import WeierstrassGroup
from quorate.groups.toy import TOY_GROUP
from quorate.primitives import base_ot, vole
from quorate.primitives.correlation import ReceiverState, SenderState
from quorate.primitives.parameters import OTParameters

P256 = WeierstrassGroup(
    "p256",
    field=2**256 - 2**224 + 2**192 + 2**96 - 1,
    a=-3,
    b=0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B,
    order=0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551,
    generator=(
        0x6B17D1F2_E12C4247_F8BCE6E5_63A440F2_77037D81_2DEB33A0_F4A13945_D898C296,
        0x4FE342E2_FE1A7F9B_8EE7EB4A_7C0F9E16_2BCE3357_6B315ECE_CBB64068_37BF51F5,
    ),
)
"""A curve whose order is far from a power of two, so that pads are reduced (SEC 2, version 2, 2.4.2)."""

SID = bytes(range(32))
ESID = b"a session, from b to a, for a test"


def rng(name: str) -> SeededRng:
    """A stream of its own for every name."""
    return SeededRng(name.encode().ljust(32, b"."))


@dataclass(frozen=True)
class Pair:
    """Both ends of one finished setup; Alice is the sender."""

    alice: SenderState
    bob: ReceiverState
    message1: bytes
    message2: bytes


def set_up(group: Group, parameters: OTParameters, name: str = "pair") -> Pair:
    """Run the base transfers."""
    chooser, message1 = base_ot.choose(group, parameters, SID, rng(name + "/alice"))
    bob, message2 = base_ot.respond(group, parameters, SID, rng(name + "/bob"), message1)
    return Pair(base_ot.finish(chooser, message2), bob, message1, message2)


@cache
def toy_pair(parameters: OTParameters) -> Pair:
    """A setup on the toy group, made once per parameter set."""
    return set_up(TOY_GROUP, parameters)


@dataclass(frozen=True)
class Run:
    """A multiplication up to Alice's message."""

    started: vole.Start
    inputs: tuple
    outputs: tuple
    message1: bytes
    message2: bytes


def multiply(group: Group, parameters: OTParameters, name: str = "run", source: Rng | None = None) -> Run:
    """Both sides of a multiplication, honestly, up to `vole.finish`."""
    pair, source = toy_pair(parameters), source or rng(name)
    started, message1 = vole.start(group, parameters, pair.bob, ESID, source)
    inputs = group.random_scalar(source), group.random_scalar(source)
    outputs, message2 = vole.multiply(
        group, parameters, pair.alice, ESID, source(32), message1, inputs, source
    )
    return Run(started, inputs, outputs, message1, message2)
