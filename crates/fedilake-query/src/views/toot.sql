-- The talk's view. Its created_at is the time of receipt.
{create} mastodon_toot as
select
    case when regexp_full_match(id, '-?[0-9]+') then try_cast(id as bigint) end as m_id,
    try_cast(epoch_ms(observed_at) // 1000 as integer) as created_at,
    strftime(observed_at at time zone 'UTC', '%Y %m %d %H:%M:%S') as created_at_str,
    date_trunc('second', observed_at) as created_tz,
    app,
    url,
    regexp_replace(regexp_replace(url, '^http[s]://', ''), '/.*$', '') as from_instance,
    'https://' || server as base_url,
    coalesce(nullif(language, ''), 'unknown') as language,
    favourites,
    split_part(author, '@', 1) as username,
    author_bot as bot,
    coalesce(len(tags), 0)::integer as tags,
    characters,
    words,
    text as mastodon_text,
    language_name.name as language_name
from posts
{language_names};
