import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="The fediverse, looked at")


@app.cell
def _():
    import os
    import shutil
    import subprocess
    from importlib.resources import files
    from pathlib import Path

    import duckdb
    import marimo as mo
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    return Path, duckdb, files, mo, os, pd, plt, shutil, sns, subprocess


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # The fediverse, looked at

    Simon Aubury's talk *That looks weird! Exploring Mastodon user behaviour with Kafka & DuckDB* (2023) ended in a notebook: DuckDB
    over Parquet files, and seaborn. Here is that notebook over fedilake's table. It asks the talk's seven questions and five more.

    DuckDB runs inside this notebook and reads the plain Parquet files. `fedilake views` prints the SQL that turns their rows into
    posts: a post counts once, however many servers showed it, in its newest version, and deleted posts are left out. Figures are
    those of `fedilake report`, and a test holds them to it. Nothing that this notebook does leaves the machine, unless the table is on S3.

    The demo's people and posts are invented. Their days and languages follow the talk's data; what people write, to whom, and with which
    pictures follows simple rules, so questions that the talk did not ask have plain answers there. Your own data will not be that plain.
    """)
    return


@app.cell(hide_code=True)
def _(mo, os):
    # The variables let a script choose without hands.
    table = mo.ui.text(
        value=os.environ.get("NOTEBOOK_TABLE", "demo-data"),
        label="Table: a data folder, or s3://bucket/prefix",
        full_width=True,
    )
    first_day = mo.ui.text(value=os.environ.get("NOTEBOOK_FROM", "2023-02-03"), label="From", placeholder="2023-02-03")
    last_day = mo.ui.text(value=os.environ.get("NOTEBOOK_TO", "2023-02-12"), label="To", placeholder="2023-02-12")
    who = mo.ui.dropdown(
        options=["everybody", "people", "bots"], value=os.environ.get("NOTEBOOK_WHO", "everybody"), label="By"
    )
    timezone = mo.ui.text(value=os.environ.get("NOTEBOOK_TIMEZONE", "UTC"), label="Zone", placeholder="Europe/Berlin")
    words = mo.ui.text(
        value=os.environ.get("NOTEBOOK_WORDS", "balloon, chatgpt, earthquake, superbowl"),
        label="Words to look for",
        full_width=True,
    )
    mo.vstack([table, mo.hstack([first_day, last_day, who, timezone], justify="start"), words])
    return first_day, last_day, table, timezone, who, words


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    Change a field and everything below follows. Empty days mean all of the time that was collected. In Jupyter, change the `value`s and
    run the cells again. A table on S3 takes its key and its endpoint from the same variables as fedilake: `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`.

    ## Open the table
    """)
    return


