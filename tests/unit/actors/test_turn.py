from __future__ import annotations

import math

from dataflow.actors import Turn
from dataflow.messages import Envelope


def test_a_turn_shows_its_unresolved_envelopes_in_order() -> None:
    first, second, third = (Envelope(message=n) for n in range(3))
    turn = Turn("/a", [first, second, third])
    second.reply("done")

    assert turn.envelopes == [first, third]
    assert list(turn) == [first, third]
    assert len(turn) == 2
    assert turn.actor == "/a"
    assert turn


def test_a_turn_may_be_resolved_while_it_is_walked() -> None:
    turn = Turn("/a", [Envelope(message=n) for n in range(3)])
    for envelope in turn:
        turn.refuse(envelope, ValueError(envelope.message))

    assert [str(each.error) for each in turn.taken] == ["0", "1", "2"]
    assert not turn


def test_refusing_one_message_leaves_the_others_alone() -> None:
    good, bad = Envelope(message=1), Envelope(message=2)
    error = ValueError()
    Turn("/a", [good, bad]).refuse(bad, error)

    assert bad.error is error
    assert not good.is_done


def test_failing_a_turn_fails_only_what_is_unresolved() -> None:
    answered, open_ = Envelope(message=1), Envelope(message=2)
    answered.reply("yes")
    error = ValueError()
    Turn("/a", [answered, open_]).fail(error)

    assert answered.error is None
    assert open_.error is error


def test_the_chain_of_a_turn_names_everyone_who_waits_once() -> None:
    lone = Turn("/c", [Envelope(message=1, chain=("/a", "/b"))])
    mixed = Turn(
        "/c",
        [
            Envelope(message=1, chain=("/a", "/b")),
            Envelope(message=2, chain=("/b", "/d")),
            Envelope(message=3),
        ],
    )

    assert lone.chain == ("/a", "/b", "/c")
    assert mixed.chain == ("/a", "/b", "/d", "/c")


def test_a_turn_is_worth_its_latest_deadline() -> None:
    early, late = (Envelope(message=n, deadline=n) for n in (1.0, 2.0))

    assert Turn("/a", [early, late]).deadline == 2.0
    assert Turn("/a", [early, Envelope(message=1)]).deadline == math.inf
    assert Turn("/a", []).deadline == math.inf


def test_a_turn_is_wanted_as_long_as_somebody_waits() -> None:
    done, given_up = Envelope(message=1), Envelope(message=2)
    done.reply(None)
    given_up.is_abandoned = True

    assert not Turn("/a", [done, given_up]).is_wanted
    assert Turn("/a", [done, given_up, Envelope(message=3)]).is_wanted


def test_a_turn_says_what_all_its_messages_agree_on() -> None:
    turn = Turn(
        "/a",
        [
            Envelope(message=1, tenant="one", principal="ann"),
            Envelope(message=2, tenant="two", principal="ann"),
        ],
    )

    assert turn.agreed("principal") == "ann"
    assert turn.agreed("tenant") is None
    assert turn.agreed("run_id") is None
