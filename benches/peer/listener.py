"""The talk's listener: Mastodon.py's stream, BeautifulSoup, AvroProducer, a flush a post.

    listener.py SERVER KAFKA REGISTRY TOPIC
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

from bs4 import BeautifulSoup
from confluent_kafka import avro
from confluent_kafka.avro import AvroProducer
from mastodon import Mastodon, StreamListener

import talk
from measure import Measured

warnings.simplefilter("ignore")


class Listener(StreamListener):
    def __init__(self, server, producer, topic, measured):
        self.host, self.producer, self.topic, self.measured = server.removeprefix("http://"), producer, topic, measured

    def on_update(self, status):
        text = BeautifulSoup(status["content"], "html.parser").get_text()
        record = talk.record(status, self.host, int(time.time()), text)
        self.producer.produce(topic=self.topic, value=record)
        self.producer.flush()
        self.measured.posts += 1


def main():
    server, kafka, registry, topic = sys.argv[1:]
    schema = avro.loads(json.dumps(talk.AVRO))
    producer = AvroProducer({"bootstrap.servers": kafka, "schema.registry.url": registry}, default_value_schema=schema)
    mastodon = Mastodon(api_base_url=server, version_check_mode="none")
    name = f"talk's listener (Mastodon.py {version('Mastodon.py')})"
    with Measured(name) as measured:
        mastodon.stream_public(Listener(server, producer, topic, measured))


if __name__ == "__main__":
    main()
