-- title = "When was a server not read?"
-- help = "times in which a server was not read, and whether their posts were fetched since"
-- tab = "collector"
-- order = 3
-- unit = "times"
-- of = "times of a minute or more in which a server was not read"
-- caption = """
-- The newest 200 times of a minute or more in which a server was not read, the newest first: it did not answer, or nobody ran. A time
-- without an end is planned: when the server is read again, its timeline is walked from where it was left off, as far back as the server shows
-- it. A time with an end was filled so, at that moment; edits and deletes of that time may be missing all the same, and so may posts that a server's
-- timeline no longer shows. Nothing is known of the time before a server was first read, and of posts that were replayed or imported. Each timeline remembers
-- its newest 200 times. Of a filter only time and servers count: a time is shown if a part of it lies within the filter's. The lake is told some seconds after the
-- moment; the Parquet files alone do not have it.
-- """
-- marks = [{ kind = "table" }]
-- click = { server = "server" }

select
    server,
    from_at,
    to_at,
    case when to_at is null then 'planned' else 'filled' end as gap,
    (epoch_ms(to_at) - epoch_ms(from_at)) / 60000.0::double as minutes
from {gaps}
order by from_at desc, server
limit 200
