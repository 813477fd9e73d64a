from __future__ import annotations

from dataflow.actors import DeadLetter, DeadLetters, Reason


def letter(message: object) -> DeadLetter:
    return DeadLetter(
        message=message,
        actor="/a",
        reason=Reason.DROPPED,
        error=ValueError("secret"),
        attempts=0,
    )


def test_only_the_latest_letters_are_kept_but_all_are_counted() -> None:
    letters = DeadLetters(2)
    for message in range(5):
        letters.record(letter(message))

    assert [each.message for each in letters] == [3, 4]
    assert len(letters) == 2
    assert letters.total == 5


def test_a_subscriber_hears_of_letters_until_it_unsubscribes() -> None:
    letters = DeadLetters()
    heard: list[DeadLetter] = []
    end = letters.subscribe(heard.append)
    letters.record(letter(1))
    end()
    letters.record(letter(2))

    assert [each.message for each in heard] == [1]


def test_a_subscriber_that_raises_harms_nobody(
    events: list[dict[str, object]],
) -> None:
    def broken(_: DeadLetter) -> None:
        raise RuntimeError

    letters = DeadLetters()
    letters.subscribe(broken)
    letters.record(letter(1))

    assert letters.total == 1
    assert events[-1]["event"] == "dead_letter_subscriber_failed"
    assert events[-1]["error"] == "RuntimeError"


def test_the_event_names_the_facts_and_never_the_message(
    events: list[dict[str, object]],
) -> None:
    DeadLetters().record(letter("password"))

    assert events == [
        {
            "event": "message_dead_lettered",
            "level": "warning",
            "actor": "/a",
            "reason": "dropped",
            "error": "ValueError",
            "attempts": 0,
        }
    ]
