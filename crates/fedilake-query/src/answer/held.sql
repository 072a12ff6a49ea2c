with
    holder (author, domain, until_micros, only_indexable) as (values {holders}),
    -- Authors are found by the hash under which the merge knows them, posts of a domain by its number.
    by_author as (
        select author.id, holder.until_micros, holder.only_indexable
        from holder
        join author on author.hash = hash(holder.author, holder.domain)
        where holder.author is not null
    ),
    by_domain as (
        select origin.id, holder.until_micros, holder.only_indexable
        from holder
        join origin on origin.name = holder.domain or ends_with(origin.name, '.' || holder.domain)
        where holder.author is null
    ),
    wanted as materialized (
        select p.id, w.until_micros
        from post p
        join by_author w on w.id = p.author
        where not w.only_indexable or p.author_indexable
        union all
        select p.id, w.until_micros
        from post p
        join by_domain w on w.id = p.origin
    ),
    seen as (
        select p.server, p.native, p.native_text, p.observed_at, wanted.until_micros
        from post p
        join wanted on wanted.id = p.id
        union all
        select g.server, g.native, g.native_text, g.observed_at, wanted.until_micros
        from sighting g
        join wanted on wanted.id = g.post
    )
select server.name, coalesce(seen.native_text, seen.native::varchar) as id, max(seen.until_micros)
from seen
join server on server.id = seen.server
anti join deleted on deleted.server = seen.server and deleted.native = seen.native
where epoch_us(seen.observed_at) <= seen.until_micros
group by all
order by all
limit {limit}
