-- Every row of the table, with the log that the file's own folders name: one further up may be called log=… too. Columns that
-- the files do not have yet are null.
create or replace view table_rows as
select * exclude (filename), regexp_extract(filename, '(?:^|[/\\])log=([^/\\]+)(?:[/\\]partition=[^/\\]+)?[/\\][^/\\]+$', 1) as log
from (
{columns}
    union all by name
    select * from read_parquet({files}, union_by_name = true, hive_partitioning = false, filename = true)
);

-- A row for each time that a server showed a post which no server has deleted. A row that does not say when its post was
-- made counts as made when it was seen.
create or replace view visible_rows as
with shown as (
    select * replace (coalesce(created_at, observed_at) as created_at)
    from table_rows
    where kind in ('created', 'edited')
        and uri is not null and server is not null and id is not null
        and observed_at is not null and author is not null and author_domain is not null
)
select *
from shown
where uri not in (
    select uri
    from shown
    semi join (select server, id from table_rows where kind = 'deleted') using (server, id)
);

-- One row a post: of the greatest (edited_at, observed_at, log position); server, id and observed_at are the first
-- sighting's; app is the one that any server names, for only the author's own server knows it.
create or replace view posts as
with post as (
    select
        uri,
        arg_max(
            row(log, log_partition, log_offset),
            row(coalesce(edited_at, '-infinity'::timestamptz), observed_at, log, log_partition, log_offset)
        ) as version,
        arg_min(row(server, id, observed_at), row(observed_at, log, log_partition, log_offset)) as first,
        min(app) as app
    from visible_rows
    group by uri
)
select
    first[1] as server, first[2] as id, r.uri, nullif(r.url, '') as url, r.created_at, r.edited_at,
    first[3] as observed_at, r.author, r.author_domain,
    coalesce(r.author_bot, false) as author_bot, r.author_followers, r.author_indexable, r.language, r.text,
    r.spoiler_text, coalesce(r.characters, 0) as characters, r.words, r.tags, r.mentions, r.links, r.media, r.media_described, r.poll,
    r.in_reply_to, r.quote_uri, post.app, r.sensitive, r.favourites, r.reblogs, r.replies,
    r.log_partition, r.log_offset
from visible_rows r
join post on row(r.log, r.log_partition, r.log_offset) = post.version;

-- One row for each (server, id, uri) of a visible post, with its first time.
create or replace view sightings as
select server, id, uri, min(observed_at) as observed_at
from visible_rows
group by all;
