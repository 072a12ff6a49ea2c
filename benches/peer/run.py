"""Measures the talk's pipeline and fast Python on the real broker, registry and store, in posts a second of one core.

    run.py [--quick] [--json FILE]

The FEDILAKE_TEST_* variables name the services, as `make services` prints them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import boto3
from confluent_kafka.admin import AdminClient, NewTopic

from program import fedilake

HERE = Path(__file__).resolve().parent


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--python-2023", default=sys.executable, help="a Python with the packages of the talk's days")
    arguments.add_argument("--json", help="write the measurements to this file")
    arguments = arguments.parse_args()
    posts = 2_000 if arguments.quick else 20_000
    try:
        kafka, registry, s3 = (os.environ[f"FEDILAKE_TEST_{name}"] for name in ("KAFKA", "REGISTRY", "S3"))
    except KeyError as missing:
        sys.exit(f"error: {missing.args[0]} is not set\nhint: run `make services`")

    with tempfile.TemporaryDirectory(prefix="fedilake-peer-") as folder:
        frames = f"{folder}/frames.jsonl"
        fedilake("simulate", "--posts", posts, "--out", frames)
        topics = {name: f"peer-{name}-{uuid.uuid4().hex[:8]}" for name in ("listener", "listener-2023", "best")}
        admin = AdminClient({"bootstrap.servers": kafka})
        for created in admin.create_topics([NewTopic(name, 1, 1) for name in topics.values()]).values():
            created.result(30)
        measured = [
            _listener(arguments.python_2023, frames, posts // 10, kafka, registry, topics["listener-2023"]),
            _listener(sys.executable, frames, posts // 10, kafka, registry, topics["listener"]),
        ]
        measured.append(_run("best.py", frames, kafka, registry, topics["best"]))
        store = {
            "AWS_ENDPOINT_URL": s3,
            "AWS_ACCESS_KEY_ID": "fedilake",
            "AWS_SECRET_ACCESS_KEY": "fedilake-secret",
            "AWS_REGION": "us-east-1",
        }
        prefix = f"peer-{uuid.uuid4().hex[:8]}"
        for rows, share in ((1000, 1), (10, 4)):
            sink = (kafka, registry, topics["best"], "fedilake", f"{prefix}/{rows}", rows, posts // share)
            measured.append(_run("consumer.py", *sink, environment=store))
        _remove(store, prefix)
        for deleted in admin.delete_topics(list(topics.values())).values():
            deleted.result(30)

    print(f"{'':52}{'posts':>8}{'CPU s':>9}{'posts/s a core':>16}{'µs a post':>11}")
    for row in measured:
        figures = f"{row['cpu_seconds']:>9.2f}{row['posts_a_second_a_core']:>16,}{row['microseconds_a_post']:>11,.1f}"
        print(f"{row['name']:52}{row['posts']:>8,}{figures}")
    # For each row, our stage that does the same work and the factor by which it should be faster.
    compared = [("listener", 150), ("listener", 150), ("listener", 4), ("consumer", 5), ("consumer", None)]
    for row, (stage, budget) in zip(measured, compared, strict=True):
        row |= {"stage": stage, "budget": budget}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(measured, indent=1) + "\n")


def _remove(store, prefix):
    session = boto3.Session(store["AWS_ACCESS_KEY_ID"], store["AWS_SECRET_ACCESS_KEY"])
    bucket = session.resource("s3", endpoint_url=store["AWS_ENDPOINT_URL"], region_name=store["AWS_REGION"]).Bucket("fedilake")
    bucket.objects.filter(Prefix=f"{prefix}/").delete()


def _listener(python, frames, posts, kafka, registry, topic):
    feed = subprocess.Popen([sys.executable, HERE / "feed.py", frames, str(posts)], stdout=subprocess.PIPE, text=True)
    try:
        server = feed.stdout.readline().strip()
        return _run("listener.py", server, kafka, registry, topic, python=python)
    finally:
        feed.kill()
        feed.wait()


def _run(script, *arguments, python=sys.executable, environment=None):
    command = [python, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | (environment or {}))
    if done.returncode != 0:
        sys.exit(f"error: {script} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
