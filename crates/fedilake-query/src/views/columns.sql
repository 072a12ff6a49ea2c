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

-- One row for each post that deletes hide, without what would name it or its author: server and observed_at are those of its first sighting,
-- deleted_at is the time at which its own server deleted it, or at which the first server did.
create or replace view deletes as
select
    first.server as server, version.created_at as created_at, first.observed_at as observed_at, deleted_at,
    version.author_domain as author_domain, version.author_bot as author_bot, version.language as language, app
from (
    select
        min({'observed_at': shown.observed_at, 'server': shown.server}) as first,
        coalesce(min(gone.deleted_at) filter (shown.from_origin), min(gone.deleted_at)) as deleted_at,
        arg_max(
            {
                'created_at': shown.created_at, 'author_domain': shown.author_domain,
                'author_bot': coalesce(shown.author_bot, false), 'language': shown.language
            },
            {
                'own': shown.from_origin, 'edited_at': coalesce(shown.edited_at, '-infinity'::timestamptz),
                'observed_at': shown.observed_at, 'log': shown.log, 'partition': shown.log_partition, 'n': shown.log_offset
            }
        ) as version,
        case when bool_or(shown.from_origin) then min(shown.app) filter (shown.from_origin) else min(shown.app) end as app
    from internal.shown shown
    left join internal.deletes gone on gone.server = shown.server and gone.id = shown.id
    where hash(shown.uri) in (
        select hash(named.uri)
        from internal.shown named
        semi join internal.deletes known on known.server = named.server and known.id = named.id
    )
    group by hash(shown.uri)
    having not ({is_visible_post})
);

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

-- The table has no word of what its collectors could not read: the log keeps it, and a lake is told.
create or replace view gaps as
select null::varchar as server, null::timestamptz as from_at, null::timestamptz as to_at, null::boolean as filled
where false;

create or replace view skips as
select null::varchar as server, null::timestamptz as hour, null::varchar as reason, null::bigint as events
where false;
