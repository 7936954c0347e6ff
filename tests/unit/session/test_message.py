"""Declarations: which slots a protocol has, and what a careless declaration runs into."""

import pytest

from quorate.encoding import MAX_MESSAGE_BYTES
from quorate.session import Declaration, Message, Rule, is_party_id, tag_of
from quorate.session.message import MAX_FORKS_BY_NUMBER, MAX_PATH_BYTES

PARTIES = ("alice", "bob")


class Ping(Message, frozen=True, tag="test.ping"):
    number: int


class Pong(Message, frozen=True, tag="test.pong"):
    number: int


class Impostor(Message, frozen=True, tag="test.ping"):
    text: str


def admits(pattern: str, path: str) -> bool:
    return Declaration("test", 1, Rule(Ping, pattern)).rule("test.ping", path, PARTIES) is not None


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("", ""),
        ("a", "a"),
        ("a/b", "a/b"),
        ("*", "alice"),
        ("*", "0"),
        ("*", "63"),
        ("x/*", "x/bob"),
        ("*/*", "bob/7"),
    ],
)
def test_a_rule_admits_its_paths(pattern: str, path: str) -> None:
    assert admits(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("", "a"),
        ("a", ""),
        ("a", "a/b"),
        ("*", ""),
        ("*", "*"),
        ("*", "mallory"),
        ("*", "64"),
        ("*", "007"),
        ("*", "07"),
        ("*", "-1"),
        ("*", "²"),
        ("*", "alice/bob"),
        ("x/*", "y/bob"),
    ],
)
def test_a_rule_admits_no_other_path(pattern: str, path: str) -> None:
    assert not admits(pattern, path)


def test_a_path_is_no_longer_than_four_labels() -> None:
    label = "a" * 32
    assert admits("/".join([label] * 3), "/".join([label] * 3))
    assert len("/".join([label] * 4)) > MAX_PATH_BYTES
    assert not admits("/".join([label] * 4), "/".join([label] * 4))


def test_numbered_forks_are_bounded() -> None:
    assert admits("*", str(MAX_FORKS_BY_NUMBER - 1))
    assert not admits("*", str(MAX_FORKS_BY_NUMBER))


def test_a_type_may_live_on_several_paths_with_limits_of_their_own() -> None:
    declaration = Declaration("test", 1, Rule(Ping, "a", limit=10), Rule(Ping, "b", limit=20))
    first, second = (declaration.rule("test.ping", path, PARTIES) for path in ("a", "b"))
    assert first is not None
    assert second is not None
    assert (first.limit, second.limit) == (10, 20)


def test_a_slot_is_declared_once() -> None:
    with pytest.raises(ValueError, match="twice on one path"):
        Declaration("test", 1, Rule(Ping), Rule(Ping))


def test_rules_of_one_tag_agree() -> None:
    with pytest.raises(ValueError, match="contradict"):
        Declaration("test", 1, Rule(Ping, "a"), Rule(Ping, "b", unicast=True))
    with pytest.raises(ValueError, match="contradict"):
        Declaration("test", 1, Rule(Ping, "a"), Rule(Impostor, "b"))


@pytest.mark.parametrize("limit", [0, -1, MAX_MESSAGE_BYTES + 1])
def test_a_limit_is_one_that_messages_can_have(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        Rule(Ping, limit=limit)


@pytest.mark.parametrize("path", ["A", "a//b", "a/", "/", "a b", "x" * 33])
def test_a_path_is_made_of_labels(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        Rule(Ping, path)


def test_what_one_sender_may_store_is_capped() -> None:
    rules = [Rule(kind, "*", limit=MAX_MESSAGE_BYTES) for kind in (Ping, Pong)]
    assert Declaration("test", 1, *rules).sender_limit == Declaration.MAX_SENDER_BYTES


def test_an_unknown_type_has_no_rule() -> None:
    declaration = Declaration("test", 1, Rule(Ping))
    assert declaration.rule("test.pong", "", PARTIES) is None
    with pytest.raises(KeyError):
        declaration.is_unicast(Pong)


def test_a_message_type_has_a_tag_of_its_own() -> None:
    class Nameless(Message, frozen=True):
        number: int

    with pytest.raises(TypeError, match="no tag"):
        tag_of(Nameless)
    assert tag_of(Ping) == "test.ping"


@pytest.mark.parametrize("name", ["a", "alice", "n1", "0", "a-b", "x" * 32])
def test_party_names(name: str) -> None:
    assert is_party_id(name)


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "ä", "x" * 33, "a\n", "a_b"])
def test_what_is_no_party_name(name: str) -> None:
    assert not is_party_id(name)
