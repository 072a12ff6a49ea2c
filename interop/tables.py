"""Tables that the program wrote, with what its reports say about them: the truth that other engines are held to."""

import atexit
import functools
import os
import shutil
import tempfile
import unittest
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from program import fedilake, report

POSTS = os.environ.get("INTEROP_POSTS", "20000")


@dataclass
class Table:
    """Where its files are (a folder or s3://BUCKET/PREFIX, above posts/), the data folder, and what it takes to get in."""

    url: str
    data: Path
    environment: dict = field(default_factory=dict)

    @functools.cached_property
    def figures(self):
        """As `fedilake report` gives them, in the form of `figures.py`."""
        asked = functools.partial(report, data=self.data, environment=self.environment)
        [statistics] = asked("statistics")
        return {
            "statistics": {name: value for name, value in statistics.items() if name != "characters_mean"},
            "days": [(_day(row["day"]), row["posts"], row["users"], row["origins"]) for row in asked("daily")],
            "hours": [(_day(row["day"]), row["hour"], row["posts"]) for row in asked("hours") if row["posts"]],
            "topics": [(_day(row["day"]), row["topic"], row["posts"]) for row in asked("topics") if row["posts"]],
        }


def _day(text):
    return text.split(" ")[0].replace("/", "-")


@functools.cache
def _folder():
    folder = Path(tempfile.mkdtemp(prefix="fedilake-interop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def frames():
    """Recorded frames with copies, edits and deletes in them."""
    file = _folder() / "frames.jsonl"
    fedilake("simulate", "--preset", "talk", "--posts", POSTS, "--out", file)
    return file


@functools.cache
def local():
    data = _folder() / "local"
    fedilake("replay", frames(), data=data)
    return Table(str(data / "table"), data)


@functools.cache
def on_s3():
    """Skips the test where there is no S3 store; then FEDILAKE_REQUIRE_SERVICES makes it fail."""
    endpoint = service("FEDILAKE_TEST_S3", "S3 store")
    url, data = f"s3://fedilake/interop-{uuid.uuid4().hex}", _folder() / "s3"
    environment = {"FEDILAKE_TABLE_URL": url, **access(endpoint)}
    atexit.register(_remove, url, environment)
    fedilake("replay", frames(), data=data, environment=environment)
    return Table(url, data, environment)


def _remove(url, environment):
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    session = boto3.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    store = session.resource("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name=environment["AWS_REGION"])
    store.Bucket(bucket).objects.filter(Prefix=f"{prefix}/").delete()


def access(endpoint):
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "fedilake",
        "AWS_SECRET_ACCESS_KEY": "fedilake-secret",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }


def service(variable, name):
    if value := os.environ.get(variable):
        return value
    if os.environ.get("FEDILAKE_REQUIRE_SERVICES"):
        raise RuntimeError(f"no {name} here ({variable} is not set)\nhint: run `make services`, then `. .services/run/env`")
    raise unittest.SkipTest(f"no {name} here ({variable} is not set)")
