-- What to do with each staged row, at the same place, and null where nothing is written. Looked up here, where rows are narrow: posts are
-- then written in the order in which they came, by which their times, ids and texts compress better.
create or replace temp table placed as
select change.*, language.id as language, app.id as app
from stage
left join (from change where what in ('insert', 'rewrite')) change on change.r = stage.rowid
left join language on language.name = stage.language
left join app on app.name = change.named_app
order by stage.rowid;

insert into post by name
select
    placed.id, stage.uri_hash, stage.created_at, stage.day, stage.hour, placed.author, placed.origin, placed.language,
    placed.app, stage.bot, stage.characters,
    placed.server, placed.native, placed.native_text, placed.observed_at, placed.first_own,
    stage.own, placed.seen_server, stage.edited_at, nullif(stage.observed_at, placed.observed_at) as seen_at, stage.log_partition,
    stage.log_offset, stage.content_hash,
    stage.favourites, stage.reblogs, stage.replies, stage.author_followers,
    case
        when placed.otherwise_spelled and stage.uri is null
        then 'https://' || stage.author_domain || '/users/' || stage.author_user || '/statuses/' || xor(stage.uri_number, {snowflake})
        else stage.uri
    end as uri,
    case when not placed.otherwise_spelled then stage.uri_number end as uri_number,
    stage.url, stage.text, stage.spoiler_text, stage.words, stage.tags, stage.mentions, stage.links, stage.media,
    stage.media_described, stage.poll, stage.in_reply_to, stage.quote_uri, stage.sensitive, stage.author_indexable,
    stage.reply_native, stage.reply_native_text, stage.in_reply_to_author, stage.media_types
from stage
positional join placed
where placed.id is not null;

update numbering set next = next + (select count(*) from stage);

insert into touched
select stage.day, max(stage.observed_at)
from stage
positional join placed
where placed.id is not null
group by stage.day;
