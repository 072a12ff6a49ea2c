-- A hash for each row of the views, as the same columns of the lake give it.
create or replace view internal.posts_hash as
select
    p.uri,
    hash(p.uri, p.content, p.first_server, p.first_id, p.first_observed_at, coalesce(spelling.name, p.author), p.best_app) as hash
from internal.post p
left join internal.spelling spelling on spelling.person = lower(p.author) and spelling.domain = p.author_domain;

create or replace view internal.sightings_hash as
select uri, hash(uri, server, id, observed_at, from_origin, deleted_at) as hash from sightings;
