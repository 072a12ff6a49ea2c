-- {where}: a condition on the columns of `posts`. {timezone}: the chosen zone's name. {by}: hour, day or week (an hour counts as a day).
with
    met as (
        select author, date_trunc(case '{by}' when 'week' then 'week' else 'day' end, created_at at time zone '{timezone}')::date as step
        from posts where {where}
    ),
    person as (select author, min(step) as first, list_distinct(list(step)) as steps from met group by author),
    length as (select case '{by}' when 'week' then 7 else 1 end as days),
    newest as (select max(step) as step from met)
select
    first, l::integer, count(*), count(*) filter (list_contains(steps, (first + (l * days)::integer)::date)),
    100 * count(*) filter (list_contains(steps, (first + (l * days)::integer)::date)) / count(*)
from person, length, newest, range(1, 14) r(l)
where first + (l * days)::integer <= step and first > step - (14 * days)::integer
group by first, l
order by first, l
