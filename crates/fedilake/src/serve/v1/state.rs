//! The state of the page as parameters: which posts are counted, and by which calendar. The same keys stand in the page's own URL.

use fedilake_query::{Calendar, Filter, Question, catalogue};
use utoipa::IntoParams;

use super::Problem;
use super::params::Params;
use crate::cli::Filters;
use crate::filters;

/// The posts that are meant, the days by which they are counted, and the words that are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub filter: Filter,
    pub calendar: Calendar,
    words: Vec<String>,
}

/// The parameters of [`Asked`], for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "they are read by their names")]
pub(super) struct StateParams {
    /// The earliest created_at: RFC 3339, or YYYY-MM-DD for the beginning of a day in the chosen time zone.
    from: Option<String>,
    /// The end of created_at, which is not included.
    to: Option<String>,
    /// Authors' home servers.
    origin: Option<Vec<String>>,
    /// Servers that showed the post first.
    server: Option<Vec<String>>,
    /// Languages, by code or English name; `unknown` for posts without one.
    language: Option<Vec<String>>,
    app: Option<Vec<String>>,
    hashtag: Option<Vec<String>>,
    /// Words in texts, also within longer words.
    about: Option<Vec<String>>,
    /// bots or people.
    bot: Option<String>,
    /// As origin, for posts that are left out; so not-server, not-language, not-app, not-hashtag and not-about.
    #[param(rename = "not-origin")]
    not_origin: Option<Vec<String>>,
    #[param(rename = "not-server")]
    not_server: Option<Vec<String>>,
    #[param(rename = "not-language")]
    not_language: Option<Vec<String>>,
    #[param(rename = "not-app")]
    not_app: Option<Vec<String>>,
    #[param(rename = "not-hashtag")]
    not_hashtag: Option<Vec<String>>,
    #[param(rename = "not-about")]
    not_about: Option<Vec<String>>,
    /// A name such as Europe/Berlin; UTC if it is missing.
    timezone: Option<String>,
    /// The step of time lines: hour, day or week.
    by: Option<String>,
    /// Words of reports that count words.
    word: Option<Vec<String>>,
}

impl Asked {
    /// Takes the state out of the parameters.
    pub(super) fn take(params: &mut Params) -> Result<Asked, Problem> {
        let bot = params.one("bot")?;
        if let Some(bot) = bot.as_deref().filter(|bot| !matches!(*bot, "bots" | "people")) {
            return Err(Problem::bad(format!("`bot={bot}`: expected bots or people")));
        }
        let typed = Filters {
            from: params.one("from")?,
            to: params.one("to")?,
            origins: params.all("origin"),
            servers: params.all("server"),
            languages: params.all("language"),
            apps: params.all("app"),
            hashtags: params.all("hashtag"),
            about: params.all("about"),
            not_origins: params.all("not-origin"),
            not_servers: params.all("not-server"),
            not_languages: params.all("not-language"),
            not_apps: params.all("not-app"),
            not_hashtags: params.all("not-hashtag"),
            not_about: params.all("not-about"),
            bot: bot.as_deref() == Some("bots"),
            no_bot: bot.as_deref() == Some("people"),
        };
        let default = Calendar::default();
        let calendar = Calendar {
            zone: params.one("timezone")?.unwrap_or(default.zone),
            by: params.parsed("by")?.unwrap_or(default.by),
        };
        Ok(Asked {
            filter: filters::filter_of_url(&typed, &calendar.zone).map_err(Problem::bad)?,
            calendar,
            words: params.all("word"),
        })
    }

    /// The question for a report; `followed` are the words of one that counts words where none are asked for.
    pub(super) fn of(&self, report: &str, followed: &[String]) -> Question {
        let words = if self.words.is_empty() { followed } else { &self.words };
        match catalogue::find(report) {
            Some(report) => report.question(words, &self.filter, &self.calendar),
            // The lake says which reports there are.
            None => Question::of(report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked, String> {
        let mut params = Params::of(query);
        let asked = Asked::take(&mut params).and_then(|asked| params.finish().map(|()| asked));
        asked.map_err(|problem| problem.fault().message.clone())
    }

    #[test]
    fn every_key_restricts_and_a_misspelt_one_is_refused() {
        let all = read(
            "from=2023-02-04&to=2023-02-05T12:00:00Z&origin=A.example&server=b.example&language=de&language=en&app=Web%20app\
            &hashtag=%23cats&about=x+y&bot=people&not-origin=c.example&not-server=d.example&not-language=fr&not-app=Bot\
            &not-hashtag=dogs&not-about=z&timezone=Europe%2FBerlin&by=week&word=one&word=two",
        )
        .unwrap();
        let (only, without) = (&all.filter.only, &all.filter.without);
        // Midnight in Berlin, and an instant.
        assert_eq!((all.filter.from, all.filter.to), (Some(1_675_465_200_000), Some(1_675_598_400_000)));
        assert_eq!((only.origins[0].as_str(), only.servers[0].as_str()), ("a.example", "b.example"));
        assert_eq!(only.languages, ["de", "en"]);
        assert_eq!(
            (only.apps[0].as_str(), only.about[0].as_str(), only.hashtags[0].as_str()),
            ("Web app", "x y", "#cats")
        );
        assert_eq!((without.origins[0].as_str(), without.servers[0].as_str()), ("c.example", "d.example"));
        assert_eq!((without.languages[0].as_str(), without.apps[0].as_str()), ("fr", "Bot"));
        assert_eq!((without.hashtags[0].as_str(), without.about[0].as_str()), ("dogs", "z"));
        assert_eq!(all.filter.bot, Some(false));
        assert_eq!((all.calendar.zone.as_str(), all.calendar.by.as_str()), ("Europe/Berlin", "week"));
        assert_eq!(all.of("topics", &[]).words, ["one", "two"]);
        assert!(all.of("daily", &[]).words.is_empty());
        assert_eq!(read("").unwrap().of("topics", &["a".to_owned()]).words, ["a"]);
        for (query, why) in [
            ("form=2023-02-04", "unknown parameter `form`"),
            ("from=yesterday", "invalid date `yesterday`"),
            ("from=2023-02-05&to=2023-02-05", "is not before"),
            ("from=2023-02-04&from=2023-02-05", "`from` is given 2 times"),
            ("bot=true", "expected bots or people"),
            ("by=month", "expected `hour`, `day` or `week`"),
            ("origin=a%20b", "invalid host"),
        ] {
            let refused = read(query).unwrap_err();
            assert!(refused.contains(why), "{query}: {refused}");
        }
    }
}
