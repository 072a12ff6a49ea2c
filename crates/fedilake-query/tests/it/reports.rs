//! Compares every report, under every filter, with a naive query of the view `posts`, while days are sealed, open or
//! opened again.

use fedilake_query::answer::catalogue::{Mark, reports};
use fedilake_query::views::Deletes;
use fedilake_query::{By, Calendar, Filter, LakeError, Missed, Names, Question, Report};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::support::{Bench, Event, columns, decode};

const START_MS: i64 = 1_675_382_400_000;
const DAY: i64 = 86_400;
const SERVERS: [&str; 3] = ["alpha.test", "beta.test", "gamma.test"];

/// Posts over five days with words, apps and languages; some authors are bots at times, some posts are edited or deleted.
fn posts() -> impl Strategy<Value = Vec<Event>> {
    let post = (0..5 * DAY, 0..8i64, 0..3usize, (0..8u8, 0..4u8, 0..12u8, 0..8u8), any::<bool>());
    let changes = || proptest::option::weighted(0.2, prop_oneof![0..100i64, 0..3 * DAY]);
    // What another server, or the same once more, shows of it: some before the first did.
    let copy = proptest::option::weighted(0.3, (0..3usize, -2..7 * DAY));
    let post = (post, changes(), changes(), copy);
    proptest::collection::vec(post, 1..60).prop_map(|posts| {
        let of = |n: usize,
                  (created, author, server, (language, app, text, bot), copied): (
            i64,
            i64,
            usize,
            (u8, u8, u8, u8),
            bool,
        )| {
            let author = format!("user{author}@{}", ["one.test", "two.test", "three.test"][author as usize % 3]);
            let mut event = Event::created(SERVERS[server], n as i64, &author, created);
            event.language =
                [None, Some("en"), Some("en-GB"), Some("de"), Some("xx"), Some("und"), Some(""), Some("deu")]
                    [language as usize]
                    .map(str::to_owned);
            event.app = [None, Some("Tusky"), Some("Web"), Some("Ivory")][app as usize].map(str::to_owned);
            event.text = ["", "a Balloon", "earthQUAKEs and balloons", "a.b%c_d", "ä", "some words", "x"]
                [text as usize % 7]
                .to_owned();
            event.lists = [None, Some(vec!["art"]), Some(vec!["Cats", "ART"]), Some(vec![])]
                [(text as usize + created as usize) % 4]
                .as_ref()
                .map(|tags| tags.iter().map(|tag| Some((*tag).to_owned())).collect());
            // Some authors are never bots, some always, some change.
            event.bot = Some(match bot {
                0 => author.contains('2') || author.contains('3'),
                _ => author.contains('3'),
            });
            // Some are seen only when their day is sealed already.
            event.observed = if copied { 6 * DAY } else { created + 1 };
            event
        };
        let mut events = Vec::new();
        for (n, (post, edited, deleted, copy)) in posts.into_iter().enumerate() {
            let event = of(n, post);
            let edit = edited.map(|wait| Event {
                kind: "edited",
                edited: event.created.map(|created| created + wait),
                observed: event.observed + wait,
                ..event.clone()
            });
            let delete = deleted.map(|wait| Event::deleted(&event.server, n as i64, event.observed + wait));
            let copy = copy.map(|(server, wait)| Event {
                server: SERVERS[server].to_owned(),
                observed: event.observed + wait,
                ..event.clone()
            });
            events.extend([Some(event), edit, delete, copy].into_iter().flatten());
        }
        events
    })
}

/// What collectors told of two servers with posts, and of one without.
fn missed() -> impl Strategy<Value = Vec<Missed>> {
    let gaps = proptest::collection::vec((1..2 * DAY, 60..2 * DAY, 0..1000i64), 0..4);
    let skips = proptest::collection::btree_map((0..7 * 24i64, 0..3usize), 1..50u64, 0..6);
    let of_one = (gaps, any::<bool>(), skips).prop_map(|(gaps, goes_on, skips)| {
        let mut at = START_MS;
        let mut told: Vec<(i64, Option<i64>)> = Vec::new();
        for (wait, length, odd) in gaps {
            let from = at + wait * 1000 + odd;
            at = from + length * 1000;
            told.push((from, Some(at)));
        }
        if let Some(last) = told.last_mut().filter(|_| goes_on) {
            last.1 = None;
        }
        let reason = |n: usize| ["boost", "not_public", "it's_odd"][n].to_owned();
        let skips = skips.into_iter().map(|((hour, n), events)| (START_MS + hour * 3_600_000, reason(n), events));
        (told, skips.collect::<Vec<_>>())
    });
    proptest::collection::vec(of_one, 0..=3).prop_map(|told| {
        let servers = ["alpha.test", "beta.test", "Quiet.test"].into_iter();
        servers.zip(told).map(|(server, (gaps, skips))| Missed { server: server.to_owned(), gaps, skips }).collect()
    })
}

