-- {where}: a condition on the columns of `posts`. {timezone}: the chosen zone's name. {by}: hour, day or week. {language_name}: the name of a post's language.
with recursive
    met as (select date_trunc('{by}', created_at at time zone '{timezone}') as local, author, author_domain, characters, {language_name} as language from posts where {where}),
    ends as (select min(local) as first, max(local) as last from met),
    step(local) as (
        select last from ends where last is not null
        union all
        select local - interval 1 {by} from step, ends where local > first and local > last - 999 * interval 1 {by}
    )
select step.local::timestamp, count(met.local), case when '{by}' <> 'hour' then count(distinct met.author) end,
    case when '{by}' <> 'hour' then count(distinct met.author_domain) end, case when '{by}' <> 'hour' then count(distinct met.language) end,
    case when '{by}' <> 'hour' then avg(met.characters) end
from step left join met on met.local = step.local
group by step.local
order by step.local
