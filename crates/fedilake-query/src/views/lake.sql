create view posts as
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
    case when p.tags = '' then [] else string_split(p.tags, chr(31)) end as tags,
    case when p.mentions = '' then [] else string_split(p.mentions, chr(31)) end as mentions,
    case when p.links = '' then [] else string_split(p.links, chr(31)) end as links,
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
    t.partition as log_partition,
    p.log_offset
from post p
join server s on s.id = p.server
join author a on a.id = p.author
join origin o on o.id = p.origin
join stream t on t.id = p.stream
left join language l on l.id = p.language
left join app y on y.id = p.app;

create view sightings as
select s.name as server, coalesce(g.native_text, g.native::varchar) as id, {uri} as uri, g.observed_at
from (
    select id as post, server, native, native_text, observed_at from post
    union all
    select post, server, native, native_text, observed_at from sighting
) g
join post p on p.id = g.post
join author a on a.id = p.author
join origin o on o.id = p.origin
join server s on s.id = g.server;
