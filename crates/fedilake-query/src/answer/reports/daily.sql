-- title = "How much is posted each day?"
-- help = "posts, users and origins of each day, and who posted most"
-- tab = "overview"
-- order = 2
-- unit = "posts a day"
-- of = "posts that match the filter"
-- caption = """
-- Days are those of the author's date in the chosen time zone; the first and the last day may be parts of days. Users are distinct
-- accounts of that day, so days cannot be added up to users of a week. The most frequent are those with most posts of the day, of
-- several the first by name; bots are accounts that say that they are bots. A low day may be a quiet one or one on which a server was
-- not read: report collection shows which.
-- """
-- marks = [{ kind = "line", x = "day", y = "posts" }, { kind = "table" }]
-- click = { day = "time" }

select
    date '1970-01-01' + day as day, posts, users, origins,
    most_frequent_nonbot, most_frequent_bot, most_frequent_host
from {day_figures} figures
order by figures.day