fn names_of_posts() -> impl Strategy<Value = Names> {
    let names = |all: &'static [&'static str]| {
        prop_oneof![3 => Just(Vec::new()), 1 => subsequence(all, 1..=all.len())]
            .prop_map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    (
        names(&["one.test", "Two.Test", "nowhere.test"]),
        names(&["alpha.test", "BETA.test", "it's.test", "quiet.test"]),
        names(&["en", "unknown", "DE", "zz", "en-gb", "ENG", "English"]),
        names(&["tusky", "Web", "{posts}"]),
        names(&["#Art", "cats", "nobody's"]),
        names(&["balloon", "b%c", "{hours}"]),
    )
        .prop_map(|(origins, servers, languages, apps, hashtags, about)| Names {
            origins,
            servers,
            languages,
            apps,
            hashtags,
            about,
        })
}

fn filter() -> impl Strategy<Value = Filter> {
    let instant = || {
        let hour = (0..6 * 24i64).prop_map(|hour| hour * 3600);
        proptest::option::of(prop_oneof![(0..6i64).prop_map(|day| day * DAY), hour, 0..6 * DAY])
    };
    let without = prop_oneof![2 => Just(Names::default()), 1 => names_of_posts()];
    (instant(), instant(), names_of_posts(), without, proptest::option::of(any::<bool>())).prop_map(
        |(from, to, only, without, bot)| Filter {
            from: from.map(|seconds| START_MS + seconds * 1000),
            to: to.map(|seconds| START_MS + seconds * 1000),
            bot,
            only,
            without,
        },
    )
}

/// The calendars in which the tests' days and hours are counted: offsets of whole hours, of half ones, and of clocks that change.
fn calendar() -> impl Strategy<Value = Calendar> {
    let zone = prop_oneof![3 => Just("UTC"), 1 => Just("Asia/Kolkata"), 1 => Just("america/los_angeles")];
    (zone, prop_oneof![Just(By::Hour), Just(By::Day), Just(By::Week)])
        .prop_map(|(zone, by)| Calendar { zone: zone.to_owned(), by })
}

fn condition(filter: &Filter) -> String {
    let mut all = vec!["true".to_owned()];
    all.extend(filter.from.map(|ms| format!("epoch_ms(created_at) >= {ms}")));
    all.extend(filter.to.map(|ms| format!("epoch_ms(created_at) < {ms}")));
    all.extend(filter.bot.map(|bot| format!("author_bot = {bot}")));
    all.extend(named(&filter.only));
    all.extend(named(&filter.without).into_iter().map(|names| format!("not coalesce({names}, false)")));
    all.join(" and ")
}

fn named(names: &Names) -> Vec<String> {
    let quoted = |name: &str| format!("'{}'", name.to_lowercase().replace('\'', "''"));
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let mut all = Vec::new();
    for (column, names) in [("author_domain", &names.origins), ("server", &names.servers), ("app", &names.apps)] {
        if !names.is_empty() {
            all.push(format!("lower({column}) in ({})", list(names)));
        }
    }
    let any = |conditions: Vec<String>| (!conditions.is_empty()).then(|| format!("({})", conditions.join(" or ")));
    all.extend(any(names.languages.iter().map(|typed| in_language(typed).to_owned()).collect()));
    let tagged = |tag: &String| {
        format!(
            "list_contains(string_split(lower(array_to_string(tags, ' ')), ' '), {})",
            quoted(tag.trim_start_matches('#'))
        )
    };
    all.extend(any(names.hashtags.iter().map(tagged).collect()));
    all.extend(any(names.about.iter().map(|word| format!("contains(lower(text), {})", quoted(word))).collect()));
    all
}

