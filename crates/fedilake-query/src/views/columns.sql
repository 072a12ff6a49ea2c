select
    null::varchar as kind, null::varchar as server, null::varchar as id, null::varchar as uri, null::varchar as url,
    null::timestamptz as created_at, null::timestamptz as edited_at, null::timestamptz as observed_at,
    null::timestamptz as appended_at, null::varchar as author, null::varchar as author_domain,
    null::timestamptz as author_created_at, null::boolean as author_bot, null::bigint as author_followers,
    null::boolean as author_indexable, null::varchar as language, null::varchar as text, null::varchar as spoiler_text,
    null::integer as characters, null::integer as words, null::varchar[] as tags, null::varchar[] as mentions,
    null::varchar[] as links, null::integer as media, null::integer as media_described, null::boolean as poll,
    null::varchar as in_reply_to, null::varchar as quote_uri, null::varchar as app, null::varchar as visibility,
    null::boolean as sensitive, null::integer as favourites, null::integer as reblogs, null::integer as replies,
    null::integer as log_partition, null::bigint as log_offset, null::varchar as rejected_reason,
    null::blob as rejected_bytes
where false
