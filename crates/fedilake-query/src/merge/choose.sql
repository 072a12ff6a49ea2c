-- What each staged row means for its post.
create or replace temp table live as
select
    stage.rowid as r, stage.uri_hash, server.id as server, stage.native, stage.native_text,
    coalesce(stage.edited_at, '-infinity'::timestamptz) as edited_at, stage.observed_at, stage.stream, standing.rank,
    stage.log_offset, stage.app, stage.content_hash
from stage
join server on server.name = stage.server
join (select id, rank() over (order by log, partition) as rank from stream) standing on standing.id = stage.stream
anti join tombstone using (uri_hash)
where stage.kind = 0;

create or replace temp table repeated as select uri_hash from live group by uri_hash having count(*) > 1;

-- One row a uri: the batch's winning version (row r of stage) and its first sighting (row first_r).
create or replace temp table winner as
select uri_hash, r, r as first_r, app from live anti join repeated using (uri_hash)
union all
select
    uri_hash,
    arg_max(r, {e: edited_at, o: observed_at, r: rank, n: log_offset}),
    arg_min(r, {o: observed_at, r: rank, n: log_offset}),
    min(app)
from live
semi join repeated using (uri_hash)
group by uri_hash;

-- The lake's state of those posts that it has. Found by two narrow columns first: the join reads every post.
create or replace temp table matched as
select post.id, post.uri_hash from post join winner using (uri_hash);

create or replace temp table known as
select
    post.id, post.uri_hash, post.day, app.name as app, post.content_hash, post.server, post.native, post.native_text,
    post.observed_at, post.first_stream, coalesce(post.first_offset, post.log_offset) as first_offset, earliest.rank as first_rank,
    coalesce(post.edited_at, '-infinity'::timestamptz) as edited_at, coalesce(post.seen_at, post.observed_at) as seen_at,
    newest.rank, post.log_offset
from post
join matched on matched.id = post.id
join (select id, rank() over (order by log, partition) as rank from stream) newest on newest.id = post.stream
join (select id, rank() over (order by log, partition) as rank from stream) earliest on earliest.id = post.first_stream
left join app on app.id = post.app;

-- `what`: insert a new post, rewrite a known one, recount it (its content is the same), name its app, or only see it.
-- About in the rows' order, so that posts lie as they came: columns that grow with time compress better. The author is
-- looked up here, where rows are narrow, and not while posts are written: with more authors than rows the join loses the order.
create or replace temp table change as
select change.*, author.id as author, author.origin
from (
    select
        winner.r, winner.uri_hash, null::integer as old_day,
        (select next from numbering) + winner.r as id,
        winner.app, 'insert' as what, true as earlier,
        first.server, first.native, first.native_text, first.observed_at, first.stream as first_stream, first.log_offset as first_offset
    from winner
    join live as first on first.r = winner.first_r
    anti join known on known.uri_hash = winner.uri_hash
    union all
    select
        winner.r, winner.uri_hash, known.day,
        known.id,
        least(winner.app, known.app),
        case
            when (newest.edited_at, newest.observed_at, newest.rank, newest.log_offset) > (known.edited_at, known.seen_at, known.rank, known.log_offset)
            then
                case
                    when newest.content_hash = known.content_hash and least(winner.app, known.app) is not distinct from known.app
                    then 'recount'
                    else 'rewrite'
                end
            when least(winner.app, known.app) is distinct from known.app then 'name'
            else 'see'
        end,
        (first.observed_at, first.rank, first.log_offset) < (known.observed_at, known.first_rank, known.first_offset) as sooner,
        case when sooner then first.server else known.server end,
        case when sooner then first.native else known.native end,
        case when sooner then first.native_text else known.native_text end,
        case when sooner then first.observed_at else known.observed_at end,
        case when sooner then first.stream else known.first_stream end,
        case when sooner then first.log_offset else known.first_offset end
    from known
    join winner using (uri_hash)
    join live as newest on newest.r = winner.r
    join live as first on first.r = winner.first_r
) change
join stage on stage.rowid = change.r
join author on author.hash = stage.author_hash
order by change.r;
