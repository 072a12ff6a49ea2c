-- Counts rows that are not posts.
insert into rejected
select reason, count(*) from stage where kind = 2 group by reason
on conflict do update set rows = rows + excluded.rows;
