-- What the views' choice is made of, for the staged rows of some buckets.
create or replace view internal.shown as
select * from internal.staged where sort = 0 and uri % {buckets} >= {first} and uri % {buckets} < {next};
