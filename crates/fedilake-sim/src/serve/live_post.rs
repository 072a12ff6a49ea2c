//! A post of the running simulation, small enough that servers keep hundreds of thousands.

use std::net::SocketAddr;

use super::simulation::Config;
use super::software::Software as ServerSoftware;
use crate::content::account::{self, Author, Viewpoint, Wish};
use crate::content::hosts::{self, Software};
use crate::content::names;
use crate::content::people;
use crate::content::status::{self, Draft, Facts, Person, Visibility};

/// The home of a post's author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// One of the simulated servers.
    Server(usize),
    /// An invented host that is not served here.
    Elsewhere(usize),
}

impl Home {
    /// The domain of its members, its base URL, and what runs there.
    fn place(self, map: &Map) -> (String, String, Software) {
        match self {
            Home::Server(index) => {
                let base = format!("http://{}", map.names[index]);
                (map.domains[index].clone(), base, Software::Mastodon)
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
    /// The domains of their members; mostly the name.
    pub(crate) domains: Vec<String>,
    /// The servers' software, over and over again; Mastodon if there is none.
    pub(crate) software: Vec<ServerSoftware>,
}

impl Map {
    pub(crate) fn new(config: &Config, addresses: &[SocketAddr]) -> Map {
        let names: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let mut map = Map { seed: config.seed, domains: names.clone(), names, software: config.software.clone() };
        let able: Vec<usize> = (0..addresses.len()).filter(|index| map.software(*index).has_domain_apart()).collect();
        for (place, index) in able.into_iter().enumerate() {
            // Evenly among the others.
            let before = |place: usize| (place as f64 * config.apart) as usize;
            if before(place + 1) > before(place) {
                map.domains[index] = format!("server-{index}.example");
            }
        }
        map
    }

    pub(crate) fn software(&self, server: usize) -> ServerSoftware {
        let at = server.checked_rem(self.software.len()).unwrap_or_default();
        self.software.get(at).copied().unwrap_or_default()
    }
}

/// Appends the account of a server's first member, as that server shows it.
pub(crate) fn write_member(map: &Map, server: usize, out: &mut Vec<u8>) {
    let number = super::world::first_member(server);
    let traits = people::traits(map.seed, number);
    let username = names::username(map.seed, number, traits.bot);
    let (host, base, software) = Home::Server(server).place(map);
    let files = format!("{base}/system");
    let author = Author {
        number,
        username: &username,
        host: &host,
        base: &base,
        software,
        bot: traits.bot,
        language: traits.language,
        wish: Wish::None,
    };
    let view = Viewpoint { server: &host, base: &base, files: &files, ids: map.software(server).ids() };
    account::write_account(map.seed, &author, &view, super::simulation::now_ms(), out);
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

    /// The author's full name, `user@domain`.
    pub(crate) fn author(&self, map: &Map) -> String {
        self.with_draft(map, |draft| format!("{}@{}", draft.author.username, draft.author.host))
    }

    pub(crate) fn uri(&self, map: &Map) -> String {
        self.with_draft(map, status::uri)
    }

    /// Facts of the post in this version.
    pub(crate) fn facts(&self, map: &Map) -> Facts {
        self.write_status(map, 0, self.origin_id, &mut Vec::with_capacity(4_096))
    }

    /// Appends the status as server `server` shows it under `id`.
    pub(crate) fn write_status(&self, map: &Map, server: usize, id: u64, out: &mut Vec<u8>) -> Facts {
        let base = format!("http://{}", map.names[server]);
        let files = format!("{base}/system");
        let software = map.software(server);
        let view = Viewpoint { server: &map.domains[server], base: &base, files: &files, ids: software.ids() };
        let facts = self.with_draft(map, |draft| status::write_status(draft, &view, id, out));
        out.pop();
        let quoted = |out: &mut Vec<u8>| {
            let earlier = LivePost {
                number: self.number ^ 1 << 41,
                origin_id: self.origin_id ^ 1,
                answers: None,
                version: 0,
                edited_at_ms: None,
                ..*self
            };
            earlier.with_draft(map, |draft| status::write_status(draft, &view, id ^ 1, out));
        };
        software.write_fields(self.number % 10 == 3, quoted, out);
        out.push(b'}');
        facts
    }
}
