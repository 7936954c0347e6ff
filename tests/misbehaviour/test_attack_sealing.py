"""A party's complaint as an oracle: boxes of honest parties, handed in again as one's own.

A complaint shows the Diffie-Hellman value of a box. If that of a stranger's box could be had by copying its
front into a box of one's own, every recorded secret would be one failed session away from being read.
"""

from typing import Any

import pytest
from tests.unit.sharing.table import Table, blamed, errors

from quorate.encoding import decode
from quorate.entropy import SeededRng
from quorate.errors import Blame
from quorate.groups import SECP256K1, parser_for
from quorate.primitives import hpke
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.session import Declaration, Envelope, KeyPair, Message, Party, Session, Slot, tag_of
from quorate.session.envelope import seal_info, write
from quorate.session.evidence import Exhibit
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keygen import Shares

DECLARATION = Declaration("keygen-test", 1, *keygen.rules())
NAMES = ("n1", "n2", "n3")
RNG = SeededRng(b"copying")


async def run(party: Party) -> tuple[GeneratedKey, ...]:
    return await keygen.generate(party, degree=1, count=1, context=b"pool")


def table(seed: int) -> Table:
    return Table(DECLARATION, dict.fromkeys(NAMES, run), SECP256K1, seed=seed)


class Copying(Session[Any]):
    """Sends n2 a box of its choice instead of its share."""

    forged: bytes

    def _emit(self, path: str, message: Message, recipient: str) -> None:
        super()._emit(path, message, recipient)
        if isinstance(message, Shares) and recipient == "n2":
            self._outbound[-1] = write(
                self.id, Slot(path, tag_of(Shares), self.me, recipient), self.forged, self._identity
            )


def recorded() -> tuple[Table, Envelope]:
    """A key generation that went well, and what a relay saw of n1's share for n2."""
    good = table(1)
    played = good.play()
    seen = next(e for sender, to, e in good.sent if (sender, to, e.tag) == ("n1", "n2", tag_of(Shares)))
    assert not errors(played)
    return good, seen


def victim(good: Table) -> KeyPair:
    """n2, whose box it was."""
    pair = good.identities["n2"]
    assert isinstance(pair, KeyPair)
    return pair


def stolen(shared: Any, box: bytes, recipient: Any, info: bytes) -> Shares | None:
    """What the recorded box holds, from a Diffie-Hellman value found in somebody's complaint."""
    front = SECP256K1.point_from_bytes(box[:33])
    plaintext = hpke._open_from(shared, front, recipient, info, b"", box)
    return None if plaintext is None else decode(Shares, plaintext, parser_for(SECP256K1))


def own_proof(box: bytes) -> bytes:
    """The recorded front with a proof of knowledge of something else, which is all that a thief can make."""
    one = SECP256K1.scalar(1)
    proof = SchnorrProof.prove(Tag.HPKE_SENDER, b"", one, SECP256K1.generator, RNG)
    made = proof.commitment.to_bytes() + proof.response.to_bytes()
    return box[:33] + made + box[33 + len(made) :]


@pytest.mark.parametrize(
    "forge",
    [
        lambda box: box,
        lambda box: box[:33] + bytes(len(box) - 33),
        lambda box: box[:-1] + bytes([box[-1] ^ 1]),
        own_proof,
    ],
    ids=["whole", "front", "altered", "another-proof"],
)
def test_a_complaint_about_a_copied_box_does_not_open_the_box_it_was_copied_from(forge: Any) -> None:
    good, seen = recorded()
    info = seal_info(good.spec.id, seen.slot)
    attack = table(2)
    thief = Copying(
        attack.spec, "n3", attack.identities["n3"], attack.roster, DECLARATION, SECP256K1, run, rng=RNG
    )
    thief.forged = forge(seen.body)
    attack.sessions["n3"] = thief
    played = attack.play()
    # the thief is named, by evidence that convinces a stranger
    assert blamed(attack, played) == {"n3"}
    complaint = played["n2"]
    assert isinstance(complaint, Blame)
    # and what the complaint shows is of no use to it
    recipient = victim(good).public.sealing
    for data in complaint.evidence:
        opening = decode(Exhibit, data).opening
        if not opening:
            continue
        shared = hpke.Opening.from_bytes(opening).shared
        assert stolen(shared, seen.body, recipient, info) is None


def test_the_diffie_hellman_value_of_a_box_is_all_that_it_takes() -> None:
    """What the attack above would do with it, so that it is known to be the real thing."""
    good, seen = recorded()
    pair = victim(good)
    shared = SECP256K1.point_from_bytes(seen.body[:33]).multiply(pair._sealing.reveal())
    shares = stolen(shared, seen.body, pair.public.sealing, seal_info(good.spec.id, seen.slot))
    assert shares is not None
    assert len(shares.values) == 1
