"""Presigning: everything about a signature that needs no message, in two rounds (DKLs23, ePrint 2023/765,
protocol 3.6, for any exact signer set).

Steps 2.0 to 2.9 of docs/protocols/ecdsa.md. Each pair multiplies in both directions on its long-lived OT
setup (`quorate.primitives.vole`). Public values travel in signed broadcasts, so that whoever contradicts
itself can be shown to anybody; what only one peer may read is sealed to it.

Assumes that the session's parties are exactly the quorum, and that the host *stores* a leak-bearing
`Suspicion` before it answers anybody. Never journaled: a session that crashes is lost, and so is its
presignature.

A host passes `checking`, a context in which the leak-bearing checks run, entered when all of round 1 has come
and agrees. It counts the messages as unverified, durably, and refuses if an instance was frozen since it was
loaded; a leak that passes through it is stored at once. So sessions side by side on one instance learn one
bit together, and one that only waits counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from quorate.errors import CheckFailed, LocalError, Malformed, Suspicion
from quorate.groups import Group, Point, Scalar
from quorate.primitives import vole
from quorate.primitives.parameters import STANDARD, OTParameters
from quorate.schemes.ecdsa import checks
from quorate.schemes.ecdsa.checks import Products
from quorate.schemes.ecdsa.faults import Disagreement, StaleSetup, Unattributable, suspect
from quorate.schemes.ecdsa.messages import Commitment, Extension, Multiplication, Opening
from quorate.schemes.ecdsa.presignature import Derivation, Presignature
from quorate.schemes.ecdsa.setup import PairSetup, suite
from quorate.schemes.quorum import Quorum, Signer
from quorate.secret import Secret
from quorate.session import Party, PartyId, echo


async def presign(
    party: Party,
    signer: Signer,
    pairs: Mapping[PartyId, PairSetup],
    *,
    parameters: OTParameters = STANDARD,
    derivation: Derivation = Derivation.ROOT,
    expires: int = 0,
    checking: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Presignature:
    """Make our share of one presignature with the quorum of `signer`; `pairs` holds our OT setup with each.

    Raises `Blame`, `Suspicion` (leak-bearing: store it before anything else), `Disagreement` or `Missing`;
    every local value of the run is gone then.
    """
    _check_inputs(party, signer, pairs, parameters)
    ssid = checks.presigning_id(party.session_id, party.path, signer.quorum, party.spec.suite, derivation)
    run = _Run(party, signer, pairs, parameters, ssid)
    secrets = run.first_round()
    commitments = await party.gather(Commitment)
    extensions = await party.gather(Extension)
    run.agree(commitments, extensions)
    with checking():
        sent = run.second_round(secrets, commitments, extensions)
    # 2.6: views first. Until they agree, a failing check could be a third party's doing.
    openings = await echo.compare(party, Commitment, run.seen, Opening, lambda said: said.view, step="2.6")
    multiplications = await party.gather(Multiplication)
    run.check_openings(commitments, openings, sent)
    return run.combine(secrets, sent, openings, multiplications, derivation, expires)


@dataclass(slots=True, repr=False)
class _Secrets:
    """What first_round draws and nobody keeps: r_i, phi_i, and the multiplications begun as receiver."""

    nonce: Scalar
    nonce_point: Point
    salt: bytes
    mask: Scalar
    started: dict[PartyId, vole.Start]


@dataclass(slots=True, repr=False)
class _Sent:
    """What second_round leaves: sk_i, our own opening's zero points, products as sender, our kappa share."""

    key: Scalar
    key_point: Point
    zeros: dict[PartyId, Point]
    products: dict[PartyId, Products]
    entropy: bytes


