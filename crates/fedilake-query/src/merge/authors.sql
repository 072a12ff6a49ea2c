-- Each author of the batch who is new or turns out to be two-faced. Most are neither, so most batches end here.
create or replace temp table met as
select met.*, author.hash is null as new
from (
    select
        author_hash as hash, any_value(author) as name, any_value(author_domain) as domain,
        bool_or(bot) as bot, bool_or(bot) <> bool_and(bot) as two_faced
    from stage
    where kind = 0
    group by author_hash
) met
left join author on author.hash = met.hash
where author.hash is null or (not author.two_faced and (met.two_faced or met.bot <> author.bot));
