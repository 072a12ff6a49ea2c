"""Engines that are not ours, each with a function that takes a `Table` and gives its figures."""

import os
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import figures
from program import fedilake

POSTS = (Path(__file__).parent / "posts.sql").read_text()


def duckdb_views(table):
    """DuckDB in a process of its own, by what `fedilake views` prints."""
    connection = _duckdb(table)
    connection.execute(fedilake("views", data=table.data, environment=table.environment))
    return _by_duckdb(connection)


def duckdb_plain(table):
    """DuckDB over the plain files, by SQL that every engine takes."""
    connection = _duckdb(table)
    connection.execute(
        "create view table_rows as select * from "
        f"read_parquet('{table.url}/posts/**/*.parquet', union_by_name = true, hive_partitioning = true)"
    )
    connection.execute(f"create view posts as {POSTS}")
    return _by_duckdb(connection)


def _by_duckdb(connection):
    return figures.by_sql(lambda sql: connection.execute(sql).fetchall())


def _duckdb(table):
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    if table.url.startswith("s3://"):
        # It comes with a wheel: nothing is fetched from DuckDB's own server.
        [httpfs] = files("duckdb_extension_httpfs").glob("extensions/*/httpfs.duckdb_extension")
        connection.load_extension(str(httpfs))
        access = table.environment
        connection.execute(
            f"create secret (type s3, key_id '{access['AWS_ACCESS_KEY_ID']}', secret '{access['AWS_SECRET_ACCESS_KEY']}', "
            f"region '{access['AWS_REGION']}', endpoint '{_host(access)}', url_style 'path', use_ssl false)"
        )
    return connection


def _host(access):
    return access["AWS_ENDPOINT_URL"].removeprefix("http://")


def pyarrow_rows(table):
    """pyarrow, from the raw rows, without a query engine."""
    import pyarrow.dataset as ds
    from pyarrow import fs

    path, store = f"{table.url}/posts", None
    if path.startswith("s3://"):
        access = table.environment
        store = fs.S3FileSystem(
            access_key=access["AWS_ACCESS_KEY_ID"],
            secret_key=access["AWS_SECRET_ACCESS_KEY"],
            region=access["AWS_REGION"],
            endpoint_override=_host(access),
            scheme="http",
        )
        path = path.removeprefix("s3://")
    rows = ds.dataset(path, filesystem=store, format="parquet", partitioning="hive").to_table().to_pylist()

    gone = {(row["server"], row["id"]) for row in rows if row["kind"] == "deleted"}
    shown = [row for row in rows if row["kind"] in ("created", "edited") and row["uri"] is not None]
    best, own_showed, deleted, own_deleted, spellings = {}, set(), set(), set(), {}
    for row in shown:
        uri, seen_at = row["uri"], row["observed_at"]
        own = row["from_origin"]
        if own is None:
            own = row["server"].lower() == uri.split("/")[2].lower()
        if own:
            own_showed.add(uri)
        if (row["server"], row["id"]) in gone:
            (own_deleted if own else deleted).add(uri)
        row["created_at"] = min(row["created_at"] or seen_at, seen_at)
        row["person"] = row["author"].lower(), row["author_domain"].lower()
        spelling = not own, row["author"]
        spellings[row["person"]] = min(spellings.get(row["person"], spelling), spelling)
        edited_at = min(row["edited_at"], seen_at).timestamp() if row["edited_at"] else float("-inf")
        version = (own, edited_at, seen_at, row["log"], row["log_partition"], row["log_offset"])
        if uri not in best or version > best[uri][0]:
            best[uri] = (version, row)
    hidden = own_deleted | (deleted - own_showed)
    posts = [row for uri, (_, row) in best.items() if uri not in hidden]
    for post in posts:
        post["author"] = spellings[post["person"]][1]
    return _by_hand(posts)


def _by_hand(posts):
    days, hours, topics = defaultdict(list), Counter(), Counter()
    for post in posts:
        day = str(post["created_at"].date())
        days[day].append(post)
        hours[day, post["created_at"].hour] += 1
        for word in figures.WORDS:
            topics[day, word] += word in post["text"].lower()

    def distinct(name, posts):
        return len({post[name] for post in posts})

    characters = [post["characters"] or 0 for post in posts]
    times = [post["created_at"] for post in posts]
    counts = len(posts), distinct("author", posts), distinct("author_domain", posts), distinct("language", posts)
    return {
        "statistics": figures.statistics(*counts, min(characters), max(characters), sum(characters), min(times), max(times)),
        "days": sorted((d, len(of), distinct("author", of), distinct("author_domain", of)) for d, of in days.items()),
        "hours": sorted((day, hour, posts) for (day, hour), posts in hours.items()),
        "topics": sorted((day, word, posts) for (day, word), posts in topics.items() if posts),
    }


def spark(table):
    """Apache Spark, local mode; S3 through hadoop-aws, whose jars INTEROP_JARS names."""
    from pyspark.sql import SparkSession

    os.environ["TZ"] = "UTC"
    url = table.url.replace("s3://", "s3a://")
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
    )
    if jars := os.environ.get("INTEROP_JARS"):
        builder = builder.config("spark.driver.extraClassPath", f"{jars}/*")
    if url.startswith("s3a://"):
        access = table.environment
        for name, value in {
            "endpoint": access["AWS_ENDPOINT_URL"],
            "endpoint.region": access["AWS_REGION"],
            "access.key": access["AWS_ACCESS_KEY_ID"],
            "secret.key": access["AWS_SECRET_ACCESS_KEY"],
            "path.style.access": "true",
            "connection.ssl.enabled": "false",
        }.items():
            builder = builder.config(f"spark.hadoop.fs.s3a.{name}", value)
    session = builder.getOrCreate()
    try:
        session.sparkContext.setLogLevel("ERROR")
        session.read.option("mergeSchema", "true").parquet(f"{url}/posts").createOrReplaceTempView("table_rows")
        session.sql(POSTS).createOrReplaceTempView("posts")
        return figures.by_sql(lambda sql: [tuple(row) for row in session.sql(sql).collect()])
    finally:
        session.stop()
