-- What a take remembers from batch to batch. The days it touches, with the newest time that it saw.
create or replace temp table touched (day integer, observed_at timestamptz);

-- The log partitions in the order that decides between versions.
create or replace temp table standing as select id, rank() over (order by log, partition) as rank from stream;