/// The condition on rows that are about a server and no post; `from` and `to` complete the conditions of its time.
fn of_servers(filter: &Filter, from: &str, to: &str) -> String {
    let mut all = vec![format!("{}", filter.from.zip(filter.to).is_none_or(|(from, to)| from < to))];
    all.extend(filter.from.map(|ms| from.replace("{}", &ms.to_string())));
    all.extend(filter.to.map(|ms| to.replace("{}", &ms.to_string())));
    let servers = |names: &Names| Names { servers: names.servers.clone(), ..Names::default() };
    all.extend(named(&servers(&filter.only)));
    all.extend(named(&servers(&filter.without)).into_iter().map(|names| format!("not {names}")));
    all.join(" and ")
}

/// The condition for posts in a language as people name it.
fn in_language(typed: &str) -> &'static str {
    match typed {
        "en" | "ENG" | "English" => "language in ('en', 'en-GB')",
        "DE" => "language in ('de', 'deu')",
        "en-gb" => "language = 'en-GB'",
        "unknown" => "(language is null or language in ('', 'und'))",
        "zz" => "language = 'zz'",
        other => panic!("{other}"),
    }
}

/// SQL for the name that reports give to a post's language.
const LANGUAGE: &str = "case when language in ('en', 'en-GB') then 'English' when language in ('de', 'deu') then 'German' \
    when language in ('', 'und') or language is null then 'unknown' else language end";

const WORDS: [&str; 5] = ["Balloon", "earthquake", "a.b%c_d", "Ä", "nothing"];

