-- State of a take between its batches: the days that it touches, with the newest time that it saw.
create or replace temp table touched (day integer, observed_at timestamptz);

-- The log partitions in the order that decides between versions.
create or replace temp table standing as select id, rank() over (order by log, partition) as rank from log_partition;
