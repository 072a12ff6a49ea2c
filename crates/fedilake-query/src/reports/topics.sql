-- A day's posts that mention a word, in any case.
select strftime(date '1970-01-01' + cell.day, '%Y/%m/%d %a') as day, cell.word as topic, cell.posts
from (select day, word, count(*) as posts from ({hits}) group by all) cell
order by cell.day, cell.word
