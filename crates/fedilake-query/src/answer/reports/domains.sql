-- title = "Which sites do posts link to?"
-- help = "the 25 domains with most links, and the accounts that link to them"
-- tab = "conversation"
-- order = 6
-- unit = "links"
-- of = "links of posts that match the filter"
-- caption = """
-- The domain of every http and https link of a text, without a leading www., a port and a user name; mentions and hashtags are not links, and a URL that
-- a post has twice counts once. The 25 domains with most links are shown; accounts are the distinct accounts that link there, so a domain with many
-- links by few accounts is one that is advertised. A link shortener counts as itself, a link that stands in a preview only is not seen, and
-- subdomains are domains of their own. A link is no praise.
-- """
-- marks = [{ kind = "bars", x = "domain", y = "links" }, { kind = "table" }]
-- note = "{with_links} of {posts} posts have a link; there are {links} links"

with
    -- The part of a URL between the second and the third slash, or all of a domain without a scheme.
    link as materialized (
        select author, coalesce(nullif(split_part(link, '/', 3), ''), case when not contains(link, '/') then link end) as place
        from (select author, unnest(links) as link from {posts} where len(links) > 0)
    ),
    place as (select place, count(*) as links from link group by place),
    -- Regular expressions are slow, so each distinct place is looked at once.
    named as materialized (
        select
            place, links,
            regexp_extract(lower(place), '^(?:[^?#]*@)?(?:www\.)?(\[[^\]]*\]|[^:?#]+)', 1) as domain
        from place
    ),
    most as materialized (
        select domain, sum(links)::bigint as links
        from named
        where domain <> ''
        group by domain
        order by links desc, domain
        limit 25
    ),
    author as (
        select named.domain, count(distinct link.author) as accounts
        from link
        join named on named.place = link.place
        join most on most.domain = named.domain
        group by named.domain
    )
select
    most.domain,
    most.links,
    author.accounts,
    100.0::double * most.links / (select sum(links) from named) as percent_of_links
from most
join author on author.domain = most.domain
order by most.links desc, most.domain
;
select
    count(*) filter (where len(links) > 0)::bigint as with_links,
    count(*)::bigint as posts,
    coalesce(sum(len(links)), 0)::bigint as links
from {posts}
