-- Tables for the batch's deletes, for all sightings of posts that have more than one, and for the first sighting of each post.
create or replace temp table fresh (server integer, native bigint, deleted_at timestamptz);
create or replace temp table returned (id bigint);
create or replace temp table seen (
    uri_hash ubigint, server integer, native bigint, native_text varchar, observed_at timestamptz, own boolean
);
create or replace temp table first_seen (uri_hash ubigint, f struct(
    server integer, native bigint, native_text varchar, observed_at timestamptz, own boolean
));

create or replace temp table stage (
    log_partition integer, log_offset bigint, kind utinyint, reason varchar,
    server varchar, own boolean, native bigint, native_text varchar,
    uri_hash ubigint, created_at timestamptz, day integer, hour integer,
    author varchar, author_domain varchar, author_hash ubigint, author_user varchar, author_spelling ubigint, language varchar, app varchar, bot boolean,
    characters integer, observed_at timestamptz, edited_at timestamptz, content_hash ubigint,
    favourites integer, reblogs integer, replies integer, author_followers bigint,
    uri varchar, uri_number bigint, url varchar, text varchar, topics uinteger, spoiler_text varchar, words integer,
    tags varchar[], mentions varchar[], links varchar[], media integer, media_described integer, poll boolean,
    in_reply_to varchar, quote_uri varchar, sensitive boolean,
    author_indexable boolean, reply_native bigint, reply_native_text varchar, in_reply_to_author varchar, media_types varchar[]
);
