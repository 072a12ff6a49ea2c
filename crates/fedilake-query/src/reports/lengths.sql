-- title = "How long are posts?"
-- help = "characters of a post, for the 20 most frequent languages"
-- tab = "overview"
-- order = 5
-- unit = "characters"
-- of = "posts that match the filter and name a language"
-- caption = """
-- A box goes from the first to the third quartile with the median in it, the whiskers from the shortest to the longest post: nothing is cut
-- off. Characters are Unicode scalar values of the text without HTML and content warning, so that an emoji may be several, and a Chinese
-- character says more than a Latin letter: compare languages with care. A post with only pictures has 0. The scale is logarithmic. Limits
-- differ by server: 500 on most, more on some. The 20 known languages with most posts are shown.
-- """
-- marks = [{ kind = "boxes", y = "language", min = "characters_min", lower = "characters_p25", median = "characters_median", upper = "characters_p75", max = "characters_max" }]
-- click = { language = "language" }

with
    -- Tags that name the same language count as the first of them.
    named as materialized (
        select id, min(id) over (partition by counted) as one, counted as name from {language} where counted is not null
    ),
    cell as materialized (
        select named.one as language, lengths.characters, sum(lengths.posts)::bigint as posts
        from {lengths} lengths
        join named on named.id = lengths.language
        group by all
    ),
    -- Chosen first, because the other languages need no quantiles.
    most as materialized (
        select cell.language, named.name, sum(cell.posts)::bigint as posts
        from cell
        join named on named.id = cell.language
        group by all
        order by posts desc, named.name
        limit 20
    ),
    counted as (
        select
            most.name, most.posts as total, cell.characters,
            sum(cell.posts) over (partition by cell.language order by cell.characters) as upto
        from cell
        join most on most.language = cell.language
    )
select
    name as language,
    total as posts,
    min(characters) as characters_min,
    min(characters) filter (where upto >= total * 0.25) as characters_p25,
    min(characters) filter (where upto >= total * 0.5) as characters_median,
    min(characters) filter (where upto >= total * 0.75) as characters_p75,
    max(characters) as characters_max
from counted
group by name, total
order by posts desc, language
