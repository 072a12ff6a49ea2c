-- title = "How much is posted over time?"
-- help = "posts an hour, a day or a week, with users, origins, languages and length"
-- tab = "overview"
-- order = 8
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- Posts by the author's date in the chosen time zone, an hour, a day or a week (from Monday) at a time. Of a day and of a week also the distinct accounts that
-- wrote them (users), the servers that these live on (origins) and the languages, none of which can be added up from one to the next, and the mean length; of an
-- hour these are left out: counting them takes longer than a time line may.
-- Steps without posts are 0, whether nobody posted or nobody was read: report collection tells these apart. More than 200 of them in a row
-- are left out. The first and the last step may be parts of one. At most the newest 1,000 steps are shown.
-- """
-- marks = [{ kind = "line", x = "starts_at", y = "posts" }]
-- click = { starts_at = "time" }

with
    -- Hours since 1970, days, or weeks by the day of their Monday.
    step as (
        select
            case '{by}' when 'hour' then day::bigint * 24 + hour else {day_step} end as step,
            sum(posts)::bigint as posts
        from {hours}
        group by 1
    ),
    author as (
        select {day_step} as step, count(distinct author) as users
        from {authors}
        where '{by}' <> 'hour'
        group by 1
    ),
    origin_of as (
        select {day_step} as step, count(distinct origin) as origins
        from {origins}
        where '{by}' <> 'hour'
        group by 1
    ),
    language_of as (
        select step, count(distinct coalesce(language.counted, 'unknown')) as languages
        from (
            select distinct {day_step} as step, language
            from {usage}
            where '{by}' <> 'hour'
        ) met
        left join {language} on language.id = met.language
        group by step
    ),
    length as (
        select
            {day_step} as step,
            sum(posts * characters::bigint)::double / sum(posts) as characters_mean
        from {lengths}
        where '{by}' <> 'hour'
        group by 1
    ),
    -- An empty run of more than 200 steps ends after its first, so that it does not push out what is before it.
    shown as (
        select unnest(range(step, case when next - step > 200 then step + 2 else next end)) as step
        from (select step, lead(step, 1, step + 1) over (order by step) as next from step)
        order by 1 desc
        limit 1000
    )
select
    case '{by}'
        when 'hour' then (date '1970-01-01' + (shown.step // 24)::integer) + to_hours(shown.step % 24)
        when 'week' then (date '1970-01-01' + (shown.step * 7 - 3)::integer)::timestamp
        else (date '1970-01-01' + shown.step::integer)::timestamp
    end as starts_at,
    coalesce(step.posts, 0) as posts,
    case when '{by}' <> 'hour' then coalesce(author.users, 0) end as users,
    case when '{by}' <> 'hour' then coalesce(origin_of.origins, 0) end as origins,
    case when '{by}' <> 'hour' then coalesce(language_of.languages, 0) end as languages,
    length.characters_mean
from shown
left join step on step.step = shown.step
left join author on author.step = shown.step
left join origin_of on origin_of.step = shown.step
left join language_of on language_of.step = shown.step
left join length on length.step = shown.step
order by shown.step
