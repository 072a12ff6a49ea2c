-- title = "What do content warnings say?"
-- help = "the 25 content warnings by most accounts"
-- tab = "conversation"
-- order = 5
-- unit = "accounts"
-- of = "accounts with a post that matches the filter and has a content warning"
-- caption = """
-- The text above a post that is folded up, in lower case, without space around it, and shortened to 80 characters. The 25 that most accounts use are
-- shown, with the posts that have them; the order is by accounts, so that one account's habit does not lead. Warnings that say the same
-- in other words or in another language are apart. People also use the field for a title or the point of a joke. A post may be marked as sensitive
-- without a warning: then only its media are hidden.
-- """
-- marks = [{ kind = "bars", x = "warning", y = "accounts" }, { kind = "table" }]
-- note = "{warned} of {posts} posts have a content warning, {sensitive} are marked as sensitive"

with
    given as materialized (
        select left(lower(trim(spoiler_text)), 80) as warning, author, count(*) as posts
        from {posts}
        where spoiler_text <> ''
        group by 1, 2
    )
select
    warning,
    count(*) as accounts,
    sum(posts)::bigint as posts,
    100.0::double * count(*) / (select count(distinct author) from given where warning <> '') as percent_of_accounts
from given
where warning <> ''
group by warning
order by accounts desc, posts desc, warning
limit 25
;
select
    count(*) filter (where trim(spoiler_text) <> '')::bigint as warned,
    count(*)::bigint as posts,
    count(*) filter (where sensitive)::bigint as sensitive
from {posts}
