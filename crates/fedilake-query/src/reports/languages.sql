-- The 20 most frequent languages by name. Tags without a name in ISO 639 stand for themselves.
with
    cell as (select language, sum(posts) as posts from {hours} group by language)
select coalesce(language.counted, 'unknown') as language, sum(cell.posts)::bigint as posts
from cell
left join language on language.id = cell.language
group by 1
order by posts desc, 1
limit 20
