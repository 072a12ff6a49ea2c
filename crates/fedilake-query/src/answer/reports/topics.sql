-- title = "What is mentioned?"
-- help = "posts a day whose text mentions each of some words"
-- tab = "overview"
-- order = 7
-- unit = "posts a day"
-- of = "posts that match the filter"
-- caption = """
-- Posts whose text contains the word, in upper or lower case, also inside of a longer word (balloon finds balloons); its content warning
-- and its attachments are not searched. A post that mentions two words counts for both. The same thing said in another word or in
-- another language is not found, and a word may be said about something else. A day without a mention is a 0, a day without any post is missing.
-- """
-- marks = [{ kind = "line", x = "day", y = "posts", series = "topic" }]
-- click = { topic = "about" }

with
    day as (select distinct day from {usage}),
    hit as (select day, word, count(*) as posts from {hits} group by all)
select
    date '1970-01-01' + day.day as day, asked.word as topic, coalesce(hit.posts, 0)::bigint as posts
from day
cross join {words} asked
left join hit on hit.day = day.day and hit.word = asked.word
order by day.day, asked.word
