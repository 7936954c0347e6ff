"""What must hold of a sharing among five with one liar: one result for all, and nobody else accused."""

from __future__ import annotations

from tests.support.dealing import Circle, names

ALL = names(5)
OTHERS = ALL[1:]
LIAR = "n5"
HONEST = ALL[:4]


def with_dealer_as_liar(**other: object) -> Circle:
    return Circle(honest=OTHERS, **other)  # type: ignore[arg-type]


def agreed(circle: Circle) -> None:
    """P1, P2: whoever completed has one digest and shares on one commitment."""
    done = circle.completed()
    assert len({dealt.digest for dealt in done.values()}) <= 1
    for name, dealt in done.items():
        x = circle.setting.point(name)
        for index, share in enumerate(dealt.shares.reveal()):
            dealt.commitment(index).check(x, circle.setting.group.scalar(share))


def everybody(circle: Circle) -> None:
    agreed(circle)
    assert set(circle.completed()) == set(circle.seats)


def accused(circle: Circle, offender: str, *, by: int = 1) -> None:
    """The offender and nobody else is accused, by so many at least, and each time a stranger agrees."""
    assert circle.accused() == {offender}
    accusers = [name for name, seat in circle.seats.items() if offender in seat.deviations]
    assert len(accusers) >= by
    for accuser in accusers:
        assert circle.proved(accuser, offender)
