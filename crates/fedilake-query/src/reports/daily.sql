-- A row a day.
select
    date '1970-01-01' + day as day, posts, users, origins,
    most_frequent_nonbot, most_frequent_bot, most_frequent_host
from ({figures}) figures
order by figures.day
