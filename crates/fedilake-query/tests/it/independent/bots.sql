-- {where}: a condition on the columns of `posts`.
with
    flag as (
        select
            author_bot,
            [in_reply_to = 'self' or in_reply_to = 'other', tags[1] is not null, links[1] is not null, media > 0, length(spoiler_text) > 0, edited_at is not null] as flags
        from posts where {where}
    ),
    habit(n, name) as (values (1, 'replies'), (2, 'hashtags'), (3, 'links'), (4, 'media'), (5, 'content warning'), (6, 'edited'))
select
    name, if(author_bot, 'bots', 'people'), count(*) filter (flags[n]), count(*), 100 * avg(coalesce(flags[n], false)::integer)
from flag, habit
group by n, name, author_bot
order by n, author_bot
