-- Mentions of followed words in new and rewritten posts.
insert into topic_hit
select topic.id, change.id, stage.created_at, stage.day, change.origin, language.id, change.server, app.id, stage.bot
from stage
join change on change.r = stage.rowid
join topic on (stage.topics >> topic.id) & 1 = 1
left join language on language.name = stage.language
left join app on app.name = change.named_app
where stage.topics <> 0 and change.what in ('insert', 'rewrite');
