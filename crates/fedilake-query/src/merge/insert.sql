insert into post
select
    change.id, stage.uri_hash, stage.created_at, stage.day, stage.hour, change.author, change.origin, language.id, app.id,
    stage.bot, stage.characters,
    change.server, change.native, change.native_text, change.observed_at, change.first_stream, nullif(change.first_offset, stage.log_offset),
    stage.edited_at, nullif(stage.observed_at, change.observed_at), stage.stream, stage.log_offset, stage.content_hash,
    stage.favourites, stage.reblogs, stage.replies, stage.author_followers,
    stage.uri, stage.uri_number, stage.url, stage.text, stage.spoiler_text, stage.words, stage.tags, stage.mentions, stage.links, stage.media,
    stage.media_described, stage.poll, stage.in_reply_to, stage.quote_uri, stage.sensitive, stage.author_indexable
from stage
join change on change.r = stage.rowid
left join language on language.name = stage.language
left join app on app.name = change.app
where change.what in ('insert', 'rewrite');

update numbering set next = next + (select count(*) from stage);

insert into touched select stage.day, max(stage.observed_at) from change join stage on stage.rowid = change.r where change.what in ('insert', 'rewrite') group by stage.day;
