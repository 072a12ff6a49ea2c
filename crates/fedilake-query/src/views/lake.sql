-- Authors with the user name from which uris are made, found once for all of an author's posts.
create view internal.named_author as
select
    id, name, split_part(coalesce(uri_name, name), '@', 1) as user_name,
    -- Nothing in such a name is replaced when a uri becomes a url.
    not contains(user_name, '/') as is_plain
from internal.author;

create view internal.host as
select id, name, not contains(name, '/') as is_plain
from internal.origin;

create view internal.version as
select
    s.name as server,
    coalesce(p.native_text, p.native::varchar) as id,
    {uri} as uri,
    -- Of most posts uri and url are made of the same parts; replacing them in the uri takes as long as reading all else.
    case
        when p.url is not null then nullif(p.url, '')
        when p.uri is null and a.is_plain and o.is_plain then 'https://' || o.name || '/@' || a.user_name || '/' || {number}
        else replace(replace({uri}, '/users/', '/@'), '/statuses/', '/')
    end as url,
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
    p.reply_native,
    p.uri_hash,
    p.first_own
from internal.post p
join internal.server s on s.id = p.server
join internal.named_author a on a.id = p.author
join internal.host o on o.id = p.origin
join internal.log_partition t on t.id = p.log_partition
left join internal.language l on l.id = p.language
left join internal.app y on y.id = p.app;

create view posts as
select * exclude (seen_server, reply_native, uri_hash, first_own) from internal.version;

-- The sightings of visible posts after each one's first.
create view internal.later_sighting as
select
    s.name as server, coalesce(g.native_text, g.native::varchar) as id, {uri} as uri, g.observed_at, g.own as from_origin,
    d.deleted_at, p.uri_hash
from internal.sighting g
left join internal.deleted d on d.server = g.server and d.native = g.native
join internal.post p on p.id = g.post
join internal.named_author a on a.id = p.author
join internal.origin o on o.id = p.origin
join internal.server s on s.id = g.server;

create view sightings as
-- The first sighting of a visible post was never deleted.
select
    s.name as server, coalesce(p.native_text, p.native::varchar) as id, {uri} as uri, p.observed_at, p.first_own as from_origin,
    null::timestamptz as deleted_at
from internal.post p
join internal.named_author a on a.id = p.author
join internal.origin o on o.id = p.origin
join internal.server s on s.id = p.server
union all
select server, id, uri, observed_at, from_origin, deleted_at from internal.later_sighting;

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
    join internal.named_author a on a.id = p.author
    join internal.origin o on o.id = p.origin
    semi join (select seen_server as server, reply_native as native from internal.post where reply_native is not null) asked
        on asked.server = g.server and asked.native = g.native
    group by g.server, g.native
) place on place.server = v.seen_server and place.native = v.reply_native
left join internal.author known
    on known.hash = hash(lower(v.in_reply_to_author), lower(split_part(v.in_reply_to_author, '@', -1)));

-- Hidden posts, in the lake's numbers: when and where each was first shown, and when its own server deleted it, or the first that did.
create view internal.hidden as
select
    p.id, told.first.server, told.first.observed_at, told.deleted_at, p.created_at, p.origin, p.language, p.app, p.bot
from internal.withheld p
join (
    select
        g.post, min({'observed_at': g.observed_at, 'name': s.name, 'server': s.id}) as first,
        coalesce(min(d.deleted_at) filter (g.own), min(d.deleted_at)) as deleted_at
    from (
        select id as post, server, native, observed_at, first_own as own from internal.withheld
        union all
        select post, server, native, observed_at, own from internal.sighting semi join internal.withheld w on w.id = post
    ) g
    join internal.server s on s.id = g.server
    left join internal.deleted d on d.server = g.server and d.native = g.native
    group by g.post
) told on told.post = p.id;

create view deletes as
select
    s.name as server, p.created_at, p.observed_at, p.deleted_at, o.name as author_domain, p.bot as author_bot,
    l.name as language, y.name as app
from internal.hidden p
join internal.server s on s.id = p.server
join internal.origin o on o.id = p.origin
left join internal.language l on l.id = p.language
left join internal.app y on y.id = p.app;

-- Tags that were in a version of a post which another replaced have numbers too.
create view languages as
select name as tag, counted as name
from internal.language
where id in (select language from internal.post union all select language from internal.withheld);

create view gaps as
select server, from_at, to_at, to_at is not null as filled from internal.gap;

create view skips as
select server, hour, reason, events from internal.skip;
