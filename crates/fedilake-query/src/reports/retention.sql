-- title = "Do newcomers post again?"
-- help = "accounts by their first day or week, and the part that posts in later ones"
-- tab = "people"
-- order = 6
-- unit = "percent of accounts"
-- of = "accounts by the day or week of their first post that matches the filter"
-- caption = """
-- Accounts are grouped by the day (or the week from Monday, when weeks are chosen) of their first post among those that match the filter; a row
-- gives the percentage of a group that posts in the first, second … day or week after it, at least once. The newest 14 groups are shown. New means new here: an account
-- may have posted for years before, so the groups at the start of the collection are mostly people who were there already, and somebody who
-- only posts now and then looks new late. People who read on without posting look as if they had left. The newest day or week may be a part of one.
-- """
-- marks = [{ kind = "heat", x = "later", y = "first", value = "percent" }]

with
    met as materialized (
        select distinct author, case '{by}' when 'week' then (day + 3 - ((day + 3) % 7 + 7) % 7) // 7 else day end as step
        from {distinct_authors}
    ),
    newcomer as (select author, min(step) as first from met group by author),
    size as (select first, count(*) as accounts from newcomer group by first),
    newest as (select max(step) as step from met),
    returned as (
        select newcomer.first, met.step - newcomer.first as later, count(*) as accounts
        from met
        join newcomer on newcomer.author = met.author
        where met.step > newcomer.first and newcomer.first > (select step - 14 from newest)
        group by 1, 2
    )
select
    date '1970-01-01' + (case '{by}' when 'week' then size.first * 7 - 3 else size.first end)::integer as first,
    wait.later::integer as later,
    size.accounts,
    coalesce(returned.accounts, 0) as accounts_again,
    100.0::double * coalesce(returned.accounts, 0) / size.accounts as percent
from size
join range(1, 14) wait (later) on size.first + wait.later <= (select step from newest)
left join returned on returned.first = size.first and returned.later = wait.later
where size.first > (select step - 14 from newest)
order by size.first, wait.later
