"""Apache Spark reads the same table and gives the same figures. Heavy: only `make interop` runs it."""

import engines
import tables
from same import Same


class Spark(Same):
    def test_spark_on_disk(self):
        self.same(engines.spark, tables.local())

    def test_spark_on_s3(self):
        self.same(engines.spark, tables.on_s3())
