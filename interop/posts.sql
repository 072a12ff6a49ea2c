-- One row a post from the raw rows, in SQL that every engine takes: the best version, deleted posts gone. The word of the post's
-- own server outranks others'; where it showed the post, only it can delete it (the setting consent.deletes = origin). One
-- spelling stands for all of an author's; no time counts beyond the moment at which it was seen.
select uri, created_at, author, author_domain, author_bot, language, characters, text, app
from (
    select
        uri, created_at, author_domain, author_bot, language, characters, text,
        coalesce(
            min(case when own = 1 then author end) over (partition by lower(author), author_domain),
            min(author) over (partition by lower(author), author_domain)
        ) as author,
        case when max(own) over (partition by uri) = 1
            then min(case when own = 1 then app end) over (partition by uri)
            else min(app) over (partition by uri)
        end as app,
        max(own) over (partition by uri) as own_showed_it,
        max(gone) over (partition by uri) as any_deleted_it,
        max(own * gone) over (partition by uri) as own_deleted_it,
        row_number() over (
            partition by uri
            order by own desc, edited_at desc nulls last, observed_at desc, log desc, log_partition desc, log_offset desc
        ) as nth
    from (
        select
            shown.uri, coalesce(least(shown.created_at, shown.observed_at), shown.observed_at) as created_at,
            case when shown.edited_at > shown.observed_at then shown.observed_at else shown.edited_at end as edited_at,
            shown.observed_at, shown.author, lower(shown.author_domain) as author_domain,
            coalesce(shown.author_bot, false) as author_bot, shown.language, coalesce(shown.characters, 0) as characters,
            shown.text, shown.app, shown.log, shown.log_partition, shown.log_offset,
            case when coalesce(shown.from_origin, lower(shown.server) = lower(split_part(shown.uri, '/', 3))) then 1 else 0 end as own,
            case when deletes.id is not null then 1 else 0 end as gone
        from table_rows shown
        left join (select distinct server, id from table_rows where kind = 'deleted') deletes
            on deletes.server = shown.server and deletes.id = shown.id
        where shown.kind in ('created', 'edited') and shown.uri is not null
    ) claims
) versions
where nth = 1 and own_deleted_it = 0 and (any_deleted_it = 0 or own_showed_it = 1)
