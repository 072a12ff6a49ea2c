"""The fastest listener that we could write in Python: orjson, selectolax, fastavro, no flush a post, no HTTP.

    best.py FRAMES KAFKA REGISTRY TOPIC
"""

import io
import json
import sys

import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from selectolax.lexbor import LexborHTMLParser

import talk
from frames import statuses
from measure import Measured


def main():
    frames, kafka, registry, topic = sys.argv[1:]
    schema = fastavro.parse_schema(talk.AVRO)
    text = json.dumps(talk.AVRO)
    identifier = SchemaRegistryClient({"url": registry}).register_schema(f"{topic}-value", Schema(text, "AVRO"))
    head = b"\0" + identifier.to_bytes(4, "big")
    producer = Producer({
        "bootstrap.servers": kafka,
        "compression.type": "zstd",
        "linger.ms": 50,
        "enable.idempotence": True,
        "queue.buffering.max.messages": 1_000_000,
    })
    failed = []
    with Measured("best Python listener") as measured:
        for server, observed_at, status in statuses(frames):
            content = status["content"]
            plain = LexborHTMLParser(content).text() if content else ""
            value = io.BytesIO()
            value.write(head)
            fastavro.schemaless_writer(value, schema, talk.record(status, server, observed_at, plain))
            producer.produce(topic, value.getvalue(), on_delivery=lambda error, _: error and failed.append(error))
            measured.posts += 1
            if measured.posts % 1000 == 0:
                producer.poll(0)
        producer.flush()
    assert not failed, failed[0]


if __name__ == "__main__":
    main()
