"""The talk's own layout, written from recorded frames as its sink wrote it, is imported and gives the talk's figures."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

import duckdb

import tables
from program import fedilake, report

HERE = Path(__file__).resolve().parent
# The talk's own questions to its table, which has one row a post here.
TALKS = """
select strftime(to_timestamp(created_at), '%Y-%m-%d') as day, count(*) as posts, count(distinct username) as names,
    sum(characters)::bigint as characters, sum(words)::bigint as words
from {table} group by 1 order by 1
"""


class Import(unittest.TestCase):
    def test_a_folder_in_the_talks_layout(self):
        with tempfile.TemporaryDirectory() as folder:
            self._imported(f"{folder}/source", Path(folder) / "data", {})

    def test_a_bucket_in_the_talks_layout(self):
        environment = tables.on_s3().environment
        store = {name: value for name, value in environment.items() if name.startswith("AWS_")}
        with tempfile.TemporaryDirectory() as folder:
            self._imported(f"s3://fedilake/interop-import-{uuid.uuid4().hex[:8]}", Path(folder) / "data", store)

    def _imported(self, source, data, store):
        written = subprocess.run(
            [sys.executable, HERE / "talk_layout.py", tables.frames(), source, "--kept"],
            capture_output=True, text=True, check=True, env=os.environ | store,
        )
        truth = json.loads(written.stdout)
        self.assertIn("whole", fedilake("import", source, data=data, environment=store))
        [figures] = report("statistics", data)
        for name in ("posts", "characters_min", "characters_max", "characters_sum"):
            self.assertEqual(figures[name], truth[name], name)
        if store:
            return
        # By the talk's own SQL: its files, a url once, beside the view under its names.
        files = f"read_parquet('{source}/**/*.parquet')"
        once = f"(select * from {files} qualify row_number() over (partition by url order by created_at, m_id) = 1)"
        theirs = duckdb.sql(f"set timezone = 'UTC'; {TALKS.format(table=once)}").fetchall()
        ours = json.loads(fedilake("sql", TALKS.format(table="mastodon_toot"), "--format", "json", data=data))
        self.assertEqual([tuple(row.values()) for row in ours], theirs)
