-- Mentions of followed words in new and rewritten posts.
insert into topic_hit
select topic.id, placed.id, stage.created_at, stage.day, placed.origin, placed.language, placed.server, placed.app, stage.bot
from stage
positional join placed
join topic on (stage.topics >> topic.id) & 1 = 1
where stage.topics <> 0 and placed.id is not null;
