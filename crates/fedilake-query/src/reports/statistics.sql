-- The quick statistics, one row.
select
    coalesce(sum(posts), 0)::bigint as posts,
    (select count(*) from (select author from {authors} group by author)) as users,
    (select count(*) from (select origin from {origins} group by origin)) as origins,
    (
        select count(distinct coalesce(language.counted, 'unknown'))
        from (select language from {hours} group by language) met
        left join language on language.id = met.language
    ) as languages,
    min(characters) as characters_min,
    sum(posts * characters::bigint)::double / sum(posts) as characters_mean,
    max(characters) as characters_max,
    coalesce(sum(posts * characters::bigint), 0)::bigint as characters_sum,
    (select min(created_at) from {posts}) as first_created_at,
    (select max(created_at) from {posts}) as last_created_at
from {lengths}
