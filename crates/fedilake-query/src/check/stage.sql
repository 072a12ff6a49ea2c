-- Takes the rows of `internal.source` whose uris are of these buckets, and all deletes: they name no uri.
insert into internal.staged
select
    sort, chunk.log, log_partition, log_offset, hash(uri), server, id, from_origin, edited_at, observed_at, author, person,
    app, {content}
from internal.source
join internal.chunk on chunk.path = file_of_table
where
    (sort = 1 or sort = 0 and hash(uri) % {buckets} >= {first} and hash(uri) % {buckets} < {next})
    -- Read too, so that a damaged page shows whichever column it is of.
    and hash({others}) is not null
