-- title = "How long do posts take to each server?"
-- help = "federation delay by the server that showed the post"
-- tab = "people"
-- order = 9
-- unit = "seconds"
-- of = "times that a server showed a post of another server that matches the filter"
-- caption = """
-- The seconds from the author's date to the moment at which we saw the post on a server other than its own, cut to tenths: the time that the post took
-- to that server, and a moment from there to us. Servers are the 20 that showed most such posts. The box is
-- the middle half with the median in it, the whiskers go from the least to the 99th percentile: one post in a hundred took longer. The scale is
-- logarithmic. The two ends are
-- read from different clocks, and an author may claim any date before the moment of sight (imported old posts look years late). A post that a server showed
-- while we were not reading it, and that was fetched from its timeline afterwards, counts with that later moment. Posts that never arrived are not here.
-- """
-- marks = [{ kind = "boxes", y = "server", min = "seconds_least", lower = "seconds_p25", median = "seconds_p50", upper = "seconds_p75", max = "seconds_p99" }, { kind = "table" }]
-- click = { server = "server" }

with
    histogram as materialized (
        select server, (epoch_ms(observed_at) - epoch_ms(created_at)) // 100 as tenths, count(*) as posts
        from {sightings}
        where not own
        group by all
    ),
    most as materialized (
        select place.name, total.posts
        from (select server, sum(posts)::bigint as posts from histogram group by server) total
        join {server} place on place.id = total.server
        order by total.posts desc, place.name
        limit 20
    ),
    counted as (
        select name, total, tenths, sum(posts) over (partition by name order by tenths) as upto
        from (
            select most.name, most.posts as total, histogram.tenths, sum(histogram.posts) as posts
            from histogram
            join {server} place on place.id = histogram.server
            join most on most.name = place.name
            group by all
        )
    )
select
    name as server,
    total as posts,
    min(tenths) / 10.0::double as seconds_least,
    min(tenths) filter (where upto >= total * 0.25) / 10.0::double as seconds_p25,
    min(tenths) filter (where upto >= total * 0.5) / 10.0::double as seconds_p50,
    min(tenths) filter (where upto >= total * 0.75) / 10.0::double as seconds_p75,
    min(tenths) filter (where upto >= total * 0.9) / 10.0::double as seconds_p90,
    min(tenths) filter (where upto >= total * 0.99) / 10.0::double as seconds_p99
from counted
group by name, total
order by posts desc, server
