"""One seeded run of the register: who takes part, and what goes wrong.

``python -m quorate.testing.simulate --protocol register --seed SEED`` plays one run and shows its end; the
seed also chooses the set of (n, t, f).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from quorate.account.register import Committee
from quorate.testing.register.devices import DEVICES, Device, Reader
from quorate.testing.register.factors import make_committee
from quorate.testing.register.nodes import Node
from quorate.testing.register.thief import Thief
from quorate.testing.register.world import World

SETS: Final = (
    (4, 1, 0),
    (5, 1, 0),
    (6, 1, 1),
    (6, 1, 0),
    (7, 2, 0),
    (7, 1, 1),
    (7, 1, 0),
    (9, 2, 1),
    (9, 2, 0),
)
"""(n, t, f), by the seed modulo their number. Where n + t is even, E has one member of slack."""


def play(seed: int) -> World:
    """One run. Raises `AssertionError`, with the command that plays it again."""
    world = World(seed, *SETS[seed % len(SETS)])
    world.thief = thief = Thief(world)
    dice = world.dice
    for name in DEVICES:
        device = Device(world, name, 1 + dice.below(3))
        world.later(dice.below(3000) / 1000, device.start)
    for index in range(1 + dice.below(2)):
        factor = bool(dice.below(2))
        reader = Reader(world, DEVICES[index] if factor else f"auditor{index}", factor=factor)
        for _ in range(1 + dice.below(2)):
            world.open += 1  # counted from the start, so that the run waits for it

            def begin(reader: Reader = reader) -> None:
                world.open -= 1
                reader.start()

            world.later(1 + dice.below(30_000) / 1000, begin)
    world.later(1.0, thief.start)
    _accidents(world)
    world.run()
    try:
        world.check()
    except AssertionError as error:
        command = f"python -m quorate.testing.simulate --protocol register --seed {seed}"
        raise AssertionError(f"{error}\nto play it again: {command}") from None
    return world


def _accidents(world: World) -> None:
    dice = world.dice
    honest = [node for node in world.nodes.values() if not node.liar]
    if dice.happens(0.5):
        for node in honest[: world.f]:
            world.later(dice.below(30_000) / 1000, _later(_kill, world, node))
    for _ in range(dice.below(3)):
        node = dice.choose(honest)
        world.later(dice.below(30_000) / 1000, _later(_crash, world, node))
    if dice.happens(0.35):
        world.later(dice.below(30_000) / 1000, lambda: _power_cut(world))
    if dice.happens(0.35):
        for _ in range(1 + dice.below(2)):
            world.later(1 + dice.below(25_000) / 1000, lambda: _change_committee(world))


def _later(act: Callable[[World, Node], None], world: World, node: Node) -> Callable[[], None]:
    return lambda: act(world, node)


def _kill(world: World, node: Node) -> None:
    world.happened["down for good"] += 1
    node.dead = True


def _crash(world: World, node: Node) -> None:
    """Back from disk a while later; what is sent to it meanwhile is lost."""
    world.happened["crash"] += 1
    node.down_until = world.now + world.dice.below(5000) / 1000


def _power_cut(world: World) -> None:
    world.happened["power cut"] += 1
    world.cut_power()


def _change_committee(world: World) -> None:
    """Replace 0..n members of the newest committee, unless the one before is still handing over."""
    epoch = max(world.committees)
    old = world.committees[epoch]
    living = [world.nodes[name] for name in old.names if not world.nodes[name].dead]
    if any(node.epoch != epoch for node in living):
        world.later(1.0, lambda: _change_committee(world))
        return
    names = list(old.names)
    for index in range(len(names)):
        if world.dice.below(len(names)) < world.dice.below(len(names) + 1):
            fresh = f"n{len(world.nodes)}"
            # A liar's seat goes to a liar: the next committee has as many as this one.
            world.nodes[fresh] = Node(world, fresh, liar=world.nodes[names[index]].liar)
            names[index] = fresh
    successor = make_committee(epoch + 1, tuple(names), world.t, world.f)
    world.committees[epoch + 1] = successor
    world.happened["change of committee"] += 1
    for node in living:
        _tell(world, node, successor)


def _tell(world: World, node: Node, successor: Committee) -> None:
    world.send("operator", node.name, lambda: node.finish(successor), durable=True)
