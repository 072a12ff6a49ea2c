-- title = "Which languages are used?"
-- help = "the 20 languages with most posts"
-- tab = "overview"
-- order = 4
-- unit = "posts"
-- of = "posts that match the filter"
-- caption = """
-- The language is the one that the author's app gave, often the app's setting and not what the text is written in; it is not detected.
-- Tags with a region or a script count with their language (pt-BR as Portuguese); a tag that names no language of ISO 639 stands for
-- itself, and posts without one are unknown. The 20 with most posts are shown.
-- """
-- marks = [{ kind = "bars", x = "language", y = "posts" }]
-- click = { language = "language" }

with
    cell as (select language, sum(posts) as posts from {usage} group by language)
select coalesce(language.counted, 'unknown') as language, sum(cell.posts)::bigint as posts
from cell
left join {language} on language.id = cell.language
group by 1
order by posts desc, 1
limit 20
