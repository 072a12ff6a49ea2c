"""Computes partitions, cores, files, requests a month, bytes and cost for more posts by simulating the sinks' rotation.

    grow.py

Every number of INPUTS was measured, as docs/scaling.md describes. The rotation is the program's: each partition has a buffer,
which is sealed at its maximal size or age; if a sink's buffers together are too large, the largest is sealed. Posts arrive with the
talk's distribution over the day, so that buffers are sealed by age in quiet hours and by size in busy ones.
"""

import math

INPUTS = {
    # from docs/benchmarks.md, on one core of the machine that is described there
    "collector, events a core": 75_000,
    "sink, rows a core": 170_000,
    "replica, rows a core": 25_000,
    # bytes of a record: in Kafka (zstd batches), in a sink's memory, in the table, in a replica's lake
    "Kafka, bytes a record": 212,
    "memory, bytes a record": 480,
    "table, bytes a row": 137,
    "lake, bytes a post": 152,
    # rows of the table for a post, as the talk's preset has them: copies, edits, deletes
    "rows a post": 1.125,
}
BUFFER, BUFFERS, AGE = 128 << 20, 512 << 20, 3_600
# Requests, counted by the program's metric: for each sealed file, and for each partition that a sink takes over.
PUTS_A_FILE, REQUESTS_A_TAKEOVER = 1, 3
REPLICATION, RETENTION_DAYS = 3, 7
# Amazon's list prices for us-east-1, dollars: a thousand puts or lists, a thousand gets, a gigabyte a month.
PUT, GET, GIGABYTE = 0.005, 0.0004, 0.023
# Posts of each hour of the day as shares of the day, from the talk's ten days.
HOURS = [3.9, 3.9, 3.8, 3.7, 3.6, 3.5, 3.5, 3.6, 3.8, 4.0, 4.2, 4.3, 4.4, 4.5, 4.7, 4.8, 4.8, 4.7, 4.6, 4.5, 4.4, 4.3, 4.2, 4.3]
MONTH = 30


def files_a_day(rows_a_second, partitions, sinks):
    """The number of files that the sinks seal in a day, by simulating one day second by second."""
    mean = sum(HOURS) / len(HOURS)
    mine = math.ceil(partitions / sinks)
    buffers, ages, files = [0.0] * mine, [0] * mine, 0
    for second in range(86_400):
        grow = rows_a_second / partitions * HOURS[second // 3_600] / mean * INPUTS["memory, bytes a record"]
        for at in range(mine):
            buffers[at] += grow
            ages[at] += 1
        while True:
            largest = max(range(mine), key=buffers.__getitem__)
            is_old = [at for at in range(mine) if ages[at] >= AGE and buffers[at] > 0]
            if buffers[largest] >= BUFFER or sum(buffers) > BUFFERS:
                seal = largest
            elif is_old:
                seal = is_old[0]
            else:
                break
            buffers[seal], ages[seal] = 0.0, 0
            files += 1
    return files * partitions / mine


def row(posts_a_second):
    rows = posts_a_second * INPUTS["rows a post"]
    cores = {role: rows / INPUTS[what] for role, what in (
        ("collectors", "collector, events a core"), ("sinks", "sink, rows a core"), ("replica", "replica, rows a core"))}
    # Twice the mean's need, for busy hours and for catching up after a pause.
    sinks = max(2, math.ceil(2 * cores["sinks"]))
    partitions = max(4, 2 * sinks)
    files = files_a_day(rows, partitions, sinks)
    month = rows * 86_400 * MONTH
    table = month * INPUTS["table, bytes a row"]
    kafka = rows * 86_400 * RETENTION_DAYS * INPUTS["Kafka, bytes a record"] * REPLICATION
    puts = files * MONTH * PUTS_A_FILE + partitions * REQUESTS_A_TAKEOVER * MONTH
    return {
        "posts/s": f"{posts_a_second:,}",
        "rows/s": f"{rows:,.0f}",
        "cores: collectors": f"{cores['collectors']:.2f}",
        "sinks": f"{cores['sinks']:.2f}",
        "a replica": f"{cores['replica']:.2f}",
        "partitions": str(partitions),
        "Kafka, 7 days, 3 copies": f"{kafka / 1e9:,.0f} GB",
        "files a month": f"{files * MONTH:,.0f}",
        "MB a file": f"{table / (files * MONTH) / 1e6:.1f}",
        "table a month": f"{table / 1e9:,.0f} GB",
        "puts and lists a month": f"{puts:,.0f}",
        "requests, $ a month": f"{puts / 1_000 * PUT:.2f}",
        "storage, $ a month, of each month": f"{table / 1e9 * GIGABYTE:,.2f}",
    }


def whole(posts):
    """Size and cost of a table of so many posts, independent of the time in which they arrived."""
    rows = posts * INPUTS["rows a post"]
    rows_a_file = BUFFER / INPUTS["memory, bytes a record"]
    files = rows / rows_a_file
    table = rows * INPUTS["table, bytes a row"]
    lists = math.ceil(files / 1_000)
    return {
        "posts": f"{posts:,}",
        "files": f"{files:,.0f}",
        "table": f"{table / 1e9:,.0f} GB",
        "$ a month": f"{table / 1e9 * GIGABYTE:,.2f}",
        "lists of all of it": str(lists),
        "gets of a new replica": f"{files:,.0f}",
        "$ of a new replica": f"{lists / 1_000 * PUT + files / 1_000 * GET:.3f}",
        "core hours of a new replica": f"{rows / INPUTS['replica, rows a core'] / 3_600:,.1f}",
        "its lake": f"{posts * INPUTS['lake, bytes a post'] / 1e9:,.0f} GB",
    }


def table(rows):
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + "---:|" * len(names))
    for one in rows:
        print("| " + " | ".join(one[name] for name in names) + " |")
    print()


if __name__ == "__main__":
    table([row(posts) for posts in (20, 2_000, 10_000, 100_000)])
    table([whole(posts) for posts in (1_622_149, 100_000_000, 1_000_000_000, 10_000_000_000)])
