-- The authors of several spellings, and the one that stands for all. Found by hashes first: DuckDB keeps the groups of texts in memory.
create or replace table internal.spelling as
with shown as (
    select author, author_domain, from_origin from {rows} where sort = 0
), several as (
    select hash(lower(author), author_domain) as person
    from shown
    group by all
    having min(hash(author)) <> max(hash(author))
)
select
    lower(author) as person, author_domain as domain, coalesce(min(author) filter (from_origin), min(author)) as name
from shown
where hash(lower(author), author_domain) in (from several)
group by all;
