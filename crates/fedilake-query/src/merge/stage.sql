-- Posts that a delete hides; `post` and `day` are of the lake's row, if it has one.
create or replace temp table gone (uri_hash ubigint, post bigint, day integer);

create or replace temp table stage (
    stream integer, log_offset bigint, kind utinyint, reason varchar,
    server varchar, native bigint, native_text varchar,
    uri_hash ubigint, created_at timestamptz, day integer, hour integer,
    author varchar, author_domain varchar, author_hash ubigint, language varchar, app varchar, bot boolean,
    characters integer, observed_at timestamptz, edited_at timestamptz, content_hash ubigint,
    favourites integer, reblogs integer, replies integer, author_followers bigint,
    uri varchar, uri_number bigint, url varchar, text varchar, topics uinteger, spoiler_text varchar, words integer,
    tags varchar, mentions varchar, links varchar, media integer, media_described integer, poll boolean,
    in_reply_to varchar, quote_uri varchar, sensitive boolean,
    author_indexable boolean
);
