-- What each staged row means for its post.
create or replace temp table live as
select
    stage.rowid as r, stage.uri_hash, server.id as server, stage.native, stage.native_text, stage.edited_at,
    stage.observed_at, stage.stream, standing.rank, stage.log_offset, stage.app, stage.content_hash
from stage
join server on server.name = stage.server
join (select id, rank() over (order by log, partition) as rank from stream) standing on standing.id = stage.stream
anti join tombstone using (uri_hash)
where stage.kind = 0;

-- One row a uri: the batch's winning version (row r of stage) and its first sighting.
create or replace temp table winner as
with repeated as (select uri_hash from live group by uri_hash having count(*) > 1)
select
    uri_hash, r, app, content_hash,
    {e: coalesce(edited_at, '-infinity'::timestamptz), o: observed_at, r: rank, n: log_offset} as version,
    {o: observed_at, r: rank, n: log_offset} as first,
    server, native, native_text, observed_at, stream as first_stream, log_offset as first_offset
from live
anti join repeated using (uri_hash)
union all
select
    best.uri_hash, version_r, best.app, newest.content_hash,
    version, first, earliest.server, earliest.native, earliest.native_text, earliest.observed_at, earliest.stream, earliest.log_offset
from (
    select
        uri_hash, min(app) as app,
        arg_max(r, {e: coalesce(edited_at, '-infinity'::timestamptz), o: observed_at, r: rank, n: log_offset}) as version_r,
        max({e: coalesce(edited_at, '-infinity'::timestamptz), o: observed_at, r: rank, n: log_offset}) as version,
        arg_min(r, {o: observed_at, r: rank, n: log_offset}) as first_r,
        min({o: observed_at, r: rank, n: log_offset}) as first
    from live
    semi join repeated using (uri_hash)
    group by uri_hash
) best
join live as newest on newest.r = version_r
join live as earliest on earliest.r = first_r;

-- The lake's state of those posts that it has.
create or replace temp table known as
select
    post.id, post.uri_hash, post.day, app.name as app, post.content_hash, post.server, post.native, post.native_text,
    post.observed_at, post.first_stream, post.first_offset,
    {e: coalesce(post.edited_at, '-infinity'::timestamptz), o: post.seen_at, r: newest.rank, n: post.log_offset} as version,
    {o: post.observed_at, r: earliest.rank, n: post.first_offset} as first
from post
join winner using (uri_hash)
join (select id, rank() over (order by log, partition) as rank from stream) newest on newest.id = post.stream
join (select id, rank() over (order by log, partition) as rank from stream) earliest on earliest.id = post.first_stream
left join app on app.id = post.app;

-- `what`: insert a new post, rewrite a known one, recount it (its content is the same), or only see it once more.
create or replace temp table change as
select
    winner.r, winner.uri_hash, known.day as old_day,
    coalesce(known.id, (select coalesce(max(id) + 1, 0) from post) + row_number() over (partition by known.id is null order by winner.r) - 1) as id,
    least(winner.app, known.app) as app,
    case
        when known.id is null then 'insert'
        when winner.version > known.version and winner.content_hash = known.content_hash
            and least(winner.app, known.app) is not distinct from known.app then 'recount'
        when winner.version > known.version then 'rewrite'
        when least(winner.app, known.app) is distinct from known.app then 'name'
        else 'see'
    end as what,
    known.id is null or winner.first < known.first as earlier,
    case when earlier then winner.server else known.server end as server,
    case when earlier then winner.native else known.native end as native,
    case when earlier then winner.native_text else known.native_text end as native_text,
    case when earlier then winner.observed_at else known.observed_at end as observed_at,
    case when earlier then winner.first_stream else known.first_stream end as first_stream,
    case when earlier then winner.first_offset else known.first_offset end as first_offset
from winner
left join known using (uri_hash);
