"""Other engines read the same table and give the same figures as `fedilake report`."""

from pathlib import Path

import engines
import tables
from same import Same

ROOT = Path(__file__).resolve().parent.parent


class Engines(Same):
    def test_duckdb_by_our_views_on_disk(self):
        self.same(engines.duckdb_views, tables.local())

    def test_duckdb_by_our_views_on_s3(self):
        self.same(engines.duckdb_views, tables.on_s3())

    def test_duckdb_by_plain_files_on_disk(self):
        self.same(engines.duckdb_plain, tables.local())

    def test_duckdb_by_plain_files_on_s3(self):
        self.same(engines.duckdb_plain, tables.on_s3())

    def test_pyarrow_on_disk(self):
        self.same(engines.pyarrow_rows, tables.local())

    def test_pyarrow_on_s3(self):
        self.same(engines.pyarrow_rows, tables.on_s3())

    def test_the_page_on_engines_shows_the_sql_that_is_tested(self):
        page = (ROOT / "docs" / "engines.md").read_text()
        for line in engines.POSTS.strip().splitlines():
            if not line.startswith("--"):
                self.assertIn(line, page)

