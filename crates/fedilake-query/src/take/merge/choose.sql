-- The batch's best version of each post, and the lake's rows of these posts.
create or replace temp table live as
select
    stage.rowid as r, stage.uri_hash, server.id as server, stage.native, stage.native_text, stage.own,
    coalesce(stage.edited_at, '-infinity'::timestamptz) as edited_at, stage.observed_at, standing.rank,
    stage.log_offset, stage.app, stage.content_hash, stage.author_hash, stage.author_user, stage.author_spelling
from stage
join server on server.name = stage.server
join standing on standing.id = stage.log_partition
where stage.kind = 0;

create or replace temp table repeated as select uri_hash from live group by uri_hash having count(*) > 1;

-- One row a uri.
create or replace temp table winner as
select live.*
from live
anti join repeated using (uri_hash)
union all by name
select newest.* replace (chosen.app as app)
from (
    select
        arg_max(r, {f: own, e: edited_at, o: observed_at, r: rank, n: log_offset}) as r,
        case when bool_or(own) then min(app) filter (own) else min(app) end as app
    from live
    semi join repeated using (uri_hash)
    group by uri_hash
) chosen
join live newest on newest.r = chosen.r;

create or replace temp table known as
select
    post.id, post.uri_hash, post.day, app.name as app, post.content_hash, post.server, post.native, post.native_text,
    post.observed_at, post.first_own, post.own, coalesce(post.edited_at, '-infinity'::timestamptz) as edited_at,
    coalesce(post.seen_at, post.observed_at) as seen_at, standing.rank, post.log_offset
from post
join matched on matched.id = post.id
join standing on standing.id = post.log_partition
left join app on app.id = post.app;
