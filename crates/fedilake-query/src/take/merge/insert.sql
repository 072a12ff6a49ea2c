insert into post by name
select
    change.id, stage.uri_hash, stage.created_at, stage.day, stage.hour, change.author, change.origin, language.id as language,
    app.id as app, stage.bot, stage.characters,
    change.server, change.native, change.native_text, change.observed_at, change.first_own,
    stage.own, change.seen_server, stage.edited_at, nullif(stage.observed_at, change.observed_at) as seen_at, stage.log_partition,
    stage.log_offset, stage.content_hash,
    stage.favourites, stage.reblogs, stage.replies, stage.author_followers,
    case
        when change.otherwise_spelled and stage.uri is null
        then 'https://' || stage.author_domain || '/users/' || stage.author_user || '/statuses/' || xor(stage.uri_number, {snowflake})
        else stage.uri
    end as uri,
    case when not change.otherwise_spelled then stage.uri_number end as uri_number,
    stage.url, stage.text, stage.spoiler_text, stage.words, stage.tags, stage.mentions, stage.links, stage.media,
    stage.media_described, stage.poll, stage.in_reply_to, stage.quote_uri, stage.sensitive, stage.author_indexable,
    stage.reply_native, stage.reply_native_text, stage.in_reply_to_author, stage.media_types
from stage
join change on change.r = stage.rowid
left join language on language.name = stage.language
left join app on app.name = change.named_app
where change.what in ('insert', 'rewrite');

update numbering set next = next + (select count(*) from stage);

insert into touched
select stage.day, max(stage.observed_at)
from change
join stage on stage.rowid = change.r
where change.what in ('insert', 'rewrite')
group by stage.day;
