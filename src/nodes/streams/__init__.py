"""Streams: all records of a query, batch by batch, as of one moment."""

from __future__ import annotations

from ._channel import Channel, Channels
from ._record_stream import Call, RecordStream
from ._stream_actor import STREAM_MAILBOX, StreamActor
from ._stream_node import BATCH_SIZE, IDLE_S, StreamNode, StreamRequest

__all__ = [
    "BATCH_SIZE",
    "IDLE_S",
    "STREAM_MAILBOX",
    "Call",
    "Channel",
    "Channels",
    "RecordStream",
    "StreamActor",
    "StreamNode",
    "StreamRequest",
]
