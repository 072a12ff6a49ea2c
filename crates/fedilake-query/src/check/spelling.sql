-- The authors of several spellings, and the one that stands for all. Found by hashes first: DuckDB keeps the groups of texts in memory.
create or replace table internal.spelling as
with shown as (
    select person, author, from_origin from {rows} where sort = 0
), several as (
    select person
    from shown
    group by all
    having min(hash(author)) <> max(hash(author))
)
select person, coalesce(min(author) filter (from_origin), min(author)) as name
from shown
where person in (from several)
group by all;
