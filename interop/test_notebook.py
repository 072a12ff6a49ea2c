"""The notebook shows the figures of `fedilake report`, in marimo and in Jupyter, on disk and on S3."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from datetime import datetime
from pathlib import Path

import tables
from program import FEDILAKE, ROOT, fedilake

HERE = Path(__file__).resolve().parent
NOTEBOOK = ROOT / "notebooks" / "fediverse.py"

# The talk's seven.
REPORTS = ("statistics", "daily", "hours", "languages", "lengths", "apps", "topics")

# The five beyond, asked of the lake by other SQL than the notebook's and the reports'. {scope} is the filter.
QUESTIONS = {
    "weekday": """
        select weekday, hour, count(uri) as posts, any_value(days) as days, count(uri) / any_value(days) as posts_an_hour
        from (select dayname(created_at) as weekday, count(distinct created_at::date) as days from posts where {scope} group by 1)
        cross join (select unnest(range(24)) as hour)
        left join (select uri, dayname(created_at) as weekday, hour(created_at) as hour from posts where {scope})
            using (weekday, hour)
        group by weekday, hour
    """,
    "delay": """
        select server, len(tenths) as posts, tenths[1] / 10 as seconds_least,
            tenths[ceil(len(tenths) * 0.25)::integer] / 10 as seconds_p25, tenths[ceil(len(tenths) * 0.5)::integer] / 10 as seconds_p50,
            tenths[ceil(len(tenths) * 0.75)::integer] / 10 as seconds_p75, tenths[ceil(len(tenths) * 0.9)::integer] / 10 as seconds_p90,
            tenths[ceil(len(tenths) * 0.99)::integer] / 10 as seconds_p99
        from (
            select seen.server, list_sort(list(floor((epoch_ms(seen.observed_at) - epoch_ms(posts.created_at)) / 100)::bigint)) as tenths
            from sightings seen, posts where posts.uri = seen.uri and not seen.from_origin and seen.deleted_at is null and {scope} group by 1
        )
    """,
    "media": """
        select case when kinds[1] = kinds[-1] then kinds[1] when len(kinds) > 0 then 'several kinds' else 'unknown' end as media,
            count(*) as posts, sum(media)::bigint as attachments, sum(coalesce(media_described, 0))::bigint as described,
            sum(coalesce(media_described, 0)) * 100.0 / sum(media) as described_percent
        from (select list_sort(media_types) as kinds, media, media_described from posts where media > 0 and {scope}) group by 1
    """,
    "conversation": """
        with met as (
            select coalesce(map {{'none': 'nobody', 'other': 'others', 'self': 'self'}}[in_reply_to], 'unknown') as answers, created_at,
                (select min(replies.created_at) from replies where parent_uri = posts.uri and replies.in_reply_to <> 'self') as answered_at
            from posts where {scope}
        )
        select answers, count(*) as posts, count(*) * 100.0 / (select count(*) from met) as percent_of_posts,
            count(answered_at) as answered, count(answered_at) * 100.0 / count(*) as answered_percent,
            quantile_disc(greatest(date_diff('millisecond', created_at, answered_at), 0), 0.5)
                filter (answered_at is not null) / 60000 as median_minutes
        from met group by 1
    """,
    # The Gini coefficient is half of the mean difference between any two, relative to the mean. The curve is straight among equals.
    "concentration": """
        with counted as (
            select 'accounts' as among, posts from (select count(*) as posts from posts where {scope} group by author)
            union all select 'origins', posts from (select count(*) as posts from posts where {scope} group by author_domain)
        ), level as (select among, posts, count(*) as many from counted group by all),
        difference as (
            select one.among, sum(one.many * other.many * abs(one.posts - other.posts)) as apart
            from level one, level other where one.among = other.among group by 1
        ), sorted as (select among, list_sort(list(posts)) as posts from counted group by 1),
        placed as (select among, posts, apart, unnest(range(101)) as percent from sorted join difference using (among))
        select among, percent as percent_of_members,
            100 * (
                coalesce(list_sum(posts[:len(posts) * percent // 100]), 0)
                + coalesce(posts[len(posts) * percent // 100 + 1], 0) * (len(posts) * percent / 100 - len(posts) * percent // 100)
            ) / list_sum(posts) as percent_of_posts,
            apart / (2 * len(posts) * list_sum(posts)) as gini,
            10000 * list_sum(list_transform(posts, lambda n: n * n)) / (list_sum(posts) * list_sum(posts)) as hhi
        from placed
    """,
    "largest": """
        with counted as (
            select 'accounts' as among, posts from (select count(*) as posts from posts where {scope} group by author)
            union all select 'origins', posts from (select count(*) as posts from posts where {scope} group by author_domain)
        ), ranked as (
            select among, posts, row_number() over (partition by among order by posts desc) as place, count(*) over (partition by among) as n
            from counted
        )
        select among, count(*) as members,
            sum(posts) filter (where place <= 10) * 100.0 / sum(posts) as percent_of_top_10,
            sum(posts) filter (where (place - 1) * 100 < n) * 100.0 / sum(posts) as percent_of_top_hundredth
        from ranked group by 1
    """,
}


@unittest.skipUnless(os.environ.get("NOTEBOOK_PYTHON"), "no Python of the notebook here (scripts/interop installs it)")
class Notebook(unittest.TestCase):
    maxDiff = None

    def test_in_marimo_it_shows_the_reports_figures(self):
        self.same("marimo", tables.local(), "2023-02-03", "2023-02-12")

    def test_in_jupyter_it_shows_those_of_all_days_of_bots(self):
        self.same("jupyter", tables.local(), "", "", "bots")

    def test_it_shows_those_of_some_days_of_people(self):
        self.same("marimo", tables.local(), "2023-02-08", "2023-02-11", "people", words="Eclipse, the")

    def test_on_s3_it_shows_the_reports_figures(self):
        self.same("marimo", tables.on_s3(), "2023-02-03", "2023-02-12")

    def test_its_titles_are_those_of_the_reports(self):
        for name in self.reports():
            title = fedilake("report", name, data=tables.local().data).splitlines()[0]
            self.assertIn(f'"{name}": "{title}",', NOTEBOOK.read_text())

    def test_without_a_post_it_says_so(self):
        done = self.run_it("marimo", tables.local(), "1999-01-01", "1999-01-02")
        self.assertEqual(done.returncode, 0, done.stderr)
        shown = json.loads(done.stdout)
        self.assertEqual((shown["frames"], shown["drawn"]), ({}, []))
        self.assertTrue(any("No posts match" in text for text in shown["said"]), shown["said"])

    def test_the_notebook_for_jupyter_is_that_of_marimo(self):
        with tempfile.TemporaryDirectory(prefix="fedilake-notebook-") as folder:
            again = Path(folder) / "fediverse.ipynb"
            command = [os.environ["NOTEBOOK_PYTHON"], "-m", "marimo", "export", "ipynb", "--sort", "top-down", "--output", again, NOTEBOOK]
            subprocess.run(command, capture_output=True, check=True)
            self.assertTrue(
                again.read_text() == NOTEBOOK.with_suffix(".ipynb").read_text(),
                "notebooks/fediverse.ipynb is not that of fediverse.py\nhint: `scripts/notebook --export` writes it again",
            )

    def same(self, by, table, first, last, who="everybody", words=None):
        done = self.run_it(by, table, first, last, who, words)
        self.assertEqual(done.returncode, 0, done.stderr)
        shown = json.loads(done.stdout)
        self.assertGreater(shown["frames"]["statistics"][0]["posts"], 0)
        # Statistics are words alone, and without rows there is nothing to draw.
        drawn = [title for name, title in shown["titles"].items() if name != "statistics" and shown["frames"][name]]
        self.assertEqual(shown["pictures"], len(drawn))
        if by == "marimo":
            self.assertEqual(shown["drawn"], drawn)

        filter = ["--from", first] * bool(first) + ["--to", last] * bool(last)
        filter += {"everybody": [], "people": ["--no-bot"], "bots": ["--bot"]}[who]
        topics = [word for word in (words or "").split(", ") if word]
        for name in self.reports():
            asked = filter + [part for word in topics for part in ("--topic", word.lower())] * (name == "topics")
            answer = fedilake("report", name, "--format", "json", *asked, data=table.data, environment=table.environment)
            self.alike(shown["frames"][name], json.loads(answer), name)

        scope = " and ".join(
            [f"created_at >= '{first} 00:00:00Z'"] * bool(first)
            + [f"created_at < '{last} 00:00:00Z'::timestamptz + interval 1 day"] * bool(last)
            + {"everybody": ["true"], "people": ["author_bot is not true"], "bots": ["author_bot"]}[who]
        )
        for name, sql in QUESTIONS.items():
            answer = fedilake("sql", sql.format(scope=scope), "--format", "json", data=table.data, environment=table.environment)
            self.alike(shown["frames"][name], json.loads(answer), name)

    def reports(self):
        """The notebook's questions that are reports too: the talk's seven, and those beyond that this program has."""
        names = re.findall(r'^ +"([a-z]+)": "', NOTEBOOK.read_text(), re.MULTILINE)
        known = re.findall(r"^ +- ([a-z_]+):", fedilake("report", "--help"), re.MULTILINE)
        self.assertLessEqual({*REPORTS}, {*names} & {*known})
        return [name for name in names if name in known]

    def alike(self, found, wanted, name):
        self.assertEqual(_plain(found), _plain(wanted), name)

    def run_it(self, by, table, first, last, who="everybody", words=None):
        chosen = {"FROM": first, "TO": last, "WHO": who} | ({"WORDS": words} if words else {})
        table_of = table.url if table.url.startswith("s3://") else str(table.data)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FEDILAKE_", "AWS_"))}
        with tempfile.TemporaryDirectory(prefix="fedilake-notebook-") as home:
            # Jupyter and matplotlib keep files of their own.
            own = {"FEDILAKE": FEDILAKE, "IPYTHONDIR": home, "MPLCONFIGDIR": home, "NOTEBOOK_TABLE": table_of}
            environment = clean | table.environment | own | {f"NOTEBOOK_{name}": value for name, value in chosen.items()}
            command = [os.environ["NOTEBOOK_PYTHON"], str(HERE / "run_notebook.py"), by]
            return subprocess.run(command, capture_output=True, text=True, env=environment)


def _plain(rows):
    """Rows in one order, with numbers and times in one form: floats differ in their last digits by how they were summed."""
    cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
    return sorted(cells, key=lambda row: json.dumps(row, sort_keys=True))


def _cell(value):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(f"{value:.9g}")
    if len(value) > 19 and value[10:11] == "T":
        return datetime.fromisoformat(value).isoformat()
    return value
