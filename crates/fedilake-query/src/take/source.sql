-- The rows of some files in the form that the merge needs: expensive work on names and texts is done here, in parallel.
select
    {log_partition}::integer as log_partition,
    log_offset,
    sort::utinyint as kind,
    coalesce(rejected_reason, 'incomplete') as reason,
    server,
    from_origin as own,
    -- Most ids are numbers; any other id becomes a negative hash and a text.
    case when id_number >= 0 and id_number::varchar = id then id_number else -1 - (hash(id) >> 2)::bigint end as native,
    case when id_number >= 0 and id_number::varchar = id then null else id end as native_text,
    hash(uri) as uri_hash,
    created_at,
    floor(epoch_ms(created_at) / 86400000)::integer as day,
    ((floor(epoch_ms(created_at) / 3600000)::bigint % 24 + 24) % 24)::integer as hour,
    author,
    author_domain,
    hash(lower(author), author_domain) as author_hash,
    split_part(author, '@', 1) as author_user,
    hash(author) as author_spelling,
    language,
    app,
    coalesce(author_bot, false) as bot,
    coalesce(characters, 0) as characters,
    observed_at,
    edited_at,
    -- Two versions of a post must differ in these 40 bits: one pair in 10^12 does not, and each bit costs 0.2 MB in the talk's lake.
    hash(
        created_at, lower(author), author_domain, author_bot, language, url, text, spoiler_text, characters, words, tags,
        mentions, links, media, media_described, poll, in_reply_to, quote_uri, sensitive, author_indexable,
        in_reply_to_author, media_types
    ) >> 24 as content_hash,
    favourites,
    reblogs,
    replies,
    author_followers,
    case when uri = uri_stem || uri_number then null else uri end as uri,
    case when uri = uri_stem || uri_number then xor(uri_number, {snowflake}) end as uri_number,
    case
        when url is null then ''
        when url <> replace(replace(uri, '/users/', '/@'), '/statuses/', '/') then url
    end as url,
    text,
    {topics}::uinteger as topics,
    spoiler_text,
    words,
    tags,
    mentions,
    links,
    media,
    media_described,
    poll,
    in_reply_to,
    quote_uri,
    sensitive,
    author_indexable,
    case when reply_number >= 0 and reply_number::varchar = in_reply_to_id then reply_number
        when in_reply_to_id is not null then -1 - (hash(in_reply_to_id) >> 2)::bigint end as reply_native,
    case when reply_number >= 0 and reply_number::varchar = in_reply_to_id then null else in_reply_to_id end as reply_native_text,
    in_reply_to_author,
    media_types
from (
    select
        *,
        try_cast(id as bigint) as id_number,
        try_cast(in_reply_to_id as bigint) as reply_number,
        'https://' || author_domain || '/users/' || split_part(author, '@', 1) || '/statuses/' as uri_stem,
        case when starts_with(uri, uri_stem) then try_cast(substr(uri, length(uri_stem) + 1) as bigint) end as uri_number
    from (
        select * replace (
            case when sort = 1 then {deleted_at} else observed_at end as observed_at,
            -- In other rows the time may be out of range.
            case when sort = 0 then created_at end as created_at
        )
        from (
            select {shown}
            from (
                select {columns}, case when {is_shown} then 0 when {is_delete} then 1 else 2 end as sort
                from (
                    select {typed} where false
                    union all by name
                    select * from read_parquet({files}, union_by_name = true, hive_partitioning = false)
                )
                where log_offset >= {from} and log_offset < {next}
            )
        )
    )
)
