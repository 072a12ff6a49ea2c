create schema if not exists internal;

-- Every row of the table, with the log from the last folder log=… in the file's path. Columns that a file lacks are null; unknown
-- columns are left out.
create or replace view internal.table_rows as
select
    {columns},
    regexp_extract(file_of_table, '(?:^|[/\\])log=([^/\\]+)(?:[/\\]partition=[^/\\]+)?[/\\][^/\\]+$', 1) as log
from (
    select {typed}, null::varchar as file_of_table where false
    union all by name
    select * from read_parquet({files}, union_by_name = true, hive_partitioning = false, filename = 'file_of_table')
);

-- One row for each time that a server showed a post.
create or replace view internal.shown as
select {shown}
from internal.table_rows
where {is_shown};

-- The time at which a server first deleted the post with this id.
create or replace view internal.deletes as
select {name_of_server} as server, id, min({deleted_at}) as deleted_at
from internal.table_rows
where {is_delete}
group by all;

-- Posts with more than one row. Most posts have one row, so nothing must be chosen: their texts are read straight from the files, and
-- only the other posts need memory.
create or replace view internal.repeated as
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

-- One row for each visible post with several rows: the position of its best version, its first sighting that was not deleted, and its app.
create or replace view internal.chosen as
select
    hash(uri) as uri_hash,
    max({
        'own': from_origin, 'edited_at': coalesce(edited_at, '-infinity'::timestamptz), 'observed_at': observed_at,
        'log': log, 'partition': log_partition, 'n': log_offset
    }) as version,
    min({'observed_at': observed_at, 'server': server, 'id': id}) filter (deleted_at is null) as first,
    case when bool_or(from_origin) then min(app) filter (from_origin) else min(app) end as app
from internal.seen
group by hash(uri)
having {is_visible};

-- One row for each visible post.
create or replace view internal.post as
select *, server as first_server, id as first_id, observed_at as first_observed_at, app as best_app
from internal.single
union all
select
    shown.*, chosen.first.server as first_server, chosen.first.id as first_id, chosen.first.observed_at as first_observed_at,
    chosen.app as best_app
from internal.shown shown
join internal.chosen chosen
    on chosen.version.log = shown.log and chosen.version.partition = shown.log_partition and chosen.version.n = shown.log_offset;

-- One spelling for each author: that of the own server, else the first by code points.
create or replace view internal.author as
select
    lower(author) as person, author_domain as domain,
    coalesce(min(author) filter (from_origin), min(author)) as name, min(author) <> max(author) as has_several
from internal.shown
group by all;

-- The visible posts with the columns of `posts`, and the server that showed the version.
create or replace view internal.version as
select
    p.first_server as server, p.first_id as id, p.uri, nullif(p.url, '') as url, p.created_at, p.edited_at,
    p.first_observed_at as observed_at, coalesce(author.name, p.author) as author, p.author_domain,
    coalesce(p.author_bot, false) as author_bot, p.author_followers, p.author_indexable, p.language, p.text,
    p.spoiler_text, coalesce(p.characters, 0) as characters, p.words, p.tags, p.mentions, p.links, p.media, p.media_described, p.poll,
    p.in_reply_to, p.quote_uri, p.best_app as app, p.sensitive, p.favourites, p.reblogs, p.replies,
    p.in_reply_to_id, p.in_reply_to_author, p.media_types, p.from_origin,
    p.log_partition, p.log_offset, p.server as shown_by
from internal.post p
left join (from internal.author where has_several) author
    on author.person = lower(p.author) and author.domain = p.author_domain;

create or replace view posts as
select * exclude (shown_by) from internal.version;

-- One row for each (server, id, uri) of a visible post.
create or replace view sightings as
select server, id, uri, observed_at, from_origin, null::timestamptz as deleted_at
from internal.single
union all
select
    server, id, uri, min(observed_at) as observed_at, bool_or(from_origin) as from_origin, min(deleted_at) as deleted_at
from internal.seen
where hash(uri) in (select uri_hash from internal.chosen)
group by server, id, uri;

-- One row for each visible post that answers another.
create or replace view replies as
select
    v.uri, place.parent.uri as parent_uri, v.author,
    coalesce(place.parent.author, known.name, v.in_reply_to_author, case when v.in_reply_to = 'self' then v.author end) as parent_author,
    v.created_at, v.server, v.in_reply_to
from (from internal.version where in_reply_to_id is not null or in_reply_to <> 'none') v
left join (
    select s.server, s.id, min({'uri': p.uri, 'author': p.author}) as parent
    from sightings s
    semi join (
        select shown_by as server, in_reply_to_id as id from internal.version where in_reply_to_id is not null
    ) asked on asked.server = s.server and asked.id = s.id
    join posts p on p.uri = s.uri
    group by s.server, s.id
) place on place.server = v.shown_by and place.id = v.in_reply_to_id
left join internal.author known
    on known.person = lower(v.in_reply_to_author) and known.domain = lower(split_part(v.in_reply_to_author, '@', -1));
