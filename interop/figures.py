"""The figures that every engine must give alike, and the SQL that gives them, over a view `posts` in UTC.

    statistics   as `fedilake report statistics` names them, without the mean, which is floating point
    days         (day, posts, users, origins)
    hours        (day, hour, posts)
    topics       (day, word, posts)
"""

WORDS = ("balloon", "earthquake", "superbowl", "chatgpt")

STATISTICS = """
select
    count(*) as posts, count(distinct author) as users, count(distinct author_domain) as origins,
    count(distinct coalesce(language, 'unknown')) as languages, min(characters) as characters_min,
    max(characters) as characters_max, sum(cast(characters as bigint)) as characters_sum,
    min(created_at) as first_created_at, max(created_at) as last_created_at
from posts
"""

DAYS = """
select cast(created_at as date) as day, count(*) as posts, count(distinct author) as users,
    count(distinct author_domain) as origins
from posts group by 1 order by 1
"""

HOURS = """
select cast(created_at as date) as day, extract(hour from created_at) as hour, count(*) as posts
from posts group by 1, 2 order by 1, 2
"""

TOPICS = " union all ".join(
    f"select cast(created_at as date) as day, '{word}' as topic, count(*) as posts from posts"
    f" where lower(text) like '%{word}%' group by 1"
    for word in WORDS
)


def by_sql(rows):
    """The figures, by a function that runs a query and gives its rows as tuples."""
    [(*counts, first, last)] = rows(STATISTICS)
    return {
        "statistics": statistics(*map(int, counts), first, last),
        "days": [(str(day), *counts) for day, *counts in rows(DAYS)],
        "hours": [(str(day), int(hour), posts) for day, hour, posts in rows(HOURS)],
        "topics": sorted((str(day), topic, posts) for day, topic, posts in rows(TOPICS)),
    }


def statistics(posts, users, origins, languages, characters_min, characters_max, characters_sum, first, last):
    return {
        "posts": posts,
        "users": users,
        "origins": origins,
        "languages": languages,
        "characters_min": characters_min,
        "characters_max": characters_max,
        "characters_sum": characters_sum,
        "first_created_at": moment(first),
        "last_created_at": moment(last),
    }


def moment(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
