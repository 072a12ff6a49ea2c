-- The rows of some files as the merge wants them: what a name or a text costs is paid here, in parallel.
select
    {stream}::integer as stream,
    log_offset,
    case
        when kind in ('created', 'edited')
            and uri is not null and server is not null and id is not null
            and observed_at is not null and author is not null and author_domain is not null then 0
        when kind = 'deleted' and server is not null and id is not null then 1
        else 2
    end::utinyint as kind,
    coalesce(rejected_reason, 'incomplete') as reason,
    server,
    -- Most ids are numbers; any other is a negative hash beside the text.
    case when id_number >= 0 and id_number::varchar = id then id_number else -1 - (hash(id) >> 2)::bigint end as native,
    case when id_number >= 0 and id_number::varchar = id then null else id end as native_text,
    hash(uri) as uri_hash,
    created_at,
    floor(epoch_ms(created_at) / 86400000)::integer as day,
    ((floor(epoch_ms(created_at) / 3600000)::bigint % 24 + 24) % 24)::integer as hour,
    author,
    author_domain,
    hash(author, author_domain) as author_hash,
    language,
    app,
    coalesce(author_bot, false) as bot,
    coalesce(characters, 0) as characters,
    observed_at,
    edited_at,
    -- Two versions of one post must differ in 40 bits: one pair in 10^12 does not, and each bit is 0.2 MB of the talk's lake.
    hash(
        created_at, author, author_domain, author_bot, language, url, text, spoiler_text, characters, words, tags, mentions,
        links, media, media_described, poll, in_reply_to, quote_uri, sensitive, author_indexable
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
    array_to_string(tags, chr(31)) as tags,
    array_to_string(mentions, chr(31)) as mentions,
    array_to_string(links, chr(31)) as links,
    media,
    media_described,
    poll,
    in_reply_to,
    quote_uri,
    sensitive,
    author_indexable
from (
    select
        * replace (coalesce(created_at, observed_at) as created_at),
        try_cast(id as bigint) as id_number,
        'https://' || author_domain || '/users/' || split_part(author, '@', 1) || '/statuses/' as uri_stem,
        case when starts_with(uri, uri_stem) then try_cast(substr(uri, length(uri_stem) + 1) as bigint) end as uri_number
    from (
        {columns}
        union all by name
        select * from read_parquet({files}, union_by_name = true, hive_partitioning = false)
    )
    where log_offset >= {from} and log_offset < {next}
)
