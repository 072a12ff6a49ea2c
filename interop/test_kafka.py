"""A Kafka client that is not ours reads our topic, and what it writes reaches the table."""

import functools
import shutil
import tempfile
import unittest
import uuid
from datetime import datetime, timezone
from pathlib import Path

import tables
from program import fedilake
from tables import service


class Kafka(unittest.TestCase):
    maxDiff = None

    def test_a_foreign_consumer_reads_each_row_of_the_table_at_its_offset(self):
        topic = _topic()
        consumed = topic.consume()
        stored = topic.rows()
        self.assertGreater(len(stored), 0)
        self.assertEqual(consumed.keys(), stored.keys())
        for position, record in consumed.items():
            # appended_at, log_partition and log_offset are the log's, not the record's.
            self.assertEqual(record, {name: stored[position][name] for name in record}, position)

    def test_what_a_foreign_producer_writes_with_our_schema_reaches_the_table(self):
        topic = _topic()
        [some] = [record for record in topic.consume().values() if record["kind"] == "created"][:1]
        uri = f"https://foreign.example/{uuid.uuid4().hex}"
        observed_at = datetime.now(timezone.utc).replace(microsecond=0)
        written = some | {"server": "foreign.example", "id": "1", "uri": uri, "observed_at": observed_at, "text": "von außen"}
        topic.produce("foreign.example/1", written)
        topic.sink()
        [row] = [row for row in topic.rows().values() if row["uri"] == uri]
        self.assertEqual(written, {name: row[name] for name in written})


class Topic:
    """A topic that the program filled, and the table that it made of it."""

    def __init__(self):
        self.kafka = service("FEDILAKE_TEST_KAFKA", "Kafka")
        self.registry = service("FEDILAKE_TEST_REGISTRY", "Schema Registry")
        self.name = f"interop-{uuid.uuid4().hex}"
        self.data = Path(tempfile.mkdtemp(prefix="fedilake-interop-"))
        self.environment = {
            "FEDILAKE_LOG_URL": f"kafka://{self.kafka}/{self.name}",
            "FEDILAKE_LOG_REGISTRY_URL": self.registry,
            # Bookmarks and groups of its own: what another test replayed is not this one's.
            "FEDILAKE_COLLECT_SERVERS_TOPIC": f"{self.name}-servers",
            "FEDILAKE_SINK_GROUP": f"{self.name}-sink",
        }
        self.replay(tables.frames())

    def replay(self, file):
        fedilake("replay", file, data=self.data, environment=self.environment)

    def sink(self):
        fedilake("sink", "--once", data=self.data, environment=self.environment)

    def rows(self):
        """The table's rows by (partition, offset)."""
        import pyarrow.dataset as ds

        rows = ds.dataset(self.data / "table" / "posts", format="parquet").to_table().to_pylist()
        return {(row["log_partition"], row["log_offset"]): row for row in rows}

    def consume(self):
        """The topic's records by (partition, offset), to the end that each partition has now."""
        from confluent_kafka import Consumer, TopicPartition
        from confluent_kafka.schema_registry.avro import AvroDeserializer
        from confluent_kafka.serialization import MessageField, SerializationContext

        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.name, "enable.auto.commit": False})
        partitions = [TopicPartition(self.name, p, 0) for p in consumer.list_topics(self.name, 30).topics[self.name].partitions]
        missing = sum(consumer.get_watermark_offsets(partition, 30)[1] for partition in partitions)
        consumer.assign(partitions)
        read = AvroDeserializer(self._schemas())
        context = SerializationContext(self.name, MessageField.VALUE)
        records = {}
        while len(records) < missing:
            # It waits until it has as many as were asked for.
            messages = consumer.consume(min(1000, missing - len(records)), timeout=30)
            assert messages, f"{missing - len(records)} records of {self.name} did not come within 30 s"
            for message in messages:
                assert not message.error(), message.error()
                records[message.partition(), message.offset()] = read(message.value(), context)
        consumer.close()
        return records

    def produce(self, key, record):
        """Writes a record with the schema that the registry has for the topic."""
        from confluent_kafka import Producer
        from confluent_kafka.schema_registry.avro import AvroSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext

        schemas = self._schemas()
        schema = schemas.get_latest_version(f"{self.name}-value").schema
        write = AvroSerializer(schemas, schema, conf={"auto.register.schemas": False, "use.latest.version": True})
        errors = []
        producer = Producer({"bootstrap.servers": self.kafka})
        value = write(record, SerializationContext(self.name, MessageField.VALUE))
        producer.produce(self.name, key=key, value=value, on_delivery=lambda error, _: error and errors.append(error))
        assert producer.flush(30) == 0 and not errors, errors

    def remove(self):
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self.kafka})
        for deleted in admin.delete_topics([self.name, f"{self.name}-servers"]).values():
            deleted.result(30)
        shutil.rmtree(self.data, ignore_errors=True)

    def _schemas(self):
        from confluent_kafka.schema_registry import SchemaRegistryClient

        return SchemaRegistryClient({"url": self.registry})


@functools.cache
def _topic():
    topic = Topic()
    unittest.addModuleCleanup(topic.remove)
    return topic
