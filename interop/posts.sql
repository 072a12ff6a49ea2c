-- One row a post from the raw rows, in SQL that every engine takes: the newest version, deleted posts gone. A server deletes by
-- its own id, and any server's delete hides the post. Only the author's own server knows the app.
select uri, created_at, author, author_domain, author_bot, language, characters, text, app
from (
    select
        uri, coalesce(created_at, observed_at) as created_at, author, author_domain, coalesce(author_bot, false) as author_bot,
        language, coalesce(characters, 0) as characters, text,
        min(app) over (partition by uri) as app,
        row_number() over (
            partition by uri
            order by edited_at desc nulls last, observed_at desc, log desc, log_partition desc, log_offset desc
        ) as nth
    from table_rows
    where kind in ('created', 'edited') and uri is not null
        and uri not in (
            select shown.uri
            from table_rows shown
            join table_rows gone on gone.kind = 'deleted' and gone.server = shown.server and gone.id = shown.id
            where shown.kind in ('created', 'edited') and shown.uri is not null
        )
) versions
where nth = 1
