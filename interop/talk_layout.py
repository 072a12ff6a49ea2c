"""Writes recorded frames as the talk's Kafka Connect sink would have: many small Parquet files.

    talk_layout.py FRAMES OUT [--rows N] [--kept] [--topic NAME]

FRAMES is a file of `fedilake simulate --out`; OUT a folder or s3://BUCKET/PREFIX (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on).
Files are OUT/topics/TOPIC/partition=0/TOPIC+0+0000001000.snappy.parquet: named after their first offset, N rows each (the talk
had 10 to 1,000). --kept leaves out whom fedilake would not store, whose wish the talk's record does not hold.

Prints one JSON object: rows, files, bytes, and the figures over distinct urls (posts, characters_min, characters_max,
characters_sum), which is what an import of it must give.
"""

import argparse
import io
import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

import talk
from frames import may_be_kept, statuses


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("frames")
    arguments.add_argument("out")
    arguments.add_argument("--rows", type=int, default=1000)
    arguments.add_argument("--kept", action="store_true")
    arguments.add_argument("--topic", default=talk.TOPIC)
    arguments = arguments.parse_args()

    put = _s3(arguments.out) if arguments.out.startswith("s3://") else _folder(arguments.out)
    characters, rows, sizes = {}, 0, []
    with ThreadPoolExecutor(4) as pool:
        puts = []
        for records in _batched(_records(arguments), arguments.rows):
            for record in records:
                characters.setdefault(record["url"], record["characters"])
            name = f"topics/{arguments.topic}/partition=0/{arguments.topic}+0+{rows:010}.snappy.parquet"
            rows += len(records)
            data = _parquet(records)
            sizes.append(len(data))
            puts.append(pool.submit(put, name, data))
        for done in puts:
            done.result()
    print(json.dumps({
        "rows": rows,
        "files": len(sizes),
        "bytes": sum(sizes),
        "posts": len(characters),
        "characters_min": min(characters.values(), default=None),
        "characters_max": max(characters.values(), default=None),
        "characters_sum": sum(characters.values()),
    }))


def _records(arguments):
    for server, observed_at, status in statuses(arguments.frames):
        if not arguments.kept or may_be_kept(status):
            yield talk.record(status, server, observed_at, talk.text_of(status["content"]))


def _batched(records, size):
    records = iter(records)
    while batch := list(itertools.islice(records, size)):
        yield batch


def _parquet(records):
    file = io.BytesIO()
    table = pa.Table.from_pylist(list(records), schema=talk.PARQUET)
    pq.write_table(table, file, compression="snappy", version="1.0", data_page_version="1.0")
    return file.getvalue()


def _folder(out):
    def put(name, data):
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    return put


def _s3(out):
    import boto3

    bucket, _, prefix = out.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/" if prefix else ""
    client = boto3.client("s3")
    return lambda name, data: client.put_object(Bucket=bucket, Key=prefix + name, Body=data)


if __name__ == "__main__":
    main()
