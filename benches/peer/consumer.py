"""The talk's sink in Python: AvroDeserializer and pyarrow write snappy Parquet files of ROWS rows to the S3 store of the AWS_*
variables.

    consumer.py KAFKA REGISTRY TOPIC BUCKET PREFIX ROWS POSTS
"""

import io
import sys
import uuid

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

import talk
from measure import Measured


def main():
    kafka, registry, topic, bucket, prefix, rows, posts = sys.argv[1:]
    rows, posts = int(rows), int(posts)
    read = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    context = SerializationContext(topic, MessageField.VALUE)
    store = boto3.client("s3")
    consumer = Consumer({
        "bootstrap.servers": kafka,
        "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([topic])
    # Outside the measurement: a consumer joins its group once.
    first = consumer.consume(1, timeout=60)
    with Measured(f"consumer, {rows:,} rows a file") as measured:
        buffer, offset = [], 0
        messages = first
        while measured.posts < posts:
            assert messages, f"no more of {topic} within 30 s"
            for message in messages:
                assert not message.error(), message.error()
                buffer.append(read(message.value(), context))
                measured.posts += 1
                if len(buffer) == rows or measured.posts == posts:
                    key = f"{prefix}/topics/{topic}/partition=0/{topic}+0+{offset:010}.snappy.parquet"
                    store.put_object(Bucket=bucket, Key=key, Body=_parquet(buffer))
                    consumer.commit(message, asynchronous=False)
                    offset += len(buffer)
                    buffer = []
                if measured.posts == posts:
                    break
            else:
                messages = consumer.consume(min(1000, posts - measured.posts), timeout=30)
    consumer.close()


def _parquet(records):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records, schema=talk.PARQUET), file, compression="snappy")
    return file.getvalue()


if __name__ == "__main__":
    main()
