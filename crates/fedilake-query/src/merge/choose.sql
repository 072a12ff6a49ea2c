-- What each staged row means for its post.
create or replace temp table live as
select
    stage.rowid as r, stage.uri_hash, server.id as server, stage.native, stage.native_text,
    coalesce(stage.edited_at, '-infinity'::timestamptz) as edited_at, stage.observed_at, stage.stream, standing.rank,
    stage.log_offset, stage.app, stage.content_hash, stage.author_hash
from stage
join server on server.name = stage.server
join standing on standing.id = stage.stream
anti join tombstone using (uri_hash)
where stage.kind = 0;

create or replace temp table repeated as select uri_hash from live group by uri_hash having count(*) > 1;

-- One row a uri: the batch's winning version (row r of stage) and its first sighting.
create or replace temp table winner as
select
    uri_hash, app, r, author_hash, content_hash, edited_at, observed_at as seen_at, rank, log_offset,
    server, native, native_text, observed_at, stream as first_stream, rank as first_rank, log_offset as first_offset
from live
anti join repeated using (uri_hash)
union all
select
    chosen.uri_hash, chosen.app, newest.r, newest.author_hash, newest.content_hash, newest.edited_at, newest.observed_at, newest.rank, newest.log_offset,
    first.server, first.native, first.native_text, first.observed_at, first.stream, first.rank, first.log_offset
from (
    select
        uri_hash,
        arg_max(r, {e: edited_at, o: observed_at, r: rank, n: log_offset}) as newest_r,
        arg_min(r, {o: observed_at, r: rank, n: log_offset}) as first_r,
        min(app) as app
    from live
    semi join repeated using (uri_hash)
    group by uri_hash
) chosen
join live newest on newest.r = chosen.newest_r
join live first on first.r = chosen.first_r;

-- The lake's state of those posts that it has.
create or replace temp table known as
select
    post.id, post.uri_hash, post.day, app.name as app, post.content_hash, post.server, post.native, post.native_text,
    post.observed_at, post.first_stream, coalesce(post.first_offset, post.log_offset) as first_offset, earliest.rank as first_rank,
    coalesce(post.edited_at, '-infinity'::timestamptz) as edited_at, coalesce(post.seen_at, post.observed_at) as seen_at,
    newest.rank, post.log_offset
from post
join matched on matched.id = post.id
join standing newest on newest.id = post.stream
join standing earliest on earliest.id = post.first_stream
left join app on app.id = post.app;

-- `what`: insert a new post, rewrite a known one, recount it (its content is the same), name its app, or only see it.
-- About in the rows' order, so that posts lie as they came: columns that grow with time compress better. The author is
-- looked up here, where rows are narrow, and not while posts are written: with more authors than rows the join loses the order.
create or replace temp table change as
select
    winner.r, winner.uri_hash, known.day as old_day,
    coalesce(known.id, (select next from numbering) + winner.r) as id,
    author.id as author, author.origin,
    least(winner.app, known.app) as app,
    case
        when known.id is null then 'insert'
        when (winner.edited_at, winner.seen_at, winner.rank, winner.log_offset) > (known.edited_at, known.seen_at, known.rank, known.log_offset)
        then
            case
                when winner.content_hash = known.content_hash and least(winner.app, known.app) is not distinct from known.app
                then 'recount'
                else 'rewrite'
            end
        when least(winner.app, known.app) is distinct from known.app then 'name'
        else 'see'
    end as what,
    known.id is null
        or (winner.observed_at, winner.first_rank, winner.first_offset) < (known.observed_at, known.first_rank, known.first_offset) as earlier,
    case when earlier then winner.server else known.server end as server,
    case when earlier then winner.native else known.native end as native,
    case when earlier then winner.native_text else known.native_text end as native_text,
    case when earlier then winner.observed_at else known.observed_at end as observed_at,
    case when earlier then winner.first_stream else known.first_stream end as first_stream,
    case when earlier then winner.first_offset else known.first_offset end as first_offset
from winner
left join known on known.uri_hash = winner.uri_hash
join author on author.hash = winner.author_hash
order by winner.r;
