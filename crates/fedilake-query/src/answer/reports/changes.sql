-- title = "How soon are posts edited, and how soon deleted?"
-- help = "posts of 1,000 that were edited or deleted within a minute, an hour, a day"
-- tab = "conversation"
-- order = 7
-- unit = "posts of 1,000"
-- of = "posts that match the filter; for deletes, those that were deleted too"
-- caption = """
-- Of 1,000 posts, the number whose last edit or whose delete came within the time after the author's date; each row includes the ones before it, and
-- median_seconds and p90_seconds are the time within which half and nine in ten of its edits or deletes came. Only the last edit of a post is known, so a post that was
-- edited twice counts with the later time, which is its server's claim. A post counts as deleted if deletes hide it (see the setting consent.deletes), once,
-- at the moment at which its own server told us, or the first that did; a post that we never saw is in no figure. Of a deleted post
-- its date, origin, server, language, app and whether it is a bot's are kept, but no hashtag and no word: with a filter by these, deletes are left out.
-- An edit or a delete is known only if a server that we read told us, and recent posts may still be changed: the last rows are least final.
-- """
-- marks = [{ kind = "bars", x = "within", y = "per_1000", series = "change" }, { kind = "table" }]
-- note = "{edited} of {posts} posts were edited. {deleted}"

with
    event as (
        select 'edited' as change, (epoch_ms(edited_at) - epoch_ms(created_at)) / 1000.0::double as seconds
        from {posts}
        where edited_at is not null
        union all
        -- The time of some deletes cannot be read.
        select 'deleted', case when deleted_at >= created_at then (epoch_ms(deleted_at) - epoch_ms(created_at)) / 1000.0::double end
        from {deletes}
    ),
    counted as (select (select count(*) from {posts}) as visible, (select count(*) from {deletes}) as hidden),
    total as (
        select 'edited' as change, 0 as place, visible as posts from counted
        union all
        select 'deleted', 1, visible + hidden from counted where {deletes_known}
    )
select
    total.change,
    step.within,
    count(event.change)::bigint as posts,
    1000.0::double * count(event.change) / any_value(total.posts) as per_1000,
    quantile_disc(event.seconds, 0.5) as median_seconds,
    quantile_disc(event.seconds, 0.9) as p90_seconds
from total
cross join (
    values
        (1, '1 minute', 60::double), (2, '5 minutes', 300), (3, '15 minutes', 900), (4, '1 hour', 3600), (5, '6 hours', 21600), (6, '1 day', 86400),
        (7, '1 week', 604800), (8, 'any time', null)
) step (n, within, seconds)
left join event on event.change = total.change and (step.seconds is null or event.seconds <= step.seconds)
where total.posts > 0
group by total.change, total.place, step.n, step.within
order by total.place, step.n
;
select
    (select count(*) from {posts}) as posts,
    (select count(edited_at) from {posts}) as edited,
    case
        when {deletes_known} then (select count(*) from {deletes})::varchar || ' more were deleted'
        else 'Deletes are left out: the filter has hashtags or words, which are not kept of deleted posts'
    end as deleted
