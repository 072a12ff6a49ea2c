"""Recorded frames, as `fedilake simulate --out` writes them: one JSON object a line, plain, .gz or .zst."""

import io
import re
from datetime import datetime

import orjson
import pyarrow as pa

from talk import text_of


def frames(path):
    """Each frame of a file as a dict of server, observed_at (epoch seconds), event and payload."""
    compression = "zstd" if path.endswith(".zst") else "detect"
    with io.BufferedReader(pa.input_stream(path, compression=compression), 1 << 20) as lines:
        for line in lines:
            frame = orjson.loads(line)
            frame["observed_at"] = int(datetime.fromisoformat(frame["observed_at"]).timestamp())
            yield frame


def statuses(path):
    """Only those that show a new status, which is all that the talk's listener takes: (server, observed_at, status)."""
    for frame in frames(path):
        if frame["event"] == "update":
            yield frame["server"], frame["observed_at"], frame["payload"]


def may_be_kept(status):
    """What fedilake admits: exactly public, no boost, nobody who said #nobot or #noindex. The talk asked nobody."""
    account = status["account"]
    refused = account.get("noindex") or _REFUSAL.search(text_of(account["note"]))
    return status["visibility"] == "public" and status["reblog"] is None and not refused


_REFUSAL = re.compile(r"#(nobot|noindex)\b", re.IGNORECASE)
