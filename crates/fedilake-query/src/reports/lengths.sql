-- Characters a post: the five figures of a box plot over the whole range, for the 20 most frequent known languages.
with
    named as (
        select language.id, coalesce(language_name.name, language.name) as name
        from language
        left join language_name on language_name.code = lower(split_part(language.name, '-', 1))
    ),
    histogram as (
        select named.name, cell.characters, sum(cell.posts) as posts
        from (select language, characters, sum(posts) as posts from {lengths} group by all) cell
        join named on named.id = cell.language
        group by all
    ),
    counted as (
        select
            name, characters,
            sum(posts) over (partition by name order by characters) as upto,
            sum(posts) over (partition by name) as posts
        from histogram
    )
select
    name as language,
    any_value(posts)::bigint as posts,
    min(characters) as characters_min,
    min(characters) filter (where upto >= posts * 0.25) as characters_p25,
    min(characters) filter (where upto >= posts * 0.5) as characters_median,
    min(characters) filter (where upto >= posts * 0.75) as characters_p75,
    max(characters) as characters_max
from counted
group by name
order by posts desc, name
limit 20
