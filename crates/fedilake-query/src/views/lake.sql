create view internal.version as
select
    s.name as server,
    coalesce(p.native_text, p.native::varchar) as id,
    {uri} as uri,
    case when p.url is null then replace(replace({uri}, '/users/', '/@'), '/statuses/', '/') else nullif(p.url, '') end as url,
    p.created_at,
    p.edited_at,
    p.observed_at,
    a.name as author,
    o.name as author_domain,
    p.bot as author_bot,
    p.author_followers,
    p.author_indexable,
    l.name as language,
    p.text,
    p.spoiler_text,
    p.characters,
    p.words,
    p.tags,
    p.mentions,
    p.links,
    p.media,
    p.media_described,
    p.poll,
    p.in_reply_to,
    p.quote_uri,
    y.name as app,
    p.sensitive,
    p.favourites,
    p.reblogs,
    p.replies,
    coalesce(p.reply_native_text, p.reply_native::varchar) as in_reply_to_id,
    p.in_reply_to_author,
    p.media_types,
    p.own as from_origin,
    t.partition as log_partition,
    p.log_offset,
    p.seen_server,
    p.reply_native
from internal.post p
join internal.server s on s.id = p.server
join internal.author a on a.id = p.author
join internal.origin o on o.id = p.origin
join internal.stream t on t.id = p.stream
left join internal.language l on l.id = p.language
left join internal.app y on y.id = p.app;

create view posts as
select * exclude (seen_server, reply_native) from internal.version;

create view sightings as
select
    s.name as server, coalesce(g.native_text, g.native::varchar) as id, {uri} as uri, g.observed_at, g.own as from_origin,
    g.deleted_at
from (
    -- The first sighting of a visible post was never deleted.
    select id as post, server, native, native_text, observed_at, first_own as own, null::timestamptz as deleted_at
    from internal.post
    union all
    select g.post, g.server, g.native, g.native_text, g.observed_at, g.own, d.deleted_at
    from internal.sighting g
    left join internal.deleted d on d.server = g.server and d.native = g.native
) g
join internal.post p on p.id = g.post
join internal.author a on a.id = p.author
join internal.origin o on o.id = p.origin
join internal.server s on s.id = g.server;

create view replies as
select
    v.uri, place.parent.uri as parent_uri, v.author,
    coalesce(place.parent.author, known.name, v.in_reply_to_author, case when v.in_reply_to = 'self' then v.author end) as parent_author,
    v.created_at, v.server, v.in_reply_to
from (from internal.version where in_reply_to_id is not null or in_reply_to <> 'none') v
left join (
    select g.server, g.native, min({'uri': {uri}, 'author': a.name}) as parent
    from (
        select id as post, server, native from internal.post
        union all
        select post, server, native from internal.sighting
    ) g
    join internal.post p on p.id = g.post
    join internal.author a on a.id = p.author
    join internal.origin o on o.id = p.origin
    semi join (select seen_server as server, reply_native as native from internal.post where reply_native is not null) asked
        on asked.server = g.server and asked.native = g.native
    group by g.server, g.native
) place on place.server = v.seen_server and place.native = v.reply_native
left join internal.author known
    on known.hash = hash(lower(v.in_reply_to_author), lower(split_part(v.in_reply_to_author, '@', -1)));
