-- Posts that are visible again and were not written again.
create or replace temp table restored as
select returned.id
from returned
anti join (from change where what = 'rewrite') written using (id);

insert into touched select distinct post.day, null::timestamptz from post semi join restored using (id);

insert into topic_hit
select topic.id, hit.id, hit.created_at, hit.day, hit.origin, hit.language, hit.server, hit.app, hit.bot
from (select id, created_at, day, origin, language, server, app, bot, {topics} as topics from post semi join restored using (id)) hit
join topic on (hit.topics >> topic.id) & 1 = 1;