@app.cell
def _(Path, duckdb, files, mo, os, shutil, subprocess, table, timezone):
    def views(table):
        """The SQL that defines posts, sightings, replies and mastodon_toot over the table's files, as `fedilake views` prints it."""
        on_s3 = table.startswith("s3://")
        asked = ["--s3"] if on_s3 else ["--data", str(Path(table).expanduser())]
        program = os.environ.get("FEDILAKE") or shutil.which("fedilake")
        if program is None:
            raise FileNotFoundError("fedilake is not on the PATH\nhint: name the program in the variable FEDILAKE")
        if not on_s3 and not Path(table).expanduser().is_dir():
            raise FileNotFoundError(f"there is no folder {table}\nhint: `make notebook` makes the demo's")
        done = subprocess.run(
            [program, "views", *asked],
            capture_output=True,
            text=True,
            env=os.environ | ({"FEDILAKE_TABLE_URL": table} if on_s3 else {}),
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def connect(table, timezone):
        """DuckDB in memory, with the views."""
        lake = duckdb.connect()
        lake.execute("set TimeZone = $zone", {"zone": timezone})
        sql = views(table)
        if table.startswith("s3://"):
            # The extension came with the packages, so nothing is fetched from DuckDB's server.
            [httpfs] = files("duckdb_extension_httpfs").glob("extensions/*/httpfs.duckdb_extension")
            lake.load_extension(str(httpfs))
            sql = sql.replace("install httpfs;\nload httpfs;\n", "")
        lake.execute(sql)
        # Names of languages, for the tags that occur. Tags of no language stand for themselves.
        lake.execute("""
            create temp table language as
            select distinct language as tag, coalesce(language_name, 'unknown') as name from mastodon_toot
        """)
        return lake

    with mo.status.spinner("opening the table"):
        lake = connect(table.value.strip(), timezone.value.strip() or "UTC")
    return (lake,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Choose posts

    The posts of the filter are put into a table in memory, `chosen`, so that each question takes milliseconds. The columns have the names
    of docs/columns.md or short ones: `origin` is the author's home server, `bot` says that the account calls itself
    automated, `day` and `hour` are the author's, in the time zone above.
    """)
    return


@app.cell
def _(first_day, lake, last_day, mo, who):
    lake.execute(
        """
        create or replace temp table chosen as
        select
            uri, created_at, created_at::date as day, extract(hour from created_at)::integer as hour,
            author, author_domain as origin, coalesce(author_bot, false) as bot,
            language.name as language, app, coalesce(characters, 0) as characters, text,
            coalesce(media, 0) as media, coalesce(media_described, 0) as media_described,
            media_types,
            in_reply_to
        from posts
        join language on language.tag = coalesce(posts.language, 'unknown')
        where ($first = '' or created_at >= $first::date::timestamptz)
            and ($last = '' or created_at < ($last::date + 1)::timestamptz)
            and ($who = 'everybody' or coalesce(author_bot, false) = ($who = 'bots'))
        """,
        {"first": first_day.value.strip(), "last": last_day.value.strip(), "who": who.value},
    )

    def ask(sql, **values):
        """A question's rows, as a data frame."""
        return lake.execute(sql, values).df()

    mo.stop(
        ask("select count(*) as posts from chosen")["posts"][0] == 0,
        mo.md("**No posts match.** Widen the days above, or leave them empty; `fedilake report` says which days a table has."),
    )
    return (ask,)


@app.cell
def _():
    # The questions, by the name of the report that answers the same (`fedilake report NAME`).
    TITLES = {
        "statistics": "How much was collected?",
        "daily": "How much is posted each day?",
        "hours": "When do people post?",
        "languages": "Which languages are used?",
        "lengths": "How long are posts?",
        "apps": "Which apps do people use?",
        "topics": "What is mentioned?",
        "weekday": "On which days and hours of the week do people post?",
        "delay": "How long do posts take to each server?",
        "media": "Which media do posts have, and are they described?",
        "conversation": "Do people talk with each other?",
        "concentration": "How evenly are posts spread?",
    }
    return (TITLES,)


@app.cell(hide_code=True)
def _(TITLES, ask, pd, plt, sns, timezone, who):
    # One accent for what is meant, grey for the rest, and colours that colour-blind people tell apart where things have names.
    ACCENT, GREY, INK, PALE = "#0b6fae", "#6b7280", "#1f2328", "#c3c9d0"
    COLOURS = ["#0b6fae", "#c2571a", "#11845b", "#a3478d", "#8a6d00", "#4aa3d8", "#3d3d3d", "#c24a4a"]
    RAMP = sns.light_palette(ACCENT, as_cmap=True)
    sns.set_theme(
        style="white",
        rc={
            "figure.facecolor": "white",
            "figure.dpi": 110,
            "font.size": 10,
            "axes.edgecolor": PALE,
            "axes.labelcolor": GREY,
            "axes.labelsize": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": GREY,
            "ytick.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "text.color": INK,
        },
    )

    _span = ask("select min(day) as first, max(day) as last, count(*) as posts from chosen").iloc[0]
    _authors = {"everybody": "people and bots"}.get(who.value, who.value)
    DAYS = f"{_span['first']:%a %-d %b %Y} to {_span['last']:%a %-d %b %Y}, {timezone.value.strip() or 'UTC'}"
    SCOPE = f"{_span.posts:,} posts by {_authors}, {DAYS}"

    def drawn(name, unit, of=SCOPE, height=4.0, columns=1, **options):
        """A figure and its axes, with the question over them, and in grey what is counted, of what."""
        top = 0.55
        figure, axes = plt.subplots(1, columns, figsize=(9.5, height + top), layout="constrained", **options)
        # Jupyter shows what pyplot holds, and what a cell returns: once is enough.
        plt.close(figure)
        figure.get_layout_engine().set(rect=(0, 0, 1, height / (height + top)))
        figure.text(0.005, 0.985, TITLES[name], fontsize=12, fontweight="bold", va="top")
        figure.text(0.005, 1 - 0.29 / (height + top), f"{unit} · {of}", color=GREY, fontsize=9, va="top")
        return figure, axes

    def headed(axes, text):
        """Names one of several axes."""
        axes.set_title(text, loc="left", fontsize=9, color=GREY)

    def bars(axes, rows, name, value, label="{:,.0f}"):
        """Horizontal bars from zero, with their numbers beside them."""
        sns.barplot(rows, x=value, y=name, ax=axes, color=ACCENT, saturation=1, width=0.7, orient="y")
        for container in axes.containers:
            axes.bar_label(container, fmt=label, padding=3, color=GREY, fontsize=9)
        axes.set(xlabel=None, ylabel=None, xticks=[])
        axes.set_xlim(0, (rows[value].max() or 1) * 1.2)
        sns.despine(ax=axes, bottom=True)
        axes.tick_params(left=False)

    def counts(axes):
        """A vertical axis of counts from zero."""
        axes.set(xlabel=None, ylabel=None)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter("{x:,.0f}")

    def weekdays(days):
        """Days as `Fri 3 Feb`, with their year where there are several."""
        days = pd.to_datetime(pd.Series(days))
        return list(days.dt.strftime("%a %-d %b" if days.dt.year.nunique() == 1 else "%a %-d %b %Y"))

    def ends(axes, places, x, gap):
        """Names at the right ends of lines, each (height, text, colour), moved apart by at least `gap`."""
        places = sorted(places)
        heights = []
        for height, _, _ in places:
            heights.append(max(height, heights[-1] + gap) if heights else height)
        moved = sum(heights[nth] - places[nth][0] for nth in range(len(places))) / max(len(places), 1)
        for height, (_, text, colour) in zip(heights, places, strict=True):
            axes.text(x, height - moved, f" {text}", color=colour, va="center", fontsize=9)

    return (
        ACCENT,
        COLOURS,
        DAYS,
        GREY,
        INK,
        PALE,
        RAMP,
        bars,
        counts,
        drawn,
        ends,
        headed,
        weekdays,
    )


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    # The talk's seven questions

    ## 1. {TITLES["statistics"]}
    """)
    return


@app.cell
def _(ask):
    statistics = ask("""
        select
            count(*) as posts, count(distinct author) as users, count(distinct origin) as origins,
            count(distinct language) as languages,
            min(characters) as characters_min, avg(characters) as characters_mean, max(characters) as characters_max,
            sum(characters)::bigint as characters_sum,
            min(created_at) as first_created_at, max(created_at) as last_created_at
        from chosen
    """)
    statistics
    return (statistics,)


@app.cell(hide_code=True)
def _(mo, statistics):
    _of = statistics.iloc[0]
    mo.md(f"""
    **{_of.posts:,} posts** by {_of.users:,} users of {_of.origins:,} origins in {_of.languages:,} languages, with
    {_of.characters_sum:,} characters: {_of.characters_mean:,.0f} a post, {_of.characters_min:,} at least, {_of.characters_max:,} at most.

    A user is an account, `name@domain`: the talk counted names without the domain, which makes one person of all who are called alex. A
    person may have several accounts, and one who only reads is never seen. "Languages" are those that the authors' apps gave; posts
    without one count together as one more. All of this is a sample: posts that no collected server showed are missing, as are those of
    people who asked not to be collected.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 2. {TITLES["daily"]}
    """)
    return


@app.cell
def _(ask):
    daily = ask("""
        with
            by_author as (select day, bot, author as name, count(*) as posts from chosen group by all),
            by_origin as (select day, origin as name, count(*) as posts from chosen group by all),
            -- Of equally frequent names, the first in alphabetical order.
            most as (
                select day,
                    first(name order by posts desc, name) filter (where not bot) as most_frequent_nonbot,
                    first(name order by posts desc, name) filter (where bot) as most_frequent_bot
                from by_author group by day
            ),
            host as (select day, 'https://' || first(name order by posts desc, name) as most_frequent_host from by_origin group by day),
            total as (
                select day, count(*) as posts, count(distinct author) as users, count(distinct origin) as origins
                from chosen group by day
            )
        from total join most using (day) join host using (day) order by day
    """)
    daily
    return (daily,)


@app.cell(hide_code=True)
def _(bars, daily, drawn, headed, weekdays):
    _rows = daily.tail(62).assign(day=weekdays(daily["day"].tail(62)))
    _which = "posts, users and origins a day" if len(daily) <= 62 else "posts, users and origins a day, the last 62 days"
    _figure, _axes = drawn("daily", _which, height=0.5 + 0.28 * len(_rows), columns=3, sharey=True)
    for _of, _name in zip(_axes, ["posts", "users", "origins"], strict=True):
        bars(_of, _rows, "day", _name)
        headed(_of, _name)
    _figure
    return


@app.cell(hide_code=True)
def _(daily, mo):
    _most, _least = daily.loc[daily["posts"].idxmax()], daily.loc[daily["posts"].idxmin()]
    mo.md(f"""
    {_most["day"]:%A %-d %B} has most posts, {_most.posts:,} by {_most.users:,} users; {_least["day"]:%A %-d %B} has fewest, {_least.posts:,}.

    A short bar is a quiet day or one on which nobody was reading: posts alone cannot tell. In the talk's ten days, the first day begins in
    the evening, and the listener stood still from Monday morning to Tuesday noon. Users of the days cannot be added up, because most of them come
    back. The names are the day's most frequent authors: a name with a hundred posts a day is often a bot that does not say so.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 3. {TITLES["hours"]}
    """)
    return


@app.cell
def _(ask):
    hours = ask("""
        select day, clock.hour::integer as hour, count(chosen.uri) as posts
        from (select distinct day from chosen) met
        cross join range(24) clock (hour)
        left join chosen using (day, hour)
        group by all order by all
    """)
    return (hours,)


@app.cell(hide_code=True)
def _(ACCENT, GREY, PALE, counts, drawn, ends, hours, sns, weekdays):
    _figure, _axes = drawn("hours", "posts an hour, a line a day, the day with most posts in blue")
    # An hour without any post is a gap: nobody was read then, or nobody wrote.
    _rows = hours.assign(posts=hours["posts"].where(hours["posts"] > 0), day=weekdays(hours["day"]))
    _busiest = hours.groupby("day")["posts"].sum().idxmax()
    _days = list(dict.fromkeys(_rows["day"]))
    _busiest = dict(zip(hours["day"], _rows["day"], strict=True))[_busiest]
    sns.lineplot(
        _rows, x="hour", y="posts", hue="day", ax=_axes, legend=False, linewidth=1.5,
        palette={_day: ACCENT if _day == _busiest else PALE for _day in _days},
    )
    # The lines of days that were read to the end are named at the margin, the others where they end. Of many days, the busiest alone.
    _last = [(_row, ACCENT if _row.day == _busiest else GREY) for _row in _rows.dropna().drop_duplicates("day", keep="last").itertuples()]
    _last = [(_row, _colour) for _row, _colour in _last if len(_days) <= 14 or _row.day == _busiest]
    ends(_axes, [(_row.posts, _row.day, _colour) for _row, _colour in _last if _row.hour == 23], 23, _rows["posts"].max() / 20)
    for _row, _colour in _last:
        if _row.hour < 23:
            _axes.text(_row.hour, _row.posts, f" {_row.day}", color=_colour, va="top", fontsize=9)
    counts(_axes)
    _axes.set_xlim(0, 25.5)
    _axes.set_xticks(range(0, 24, 3), [f"{_hour}:00" for _hour in range(0, 24, 3)])
    _figure
    return


@app.cell(hide_code=True)
def _(hours, mo, timezone):
    _by_hour = hours.groupby("hour")["posts"].sum()
    mo.md(f"""
    Over all days, most posts fall into the hour from {_by_hour.idxmax()}:00, fewest into the one from {_by_hour.idxmin()}:00 ({timezone.value.strip() or "UTC"}).

    The clock is one and the same for all: where an author lives is not known, so the evening here is an evening for some of them only. The shape tells
    when this *mix* of people is awake, not when a person posts. Bots, which like round hours, are included unless the filter leaves
    them out. An hour without posts is a gap in its line.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 4. {TITLES["languages"]}
    """)
    return


@app.cell
def _(ask):
    languages = ask("select language, count(*) as posts from chosen group by 1 order by posts desc, 1 limit 20")
    return (languages,)


@app.cell(hide_code=True)
def _(bars, drawn, languages):
    _figure, _axes = drawn("languages", "posts, the 20 most frequent languages", height=0.3 + 0.24 * len(languages))
    bars(_axes, languages, "language", "posts")
    _figure
    return


@app.cell(hide_code=True)
def _(languages, mo, statistics):
    _first = languages.iloc[0]
    mo.md(f"""
    {_first.language} leads with {_first.posts / statistics["posts"][0]:.0%} of all posts.

    The language is the one that the author's app gave: often the app's setting, and not what the text is written in. fedilake does not guess.
    "unknown" is a post without one. The ranking is that of the servers that were collected and of those that they know: a large server of another
    country, collected or not, changes it.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 5. {TITLES["lengths"]}
    """)
    return


@app.cell
def _(ask):
    lengths = ask("""
        select language, count(*) as posts,
            min(characters) as characters_min,
            quantile_disc(characters, 0.25) as characters_p25,
            quantile_disc(characters, 0.5) as characters_median,
            quantile_disc(characters, 0.75) as characters_p75,
            max(characters) as characters_max
        from chosen where language <> 'unknown'
        group by 1 order by posts desc, 1 limit 20
    """)
    return (lengths,)


@app.cell(hide_code=True)
def _(ACCENT, INK, PALE, drawn, lengths, mo, sns):
    if lengths.empty:
        _shown = mo.md("No post names its language.")
    else:
        _figure, _axes = drawn("lengths", "characters a post, logarithmic, the 20 most frequent languages", height=0.6 + 0.25 * len(lengths))
        # The quartiles of five numbers are the second, the third and the fourth, so seaborn draws exactly what DuckDB counted.
        _five = lengths.drop(columns="posts").melt("language", value_name="characters")
        sns.boxplot(
            _five, x="characters", y="language", order=lengths["language"], ax=_axes, whis=(0, 100), width=0.6, linewidth=1,
            color=sns.light_palette(ACCENT, 5)[2], saturation=1, linecolor=INK, medianprops={"color": ACCENT, "linewidth": 2.5},
        )
        _axes.set_xscale("symlog", linthresh=10, linscale=0.6)
        _ticks = [0, 10, 50, 140, 280, 500, 5_000, 50_000]
        _axes.set_xticks(_ticks, [f"{_tick:,}" for _tick in _ticks])
        _axes.minorticks_off()
        for _limit in (140, 280, 500):
            _axes.axvline(_limit, color=PALE, linewidth=0.8, zorder=0)
        _axes.set_xlim(0, None)
        _axes.tick_params(left=False)
        _axes.set(xlabel=None, ylabel=None)
        _shown = _figure
    _shown
    return


@app.cell(hide_code=True)
def _(lengths, mo):
    _half = ""
    if len(lengths):
        _long, _short = lengths.loc[lengths["characters_median"].idxmax()], lengths.loc[lengths["characters_median"].idxmin()]
        _half = f"Half of all posts in {_long.language} have {_long.characters_median:,} characters or more, in {_short.language} {_short.characters_median:,}."
    mo.md(f"""
    {_half}

    A box holds the middle half, its blue line is the median, and the whiskers go from the shortest post to the longest one. The talk's plot
    left out posts of 200 and more characters, and so the long ones that many servers allow. Lines mark lengths that people know: 140, 280,
    and 500, Mastodon's limit. Characters are code points of the text without its content warning; a Chinese character says more than a
    Latin letter, so compare shapes and not lengths across scripts.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 6. {TITLES["apps"]}
    """)
    return


@app.cell
def _(ask):
    apps = ask("select app, count(*) as posts from chosen where not bot and app is not null group by 1 order by posts desc, 1 limit 10")
    named = ask("select count(app) as named, count(*) as posts from chosen where not bot").iloc[0]
    return apps, named


@app.cell(hide_code=True)
def _(DAYS, apps, bars, drawn, mo, named):
    if apps.empty:
        _shown = mo.md("No app is named: apps are known only for posts by members of the servers that were read.")
    else:
        _of = f"{named.named:,} of {named.posts:,} posts by people, {DAYS}"
        _figure, _axes = drawn("apps", "posts whose app is known", _of, height=0.3 + 0.28 * len(apps))
        bars(_axes, apps, "app", "posts")
        _shown = _figure
    _shown
    return


@app.cell(hide_code=True)
def _(mo, named):
    mo.md(f"""
    The app is known for {named.named:,} of {named.posts:,} posts by people: **apps do not federate.** A server tells the app of its own members' posts
    alone, and members can switch that off. So this is the landscape of the collected servers, and not of the fediverse; a server whose
    members write with its own app would look different. Bots are left out, whose "app" is often a script's name.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 7. {TITLES["topics"]}
    """)
    return


@app.cell
def _(ask, words):
    asked = [_word.strip().lower() for _word in words.value.split(",") if _word.strip()]
    topics = ask(
        """
        select met.day, word as topic, count(uri) as posts
        from (select distinct day from chosen) met
        cross join unnest($words) asked (word)
        left join chosen on chosen.day = met.day and contains(lower(chosen.text), word)
        group by all order by all
        """,
        words=asked,
    )
    return (topics,)


@app.cell(hide_code=True)
def _(COLOURS, counts, drawn, ends, mo, sns, topics, weekdays):
    if topics.empty:
        _shown = mo.md("No words to look for: name some at the top.")
    else:
        _figure, _axes = drawn("topics", "posts a day that contain the word")
        _names = sorted(set(topics["topic"]))
        _colours = {_name: COLOURS[_nth % len(COLOURS)] for _nth, _name in enumerate(_names)}
        _days = sorted(set(topics["day"]))
        _rows = topics.assign(place=topics["day"].map(_days.index))
        sns.lineplot(_rows, x="place", y="posts", hue="topic", palette=_colours, ax=_axes, legend=False, linewidth=2, marker="o", markersize=4)
        _last = _rows[_rows["place"] == len(_days) - 1]
        ends(
            _axes,
            [(_row.posts, f"{_row.topic} {_row.posts:,}", _colours[_row.topic]) for _row in _last.itertuples()],
            len(_days) - 0.95,
            max(topics["posts"].max(), 1) / 18,
        )
        _step = max(1, len(_days) // 10)
        _axes.set_xticks(range(0, len(_days), _step), weekdays(_days)[::_step])
        _axes.set_xlim(-0.2, (len(_days) - 1) * 1.16 + 0.1)
        counts(_axes)
        _shown = _figure
    _shown
    return


@app.cell(hide_code=True)
def _(mo, topics):
    _top = topics.loc[topics["posts"].idxmax()] if len(topics) else None
    mo.md(
        f"""
    {f'"{_top.topic}" has its highest day on {_top["day"]:%A %-d %B} with {_top.posts:,} posts.' if _top is not None else ""}

    A post counts if its text contains the word in any case, also within a longer word ("balloons"); one that has two of the words counts
    for both. Content warnings and pictures are not searched, and the same thing in another language is not found: "Erdbeben" is not an
    "earthquake" here. These are counts and no shares, so a day that was read half of the time has half the mentions.
    """
    )
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    # Five more

    ## 8. {TITLES["weekday"]}
    """)
    return


@app.cell
def _(ask):
    weekday = ask("""
        with
            cell as (select isodow(day) as place, dayname(day) as weekday, day, hour, count(*) as posts from chosen group by all),
            week as (select place, weekday, count(distinct day) as days from cell group by all),
            summed as (select place, hour, sum(posts)::bigint as posts from cell group by all)
        select weekday, clock.hour::integer as hour, coalesce(summed.posts, 0) as posts, week.days,
            coalesce(summed.posts, 0) / week.days as posts_an_hour
        from week
        cross join range(24) clock (hour)
        left join summed on summed.place = week.place and summed.hour = clock.hour
        order by week.place, clock.hour
    """)
    return (weekday,)


@app.cell(hide_code=True)
def _(GREY, RAMP, drawn, sns, weekday):
    _figure, _axes = drawn("weekday", "mean posts an hour", height=2.8)
    _days = list(dict.fromkeys(weekday["weekday"]))
    _cells = weekday.pivot(index="weekday", columns="hour", values="posts_an_hour").loc[_days]
    sns.heatmap(
        _cells, mask=_cells == 0, ax=_axes, cmap=RAMP, vmin=0, linewidths=1, linecolor="white",
        cbar_kws={"pad": 0.01, "format": "{x:,.0f}", "label": "posts an hour"},
    )
    _axes.collections[0].colorbar.outline.set_visible(False)
    _axes.collections[0].colorbar.ax.yaxis.label.set_color(GREY)
    _axes.tick_params(left=False, bottom=False, rotation=0)
    _axes.set(xlabel=None, ylabel=None)
    _figure
    return


@app.cell(hide_code=True)
def _(mo, weekday):
    _most, _once = weekday.loc[weekday["posts_an_hour"].idxmax()], weekday.loc[weekday["days"] == 1, "weekday"].unique()
    mo.md(f"""
    The fullest hour of the week begins on {_most.weekday} at {_most.hour}:00, with {_most.posts_an_hour:,.0f} posts.
    {f"Seen only once: {', '.join(_once)}." if len(_once) else ""}

    A cell is the mean over all such days that have any post. A weekday that was met once says little about the next one, and a day that was
    read only in part pulls its hours down: Friday is pale in the talk's ten days because one of its two days began in the evening. White cells have no
    post.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 9. {TITLES["delay"]}
    """)
    return


@app.cell
def _(ask):
    # Tenths of a second, so that few lengths are distinct.
    delay = ask("""
        with
            seen as (
                select sightings.server, (epoch_ms(sightings.observed_at) - epoch_ms(chosen.created_at)) // 100 as tenths
                from sightings join chosen using (uri)
                where not sightings.from_origin and sightings.deleted_at is null
            )
        select server, count(*) as posts,
            min(tenths) / 10 as seconds_least,
            quantile_disc(tenths, 0.25) / 10 as seconds_p25,
            quantile_disc(tenths, 0.5) / 10 as seconds_p50,
            quantile_disc(tenths, 0.75) / 10 as seconds_p75,
            quantile_disc(tenths, 0.9) / 10 as seconds_p90,
            quantile_disc(tenths, 0.99) / 10 as seconds_p99
        from seen
        group by server order by posts desc, server limit 20
    """)
    delay
    return (delay,)


@app.cell(hide_code=True)
def _(ACCENT, GREY, delay, drawn, mo, sns):
    if delay.empty:
        _shown = mo.md("No server showed a post of another one: servers that were read with `--local` do not.")
    else:
        _shown, _axes = drawn("delay", "seconds until 50% ●, 90% ┃, 99% ▶ were seen, logarithmic", height=0.6 + 0.3 * len(delay))
        _axes.hlines(delay["server"], delay["seconds_p50"], delay["seconds_p99"], color=ACCENT, linewidth=1.5)
        for _column, _marker, _size in [("seconds_p50", "o", 40), ("seconds_p90", "|", 90), ("seconds_p99", ">", 60)]:
            sns.scatterplot(x=delay[_column], y=delay["server"], ax=_axes, color=ACCENT, marker=_marker, s=_size, linewidth=1.5)
        for _row in delay.itertuples():
            _figures = f"    {_row.seconds_p50:,.1f} · {_row.seconds_p90:,.1f} · {_row.seconds_p99:,.1f}"
            _axes.text(_row.seconds_p99, _row.server, _figures, color=GREY, va="center", fontsize=9)
        # A tenth of a second is the least that is told apart.
        _low, _high = max(delay["seconds_p50"].min(), 0.1), max(delay["seconds_p99"].max(), 1)
        _axes.set_xscale("log")
        _axes.set_xlim(_low / 1.3, _high * (_high / _low) ** 0.35)
        _ticks = [_tick for _tick in (0.1, 1, 2, 5, 10, 20, 60, 600, 3_600, 86_400) if _low / 1.3 <= _tick <= _high * 2]
        _axes.set_xticks(_ticks, [f"{_tick:,} s" for _tick in _ticks])
        _axes.minorticks_off()
        _axes.set(xlabel=None, ylabel=None, ylim=(len(delay) - 0.5, -0.5))
        _axes.tick_params(left=False)
    _shown
    return


@app.cell(hide_code=True)
def _(ask, delay, mo):
    _own = ask("""
        select quantile_disc(epoch_ms(sightings.observed_at) - epoch_ms(chosen.created_at), 0.99) / 1000 as seconds
        from sightings join chosen using (uri) where sightings.from_origin
    """)["seconds"][0]
    _slow = delay.loc[delay["seconds_p99"].idxmax()] if len(delay) else None
    mo.md(f"""
    {f"On {_slow.server}, one post of a hundred was seen more than {_slow.seconds_p99:,.1f} s after it was written." if _slow is not None else ""}
    {f"Posts on their own server, which need no delivery, have {_own:,.1f} s there: the difference is federation." if _own == _own else ""}

    The time is that from the author's date to the moment at which fedilake saw the post on a server other than its own: the author's server, the delivery
    and this collector together. The author's clock is believed. A collector that polls adds half of its interval, and one that was stopped finds old posts at
    its return, which makes a long tail. Deliveries that never came are not in any of this.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 10. {TITLES["media"]}
    """)
    return


@app.cell
def _(ask):
    # How many attachments are described is known for a post, not for each attachment: posts that mix kinds stand apart.
    media = ask("""
        select
            case len(list_distinct(media_types))
                when 1 then list_distinct(media_types)[1] when 0 then 'unknown' else 'several kinds'
            end as media,
            count(*) as posts, sum(media)::bigint as attachments, sum(media_described)::bigint as described,
            100 * sum(media_described) / sum(media) as described_percent
        from chosen where chosen.media > 0
        group by 1 order by attachments desc, 1 limit 20
    """)
    media
    return (media,)


@app.cell(hide_code=True)
def _(bars, drawn, media, mo):
    if media.empty:
        _shown = mo.md("No post has an attachment.")
    else:
        _shown, _axes = drawn("media", "attachments with a description, in brackets all of the kind", height=0.5 + 0.32 * len(media))
        _rows = media.assign(name=[f"{_row.media} ({_row.attachments:,})" for _row in media.itertuples()])
        bars(_axes, _rows, "name", "described_percent", "{:.0f}%")
        _axes.set_xlim(0, 100)
        _axes.set_xticks([0, 50, 100], ["0", "50%", "100%"])
    _shown
    return


@app.cell(hide_code=True)
def _(ask, mo):
    _all = ask("""
        select avg((media > 0)::integer) as with_media, sum(media)::bigint as attachments,
            coalesce(sum(media_described) / nullif(sum(media), 0), 0) as described,
            coalesce(count(*) filter (where media > 0 and media_described = media) / nullif(count(*) filter (where media > 0), 0), 0) as whole
        from chosen
    """).iloc[0]
    mo.md(f"""
    {_all.with_media:.0%} of the posts have an attachment. {_all.described:.0%} of the {_all.attachments:,} attachments are described, and in {_all.whole:.0%} of the
    posts with attachments all of them.

    A description lets blind people take part, and the fediverse asks for it more than other networks do. Only its presence is counted: "image" is a
    description too. Descriptions that are added later count if the edit was seen. Bars with few attachments (in brackets) move by chance. "gifv" is a silent
    video that loops; "unknown" is what a server did not name.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 11. {TITLES["conversation"]}
    """)
    return


@app.cell
def _(ask):
    # A post is answered by the first answer of somebody else, who may also have written it on another day.
    conversation = ask("""
        with answer as (
            select parent_uri as uri, min(created_at) as answered_at from replies where in_reply_to <> 'self' group by 1
        )
        select
            case in_reply_to when 'none' then 'nobody' when 'other' then 'others' when 'self' then 'self' else 'unknown' end as answers,
            count(*) as posts, 100 * count(*) / sum(count(*)) over () as percent_of_posts,
            count(answered_at) as answered, 100 * count(answered_at) / count(*) as answered_percent,
            quantile_disc(greatest(epoch_ms(answered_at) - epoch_ms(chosen.created_at), 0), 0.5)
                filter (where answered_at is not null) / 60000 as median_minutes
        from chosen left join answer using (uri)
        group by 1 order by posts desc, 1
    """)
    conversation
    return (conversation,)


@app.cell(hide_code=True)
def _(bars, conversation, drawn, headed):
    _figure, _axes = drawn("conversation", "percent of posts, by whom they answer", height=0.5 + 0.36 * len(conversation), columns=2, sharey=True)
    bars(_axes[0], conversation, "answers", "percent_of_posts", "{:.1f}%")
    bars(_axes[1], conversation, "answers", "answered_percent", "{:.1f}%")
    headed(_axes[0], "of all posts")
    headed(_axes[1], "of these, answered by somebody else")
    _figure
    return


@app.cell(hide_code=True)
def _(conversation, mo):
    _share = conversation.set_index("answers")["percent_of_posts"]
    mo.md(f"""
    {_share.get("others", 0):.1f}% of the posts answer somebody else, {_share.get("self", 0):.1f}% continue a thread of their author, and the rest begin something new.

    These are public posts: answers are often "unlisted" or for followers, and are not collected, so talk is underestimated. An answer is linked to its
    post if both were shown by one server; a post is "answered" if such an answer was collected at any time, also outside the chosen days. The newest posts
    had the least time to be answered. "unknown" is what an imported record does not say.
    """)
    return


@app.cell(hide_code=True)
def _(TITLES, mo):
    mo.md(rf"""
    ## 12. {TITLES["concentration"]}
    """)
    return


@app.cell
def _(ask):
    concentration = ask("""
        with
            counted as (
                select 'accounts' as among, count(*) as posts from chosen group by author
                union all
                select 'origins', count(*) from chosen group by origin
            ),
            -- All who have equally many posts, how many have fewer, and how many there are.
            level as (
                select among, posts, count(*) as members, sum(count(*)) over upto - count(*) as before,
                    sum(count(*)) over whole as n, sum(posts * count(*)) over whole as total
                from counted
                group by among, posts
                window upto as (partition by among order by posts), whole as (partition by among)
            ),
            measure as (
                select among, sum(members * posts * (2 * before + members - n)) / any_value(n * total) as gini,
                    10000 * sum(members * posts ** 2) / any_value(total) ** 2 as hhi
                from level group by among
            )
        -- A percentage may end within a member, who then counts in part.
        select among, percent::integer as percent_of_members,
            100 * sum(posts * least(greatest(percent * n / 100 - before, 0), members)) / any_value(total) as percent_of_posts,
            gini, hhi
        from level join measure using (among) cross join range(101) step (percent)
        group by among, percent, gini, hhi order by among, percent
    """)
    # Of each, how many there are and what the largest have.
    largest = ask("""
        with
            counted as (
                select 'accounts' as among, count(*) as posts from chosen group by author
                union all
                select 'origins', count(*) from chosen group by origin
            )
        select among, len(posts) as members,
            100 * list_sum(posts[:10]) / list_sum(posts) as percent_of_top_10,
            100 * list_sum(posts[:ceil(len(posts) / 100)::integer]) / list_sum(posts) as percent_of_top_hundredth
        from (select among, list(posts order by posts desc) as posts from counted group by among)
        order by among
    """)
    largest
    return concentration, largest


@app.cell(hide_code=True)
def _(ACCENT, COLOURS, GREY, PALE, concentration, drawn, ends, largest, sns):
    _figure, _axes = drawn("concentration", "percent of posts by those who write least", height=4.4)
    _axes.plot([0, 100], [0, 100], color=PALE, linewidth=1)
    _axes.text(48, 50, "if all wrote alike ", color=GREY, fontsize=9, ha="right")
    _colours = dict(zip(largest["among"], [ACCENT, COLOURS[1]], strict=True))
    sns.lineplot(
        concentration, x="percent_of_members", y="percent_of_posts", hue="among", palette=_colours, ax=_axes, legend=False, linewidth=2
    )
    # Named where the last twentieth begins.
    _at = concentration[concentration["percent_of_members"] == 95].merge(largest)
    ends(
        _axes,
        [(_row.percent_of_posts, f"{_row.members:,} {_row.among}, Gini {_row.gini:.2f}", _colours[_row.among]) for _row in _at.itertuples()],
        101,
        6,
    )
    _axes.set(xlim=(0, 130), ylim=(0, 101), xlabel=None, ylabel=None)
    _axes.set_xticks([0, 25, 50, 75, 100], ["0", "25%", "50%", "75%", "100% of writers"])
    _axes.set_yticks([25, 50, 75, 100], ["25%", "50%", "75%", "100% of posts"])
    _figure
    return


@app.cell(hide_code=True)
def _(concentration, largest, mo):
    _of = largest.set_index("among")
    _hhi = concentration.groupby("among")["hhi"].first()
    mo.md(f"""
    The most active hundredth of the accounts wrote {_of["percent_of_top_hundredth"]["accounts"]:.0f}% of the posts; the ten largest origins hold {_of["percent_of_top_10"]["origins"]:.0f}%.
    The Herfindahl index (HHI) is {_hhi["accounts"]:,.0f} for accounts and {_hhi["origins"]:,.0f} for origins.

    A Lorenz curve sorts writers from the quietest to the loudest: the further it sags, the more is written by few. The Gini coefficient is 0 if all write alike and
    nears 1 if one writes everything; the HHI adds up the squares of percentages, 10,000 for a single writer. Only accounts that wrote at all are in it, and the
    longer one looks, the more of the quiet ones appear: compare only spans of the same length. Collected servers show all of their own members, but of others
    only those whom somebody there follows, which makes the collected ones look larger.
    """)
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Ask on

    `ask("…")` takes any SQL over `chosen`, `posts`, `sightings`, `replies` and `mastodon_toot`. The talk's own SQL runs unchanged on the last one, for example:
    """)
    return


@app.cell
def _(ask):
    ask("""
        select strftime(created_tz, '%Y/%m/%d %a') as day, count(*) as posts,
            count(distinct username) as users, count(distinct from_instance) as servers
        from mastodon_toot
        group by 1 order by 1
    """)
    return


if __name__ == "__main__":
    app.run()
