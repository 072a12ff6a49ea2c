-- Each author of the batch who is new, turns out to be two-faced, or has a better spelling. Most authors are none of these, so
-- most batches end here.
create or replace temp table met as
select
    met.*, who.id, who.hash is null as new,
    -- Whom the batch does not spell otherwise, it spells as the lake does.
    coalesce(spelled.name, met.name) as old_name,
    coalesce((met.own and not who.own) or (met.own = who.own and met.name < old_name), false) as renames
from (
    select
        author_hash as hash, coalesce(min(author) filter (own), min(author)) as name, bool_or(own) as own,
        any_value(author_domain) as domain, bool_or(bot) as bot, bool_or(bot) <> bool_and(bot) as two_faced
    from stage
    where kind = 0
    group by author_hash
) met
left join who on who.hash = met.hash
left join spelled on spelled.id = who.id
where new or renames or (not who.two_faced and (met.two_faced or met.bot <> who.bot));
