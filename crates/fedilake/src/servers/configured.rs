//! The servers and tokens that the settings name.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, bail};
use fedilake_collect::address::{self, ServerAddress};
use fedilake_collect::{ServerConfig, Timeline, Token};
use fedilake_model::Server;

use crate::secret;
use crate::servers::roster::Roster;
use crate::settings::{Settings, key};
use crate::tokens::{self, TokenFile};

/// The contact sent to the servers of this machine, if the operator sets none.
pub const PROJECT: &str = "https://github.com/fedilake/fedilake";

/// Tokens by host, each with its file.
pub type Tokens = Vec<(String, TokenOfFile)>;

/// A token and the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOfFile {
    pub token: Token,
    pub file: PathBuf,
}

/// The contact that is sent to servers.
pub fn contact(settings: &Settings) -> &str {
    match settings.get(key::COLLECT_CONTACT) {
        "" => PROJECT,
        contact => contact,
    }
}

/// The servers to read with their tokens: those of the settings, and those that were added to the data folder.
pub fn servers(settings: &Settings, added: Option<&Roster>) -> anyhow::Result<Vec<ServerConfig>> {
    let tokens = tokens(settings)?;
    let mut servers = configured_with(&tokens, settings)?;
    for listed in added.map(Roster::read).transpose()?.unwrap_or_default().values() {
        servers.extend(listed.configs(&tokens)?);
    }
    if servers.is_empty() {
        bail!(
            "no server to collect from\nhint: --server mastodon.social, or `fedilake simulate --serve 127.0.0.1:4000` and --server http://127.0.0.1:4000"
        );
    }
    require_no_stray_token(settings, &servers)?;
    Ok(servers)
}

/// The servers of the settings with their tokens.
pub fn configured(settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    configured_with(&tokens(settings)?, settings)
}

/// The servers of the settings with those of these tokens.
pub fn configured_with(tokens: &Tokens, settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    let typed = settings.get(key::COLLECT_SERVERS);
    let timelines = timelines(settings)?;
    let addresses = typed.iter().map(|server| address::parse(server)).collect::<Result<Vec<ServerAddress>, _>>()?;
    let configs = addresses
        .iter()
        .flat_map(|address| timelines.iter().map(|timeline| config(address.clone(), timeline.clone(), tokens)));
    Ok(configs.collect())
}

/// Refuses a token that is given for a server that nobody reads: its host may be misspelt.
fn require_no_stray_token(settings: &Settings, servers: &[ServerConfig]) -> anyhow::Result<()> {
    for (host, _) in token_files(settings)? {
        if !servers.iter().any(|config| config.address.server.as_str() == host) {
            bail!(
                "there is a token for {host}, but {host} is not collected\nhint: --token-file HOST=FILE with the HOST of a --server"
            );
        }
    }
    Ok(())
}

/// How to read a server, with its token from `tokens` if there is one.
pub fn config(address: ServerAddress, timeline: Timeline, tokens: &[(String, TokenOfFile)]) -> ServerConfig {
    let found = tokens.iter().find(|(host, _)| host == address.server.as_str()).map(|(_, found)| found.clone());
    let (token, token_file) = found.map(|found| (found.token, found.file)).unzip();
    // `fedilake login` may put one there while the server is read.
    let token_file = token_file.or_else(|| Some(TokenFile::of(address.server.as_str()).ok()?.path().to_owned()));
    ServerConfig { address, timeline, token, token_file }
}

/// The timelines of the settings, in which each server is read, and which the entry of a listed server names.
pub fn timelines(settings: &Settings) -> anyhow::Result<Vec<Timeline>> {
    let parse = |name: &String| {
        Timeline::parse(name).with_context(|| format!("setting collect.timeline = {name:?} is no timeline"))
    };
    settings.get(key::COLLECT_TIMELINE).iter().map(parse).collect()
}

/// The operator's own servers of which there is a token: for the operator their robots.txt does not hold.
pub fn own_with_tokens(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    let hosts: Vec<String> = token_files(settings)?.into_iter().chain(tokens::saved()).map(|(host, _)| host).collect();
    let own = named_own(settings)?;
    Ok(own.into_iter().filter(|server| hosts.iter().any(|host| host == server.as_str())).collect())
}

/// The servers that the operator says are her own.
pub fn named_own(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    settings.get(key::COLLECT_OWN_SERVERS).iter().map(|typed| Ok(address::parse(typed)?.server)).collect()
}

/// The operator's own servers. Each needs a token, which shows that the operator has an account there; it may come later.
pub fn own_servers(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    let (own, with_tokens) = (named_own(settings)?, own_with_tokens(settings)?);
    for server in own.difference(&with_tokens) {
        tracing::warn!(
            %server,
            hint = format!("`fedilake login {server}`"),
            "a server of your own without a token: until it has one, its robots.txt holds as for others"
        );
    }
    Ok(own)
}

/// The tokens by host: the configured ones, and for other hosts those that `fedilake login` saved.
pub fn tokens(settings: &Settings) -> anyhow::Result<Tokens> {
    let mut files = token_files(settings)?;
    for (host, file) in tokens::saved() {
        if !files.iter().any(|(listed, _)| *listed == host) {
            files.push((host, file));
        }
    }
    let read = |(host, file): (String, PathBuf)| {
        let shown = file.display();
        let text = secret::read(&file).with_context(|| format!("read the token for {host} from {shown}"))?;
        let token = Token::new(&text).with_context(|| {
            format!(
                "{shown} does not contain a token\nhint: a file with one line, the access token of an app with scope read:statuses; \
                 `fedilake login {host}` gets one"
            )
        })?;
        Ok((host, TokenOfFile { token, file }))
    };
    files.into_iter().map(read).collect()
}

/// The configured token files, each with its host in the one spelling that servers have.
pub fn token_files(settings: &Settings) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let read = |typed: &String| {
        let (host, file) = typed.split_once('=').with_context(|| format!("{typed:?} is not HOST=FILE"))?;
        let host = address::parse(host).map_or_else(|_| host.to_lowercase(), |address| address.server.to_string());
        Ok((host, PathBuf::from(file)))
    };
    settings.get(key::COLLECT_TOKEN_FILES).iter().map(read).collect()
}
