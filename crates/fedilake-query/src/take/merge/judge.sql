-- Whether all deletes together hide each of the accused posts.
-- The sightings are found first: DuckDB would build a hash table of every delete, since it cannot know how few they are.
create or replace temp table sightings as
select post.id, post.server, post.native, post.native_text, post.observed_at, post.first_own as own
from post
semi join accused using (id)
union all
select sighting.post, sighting.server, sighting.native, sighting.native_text, sighting.observed_at, sighting.own
from sighting
semi join accused on accused.id = sighting.post;

create or replace temp table verdict as
select
    s.id, {visible} as is_visible, {buried} as is_buried,
    arg_min(
        {server: s.server, native: s.native, native_text: s.native_text, observed_at: s.observed_at, own: s.own},
        {d: deleted.server is not null, o: s.observed_at, s: server.name, i: coalesce(s.native_text, s.native::varchar)}
    ) as f
from sightings s
join server on server.id = s.server
left join deleted on deleted.server = s.server and deleted.native = s.native
group by s.id;

create or replace temp table dead as
select post.id, post.uri_hash, post.day, verdict.is_buried
from post
join verdict on verdict.id = post.id
where not verdict.is_visible;

-- Of the posts that stay: those whose first sighting was deleted.
create or replace temp table passed as
select post.id, post.day, post.server, post.native, post.native_text, post.observed_at, post.first_own, verdict.f
from post
join verdict on verdict.id = post.id
where verdict.is_visible and (post.server, post.native) is distinct from (verdict.f.server, verdict.f.native);