class _Run:
    """One presigning at one party; the rounds as plain functions between the waits of `presign`."""

    def __init__(
        self,
        party: Party,
        signer: Signer,
        pairs: Mapping[PartyId, PairSetup],
        parameters: OTParameters,
        ssid: bytes,
    ) -> None:
        self.party, self.signer, self.pairs = party, signer, pairs
        self.quorum: Quorum = signer.quorum
        self.group: Group = signer.quorum.group
        self.parameters, self.ssid = parameters, ssid
        self.seen: dict[PartyId, bytes] = {}

    def first_round(self) -> _Secrets:
        """Steps 2.1: commit to R_i; to each peer, begin a multiplication as its receiver."""
        party, group = self.party, self.group
        nonce = group.random_scalar(party.rng)
        nonce_point = group.generator.multiply(nonce)
        salt = party.rng(32)
        commitment = checks.commit_nonce(self.ssid, party.me, nonce_point, salt)
        party.broadcast(Commitment(self.ssid, commitment))
        self.own_commitment = commitment
        started = {}
        for peer in party.others:
            setup = self.pairs[peer]
            esid = checks.extension_id(self.ssid, party.me, peer, setup.fingerprint)
            started[peer], body = vole.start(group, self.parameters, setup.receiver, esid, party.rng)
            party.send(peer, Extension(setup.fingerprint, body))
        return _Secrets(nonce, nonce_point, salt, group.random_scalar(party.rng), started)

    def agree(
        self, commitments: Mapping[PartyId, Commitment], extensions: Mapping[PartyId, Extension]
    ) -> None:
        """Step 2.2: same session, same records, same instance, or nothing is checked at all."""
        for peer in self.party.others:
            pair = sorted((self.party.me, peer))
            if commitments[peer].ssid != self.ssid:
                what = "differ in their records of the key (public shares, signers, suite)"
                raise Disagreement(f"{' and '.join(pair)} {what}", parties=pair, step="2.2")
            if extensions[peer].instance != self.pairs[peer].fingerprint:
                raise StaleSetup(f"{' and '.join(pair)} come with different setups", parties=pair, step="2.2")
        wanted = vole.message_lengths(self.group, self.parameters)[0]
        short = [peer for peer, message in extensions.items() if len(message.body) != wanted]
        self.party.blame(Extension, short, f"its multiplication message is not of {wanted} bytes", step="2.2")

    def second_round(
        self,
        secrets: _Secrets,
        commitments: Mapping[PartyId, Commitment],
        extensions: Mapping[PartyId, Extension],
    ) -> _Sent:
        """Steps 2.3 to 2.5: multiply as sender by r_i and sk_i; open R_i."""
        party, group = self.party, self.group
        values = {name: message.commitment for name, message in commitments.items()}
        first_round = checks.round_one(self.ssid, {**values, party.me: self.own_commitment})
        # 2.3
        key, zeros = self.signer.part.reveal(), {}
        for peer in party.others:
            shared = checks.zero_share(self.pairs[peer].zero_seed.reveal(), self.ssid, first_round, group)
            zeros[peer] = group.generator.multiply(shared)
            key = key + checks.signed(party.me, peer, shared)
        # 2.4: all peers' leak-bearing checks pass before anything of round 2 leaves
        products, bodies = {}, {}
        for peer in party.others:
            products[peer], bodies[peer] = self._multiply(peer, extensions[peer], secrets.nonce, key)
        # 2.5
        key_point = group.generator.multiply(key)
        self.seen = echo.gathered(party, Commitment)
        view = echo.view_digest(party, self.seen)
        points = tuple(zeros[peer] for peer in party.others)
        party.broadcast(Opening(view, secrets.nonce_point, secrets.salt, key_point, points))
        entropy = party.rng(32)
        for peer in party.others:
            gammas = (
                group.generator.multiply(products[peer].nonce),
                group.generator.multiply(products[peer].key),
            )
            offset = secrets.mask - secrets.started[peer].chi
            shown = entropy if self._both_keep(peer) else b""
            party.send(peer, Multiplication(bodies[peer], *gammas, offset, shown))
        return _Sent(key, key_point, zeros, products, entropy)

    def check_openings(
        self,
        commitments: Mapping[PartyId, Commitment],
        openings: Mapping[PartyId, Opening],
        sent: _Sent,
    ) -> None:
        """Steps 2.6 and 2.7: what can be judged from broadcasts alone, and so is blamed with evidence."""
        party = self.party
        party.blame(
            (Commitment, Opening),
            [
                name
                for name, opening in openings.items()
                if not checks.check_nonce(
                    commitments[name].commitment, self.ssid, name, opening.nonce_point, opening.salt
                )
            ],
            "its nonce point is not the one it had committed to",
            step="2.6",
        )
        party.blame(
            Opening,
            [
                name
                for name, opening in openings.items()
                if not checks.key_point_fits(self.quorum, name, opening.key_point, opening.zeros)
            ],
            "its key point is not that of its recorded share (another share, epoch or tweak)",
            step="2.7",
        )
        self._check_zeros(openings, sent)

    def combine(
        self,
        secrets: _Secrets,
        sent: _Sent,
        openings: Mapping[PartyId, Opening],
        multiplications: Mapping[PartyId, Multiplication],
        derivation: Derivation,
        expires: int,
    ) -> Presignature:
        """Steps 2.8 and 2.9: finish the multiplications as receiver, check them in the exponent, add up."""
        party, quorum = self.party, self.quorum
        received = {
            peer: self._finish(peer, secrets.started[peer], openings[peer], multiplications[peer])
            for peer in party.others
        }
        nonce_point = self.group.sum([secrets.nonce_point, *(o.nonce_point for o in openings.values())])
        if nonce_point.is_identity:
            raise Unattributable("the nonces add up to zero", parties=quorum.signers, step="2.9")
        offsets = [message.offset for message in multiplications.values()]
        pairs = [*sent.products.values(), *received.values()]
        return Presignature(
            checks.presignature_id(self.ssid),
            self.ssid,
            quorum.key_id,
            quorum.epoch,
            quorum.signers,
            tuple(sorted(quorum.keepers)),
            party.me,
            derivation,
            quorum.public_key,
            nonce_point,
            Secret(secrets.mask),
            Secret(checks.blended(secrets.nonce, secrets.mask, offsets, [p.nonce for p in pairs])),
            Secret(checks.blended(sent.key, secrets.mask, offsets, [p.key for p in pairs])),
            self._entropy_key(sent.entropy, multiplications),
            expires,
        )

    def _multiply(
        self, peer: PartyId, extension: Extension, nonce: Scalar, key: Scalar
    ) -> tuple[Products, bytes]:
        party, setup = self.party, self.pairs[peer]
        esid = checks.extension_id(self.ssid, peer, party.me, setup.fingerprint)
        try:
            (c_nonce, c_key), body = vole.multiply(
                self.group,
                self.parameters,
                setup.sender,
                esid,
                party.rng(vole.NONCE_BYTES),
                extension.body,
                (nonce, key),
                party.rng,
            )
        except (CheckFailed, Malformed) as error:
            suspect(party, peer, error, "2.4")
        return Products(c_nonce, c_key), body

    def _check_zeros(self, openings: Mapping[PartyId, Opening], sent: _Sent) -> None:
        """Step 2.7: both ends of a pair must have sent the same Z_ij."""
        signers, me = self.quorum.signers, self.party.me
        tables = {
            name: dict(zip((s for s in signers if s != name), opening.zeros, strict=True))
            for name, opening in openings.items()
        }
        tables[me] = sent.zeros
        for first in signers:
            for second in signers:
                if first < second and tables[first][second] != tables[second][first]:
                    self._suspect_pair(first, second)

    def _suspect_pair(self, first: PartyId, second: PartyId) -> None:
        raise Suspicion(
            f"between {first} and {second}: they sent different zero points",
            parties=[first, second],
            step="2.7",
        )

    def _finish(
        self, peer: PartyId, started: vole.Start, opening: Opening, message: Multiplication
    ) -> Products:
        party = self.party
        wanted = vole.message_lengths(self.group, self.parameters)[1], 32 if self._both_keep(peer) else 0
        if (len(message.body), len(message.entropy)) != wanted:
            what = f"its multiplication message is not of {wanted[0]} and {wanted[1]} bytes"
            party.blame(Multiplication, [peer], what, step="2.8")
        try:
            d_nonce, d_key = vole.finish(started, message.body)
        except (CheckFailed, Malformed) as error:
            suspect(party, peer, error, "2.8")
        if not checks.consistent(started.chi, opening.nonce_point, d_nonce, message.gamma_nonce):
            party.suspect(peer, "its multiplication is not by the nonce it opened", step="2.8 (K1)")
        if not checks.consistent(started.chi, opening.key_point, d_key, message.gamma_key):
            party.suspect(peer, "its multiplication is not by the key share it showed", step="2.8 (K2)")
        return Products(d_nonce, d_key)

    def _both_keep(self, peer: PartyId) -> bool:
        return self.party.me in self.quorum.keepers and peer in self.quorum.keepers

    def _entropy_key(self, own: bytes, messages: Mapping[PartyId, Multiplication]) -> Secret[bytes] | None:
        if self.party.me not in self.quorum.keepers:
            return None
        shares = {peer: message.entropy for peer, message in messages.items() if self._both_keep(peer)}
        return Secret(checks.entropy_key(self.ssid, {**shares, self.party.me: own}))


def _check_inputs(
    party: Party, signer: Signer, pairs: Mapping[PartyId, PairSetup], parameters: OTParameters
) -> None:
    quorum, spec = signer.quorum, party.spec
    if signer.me != party.me or quorum.signers != party.parties:
        raise LocalError("the session's parties are not the quorum's signers")
    if (spec.key, spec.epoch, spec.suite) != (quorum.key_id, quorum.epoch, suite(quorum.group, parameters)):
        raise LocalError("the session was agreed for another key, epoch or suite")
    if quorum.group is not party.group:
        raise LocalError("the session's group is not the key's")
    for peer in party.others:
        if peer not in pairs:
            raise LocalError(f"there is no OT setup with {peer}; make one first")
        if pairs[peer].peer != peer or pairs[peer].parameters != parameters:
            raise LocalError(f"the OT setup given for {peer} is another's, or of other sizes")
