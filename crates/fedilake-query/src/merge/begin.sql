-- What a take remembers from batch to batch: the days it touches, with the newest time that it saw, and the next post's
-- number. (A max() over a table that the transaction changed would read all of it.)
create or replace temp table touched (day integer, observed_at timestamptz);
create or replace temp table numbering as select coalesce(max(id) + 1, 0) as next from post;
