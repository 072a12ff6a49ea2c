-- Posts with more than one row. Most posts have one row, so nothing must be chosen: their texts are read straight from the files, and
-- only the other posts need memory.
create or replace {steps} internal.repeated as
select hash(uri) as uri_hash
from internal.shown
group by all
having count(*) > 1;

-- The rows of these posts, with the time at which their server deleted them. (A subquery instead of a join: DuckDB overestimates the
-- filters and would keep the larger side of a join in memory.)
create or replace view internal.seen as
select shown.*, (
    select deleted_at from internal.deletes deletes where deletes.server = shown.server and deletes.id = shown.id
) as deleted_at
from internal.shown shown
where hash(uri) in (from internal.repeated);

-- The rows of all other posts, without those that their server deleted.
create or replace view internal.single as
select *
from internal.shown shown
where hash(uri) not in (from internal.repeated) and (server, id) not in (select (server, id) from internal.deletes);

-- One row for each visible post with several rows: the position of its best version (in one of the files, if copies of a file lie there),
-- its first sighting that was not deleted, and its app.
create or replace {steps} internal.chosen as
select
    hash(uri) as uri_hash,
    max({
        'own': from_origin, 'edited_at': coalesce(edited_at, '-infinity'::timestamptz), 'observed_at': observed_at,
        'log': log, 'partition': log_partition, 'n': log_offset, 'copy': {copy}
    }) as version,
    min({'observed_at': observed_at, 'server': server, 'id': id}) filter (deleted_at is null) as first,
    case when bool_or(from_origin) then min(app) filter (from_origin) else min(app) end as app
from internal.seen
group by hash(uri)
having {is_visible};

-- The best versions of visible posts with several rows.
create or replace view internal.best as
select
    shown.*, chosen.first.server as first_server, chosen.first.id as first_id, chosen.first.observed_at as first_observed_at,
    chosen.app as best_app
from internal.shown shown
join internal.chosen chosen
    on chosen.version.log = shown.log and chosen.version.partition = shown.log_partition and chosen.version.n = shown.log_offset
    and chosen.version.copy = shown.{copy};

-- One row for each visible post.
create or replace view internal.post as
select *, server as first_server, id as first_id, observed_at as first_observed_at, app as best_app
from internal.single
union all
from internal.best;

-- One row for each (server, id, uri) of a visible post with several rows.
create or replace view internal.several_sighting as
select
    server, id, uri, min(observed_at) as observed_at, bool_or(from_origin) as from_origin, min(deleted_at) as deleted_at
from internal.seen
where hash(uri) in (select uri_hash from internal.chosen)
group by server, id, uri;

-- One row for each (server, id, uri) of a visible post.
create or replace view sightings as
select server, id, uri, observed_at, from_origin, null::timestamptz as deleted_at
from internal.single
union all
from internal.several_sighting;
