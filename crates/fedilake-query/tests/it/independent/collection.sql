-- {where}: a condition on the columns of `posts`; {of_gaps}, {of_skips}: those on the columns of these views; {from}, {to}: the filter's time.
-- {by}: hour, day or week. Needs `sightings` too.
with
    met as (
        select server, date_trunc('{by}', observed_at at time zone 'UTC') as seen, count(*) as posts, max(observed_at) as newest
        from sightings where deleted_at is null and uri in (select uri from posts where {where})
        group by all
    ),
    left_out as (from skips where {of_skips}),
    known as (
        select server, epoch_ms(greatest(from_at, {from})) as begins, case when filled then epoch_ms(least(to_at, {to})) end as ends, filled
        from gaps where {of_gaps}
    ),
    newest as (
        select max(moment)
        from (
            select epoch_ms(newest) as moment from met union all select epoch_ms(hour) from left_out union all select begins from known
            union all select ends from known
        )
    ),
    unread as (
        select server, begins, coalesce(ends, least((from newest), case when {to} < 'infinity' then epoch_ms({to}) end)) as ends, filled from known
    ),
    server as (
        select server, sum(posts) as posts
        from (select server, posts from met union all select server, 0 from unread union all select server, 0 from left_out)
        group by server order by posts desc, server limit 12
    ),
    moment as (
        select server, seen from met
        union all
        select server, date_trunc('{by}', hour at time zone 'UTC') from left_out
        union all
        select server, date_trunc('{by}', make_timestamp(unnest([begins, ends]) * 1000)) from unread
    ),
    step as (
        select seen, epoch_ms(seen) as begins, epoch_ms(seen + interval 1 {by}) as ends
        from (
            select unnest(generate_series(greatest(min(seen), max(seen) - interval 167 {by}), max(seen), interval 1 {by})) as seen
            from moment semi join server using (server)
        )
    ),
    -- How much of a server's gaps is over at each end of a step.
    over as (
        select
            step.seen, server.server,
            sum(greatest(unread.begins, least(unread.ends, step.ends)) - greatest(unread.begins, least(unread.ends, step.begins))) as ms,
            bool_or(not filled and unread.begins < step.ends and unread.ends >= step.begins) as planned
        from step cross join server join unread using (server)
        group by all
    )
select
    step.seen at time zone 'UTC', server.server, coalesce((select posts from met where met.seen = step.seen and met.server = server.server), 0),
    coalesce(over.ms, 0) / 60000, if(over.planned, 'planned', if(over.ms > 0, 'filled', null)),
    coalesce((
        select sum(events) from left_out where left_out.server = server.server and date_trunc('{by}', hour at time zone 'UTC') = step.seen
    ), 0)
from step cross join server left join over on over.seen = step.seen and over.server = server.server
order by step.seen, server.posts desc, server.server
