"""What an application logs is redacted by the names of fields."""

from __future__ import annotations

from typing import Annotated, Any

import structlog

from dataflow import PII
from dataflow.models import declare
from dataflow.privacy import note_personal, redact


class Member:
    mail_of_member: Annotated[str, PII("email")]
    points: int


def shown(**event: Any) -> dict[str, Any]:
    note_personal(declare(Member))
    return {**redact(None, "info", event)}


def test_personal_values_are_replaced_wherever_their_name_stands() -> None:
    row = {"mail_of_member": "a@b.ch", "points": 3}

    assert shown(
        event="x",
        mail_of_member="a@b.ch",
        row=row,
        rows=({"inner": [row]},),
        filter={"$or": [{"member.mail_of_member": {"$in": ["a@b.ch"]}}]},
    ) == {
        "event": "x",
        "mail_of_member": "[email]",
        "row": {"mail_of_member": "[email]", "points": 3},
        "rows": [{"inner": [{"mail_of_member": "[email]", "points": 3}]}],
        "filter": {"$or": [{"member.mail_of_member": "[email]"}]},
    }
    assert shown(mail_of_member=None) == {"mail_of_member": None}


def test_what_never_ends_is_cut_off() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert "deeper than is looked into" in repr(shown(it=endless))


def test_it_is_a_processor_of_structlog() -> None:
    note_personal(declare(Member))
    with structlog.testing.capture_logs(processors=[redact]) as logs:
        structlog.get_logger().info("member_joined", mail_of_member="a@b.ch")

    assert logs[0]["mail_of_member"] == "[email]"