/// The naive query of `p`, the filtered posts, for one of the talk's analyses.
fn naive(report: &str, zone: &str) -> Option<String> {
    let day = format!("(created_at at time zone '{zone}')::date");
    // The most frequent value; of equally frequent ones the first by name.
    let most = |value: &str, condition: &str| {
        format!(
            "(select v from (select {value} as v, count(*) as n from p q where {condition} and {} = d group by 1 order by n desc, v limit 1))",
            day.replace("created_at", "q.created_at")
        )
    };
    Some(match report {
        "statistics" => "select count(*), count(distinct author), count(distinct author_domain), \
            count(distinct LANGUAGE), min(characters), avg(characters), max(characters), \
            coalesce(sum(characters), 0)::bigint, epoch_ms(min(created_at)), epoch_ms(max(created_at)) from p"
            .replace("LANGUAGE", LANGUAGE),
        "daily" => format!(
            "select d, n, users, origins, {}, {}, {} from (select {day} as d, count(*) as n, count(distinct author) as users, \
            count(distinct author_domain) as origins from p group by 1) order by d",
            most("author", "not author_bot"),
            most("author", "author_bot"),
            most("'https://' || author_domain", "true"),
        ),
        "apps" => "select app, count(*) from p where not author_bot and app is not null group by app order by 2 desc, 1 limit 10".to_owned(),
        "hours" => format!(
            "select d, h, (select count(*) from p where {day} = d and hour(created_at at time zone '{zone}') = h) \
            from (select distinct {day} as d from p), range(24) r(h) order by d, h"
        ),
        "languages" => format!("select {LANGUAGE} as l, count(*) from p group by 1 order by 2 desc, 1 limit 20"),
        "lengths" => format!(
            "select {LANGUAGE} as l, count(*), min(characters), quantile_disc(characters, 0.25), quantile_disc(characters, 0.5), \
            quantile_disc(characters, 0.75), max(characters) from p where {LANGUAGE} <> 'unknown' group by 1 order by 2 desc, 1"
        ),
        "topics" => format!(
            "select d, w, (select count(*) from p where {day} = d and contains(lower(text), lower(w))) \
            from (select distinct {day} as d from p), (select unnest([{}]) as w) order by 1, 2",
            WORDS.map(|word| format!("'{word}'")).join(", ")
        ),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn a_report_is_what_the_view_gives(posts in posts(), split in any::<prop::sample::Index>(), sealings in 0..6, filters in proptest::collection::vec((filter(), calendar()), 3)) {
        let mut bench = Bench::new();
        let (early, late): (Vec<Event>, Vec<Event>) = posts.into_iter().partition(|post| post.observed < 6 * DAY);
        bench.take(&early);
        // A small take seals one day without recent changes, whether it brings posts or not.
        let (late, later) = late.split_at(split.index(late.len() + 1));
        bench.take(late);
        (0..sealings).for_each(|_| bench.take(&[]));
        bench.take(later);
        for (filter, calendar) in filters {
            same_as_asked_naively(&bench, filter, calendar);
        }
    }
}

/// Compares the talk's reports with the naive queries.
fn same_as_asked_naively(bench: &Bench, filter: Filter, calendar: Calendar) {
    for report in reports() {
        let Some(naive) = naive(&report.name, &calendar.zone) else { continue };
        let question = question(report, &filter, &calendar);
        let sql = format!("with p as materialized (select * from posts where {}) {naive}", condition(&filter));
        assert_eq!(decode(&bench.lake.report(&question).unwrap().ipc), bench.ask(&sql), "{question:?}");
    }
}

/// Fractions to nine digits: two ways to the same figure may round differently at the end.
fn near(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let near = |cell: String| match cell.parse::<f64>() {
        Ok(value) if cell.contains(['.', 'e']) => format!("{value:.9e}"),
        _ => cell,
    };
    rows.into_iter().map(|row| row.into_iter().map(near).collect()).collect()
}

fn question(report: &Report, filter: &Filter, calendar: &Calendar) -> Question {
    let words = if report.words { WORDS.map(str::to_owned).to_vec() } else { Vec::new() };
    Question { report: report.name.clone(), words, filter: filter.clone(), calendar: calendar.clone() }
}

/// The naive query of a report for which `independent/` has one.
fn independent(report: &str, question: &Question) -> Option<String> {
    let path = format!("{}/tests/it/independent/{report}.sql", env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(path).ok()?;
    let (zone, by) = (&question.calendar.zone, question.calendar.by.as_str());
    let Filter { only, without, .. } = &question.filter;
    let of_deletes = [only, without].iter().all(|names| names.hashtags.is_empty() && names.about.is_empty());
    let condition = condition(&question.filter);
    let sql = sql
        .replace("{language_name}", LANGUAGE)
        .replace("{where}", &condition)
        .replace("{timezone}", zone)
        .replace("{by}", by);
    let of_gaps = of_servers(&question.filter, "(not filled or epoch_ms(to_at) > {})", "epoch_ms(from_at) < {}");
    let of_skips = of_servers(&question.filter, "epoch_ms(hour) >= {}", "epoch_ms(hour) < {}");
    let bound = |ms: Option<i64>, none: &str| match ms {
        Some(ms) => format!("make_timestamptz({})", ms * 1000),
        None => format!("'{none}'::timestamptz"),
    };
    let sql = sql
        .replace("{of_gaps}", &of_gaps)
        .replace("{of_skips}", &of_skips)
        .replace("{from}", &bound(question.filter.from, "-infinity"))
        .replace("{to}", &bound(question.filter.to, "infinity"));
    let sql = sql.replace("{of_deletes}", if of_deletes { &condition } else { "false" });
    Some(sql.replace("{of_deletes_known}", &of_deletes.to_string()))
}

#[test]
fn every_report_is_held_to_a_query_of_its_own() {
    let utc = Calendar::default();
    for report in reports() {
        let held = naive(&report.name, &utc.zone).or_else(|| independent(&report.name, &Question::of(&report.name)));
        assert!(held.is_some(), "{} has no independent query", report.name);
    }
}

proptest! {
    // A question to the views is slow to plan, so there are few of them, and each asks for every report.
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]
    #[test]
    fn the_sql_that_is_shown_gives_the_reports_rows(posts in posts(), missed in missed(), filter in filter(), calendar in calendar(), sealed in any::<bool>()) {
        let mut bench = Bench::new();
        bench.take(&posts);
        bench.tell(&missed);
        if sealed {
            bench.lake.seal().unwrap();
        }
        for report in reports() {
            let question = question(report, &filter, &calendar);
            let (answer, shown) = (decode(&bench.lake.report(&question).unwrap().ipc), report.sql(&question));
            let (asked, plain) = (bench.ask(&shown), bench.plain(&shown));
            assert_eq!((&asked, &plain), (&answer, &answer), "in the lake and over files, {question:?}\n{shown}");
            if let Some(independent) = independent(&report.name, &question) {
                assert_eq!(near(answer), near(bench.ask(&independent)), "{question:?}\n{independent}");
            }
        }
    }
}

/// The same in UTC.
fn same_in_utc(bench: &Bench, filter: Filter) {
    same_as_asked_naively(bench, filter, Calendar::default());
}

#[test]
fn a_part_of_a_sealed_day_is_not_the_whole() {
    let mut bench = Bench::new();
    let post = |n: i64| Event {
        bot: Some(n % 4 == 0),
        ..Event::created("alpha.test", n, &format!("user{}@one.test", n % 3), n * DAY / 4)
    };
    bench.take(&(0..16).map(post).collect::<Vec<_>>());
    bench.take(&[Event { observed: 5 * DAY, ..post(16) }]);
    (0..4).for_each(|_| bench.take(&[]));
    assert_eq!(bench.inside("select count(*) from internal.day where sealed"), [["4"]]);
    let at = |quarters: i64| Some(START_MS + quarters * DAY * 250);
    for (from, to) in [(4, 12), (5, 12), (4, 11), (5, 7), (3, 13), (6, 6), (8, 4), (0, 99)] {
        same_in_utc(&bench, Filter { from: at(from), to: at(to), ..Filter::default() });
    }
}

#[test]
fn figures_of_a_day_are_kept_of_its_parts_whatever_year_it_is_of() {
    // From 1963, from the last day before 1970 and the first one after, and from 2023.
    for first in [-60 * 365 * DAY, -START_MS / 1000 - DAY, 0] {
        let mut bench = Bench::new();
        let post = |n: i64| Event {
            bot: Some(n % 4 == 0),
            language: [Some("de"), Some("deu"), Some("en"), None][n as usize % 4].map(str::to_owned),
            ..Event::created(SERVERS[n as usize % 3], n, &format!("user{}@one.test", n % 5), first + n * DAY / 10)
        };
        bench.take(&(0..40).map(post).collect::<Vec<_>>());
        bench.lake.seal().unwrap();
        assert_eq!(bench.inside("select count(*), bool_and(sealed) from internal.day"), [["4", "true"]]);
        let parts = "select count(*) filter (where server is not null), count(*) filter (where language = 'German' and bot is null), \
                     count(*) filter (where language = 'German' and bot) from internal.day_figures";
        assert_eq!(bench.inside(parts), [["12", "4", "4"]]);
        for bot in [None, Some(true), Some(false)] {
            for languages in [vec![], vec!["DE"], vec!["DE", "en"], vec!["unknown"]] {
                for servers in [vec![], vec![SERVERS[1]]] {
                    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
                    let only = Names { languages: names(&languages), servers: names(&servers), ..Names::default() };
                    same_in_utc(&bench, Filter { bot, only, ..Filter::default() });
                }
            }
        }
    }
}

#[test]
fn a_day_is_sealed_when_a_later_one_has_begun_and_opened_by_what_comes_late() {
    let mut bench = Bench::new();
    let post = |n: i64, day: i64| Event::created("alpha.test", n, "ann@one.test", day * DAY);
    bench.take(&[post(1, 0), post(2, 0), post(3, 1)]);
    let days = "select day - 19391, sealed from internal.day order by day";
    let figures = "select count(*), coalesce(sum(posts), 0)::bigint from internal.author_day";
    assert_eq!(bench.inside(days), [["0", "false"], ["1", "false"]]);
    bench.take(&[Event { observed: DAY + 700, ..post(5, 1) }]);
    assert_eq!(bench.inside(days), [["0", "true"], ["1", "false"]]);
    assert_eq!(bench.inside(figures), [["1", "2"]]);
    bench.take(&[post(4, 0), Event::deleted("alpha.test", 1, 2 * DAY)]);
    assert_eq!(bench.inside(days), [["0", "false"], ["1", "false"]]);
    assert_eq!(bench.inside(figures), [["0", "0"]]);
    // The day is sealed again when it has not changed for a while.
    bench.take(&[Event { observed: DAY + 1400, ..post(6, 1) }]);
    assert_eq!(bench.inside(days), [["0", "true"], ["1", "false"]]);
    assert_eq!(bench.inside(figures), [["1", "2"]]);
    bench.take(&[Event::deleted("alpha.test", 2, 2 * DAY), Event::deleted("alpha.test", 4, 2 * DAY)]);
    let statistics = bench.lake.report(&Question::of("statistics")).unwrap();
    assert_eq!(decode(&statistics.ipc)[0][..2], ["3", "1"]);
}

#[test]
fn the_newest_day_is_sealed_on_demand_and_opened_by_what_comes_next() {
    let mut bench = Bench::new();
    let post = |n: i64| Event {
        bot: Some(n % 4 == 0),
        ..Event::created("alpha.test", n, &format!("user{}@one.test", n % 3), n * DAY / 4)
    };
    bench.take(&(0..10).map(post).collect::<Vec<_>>());
    bench.lake.seal().unwrap();
    let sealed = "select count(*) filter (where sealed), count(*) from internal.day";
    assert_eq!(bench.inside(sealed), [["3", "3"]]);
    same_in_utc(&bench, Filter::default());
    same_in_utc(&bench, Filter { bot: Some(true), ..Filter::default() });
    bench.take(&[post(10), Event::deleted("alpha.test", 9, 10 * DAY)]);
    assert_eq!(bench.inside(sealed), [["2", "3"]]);
    same_in_utc(&bench, Filter::default());
    bench.lake.seal().unwrap();
    assert_eq!(bench.inside(sealed), [["3", "3"]]);
    same_in_utc(&bench, Filter::default());
}

/// A post's server is that of its first sighting, which may come last or be deleted; its app may be named late.
#[test]
fn a_sealed_day_follows_the_servers_and_apps_of_its_posts() {
    let mut bench = Bench::with(Deletes::All);
    let post = |server: &str, n: i64| Event {
        text: "a balloon".to_owned(),
        app: (n == 3).then(|| "Tusky".to_owned()),
        ..Event::created(server, n, &format!("user{}@one.test", n % 2), n * 3600)
    };
    bench.take(&[post("beta.test", 1), post("beta.test", 2), post("beta.test", 3)]);
    let of = |names: Names| Filter { only: names, ..Filter::default() };
    let counted = |bench: &Bench, server: &str, app: &str| {
        let servers = of(Names { servers: vec![server.to_owned()], ..Names::default() });
        let apps = of(Names { apps: vec![app.to_owned()], ..Names::default() });
        [servers, apps].map(|filter| {
            same_in_utc(bench, filter.clone());
            let rows = bench.lake.report(&Question { filter, ..Question::of("statistics") }).unwrap();
            decode(&rows.ipc)[0][0].clone()
        })
    };
    let follows = |bench: &mut Bench, events: &[Event], server: &str, app: &str, expected: [&str; 2]| {
        bench.lake.seal().unwrap();
        assert_eq!(bench.inside("select bool_and(sealed) from internal.day"), [["true"]]);
        bench.take(events);
        assert_eq!(counted(bench, server, app), expected, "the day is open");
        bench.lake.seal().unwrap();
        assert_eq!(counted(bench, server, app), expected, "the day is sealed");
    };
    let earlier = Event { observed: 3601, ..post("alpha.test", 1) };
    follows(&mut bench, &[earlier], "alpha.test", "Tusky", ["1", "1"]);
    follows(&mut bench, &[Event::deleted("alpha.test", 1, DAY)], "beta.test", "Tusky", ["3", "1"]);
    let named = Event { app: Some("Ivory".to_owned()), observed: DAY, ..post("one.test", 2).by_own_server() };
    follows(&mut bench, &[named], "beta.test", "Ivory", ["3", "1"]);
}

/// The cost is of posts, not of days: strangers may date each post on a day of its own.
#[test]
fn many_days_of_few_posts_are_sealed_at_once() {
    let mut bench = Bench::new();
    let days = 3_000;
    let post = |n: i64| Event::created("alpha.test", n, &format!("user{}@one.test", n % 7), n % days * DAY);
    bench.take(&(0..days + 10).map(post).collect::<Vec<_>>());
    bench.take(&[Event::deleted("alpha.test", 20, 0)]);
    assert!(bench.lake.seal().unwrap());
    let sealed = "select count(*) filter (where sealed), count(*) from internal.day";
    assert_eq!(bench.inside(sealed), [["3000", "3000"]]);
    assert!(!bench.lake.seal().unwrap());
    same_in_utc(&bench, Filter::default());
    same_in_utc(&bench, Filter { bot: Some(false), ..Filter::default() });
}

#[test]
fn a_word_that_is_asked_twice_counts_once_and_one_that_nobody_wrote_is_a_zero() {
    let mut bench = Bench::new();
    let post = |n: i64, text: &str| Event {
        text: text.to_owned(),
        ..Event::created("alpha.test", n, "ann@one.test", n * DAY)
    };
    bench.take(&[post(0, "a balloon and ÄRGER"), post(1, "{posts} {hours} {asked}")]);
    let ask = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        decode(&bench.lake.report(&Question { words, ..Question::of("topics") }).unwrap().ipc)
    };
    let (first, second) = ("2023-02-03", "2023-02-04");
    assert_eq!(ask(&["balloon", "Balloon", "balloon"]), [[first, "balloon", "1"], [second, "balloon", "0"]]);
    assert_eq!(ask(&["Ärger", "ärger"]), [[first, "Ärger", "1"], [second, "Ärger", "0"]]);
    assert_eq!(ask(&["nobody"]), [[first, "nobody", "0"], [second, "nobody", "0"]]);
    for word in ["{posts}", "{hours}", "{asked}"] {
        assert_eq!(ask(&[word]), [[first, word, "0"], [second, word, "1"]]);
    }
}

#[test]
fn apps_come_with_their_denominator() {
    let mut bench = Bench::new();
    let post = |n: i64, app: Option<&str>| Event {
        app: app.map(str::to_owned),
        ..Event::created("alpha.test", n, "ann@one.test", n)
    };
    let bot = Event { bot: Some(true), ..post(9, Some("Bridge")) };
    bench.take(&[post(1, Some("Tusky")), post(2, None), post(3, None), bot]);
    let apps = bench.lake.report(&Question::of("apps")).unwrap();
    assert_eq!(decode(&apps.ipc), [["Tusky", "1"]]);
    assert_eq!(apps.note.as_deref(), Some("the app is known for 1 of 3 posts by people: apps do not federate"));
}

#[test]
fn an_empty_lake_answers() {
    let bench = Bench::new();
    for report in reports() {
        let rows = bench.lake.report(&Question::of(&report.name)).unwrap();
        let is_one_row = matches!(report.header.marks[0], Mark::Figures { .. });
        assert_eq!(decode(&rows.ipc).len(), usize::from(is_one_row), "{}", report.name);
    }
}

#[test]
fn a_report_has_the_columns_that_its_marks_and_clicks_name() {
    let bench = Bench::new();
    for report in reports() {
        let rows = bench.lake.report(&Question::of(&report.name)).unwrap();
        let columns = columns(&rows.ipc);
        let of_marks = report.header.marks.iter().flat_map(Mark::columns);
        for column in of_marks.chain(report.header.click.keys().map(String::as_str)) {
            assert!(columns.iter().any(|known| known == column), "{}: no column {column} in {columns:?}", report.name);
        }
    }
}

#[test]
fn a_report_that_is_one_file_is_answered_and_shown_as_sql() {
    let mut bench = Bench::new();
    let post = |n: i64, links: &[&str]| Event {
        lists: Some(links.iter().map(|link| Some((*link).to_owned())).collect()),
        ..Event::created("alpha.test", n, "ann@one.test", n)
    };
    bench.take(&[post(1, &["https://a.test"]), post(2, &[]), post(3, &["https://a.test", "https://b.test"])]);
    let report = Report::read("linked", include_str!("linked.sql")).unwrap();
    let question = Question::of("linked");
    let rows = bench.lake.answer(&report, &question).unwrap();
    assert_eq!(decode(&rows.ipc), [["one.test", "2", "3"]]);
    assert_eq!(rows.note.as_deref(), Some("2 of 3 posts have a link"));
    assert_eq!(decode(&rows.ipc), bench.ask(&report.sql(&question)));
}

#[test]
fn an_unknown_report_or_zone_is_an_error_that_says_what_there_is() {
    let bench = Bench::new();
    let zone = Calendar { zone: "Middle/Earth".to_owned(), ..Calendar::default() };
    let cases = [
        (Question::of("dayly"), "no report `dayly`: expected one of statistics, daily"),
        (Question { calendar: zone, ..Question::of("daily") }, "invalid time zone `Middle/Earth`"),
    ];
    for (question, why) in cases {
        let refused = bench.lake.report(&question).unwrap_err();
        assert!(matches!(refused, LakeError::Question(_)) && refused.to_string().starts_with(why), "{refused}");
    }
}
