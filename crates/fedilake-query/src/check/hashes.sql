-- A hash for each row of the views, as the same columns of the lake give it: of posts with one row both at once, of others each by itself.
create or replace view internal.single_hash as
select
    p.uri, hash(p.place, p.uri, p.content, p.app, coalesce(spelling.name, p.author)) as post,
    hash(p.place, p.from_origin, null::timestamptz) as sighting
from (select *, hash(uri, server, id, observed_at) as place from internal.single) p
left join internal.spelling spelling on spelling.person = p.person;

create or replace view internal.best_hash as
select
    p.uri,
    hash(
        hash(p.uri, p.first_server, p.first_id, p.first_observed_at), p.uri, p.content, p.best_app, coalesce(spelling.name, p.author)
    ) as post
from internal.best p
left join internal.spelling spelling on spelling.person = p.person;

create or replace view internal.several_hash as
select uri, hash(hash(uri, server, id, observed_at), from_origin, deleted_at) as sighting
from internal.several_sighting;

create or replace view internal.posts_hash as
select uri, post as hash from internal.single_hash union all from internal.best_hash;

create or replace view internal.sightings_hash as
select uri, sighting as hash from internal.single_hash union all from internal.several_hash;
