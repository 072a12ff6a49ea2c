//! A post of the running simulation, small enough that servers keep hundreds of thousands.

use crate::content::account::{Author, Viewpoint, Wish};
use crate::content::hosts::{self, Software};
use crate::content::names;
use crate::content::people;
use crate::content::status::{self, Draft, Person, Visibility};

/// The home of a post's author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// One of the simulated servers.
    Server(usize),
    /// An invented host that is not served here.
    Elsewhere(usize),
}

impl Home {
    /// Its host, its base URL, and what runs there.
    fn place(self, map: &Map) -> (String, String, Software) {
        match self {
            Home::Server(index) => {
                let name = map.names[index].clone();
                let base = format!("http://{name}");
                (name, base, Software::Mastodon)
            }
            Home::Elsewhere(index) => {
                let name = hosts::host(map.seed, index);
                let base = format!("https://{name}");
                (name, base, hosts::software(map.seed, index))
            }
        }
    }
}

/// A post in its newest version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LivePost {
    pub(crate) number: u64,
    pub(crate) person: u64,
    pub(crate) home: Home,
    pub(crate) origin_id: u64,
    pub(crate) created_at_ms: i64,
    pub(crate) edited_at_ms: Option<i64>,
    pub(crate) version: u32,
    pub(crate) characters: u32,
    pub(crate) says_language: bool,
    /// The post that it is a reply to.
    pub(crate) answers: Option<Answered>,
}

/// A post that is answered, as one server knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) person: u64,
    pub(crate) home: Home,
    /// Its id at the server; `None` where the server does not show it.
    pub(crate) id: Option<u64>,
}

/// Data shared by all posts of a simulation.
pub(crate) struct Map {
    pub(crate) seed: u64,
    /// The servers' names, `host:port`.
    pub(crate) names: Vec<String>,
}

impl LivePost {
    /// Calls `then` with the draft of this post.
    fn with_draft<T>(&self, map: &Map, then: impl FnOnce(&Draft<'_>) -> T) -> T {
        let traits = people::traits(map.seed, self.person);
        let username = names::username(map.seed, self.person, traits.bot);
        let (host, base, software) = self.home.place(map);
        let answered = self.answers.map(|answered| {
            let bot = people::traits(map.seed, answered.person).bot;
            let (host, base, _) = answered.home.place(map);
            (answered, names::username(map.seed, answered.person, bot), host, base)
        });
        let author = Author {
            number: self.person,
            username: &username,
            host: &host,
            base: &base,
            software,
            bot: traits.bot,
            language: traits.language,
            wish: Wish::None,
        };
        then(&Draft {
            seed: map.seed,
            number: self.number,
            origin_id: self.origin_id,
            author,
            created_at_ms: self.created_at_ms,
            edited_at_ms: self.edited_at_ms,
            version: self.version,
            characters: self.characters as usize,
            language: self.says_language.then_some(traits.language),
            topic: None,
            visibility: Visibility::Public,
            boost: false,
            answers: answered.as_ref().map(|(answered, username, host, base)| status::Answered {
                author: Person { number: answered.person, username, host, base },
                id: answered.id,
            }),
        })
    }

    pub(crate) fn uri(&self, map: &Map) -> String {
        self.with_draft(map, status::uri)
    }

    /// Appends the status as server `server` shows it under `id`.
    pub(crate) fn write_status(&self, map: &Map, server: usize, id: u64, out: &mut Vec<u8>) {
        let name = &map.names[server];
        let base = format!("http://{name}");
        let files = format!("{base}/system");
        let view = Viewpoint { server: name, base: &base, files: &files };
        self.with_draft(map, |draft| status::write_status(draft, &view, id, out));
    }
}
