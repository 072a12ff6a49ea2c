-- What a take remembers from batch to batch: the days it touches, with the newest time that it saw.
create or replace temp table touched (day integer, observed_at timestamptz);
