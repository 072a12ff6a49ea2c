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
    -- Before the names, because a language has many posts.
    tagged as (
        select language, characters, sum(posts)::bigint as posts from {lengths} where language is not null group by all
    ),
    -- Tags that name the same language count together.
    cell as materialized (
        select language.counted as name, tagged.characters, sum(tagged.posts)::bigint as posts
        from tagged
        join {language} on language.id = tagged.language
        where language.counted is not null
        group by all
    ),
    -- Chosen first, because the other languages need no quantiles.
    most as materialized (
        select name, sum(posts)::bigint as posts from cell group by name order by posts desc, name limit 20
    ),
    counted as (
        select
            cell.name, most.posts as total, cell.characters,
            sum(cell.posts) over (partition by cell.name order by cell.characters rows unbounded preceding) as upto
        from cell
        join most on most.name = cell.name
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
