-- title = "When did each server show posts?"
-- help = "posts by server and the moment at which we saw them, and what is missing of them"
-- tab = "collector"
-- order = 1
-- unit = "posts"
-- of = "times that a server showed a post that matches the filter"
-- caption = """
-- Posts by the hour (or the day, or the week from Monday) in which we saw them, in UTC because it is our own clock's time, for each server that showed them; a post
-- that several servers showed counts for each. The newest 168 steps and the 12 servers with most are shown. A step in which a server
-- showed nothing is a 0. Beside the posts stands what they cannot tell: unread_minutes, the minutes of the step in which the server was not read (times of a minute or more);
-- gap, which is planned while that goes on and filled when the server was read again, with the posts of that time that it still had; skipped, the events of the step that were
-- left out (report skipped has the reasons). A gap that goes on counts up to the newest moment that this report knows of any server. A server that is read again
-- brings the posts of a gap at once, so a peak after a hole is a hole that was filled. A 0 without a gap was quiet, or is of a server that was not
-- collected then but replayed or imported: nothing is known of its gaps. Of a filter only time and servers count for gaps and for what was skipped. Posts that were deleted
-- since are not counted. The lake is told of gaps some seconds after the moment; the Parquet files alone do not have them.
-- """
-- marks = [{ kind = "line", x = "seen", y = "posts", series = "server" }]
-- click = { server = "server" }

with
    cell as materialized (
        select server, epoch_ms(observed_at) // 3600000 as hour, count(*) as posts, max(epoch_ms(observed_at)) as newest
        from {sightings}
        group by 1, 2
    ),
    -- A week of hours begins 72 hours before the one that counts from 1970, a Thursday.
    seen as materialized (
        select
            server.name as server, case '{by}' when 'week' then (cell.hour + 72) // 168 when 'day' then cell.hour // 24 else cell.hour end as step,
            sum(cell.posts) as posts, max(cell.newest) as newest
        from cell
        join {server} server on server.id = cell.server
        group by 1, 2
    ),
    left_out as materialized (
        select
            server, epoch_ms(hour) // 3600000 as at_hour,
            case '{by}' when 'week' then (at_hour + 72) // 168 when 'day' then at_hour // 24 else at_hour end as step, sum(events) as events
        from {skips}
        group by all
    ),
    -- The part of each gap within the filter's time.
    pause as materialized (
        select server, greatest(from_at, scope_from) as from_at, to_at, scope_to from {gaps}
    ),
    most as materialized (
        select server, sum(posts) as posts
        from (select server, posts from seen union all select server, 0 from left_out union all select server, 0 from pause)
        group by server
        order by posts desc, server
        limit 12
    ),
    newest as (
        select max(moment) as moment
        from (
            select make_timestamptz(newest * 1000) as moment from seen union all select from_at from pause
            union all select least(to_at, scope_to) from pause where to_at is not null
            union all select make_timestamptz(at_hour * 3600000000) from left_out
        )
    ),
    unread as materialized (
        select
            server, epoch_ms(from_at) as from_ms, epoch_ms(least(coalesce(to_at, newest.moment), scope_to)) as until_ms, to_at is null as goes_on
        from pause
        semi join most using (server)
        cross join newest
    ),
    -- Every step, so that a time in which no server was read shows as a hole.
    shown as materialized (
        select
            step, case '{by}' when 'week' then step * 168 - 72 when 'day' then step * 24 else step end * 3600000 as begins_ms,
            begins_ms + case '{by}' when 'week' then 168 when 'day' then 24 else 1 end * 3600000 as ends_ms
        from (
            select unnest(range(greatest(first, last - 167), last + 1)) as step
            from (
                select min(step) as first, max(step) as last
                from (
                    select step from seen semi join most using (server)
                    union all
                    select step from left_out semi join most using (server)
                    union all
                    select case '{by}' when 'week' then (ms // 3600000 + 72) // 168 when 'day' then ms // 86400000 else ms // 3600000 end
                    from (select unnest([from_ms, until_ms]) as ms from unread)
                )
            )
            where first is not null
        )
    ),
    missing as (
        select
            shown.step, unread.server,
            sum(least(unread.until_ms, shown.ends_ms) - greatest(unread.from_ms, shown.begins_ms)) / 60000.0::double as minutes,
            bool_or(unread.goes_on) as goes_on
        from shown
        join unread on unread.from_ms < shown.ends_ms and unread.until_ms >= shown.begins_ms
        group by shown.step, unread.server
    ),
    skipped as (select server, step, sum(events)::bigint as events from left_out group by server, step)
select
    make_timestamptz(shown.begins_ms * 1000) as seen,
    most.server,
    coalesce(seen.posts, 0)::bigint as posts,
    coalesce(missing.minutes, 0)::double as unread_minutes,
    case when missing.goes_on then 'planned' when missing.minutes > 0 then 'filled' end as gap,
    coalesce(skipped.events, 0)::bigint as skipped
from shown
cross join most
left join seen on seen.step = shown.step and seen.server = most.server
left join missing on missing.step = shown.step and missing.server = most.server
left join skipped on skipped.step = shown.step and skipped.server = most.server
order by shown.step, most.posts desc, most.server
