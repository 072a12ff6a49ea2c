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
    met as (
        select author, {day_step} as step
        from {authors}
    ),
    newest as materialized (select max(step) as step from met),
    -- The first step of each account, and a bit for each of the newest 14 steps in which it posts: bit 0 is the newest step.
    person as (
        select
            min(step) as first,
            bit_or(case when step > (select step - 14 from newest) then 1::bigint << ((select step from newest) - step)::integer else 0 end) as steps
        from met
        group by author
    ),
    alike as (
        select first, steps, count(*) as accounts from person where first > (select step - 14 from newest) group by first, steps
    )
select
    date '1970-01-01' + (case '{by}' when 'week' then first * 7 - 3 else first end)::integer as first,
    wait.later::integer as later,
    sum(accounts)::bigint as accounts,
    coalesce(sum(accounts) filter (where (steps >> (newest.step - first - wait.later)::integer) & 1 = 1), 0)::bigint as accounts_again,
    100.0::double * coalesce(sum(accounts) filter (where (steps >> (newest.step - first - wait.later)::integer) & 1 = 1), 0) / sum(accounts) as percent
from alike
cross join newest
join range(1, 14) wait (later) on alike.first + wait.later <= newest.step
group by alike.first, wait.later
order by alike.first, wait.later
