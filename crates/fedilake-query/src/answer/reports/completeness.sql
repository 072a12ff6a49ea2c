-- title = "How much of what its members wrote did each server show us?"
-- help = "an estimate of completeness by server and time, from what other servers showed of its members"
-- tab = "collector"
-- order = 4
-- unit = "percent of posts"
-- of = "posts by a server's members, written since we first saw the server, that another server showed"
-- caption = """
-- A server knows every public post of its own members, so of those that other servers showed us it should have shown us each. percent is the part that it did:
-- common of elsewhere. What others show is a sample of what there is, and taken without regard to our reading of the server; so percent estimates how complete
-- our reading of its members is, and estimated, shown times elsewhere by common (the estimate of Lincoln and Petersen), how many posts there were. By the hour (or the day, or the
-- week from Monday, in UTC) in which the posts were written. The newest 168 steps and the 12 servers with most such posts are shown, and steps in which others showed none are left out. A
-- server far below 100 while it is read is blind: its stream lives and shows nothing, or an account's filters hide a part. The newest minutes are always low, since another server
-- may have been faster. Nothing is said of what a server shows of others, of servers that are read alone or never showed a post, and of members whom a server hides from its own timelines. Few posts say
-- little: of ten posts nine, 90 percent, may be chance.
-- """
-- marks = [{ kind = "line", x = "written", y = "percent", series = "server" }]
-- click = { server = "server" }
-- note = "Of what others showed of its members, {server} showed us least: {percent} %."

with
    -- Whose members' posts a server shows first of all: its own domain, also where that is not its host's name.
    home as materialized (
        select distinct server, origin from {sightings} where own
        union
        select server.id, origin.id from {server} server join {origin} origin on lower(origin.name) = lower(server.name)
    ),
    began as materialized (select server, min(observed_at) as moment from {sightings} group by server),
    of_member as (
        select
            met.post, home.server, any_value(epoch_ms(met.created_at)) as written_ms, bool_or(met.server = home.server) as here,
            bool_or(met.server <> home.server) as elsewhere
        from {sightings} met
        join home on home.origin = met.origin
        join began on began.server = home.server and began.moment <= met.created_at
        group by met.post, home.server
    ),
    -- A week of hours begins 72 hours before the one that counts from 1970, a Thursday.
    cell as materialized (
        select
            server, case '{by}' when 'week' then (written_ms // 3600000 + 72) // 168 when 'day' then written_ms // 86400000 else written_ms // 3600000 end as step,
            count(*) filter (here) as shown, count(*) filter (elsewhere) as elsewhere, count(*) filter (here and elsewhere) as common
        from of_member
        group by 1, 2
        having count(*) filter (elsewhere) > 0
    ),
    most as materialized (
        select cell.server, server.name, sum(cell.elsewhere) as posts
        from cell
        join {server} server on server.id = cell.server
        group by 1, 2
        order by posts desc, server.name
        limit 12
    )
select
    make_timestamptz(case '{by}' when 'week' then step * 168 - 72 when 'day' then step * 24 else step end * 3600000000) as written,
    most.name as server,
    cell.shown::bigint as shown,
    cell.elsewhere::bigint as elsewhere,
    cell.common::bigint as common,
    100.0::double * cell.common / cell.elsewhere as percent,
    cell.shown::double * cell.elsewhere / nullif(cell.common, 0) as estimated
from cell
join most on most.server = cell.server
where cell.step > (select max(step) from cell semi join most using (server)) - 168
order by cell.step, most.posts desc, most.name
;
select arg_min(server, percent) as server, round(min(percent), 1) as percent
from (select server, 100.0 * sum(common) / sum(elsewhere) as percent from {rows} group by server)
