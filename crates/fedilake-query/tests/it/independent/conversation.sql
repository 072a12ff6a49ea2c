-- {where}: a condition on the columns of `posts`. Needs `replies` too.
with met as (
    select
        coalesce(map {'none': 'nobody', 'other': 'others', 'self': 'self'}[in_reply_to], 'unknown') as kind,
        (
            select min(replies.created_at) from replies
            where replies.parent_uri = posts.uri and replies.in_reply_to <> 'self'
        ) as answered_at,
        created_at
    from posts where {where}
)
select
    kind, count(*), 100 * count(*) / (select count(*) from met), count(answered_at), 100 * count(answered_at) / count(*),
    quantile_disc(greatest(date_diff('millisecond', created_at, answered_at), 0), 0.5) filter (answered_at is not null) / 60000
from met
group by kind
order by 2 desc, 1
