-- `what` to do with each post's best staged row: insert a new post, rewrite a known one, recount it (its content is the same), name
-- its app, or only see it. `earlier`: a known post has an earlier first sighting.
-- The order is about that of the rows, because columns that grow with time compress better. The author is looked up here, where rows
-- are narrow, and not while posts are written.
create or replace temp table change as
select
    winner.r, winner.uri_hash, known.day as old_day,
    coalesce(known.id, (select next from numbering) + winner.r) as id,
    who.id as author, who.origin,
    case
        when who.uri_name is null then winner.author_spelling <> who.spelling
        else winner.author_user <> split_part(who.uri_name, '@', 1)
    end as otherwise_spelled,
    winner.server as seen_server,
    case
        when known.id is null or (winner.own and not known.own) then winner.app
        when known.own and not winner.own then known.app
        else least(winner.app, known.app)
    end as named_app,
    case
        when known.id is null then 'insert'
        when (winner.own, winner.edited_at, winner.observed_at, winner.rank, winner.log_offset)
            > (known.own, known.edited_at, known.seen_at, known.rank, known.log_offset)
        then
            case
                when winner.content_hash = known.content_hash
                    and named_app is not distinct from known.app
                then 'recount'
                else 'rewrite'
            end
        when named_app is distinct from known.app then 'name'
        else 'see'
    end as what,
    case
        when known.id is null then false
        else (f.server, f.native, f.observed_at, f.own) is distinct from (known.server, known.native, known.observed_at, known.first_own)
    end as earlier,
    coalesce(f.server, winner.server) as server,
    coalesce(f.native, winner.native) as native,
    case when f.server is null then winner.native_text else f.native_text end as native_text,
    coalesce(f.observed_at, winner.observed_at) as observed_at,
    coalesce(f.own, winner.own) as first_own
from winner
left join known on known.uri_hash = winner.uri_hash
left join first_seen on first_seen.uri_hash = winner.uri_hash
join who on who.hash = winner.author_hash
order by winner.r;
