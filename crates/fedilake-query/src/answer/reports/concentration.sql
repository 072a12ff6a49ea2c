-- title = "How evenly are posts spread?"
-- help = "Lorenz curves, Gini and Herfindahl indexes of accounts and origins"
-- tab = "people"
-- order = 1
-- unit = "percent of posts"
-- of = "posts that match the filter"
-- caption = """
-- Accounts, and apart from them origins (the servers that accounts live on), are sorted from the fewest posts to the most: the curve gives the percentage of
-- all posts that the lower 10, 50 or 99 percent of them wrote; if all wrote the same, it would be the diagonal. Gini is twice the area between
-- the two: 0 if all wrote the same, near 1 if one wrote everything. The Herfindahl index (HHI) adds up the squares of percentages: near 0 for
-- many alike, 10,000 for a single one. Accounts and servers without a post are not known and not counted, so the whole network is less even than this.
-- A longer time has more accounts with a single post: compare equal times only.
-- """
-- marks = [{ kind = "line", x = "percent_of_members", y = "percent_of_posts", series = "among" }]
-- note = "accounts: Gini {accounts_gini}, HHI {accounts_hhi}; origins: Gini {origins_gini}, HHI {origins_hhi}"

with
    -- The number of accounts, and of origins, with each number of posts.
    cell as (
        select 'accounts' as among, posts, count(*) as members
        from (select author, sum(posts)::bigint as posts from {authors} group by author)
        group by posts
        union all
        select 'origins', posts, count(*)
        from (select origin, sum(posts)::bigint as posts from {origins} group by origin)
        group by posts
    ),
    placed as materialized (
        select
            among, posts, members,
            (sum(members) over (partition by among order by posts) - members)::bigint as before,
            (sum(members) over (partition by among))::bigint as n,
            (sum(posts * members) over (partition by among))::bigint as total
        from cell
    ),
    measure as (
        select
            among, any_value(n) as n, any_value(total) as total,
            sum(posts::hugeint * members * (2 * before + members - n))::double / (any_value(n)::double * any_value(total)) as gini,
            10000.0::double * sum(posts::hugeint * posts * members)::double / (any_value(total)::double * any_value(total)) as hhi
        from placed
        group by among
    )
select
    measure.among,
    step.percent::integer as percent_of_members,
    -- Members of a cell have equal posts, so the curve is straight within it. Hundredths of a member, to stay exact.
    sum(posts * least(greatest(step.percent * measure.n - 100 * before, 0), 100 * members))::double / measure.total as percent_of_posts,
    measure.gini,
    measure.hhi
from measure
cross join range(101) step (percent)
join placed on placed.among = measure.among
group by measure.among, step.percent, measure.total, measure.gini, measure.hhi
order by measure.among, step.percent;
select
    coalesce(format('{:.3f}', max(gini) filter (where among = 'accounts')), 'unknown') as accounts_gini,
    coalesce(format('{:.1f}', max(hhi) filter (where among = 'accounts')), 'unknown') as accounts_hhi,
    coalesce(format('{:.3f}', max(gini) filter (where among = 'origins')), 'unknown') as origins_gini,
    coalesce(format('{:.1f}', max(hhi) filter (where among = 'origins')), 'unknown') as origins_hhi
from {rows}
