-- The lake's tables, in the schema `internal`. Repeated strings are stored as numbers, counted from 0 as they come. A post is one row.

create table layout (version integer, engine varchar, deletes varchar);

-- One row a log partition: `next` is the first offset that is not in the lake.
create table log_partition (id integer, log varchar, partition integer, next bigint);

-- Offsets of a log partition that the lake lacks because the table lost the files that held them.
create table hole (log_partition integer, first bigint, next bigint);

create table origin   (id integer, name varchar);
create table server   (id integer, name varchar);
-- `iso` is the language that the tag names, `counted` its name in reports; null if unknown.
create table language (id integer, name varchar, iso varchar, counted varchar);
create table app      (id integer, name varchar);
-- `hash` is of name in lower case and origin together. `name` is the spelling that stands for all others, `spelling` its hash, `own` whether the
-- author's own server writes it so; `uri_name` the one of the first met, from which uris are made (null: name).
-- An author seen both as a bot and not as a bot is two-faced: such authors need an exact count(distinct), all others are one row a
-- day in author_day.
create table author (
    id integer, hash ubigint, name varchar, spelling ubigint, uri_name varchar, own boolean, origin integer, bot boolean, two_faced boolean
);

-- One row a visible post: its best version, and the server, native id and time of its first sighting: the earliest that was not
-- deleted.
create table post (
    id bigint,                    -- the lake's own number, ascending as posts arrive
    uri_hash ubigint,
    created_at timestamptz,
    day integer,                  -- days since 1970 of created_at
    hour integer,                 -- of created_at, 0 to 23
    author integer,
    origin integer,
    language integer,             -- null: not given
    app integer,                  -- null: none named
    bot boolean,
    characters integer,
    -- the first sighting
    server integer,
    native bigint,                -- the post's id there; negative if the id is not a plain number, which is then in native_text
    native_text varchar,
    observed_at timestamptz,
    first_own boolean,            -- shown by the post's own server
    -- the best version
    own boolean,
    seen_server integer,
    edited_at timestamptz,
    seen_at timestamptz,          -- null: observed_at
    log_partition integer,
    log_offset bigint,
    content_hash ubigint,         -- 40 bits, of the content without counts: if equal, the row need not be rewritten
    favourites integer,
    reblogs integer,
    replies integer,
    author_followers bigint,
    -- uri and url are null for most posts: zstd would need four bytes for each.
    uri varchar,                  -- null: https://ORIGIN/users/NAME/statuses/NUMBER with the author's name
    uri_number bigint,            -- NUMBER xor the number that Mastodon makes of created_at: smaller to store
    url varchar,                  -- null: made from uri as Mastodon does; empty: not given
    text varchar using compression zstd,
    spoiler_text varchar,
    words integer,
    tags varchar[],
    mentions varchar[],
    links varchar[],
    media integer,
    media_described integer,
    poll boolean,
    in_reply_to varchar,
    quote_uri varchar,
    sensitive boolean,
    author_indexable boolean,
    reply_native bigint,          -- in_reply_to_id, as native is id; of seen_server
    reply_native_text varchar,
    in_reply_to_author varchar,
    media_types varchar[]
);

-- Further sightings of posts, also of hidden ones, one row for each (server, id, post): the first one is in `post`.
create table sighting (
    server integer, native bigint, native_text varchar, post bigint, observed_at timestamptz, own boolean
);

-- Every delete, also of posts that never came, with the earliest time.
create table deleted (server integer, native bigint, deleted_at timestamptz);

-- Hidden posts. View `deletes` shows when they were written and deleted; a server of higher rank may bring some back. The author, the uri and
-- what was written are kept only if another sighting may bring the post back unchanged.
create table withheld as from post;

-- The next post's number. (A max() over a table with deleted rows reads all of it.)
create table numbering (next bigint);

-- Counts of rows that are not posts.
create table rejected (reason varchar primary key, rows bigint);

-- Times in which a server was not read, as its collectors tell; `to_at` is null while it is not. No two of a server have a moment in common.
create table gap (server varchar, from_at timestamptz, to_at timestamptz);

-- Events of an hour that collectors left out for one reason.
create table skip (server varchar, hour timestamptz, reason varchar, events bigint);

-- Posts that mention a followed word.
create table topic (id integer, word varchar);
create table topic_hit (
    topic integer, post bigint, created_at timestamptz, day integer, origin integer, language integer, server integer, app integer,
    bot boolean
);

-- The keys by which a language is looked up, and its English name.
create table language_name (key varchar, name varchar);

-- Language tags as the posts have them, and the languages that they name.
create view language_tag as select name as tag, iso as name from internal.language;
