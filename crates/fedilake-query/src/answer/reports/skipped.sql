-- title = "What was left out, and why?"
-- help = "events that were not kept, by reason and server"
-- tab = "collector"
-- order = 2
-- unit = "events"
-- of = "events that came from servers and were not kept"
-- caption = """
-- Posts and edits that a server sent and that were not kept, by the reason and the server that sent them. Not wanted: boost (another's post), not_public (not exactly
-- public), nobot and noindex (the author's profile asks not to be collected), opted_out and not_indexable (the operator's list and policy), suspended (the server hides the author's profile, so nobody knows). Not usable: any other reason,
-- such as no_uri. An event counts as often as servers sent it; who wrote it is not kept. The 12 servers with most are shown. Of each timeline the
-- newest 240 hours with such events are remembered; replayed and imported files are not counted here. Of a filter only time and servers count: the
-- hours that begin within its time. The lake is told some seconds after the event; the Parquet files alone do not have it.
-- """
-- marks = [{ kind = "bars", x = "reason", y = "events", series = "server" }, { kind = "table" }]
-- click = { server = "server" }
-- note = "{events} events from {servers} were left out since {since}"

with
    cell as materialized (select reason, server, sum(events)::bigint as events from {skips} group by reason, server),
    most as (select server from cell group by server order by sum(events) desc, server limit 12)
select reason, server, events
from cell
semi join most using (server)
order by sum(events) over (partition by reason) desc, reason, events desc, server
;
select
    coalesce(sum(events), 0)::bigint as events,
    count(distinct server) || case when count(distinct server) = 1 then ' server' else ' servers' end as servers,
    coalesce(strftime(min(hour), '%Y-%m-%d %H:00 UTC'), 'the beginning') as since
from {skips}
