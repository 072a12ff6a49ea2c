-- The narrow table: of every row of the files what tells which version of a post counts, and a hash of the rest. Logs are numbers in
-- the order of their names, uris are hashes.
create or replace table internal.staged (
    sort utinyint, log integer, log_partition integer, log_offset bigint, uri ubigint, server varchar, id varchar,
    from_origin boolean, edited_at timestamptz, observed_at timestamptz, author varchar, person ubigint, app varchar,
    content ubigint
);
