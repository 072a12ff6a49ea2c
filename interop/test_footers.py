"""The footers of data files: what Iceberg and Delta readers ask of a file, as pyarrow reads it."""

import unittest
from pathlib import Path

import duckdb
import pyarrow.dataset
import pyarrow.parquet

import tables

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "data"


class Footers(unittest.TestCase):
    def files(self):
        return sorted(Path(tables.local().url).glob("posts/**/*.parquet"))

    def test_each_column_has_a_range_and_its_nulls_in_every_row_group(self):
        for file in self.files():
            footer = pyarrow.parquet.read_metadata(file)
            for group in map(footer.row_group, range(footer.num_row_groups)):
                for column in map(group.column, range(group.num_columns)):
                    statistics = column.statistics
                    self.assertTrue(statistics.has_null_count, column.path_in_schema)
                    self.assertEqual(statistics.has_min_max, statistics.num_values > 0, column.path_in_schema)

    def test_each_column_and_each_lists_elements_have_an_id_of_their_own(self):
        for file in self.files():
            fields = list(pyarrow.parquet.read_schema(file))
            fields += [field.type.value_field for field in fields if pyarrow.types.is_list(field.type)]
            ids = [field.metadata[b"PARQUET:field_id"] for field in fields]
            self.assertEqual(len(set(ids)), len(fields))

    def test_a_range_that_duckdb_reads_is_that_of_the_rows(self):
        for file in self.files():
            rows = f"read_parquet('{file}')"
            for column in ("created_at", "observed_at", "appended_at"):
                least, greatest = duckdb.sql(
                    f"""select min(stats_min_value::timestamptz), max(stats_max_value::timestamptz)
                    from parquet_metadata('{file}') where path_in_schema = '{column}'"""
                ).fetchone()
                self.assertEqual(duckdb.sql(f"select min({column}), max({column}) from {rows}").fetchone(), (least, greatest))

    def test_files_of_every_version_are_read_as_one(self):
        files = [str(file) for file in sorted(FIXTURES.glob("*/table/posts/**/*.parquet"))]
        rows = pyarrow.dataset.dataset(files, format="parquet").to_table(columns=["observed_at", "uri"]).num_rows
        counted = duckdb.sql(f"select count(observed_at) from read_parquet({files}, union_by_name = true)").fetchone()[0]
        self.assertEqual((rows, rows), (counted, sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)))
